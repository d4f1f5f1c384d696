//! The contract of trait `Store`: each of its sentences is a test of that name, run on every engine.
//!
//! Most sentences are their own control: next to what must be refused stands the same call with one thing changed, which must be done.

mod auditing;
mod committing;
mod engines;
mod finding;
mod following;
mod listing;
mod noting;
mod on_redis;
mod paging;
mod peeking;
mod peppers;
mod renewing;
mod samples;
mod settling;
mod taking;
mod topology;
mod using;

/// The sentences, and the engines that they are run on.
macro_rules! sentences {
    ($($topic:ident: $($sentence:ident),+;)+) => {
        const SENTENCES: &[&str] = &[$($(stringify!($sentence)),+),+];

        macro_rules! on {
            ($engine:ident) => {
                mod $engine {
                    $($(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $sentence() {
                            super::$topic::$sentence(&mut super::engines::$engine()).await;
                        }
                    )+)+
                }
            };
        }
    };
}

sentences! {
    finding:
        a_committed_key_is_found_by_each_of_its_secrets_digests_in_its_own_realm_only,
        the_position_is_read_no_later_than_the_record;
    taking:
        a_charge_takes_from_all_of_its_windows_or_from_none,
        no_window_ever_holds_more_than_its_limit_whatever_takes_at_once,
        returns_are_applied_before_anything_is_taken_and_a_return_of_what_is_gone_changes_nothing,
        a_charge_that_names_an_older_generation_than_its_subjects_is_stale,
        a_generation_that_is_confirmed_holds_against_a_newer_one_that_only_windows_have_heard_of,
        a_charge_that_knows_only_periods_that_are_over_is_behind,
        no_token_outlives_the_calendar_period_that_it_was_counted_in,
        a_shadow_counts_what_it_would_admit_and_refuses_nothing,
        what_was_granted_is_still_counted_after_a_crash,
        charges_are_taken_in_the_order_given;
    peeking:
        a_peek_says_what_a_take_would_answer_and_takes_nothing,
        a_peek_gives_nothing_back_and_has_windows_hear_of_nothing,
        a_peek_of_several_charges_looks_at_each_by_itself;
    settling:
        a_ticket_is_settled_once_whoever_settles_it,
        a_ticket_that_is_too_old_is_settled_no_more,
        a_settlement_that_was_acknowledged_is_not_repeated_after_a_crash,
        a_settlement_gives_back_where_it_says_and_to_nothing_that_is_gone;
    using:
        usage_is_summed_whoever_adds_it_by_the_minute_and_by_the_day,
        a_piece_that_is_added_again_is_counted_once,
        the_latest_use_of_each_secret_is_kept_whatever_comes_last,
        a_range_has_what_was_counted_in_it_and_nothing_else,
        last_uses_are_told_in_the_order_of_the_keys_asked_for;
    committing:
        a_commit_that_expects_another_revision_is_a_conflict_and_changes_nothing,
        a_secret_that_another_key_of_the_realm_has_is_refused_and_changes_nothing,
        a_digest_that_is_to_be_free_and_that_a_key_of_its_realm_has_is_refused_and_changes_nothing,
        a_commit_that_needs_an_owner_who_is_not_there_is_a_conflict_and_changes_nothing,
        a_commit_in_a_line_is_made_right_behind_the_one_before_it_or_not_at_all,
        a_line_goes_on_behind_a_commit_that_was_late_and_came_later,
        the_same_request_id_with_the_same_content_is_done_once_with_other_content_it_is_an_error,
        a_commit_marked_as_once_is_done_once_whoever_races_for_it,
        positions_go_up_by_one_with_every_entry_of_the_log,
        what_was_acknowledged_is_there_after_a_crash,
        a_secret_that_a_key_no_longer_has_is_free_for_another,
        a_key_that_was_removed_is_found_and_listed_no_more_and_its_secrets_are_free;
    auditing:
        every_commit_has_one_entry_in_the_audit_log_which_follows_the_one_before_and_is_sealed,
        a_note_is_one_entry_more_in_its_order_among_those_of_commits,
        entries_are_read_as_they_were_written,
        what_was_dropped_from_the_audit_log_for_its_age_is_told_in_the_log_itself,
        a_key_is_due_for_what_it_has_to_do_until_it_has_done_it,
        an_entry_that_follows_one_which_no_pepper_of_its_maker_has_sealed_says_so,
        what_is_due_is_walked_on_whatever_became_of_what_was_there;
    listing:
        a_key_is_read_in_its_own_realm_only,
        an_owner_is_read_in_its_own_realm_only,
        several_owners_are_read_as_one_is_and_who_is_not_there_is_left_out,
        several_keys_are_read_as_one_is_by_their_ids_and_by_their_digests_and_who_is_not_there_is_left_out,
        a_key_that_changes_its_owner_is_listed_with_the_new_one,
        every_realm_that_has_an_owner_is_named_once_whoever_serves_it,
        a_pepper_of_a_known_version_and_another_check_value_is_refused,
        peppers_none_of_which_is_known_are_refused_where_others_are,
        it_never_goes_backwards;
    peppers:
        the_first_pepper_of_a_replica_is_taken_into_use_once_everyone_who_holds_a_lease_has_it,
        a_replica_that_lacks_a_pepper_in_use_is_refused,
        a_withdrawn_pepper_is_never_taken_into_use_again,
        the_pepper_in_use_is_not_withdrawn,
        no_secret_is_put_under_a_withdrawn_pepper_and_those_that_are_there_stay;
    paging:
        pages_follow_one_another_without_gap_or_repetition_in_either_order,
        pages_go_on_while_keys_are_added,
        a_page_that_is_not_full_is_the_last_one,
        a_page_of_an_owners_keys_holds_none_of_others_wherever_it_is_to_begin;
    noting:
        every_change_has_its_entry_in_the_log_with_the_digests_that_its_key_had_and_has,
        new_keys_that_stand_one_after_another_in_a_commit_have_one_entry_in_the_log_together_and_so_have_new_owners,
        a_commit_names_everyone_who_holds_a_lease,
        what_was_vouched_for_is_told_with_every_footing_of_the_same_primary,
        what_is_secured_stands_where_its_record_is_read;
    renewing:
        a_renewal_registers_its_holder,
        a_renewal_acknowledges_what_its_holder_has_applied_and_knows_to_be_secured,
        a_renewal_brings_the_entries_that_follow_the_place_applied_in_their_order_and_without_gaps,
        a_renewal_without_a_place_or_with_one_that_is_trimmed_away_jumps_to_the_head,
        a_place_that_is_not_in_the_log_is_lost,
        a_secured_place_that_is_not_in_the_log_is_rolled_back_for_everyone_until_an_operator_says_to_go_on,
        after_a_resumption_replicas_jump_to_the_head;
    following:
        entries_come_as_soon_as_they_are_committed,
        a_place_that_is_not_in_the_log_is_followed_by_nothing,
        without_any_it_ends_with_none_when_its_patience_is_over,
        an_acknowledgement_counts_for_its_own_incarnation_and_of_its_own_log_only,
        a_holder_that_has_renewed_since_is_not_dismissed;
}

on!(redis);
on!(embedded);
on!(embedded_on_a_lossy_disk);

/// The sentences of the trait are its bullets.
#[test]
fn every_sentence_of_the_trait_is_a_test_of_that_name() {
    let text = include_str!("../../../src/store/mod.rs");
    let contract = &text[text.find("pub trait Store").unwrap()..];
    let said: Vec<String> = contract.lines().filter_map(|line| line.trim().strip_prefix("/// - ")).map(as_name).collect();
    assert!(said.len() > 10, "{said:?}");
    let untested: Vec<&String> = said.iter().filter(|sentence| !SENTENCES.contains(&sentence.as_str())).collect();
    assert!(untested.is_empty(), "{untested:#?}");
}

fn as_name(sentence: &str) -> String {
    let kept = sentence.chars().filter(|c| c.is_ascii_alphanumeric() || " -".contains(*c));
    kept.map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}
