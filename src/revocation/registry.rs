//! Who holds a lease, as the store keeps it. Redis keeps the same in a hash, and its scripts hold the same rules.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::entry::Illegible;

/// One life of one replica: its name, and a number drawn at random at its start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// For people: the host's name, as a rule. At most 64 of `A-Z a-z 0-9 . _ -`.
    pub replica: Box<str>,
    pub incarnation: u64,
}

/// A holder's entry. It has no end of its own: a store's clock must not decide when somebody else's lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// The number of the newest renewal. The holder counts them itself, so that one that was dismissed and comes back is never taken for what
    /// it was, whatever the store has forgotten.
    pub renewals: u64,
    /// The position up to which the holder has applied the log.
    pub applied: u64,
    /// How long its lease lasts.
    pub lease: Duration,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry(BTreeMap<Holder, Registration>);

impl Registry {
    /// Registers a holder's renewal of this number.
    pub fn renew(&mut self, holder: &Holder, number: u64, applied: u64, lease: Duration) {
        let entry = self.0.entry(holder.clone()).or_insert(Registration { renewals: 0, applied: 0, lease });
        *entry = Registration { renewals: entry.renewals.max(number), applied: entry.applied.max(applied), lease };
    }

    /// Notes how far a holder has applied the log. An incarnation that is not registered is nobody's.
    pub fn acknowledge(&mut self, holder: &Holder, position: u64) {
        if let Some(entry) = self.0.get_mut(holder) {
            entry.applied = entry.applied.max(position);
        }
    }

    /// Removes a holder, unless it has renewed its lease since it was seen with so many renewals.
    pub fn dismiss(&mut self, holder: &Holder, renewals: u64) {
        if self.0.get(holder).is_some_and(|entry| entry.renewals == renewals) {
            self.0.remove(holder);
        }
    }

    /// Every holder, in the order of their names.
    #[must_use]
    pub fn holders(&self) -> Vec<(Holder, Registration)> {
        self.0.iter().map(|(holder, entry)| (holder.clone(), *entry)).collect()
    }
}

/// `replica:incarnation`, the incarnation in 16 hexadecimal digits.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.replica, self.incarnation)
    }
}

impl FromStr for Holder {
    type Err = Illegible;

    fn from_str(text: &str) -> Result<Self, Illegible> {
        let parts = text.rsplit_once(':').and_then(|(replica, number)| Some((replica, u64::from_str_radix(number, 16).ok()?)));
        parts.map(|(replica, incarnation)| Self { replica: replica.into(), incarnation }).ok_or_else(|| Illegible(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(incarnation: u64) -> Holder {
        Holder { replica: "a".into(), incarnation }
    }

    #[test]
    fn a_holder_that_renewed_meanwhile_is_not_dismissed() {
        let mut registry = Registry::default();
        registry.renew(&holder(1), 1, 0, Duration::from_secs(5));
        registry.renew(&holder(1), 2, 0, Duration::from_secs(5));
        registry.dismiss(&holder(1), 1);
        assert_eq!(registry.holders().len(), 1);
        registry.dismiss(&holder(1), 2);
        assert!(registry.holders().is_empty());
    }

    #[test]
    fn an_acknowledgement_never_takes_one_back_and_is_of_its_own_incarnation() {
        let mut registry = Registry::default();
        registry.renew(&holder(1), 1, 3, Duration::from_secs(5));
        registry.acknowledge(&holder(1), 2);
        registry.acknowledge(&holder(2), 9);
        assert_eq!(registry.holders(), [(holder(1), Registration { renewals: 1, applied: 3, lease: Duration::from_secs(5) })]);
        registry.acknowledge(&holder(1), 4);
        assert_eq!(registry.holders()[0].1.applied, 4);
    }

    #[test]
    fn a_holder_is_read_as_it_is_written() {
        let holder = Holder { replica: "keyward-7.pod".into(), incarnation: 0xab };
        assert_eq!(holder.to_string(), "keyward-7.pod:00000000000000ab");
        assert_eq!(holder.to_string().parse(), Ok(holder));
        assert!("nobody".parse::<Holder>().is_err() && "a:xyz".parse::<Holder>().is_err());
    }
}
