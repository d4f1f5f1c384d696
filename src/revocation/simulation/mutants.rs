//! The protocol with one thing left out: each is caught, by schedules that the whole protocol passes.

use super::campaign::catch;
use super::mix::Campaign;
use super::mutant::Mutant;
use crate::revocation::Obligation;

/// How many schedules it may take.
const MOST: u64 = 10_000;

fn is_caught(mutant: Mutant, campaign: Campaign) {
    let Some(caught) = catch(mutant, campaign, MOST) else { panic!("{mutant:?} is not noticed in {MOST} schedules of {campaign:?}") };
    eprintln!("{mutant:?} is caught by {caught}");
}

macro_rules! caught {
    ($($name:ident: $mutant:expr, $campaign:ident;)+) => {
        $(
            #[test]
            fn $name() {
                is_caught($mutant, Campaign::$campaign);
            }
        )+
    };
}

use Mutant::Without;
use Obligation as O;

caught! {
    o1_a_wait_that_is_shorter_than_a_lease_is_caught: Without(O::WaitOutlastsTheLease), Network;
    o2_a_lease_that_counts_from_the_answer_is_caught: Without(O::LeaseCountsFromSending), Answers;
    o3_a_lease_that_is_extended_before_the_log_is_applied_is_caught: Without(O::LogBeforeLease), Answers;
    o4_late_fills_that_are_believed_are_caught: Without(O::LateFillsAreRefused), Network;
    o5_an_acknowledgement_before_applying_is_caught: Without(O::AppliedBeforeAcknowledged), Network;
    o6_a_registration_that_ends_before_its_lease_is_caught: Without(O::RegistryOutlastsTheLease), Network;
    o7_a_clock_that_does_not_count_suspension_is_caught: Without(O::SuspendedTimeCounts), Processes;
    o8_a_wait_that_begins_before_durability_is_caught: Without(O::WaitBeginsWithDurability), Slow;
    o9_acknowledgements_on_shifting_ground_are_caught: Without(O::FirmGround), Failovers;
    o10_one_replica_that_counts_for_all_is_caught: Without(O::AllPromotable), Failovers;
    o11_one_life_that_speaks_for_another_is_caught: Without(O::IncarnationsDiffer), Processes;
    a_lease_that_is_looked_at_after_the_memory_is_caught: Mutant::LeaseAfterMemory, Answers;
    places_without_marks_are_caught: Mutant::PositionsOnly, Failovers;
    a_log_that_is_followed_by_position_is_caught: Mutant::FollowedByPosition, Failovers;
    a_longest_lease_that_the_store_has_forgotten_is_caught: Mutant::LongestAsTold, Backups;
    an_acknowledgement_of_what_is_not_known_to_be_secured_is_caught: Mutant::UnsecuredIsAcknowledged, Backups;
    a_count_of_renewals_that_begins_anew_is_caught: Mutant::RenewalsCountedByStore, Processes;
}
