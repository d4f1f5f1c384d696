//! Tickets: the receipt of a charge. One goes out with a request that some limit may not count, comes back with what the upstream answered,
//! and says where tokens go back to. What it says is sealed under the pepper: nobody else can write one.
//!
//! ```text
//! version 1 · id 16 · minted 8 · tokens 4 · realm · owner · key (each: length 1, text) · windows 1
//! for each window: whose 1 · id 4 · slot 8 · counts 1 (0 all, 1 only, 2 except) · [kinds 1 · codes 1 · code 2 ..] · seal 16
//! ```

use super::key::Peppers;
use super::limit::Per;
use super::name::{KeyId, OwnerId, RealmId};
use super::outcome::{Counts, Outcome, Outcomes};
use super::time::StoreTime;
use super::window::WindowId;

/// A charge of one check, as far as it may be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub id: TicketId,
    /// On the store's clock.
    pub minted: StoreTime,
    pub tokens: u32,
    pub realm: RealmId,
    pub owner: OwnerId,
    pub key: KeyId,
    /// Those that do not count everything.
    pub windows: Vec<Charged>,
}

/// One of a kind for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TicketId(pub [u8; 16]);

/// Where tokens were counted, and for what they stay so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    pub per: Per,
    pub window: WindowId,
    pub slot: i64,
    pub counts: Counts,
}

/// Why something is no ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    #[error("it is not of this version's form")]
    Malformed,
    #[error("its seal is of none of the live peppers")]
    Forged,
}

const VERSION: u8 = 1;
const SEAL: usize = 16;

impl Ticket {
    /// The windows whose limits do not count this outcome.
    pub fn uncounted(&self, outcome: Outcome) -> impl Iterator<Item = &Charged> {
        self.windows.iter().filter(move |charged| !charged.counts.counts(outcome))
    }

    /// Sealed under the newest pepper.
    #[must_use]
    pub fn seal(&self, peppers: &Peppers) -> Vec<u8> {
        let mut bytes = self.write();
        let seal = peppers.newest().seal(&bytes);
        bytes.extend_from_slice(&seal);
        bytes
    }

    /// Reads a ticket that was sealed under any of these peppers.
    pub fn open(sealed: &[u8], peppers: &Peppers) -> Result<Self, TicketError> {
        let at = sealed.len().checked_sub(SEAL).ok_or(TicketError::Malformed)?;
        let (bytes, seal) = sealed.split_at(at);
        if !peppers.iter().any(|pepper| pepper.sealed(bytes, seal)) {
            return Err(TicketError::Forged);
        }
        Reader(bytes).ticket().ok_or(TicketError::Malformed)
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.minted.0.to_be_bytes());
        bytes.extend_from_slice(&self.tokens.to_be_bytes());
        for name in [self.realm.as_str(), self.owner.as_str(), self.key.as_str()] {
            // names have 64 bytes at most
            bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.push(u8::try_from(self.windows.len()).unwrap_or(u8::MAX));
        for charged in self.windows.iter().take(usize::from(u8::MAX)) {
            bytes.push(u8::from(charged.per == Per::Owner));
            bytes.extend_from_slice(&charged.window.0.to_be_bytes());
            bytes.extend_from_slice(&charged.slot.to_be_bytes());
            write_counts(&mut bytes, &charged.counts);
        }
        bytes
    }
}

fn write_counts(bytes: &mut Vec<u8>, counts: &Counts) {
    let (sort, outcomes) = match counts {
        Counts::All => return bytes.push(0),
        Counts::Only(outcomes) => (1, outcomes),
        Counts::Except(outcomes) => (2, outcomes),
    };
    let (kinds, codes) = outcomes.parts();
    bytes.extend_from_slice(&[sort, kinds, u8::try_from(codes.len()).unwrap_or(u8::MAX)]);
    codes.iter().take(usize::from(u8::MAX)).for_each(|code| bytes.extend_from_slice(&code.to_be_bytes()));
}

/// What is left to read. Nothing may be left at the end.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn ticket(mut self) -> Option<Ticket> {
        if self.byte()? != VERSION {
            return None;
        }
        let ticket = Ticket {
            id: TicketId(self.take()?),
            minted: StoreTime(i64::from_be_bytes(self.take()?)),
            tokens: u32::from_be_bytes(self.take()?),
            realm: RealmId::parse(self.name()?).ok()?,
            owner: OwnerId::parse(self.name()?).ok()?,
            key: KeyId::parse(self.name()?).ok()?,
            windows: (0..self.byte()?).map(|_| self.charged()).collect::<Option<_>>()?,
        };
        self.0.is_empty().then_some(ticket)
    }

    fn charged(&mut self) -> Option<Charged> {
        Some(Charged {
            per: if self.byte()? == 0 { Per::Key } else { Per::Owner },
            window: WindowId(u32::from_be_bytes(self.take()?)),
            slot: i64::from_be_bytes(self.take()?),
            counts: self.counts()?,
        })
    }

    fn counts(&mut self) -> Option<Counts> {
        let sort = self.byte()?;
        if sort == 0 {
            return Some(Counts::All);
        }
        let kinds = self.byte()?;
        let codes = (0..self.byte()?).map(|_| self.take().map(u16::from_be_bytes)).collect::<Option<_>>()?;
        let outcomes = Outcomes::from_parts(kinds, codes);
        match sort {
            1 => Some(Counts::Only(outcomes)),
            2 => Some(Counts::Except(outcomes)),
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn name(&mut self) -> Option<&str> {
        let length = usize::from(self.byte()?);
        let (name, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(name).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Pepper;
    use super::super::name::Word;
    use super::super::outcome::Kind;
    use super::*;

    fn peppers(keys: &[u8]) -> Peppers {
        let pepper = |byte: &u8| Pepper::new(Word::parse(&format!("v{byte}")).unwrap(), vec![*byte; 32]).unwrap();
        Peppers::new(keys.iter().map(pepper).collect()).unwrap()
    }

    fn ticket() -> Ticket {
        let charged = |window, counts| Charged { per: Per::Owner, window, slot: 1_790_000_000_123, counts };
        Ticket {
            id: TicketId([7; 16]),
            minted: StoreTime(1_790_000_000_500),
            tokens: 3,
            realm: RealmId::parse("ocote").unwrap(),
            owner: OwnerId::parse("acme.Corp").unwrap(),
            key: KeyId::parse("key_1").unwrap(),
            windows: vec![
                charged(WindowId::sliding(60_000), Counts::Except(Outcomes::new(&[], vec![401]))),
                charged(WindowId::sliding(3_600_000), Counts::Only(Outcomes::new(&[Kind::Class(2), Kind::Reset], vec![]))),
            ],
        }
    }

    #[test]
    fn a_ticket_opens_under_any_live_pepper_and_says_what_was_sealed() {
        let sealed = ticket().seal(&peppers(&[1]));
        assert_eq!(Ticket::open(&sealed, &peppers(&[2, 1])), Ok(ticket()));
        assert!(sealed.len() < 128, "{} bytes", sealed.len());
    }

    #[test]
    fn a_ticket_is_sealed_under_the_pepper_that_all_replicas_have_and_settled_across_a_rotation() {
        let (restarted, not_yet) = (peppers(&[2, 1]), peppers(&[1]));
        let rash = ticket().seal(&restarted);
        assert_eq!(Ticket::open(&rash, &not_yet), Err(TicketError::Forged), "the control: under the first of its own");
        assert!(restarted.use_version(&not_yet.newest().version));
        let sealed = ticket().seal(&restarted);
        assert_eq!(Ticket::open(&sealed, &not_yet), Ok(ticket()));
        assert_eq!(Ticket::open(&sealed, &peppers(&[3, 2, 1])), Ok(ticket()), "when another has come");
    }

    #[test]
    fn a_ticket_that_was_changed_anywhere_or_is_of_another_pepper_is_forged() {
        let sealed = ticket().seal(&peppers(&[1]));
        assert_eq!(Ticket::open(&sealed, &peppers(&[2])), Err(TicketError::Forged));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(Ticket::open(&changed, &peppers(&[1])).is_err(), "byte {at}");
            assert!(Ticket::open(&sealed[..at], &peppers(&[1])).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_a_limit_does_not_count_is_found_by_outcome() {
        let ticket = ticket();
        let uncounted = |outcome| ticket.uncounted(outcome).map(|charged| charged.window.0).collect::<Vec<_>>();
        assert_eq!(uncounted(Outcome::Status(200)), Vec::<u32>::new());
        assert_eq!(uncounted(Outcome::Status(401)), [60_000, 3_600_000]);
        assert_eq!(uncounted(Outcome::Status(500)), [3_600_000]);
    }
}
