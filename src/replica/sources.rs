//! Sources that keep presenting what no key has: they are told to wait before they cost another look-up. Keys that are remembered, and other
//! sources, notice nothing of it.
//!
//! A look-up is paid for when it has found nothing, not before: a crowd of good keys behind one address, all of them new to this replica, is no
//! reason to turn anybody away. What is found in vain at one time may so be more than there was credit for; the rest is a debt, and has to be
//! waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::domain::address::Source;
use crate::domain::name::RealmId;
use crate::domain::realm::FailureRate;
use crate::domain::time::BootTime;

/// Sources that have failed, up to a bound: beyond it those are forgotten that failed least lately.
pub(crate) struct Sources {
    failed: Cache<(RealmId, Source), Arc<Debt>>,
}

/// When everything will be paid, on the boot clock, in nanoseconds.
#[derive(Default)]
struct Debt(AtomicU64);

/// A source, as one realm counts it.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    whose: (RealmId, Source),
    rate: FailureRate,
}

const MOST: usize = 1 << 16;

impl Counted {
    pub(crate) fn new(realm: &RealmId, source: Source, rate: FailureRate) -> Self {
        Self { whose: (realm.clone(), source), rate }
    }

    /// What one look-up costs.
    fn price(&self) -> u64 {
        nanoseconds(self.rate.per / self.rate.look_ups.get()).max(1)
    }
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self { failed: Cache::new(MOST) }
    }

    /// Whether a source may cause another look-up; if not, how long it has to wait.
    pub(crate) fn may(&self, source: &Counted, now: BootTime) -> Result<(), Duration> {
        let Some(debt) = self.failed.get(&source.whose) else { return Ok(()) };
        let owed = debt.0.load(Ordering::Relaxed).saturating_sub(nanoseconds(now.0));
        let credit = nanoseconds(source.rate.per).saturating_sub(source.price());
        if owed <= credit { Ok(()) } else { Err(Duration::from_nanos(owed - credit)) }
    }

    /// A look-up has found nothing. A debt is never longer than twice the realm's time, so that whoever shares an address with one that floods
    /// does not pay for it for ever.
    pub(crate) fn failed(&self, source: &Counted, now: BootTime) {
        let debt = self.failed.get_or_insert_with(&source.whose, || Ok::<_, std::convert::Infallible>(Arc::default()));
        let Ok(debt) = debt;
        let (now, longest) = (nanoseconds(now.0), 2 * nanoseconds(source.rate.per));
        let paid = |until: u64| Some((until.max(now) + source.price()).min(now + longest));
        let _ = debt.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn counted(address: &str, look_ups: u32) -> Counted {
        let rate = FailureRate { look_ups: look_ups.try_into().unwrap(), per: Duration::from_mins(1) };
        Counted::new(&RealmId::parse("otesse").unwrap(), address.parse::<IpAddr>().unwrap().into(), rate)
    }

    fn at(ms: u64) -> BootTime {
        BootTime(Duration::from_millis(ms))
    }

    #[test]
    fn a_source_may_fail_so_often_in_so_long_and_then_as_often_as_that_gives() {
        let (sources, source) = (Sources::new(), counted("192.0.2.1", 300));
        for _ in 0..300 {
            assert_eq!(sources.may(&source, at(1000)), Ok(()));
            sources.failed(&source, at(1000));
        }
        assert_eq!(sources.may(&source, at(1000)), Err(Duration::from_millis(200)));
        assert_eq!(sources.may(&source, at(1199)), Err(Duration::from_millis(1)));
        assert_eq!(sources.may(&source, at(1200)), Ok(()));
        sources.failed(&source, at(1200));
        assert!(sources.may(&source, at(1200)).is_err());
        assert_eq!(sources.may(&source, at(62_000)), Ok(()), "who stops failing is as any other");
    }

    #[test]
    fn other_sources_and_other_realms_notice_nothing() {
        let (sources, source) = (Sources::new(), counted("2001:db8::1", 1));
        sources.failed(&source, at(0));
        assert!(sources.may(&source, at(0)).is_err());
        assert!(sources.may(&counted("2001:db8::2", 1), at(0)).is_err(), "of the same network");
        assert_eq!(sources.may(&counted("2001:db8:0:1::1", 1), at(0)), Ok(()));
        let elsewhere = Counted { whose: (RealmId::parse("ocus").unwrap(), source.whose.1), ..source };
        assert_eq!(sources.may(&elsewhere, at(0)), Ok(()));
    }

    #[test]
    fn what_failed_at_one_time_beyond_its_credit_has_to_be_waited_for_but_not_for_ever() {
        let (sources, source) = (Sources::new(), counted("192.0.2.1", 60));
        (0..90).for_each(|_| sources.failed(&source, at(0)));
        assert_eq!(sources.may(&source, at(0)), Err(Duration::from_secs(31)));
        (0..100_000).for_each(|_| sources.failed(&source, at(0)));
        assert_eq!(sources.may(&source, at(0)), Err(Duration::from_secs(61)));
    }

    #[test]
    fn memory_is_bounded_whoever_fails() {
        let sources = Sources::new();
        for number in 0..200_000_u32 {
            sources.failed(&counted(&std::net::Ipv4Addr::from(number).to_string(), 300), at(0));
        }
        assert!(sources.failed.len() <= MOST);
    }
}
