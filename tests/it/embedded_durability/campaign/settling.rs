//! Tickets that are settled, some of them again after a crash.

use keyward::clock::Clock as _;
use keyward::domain::ticket::TicketId;
use keyward::store::embedded::Embedded;
use keyward::store::{Return, Settled, Settlement, Store as _, StoreError};

use super::{Loss, Seen, World};

/// A ticket, and what was said of it.
pub(super) struct Ticket {
    settlement: Settlement,
    told: Said,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    /// Nobody knows whether it is settled.
    Unsure,
    Settled,
}

impl World {
    /// Of a charge, with what would undo it. Tells its number.
    pub(super) fn mint(&mut self, returns: Vec<Return>) -> u64 {
        let number = self.tickets.len() as u64;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        // the store's time is the wall's, as long as that was not set back
        let minted = self.clock.wall().max(self.told);
        self.tickets.push(Ticket { settlement: Settlement { ticket: TicketId(id), minted, returns }, told: Said::Nothing });
        number
    }

    /// Settles one of the last tickets, now and then twice in one call, or one that was settled before.
    pub(super) async fn settle_tickets(&mut self, store: &Embedded, seen: &mut Seen) {
        let newest = self.tickets.len() as u64;
        if newest > 0 {
            let at = usize::try_from(newest - 1 - self.dice.below(newest.min(8))).unwrap();
            let times = if self.dice.once_in(4) { 2 } else { 1 };
            self.settle_ticket(store, at, times, seen).await;
        }
    }

    /// Everything that was settled before is settled again, and is not.
    pub(super) async fn settle_all_again(&mut self, store: &Embedded, seen: &mut Seen) {
        for at in 0..self.tickets.len() {
            if self.tickets[at].told != Said::Nothing {
                self.settle_ticket(store, at, 1, seen).await;
            }
        }
    }

    async fn settle_ticket(&mut self, store: &Embedded, at: usize, times: usize, seen: &mut Seen) {
        let answers = store.settle(&vec![self.tickets[at].settlement.clone(); times]).await;
        let answers = answers.unwrap_or_else(|error| vec![Settled::Failed(error)]);
        for answer in answers {
            let before = self.tickets[at].told;
            let after = match (&answer, before) {
                (Settled::Done, Said::Nothing | Said::Unsure) => {
                    seen.settled += 1;
                    Said::Settled
                }
                (Settled::Replayed, Said::Unsure | Said::Settled) => {
                    seen.replayed += 1;
                    Said::Settled
                }
                (Settled::TooLate, told) => told,
                (Settled::Failed(StoreError::Unavailable(_)), Said::Settled) => Said::Settled,
                (Settled::Failed(StoreError::Unavailable(_)), _) => Said::Unsure,
                _ => return self.lose(Loss::Ticket, &format!("{answer:?} of one that was told as {before:?}")),
            };
            self.tickets[at].told = after;
            // its tokens do not count; nor do they where nobody knows
            if after != Said::Nothing {
                self.spent.retain(|spent| spent.ticket != at as u64);
            }
        }
    }
}
