//! Three times what a replica can answer, where the processor is what there is too little of: a control group gives it a small part of a core.
//! To refuse costs it about as much as to answer, so Envoy has to ask less: `max_requests` of its circuit breaker bounds what waits, and who
//! is above it costs the replica nothing. Without it all of them wait, until Envoy has given up on each by the time it is answered.

use std::fmt;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::{REALM, key};
use crate::hostility::resident;
use crate::support::campaign::{figure, is_full, share};
use crate::support::cgroup::Capped;
use crate::support::envoy::Envoy;
use crate::support::keyward::{Keyward, Store};
use crate::support::visitors::{Came, MOST, Pace, Visitors};

/// How long it runs in each `PERIOD`: for some hundreds of checks a second, so that Envoy and its visitors have what they need beside it.
const QUOTA: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2 } else { 1 });
const PERIOD: Duration = Duration::from_millis(20);

/// They are answered in a small part of the time that Envoy waits, 0.25 s.
const BREAKER: usize = 16;
/// More than come while Envoy waits.
const NO_BREAKER: usize = 100_000;

/// One at a time: each of these has to have what it needs of the rest of the machine.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A replica with little time, and an Envoy before it.
struct Stage {
    capped: Capped,
    _alone: MutexGuard<'static, ()>,
    visitors: Visitors,
    envoy: Envoy,
    keyward: Keyward,
}

impl Stage {
    /// `None` where this machine has no control groups for us.
    async fn set(max_requests: usize) -> Option<Self> {
        let (alone, capped) = (ALONE.lock().await, Capped::try_new(QUOTA, PERIOD)?);
        let started = tokio::task::spawn_blocking(move || {
            let realms = tempfile::tempdir().unwrap();
            std::fs::write(realms.path().join("plain.yaml"), REALM.to_owned() + "https: any\n").unwrap();
            let keyward = Keyward::start(realms.path(), &Store::Embedded);
            let secret = key(&keyward);
            (keyward, secret)
        });
        let (keyward, secret) = started.await.unwrap();
        // what is behind Envoy answers at once, because it is not there
        let nowhere = "127.0.0.1:1".parse().unwrap();
        let envoy = Envoy::start_edited(keyward.envoy, nowhere, |bootstrap| {
            let answered = ("route: { cluster: upstream, timeout: 15s }", "direct_response: { status: 200 }");
            let bounded = ("max_requests: 2048", &*format!("max_requests: {max_requests}"));
            [answered, bounded].iter().fold(bootstrap, |bootstrap, (shipped, ours)| {
                assert!(bootstrap.contains(shipped), "deploy/envoy/envoy.yaml has no `{shipped}`");
                bootstrap.replace(shipped, ours)
            })
        });
        // only now: to start takes it more than any check
        capped.hold(keyward.pid());
        let visitors = Visitors::new(envoy.plain, "api.otesse.com", &secret);
        Some(Self { capped, _alone: alone, visitors, envoy, keyward })
    }

    /// As many as it can answer.
    async fn peak(&self) -> Came {
        self.come(Pace::Returning(BREAKER)).await
    }

    /// Three times as many.
    async fn over(&self, peak: Came) -> Came {
        self.come(three_times(peak)).await
    }

    /// Whatever comes: who has a key is admitted or refused with 503, and nobody else is admitted.
    async fn come(&self, pace: Pace) -> Came {
        let came = self.visitors.come(pace, span()).await;
        assert_eq!(came.odd, 0, "{:?}\n{}\n{}", self.visitors.first_odd(), self.envoy.said(), self.keyward.said());
        came
    }

    /// So many that Envoy had asked for it gave up on.
    fn timeouts(&self) -> u64 {
        self.envoy.stat("cluster.keyward.upstream_rq_timeout")
    }
}

fn three_times(peak: Came) -> Pace {
    Pace::Arriving(3 * peak.a_second)
}

fn span() -> Duration {
    Duration::from_secs(if is_full() { 12 } else { 3 })
}

/// Three times as much as it can, between two times as much as it can.
struct Round {
    /// A second.
    peak: u64,
    over: Came,
    after: Came,
}

impl Round {
    /// How much was decided of what can be, in percent.
    fn goodput(&self) -> u64 {
        100 * self.over.a_second / self.peak.max(1)
    }

    /// Whether Envoy had too many, and some found a place.
    fn was_too_much(&self) -> bool {
        self.over.admitted > 0 && self.over.by_envoy > 0
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peak, over, after } = self;
        let (seconds, [served, refused]) = (span().as_secs(), over.p99);
        write!(f, "{}/s of {peak}/s ({} %), ", over.a_second, self.goodput())?;
        write!(f, "refused by Envoy {}/s, by keyward {}/s, ", over.by_envoy / seconds, over.by_keyward / seconds)?;
        write!(f, "p99 {} ms, at peak {} ms, of refusals {} ms", served.as_millis(), after.p99[0].as_millis(), refused.as_millis())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_breaker_as_much_is_decided_at_three_times_what_it_can_envoy_refuses_the_rest_and_then_all_is_as_before() {
    let Some(stage) = Stage::set(BREAKER).await else { return };
    let (mut rounds, mut before, resident_before) = (Vec::new(), stage.peak().await, resident(&stage.keyward));
    // where the machine is busy with others, now and then nothing of this runs for seconds
    while rounds.len() < share(1, 5) || (rounds.len() < 5 && !rounds.iter().any(Round::was_too_much)) {
        let over = stage.over(before).await;
        let after = stage.peak().await;
        // machines become slower and faster while they are measured
        rounds.push(Round { peak: u64::midpoint(before.a_second, after.a_second), over, after });
        before = after;
    }
    let grown = resident(&stage.keyward).saturating_sub(resident_before) >> 20;
    rounds.sort_by_key(Round::goodput);
    let median = &rounds[rounds.len() / 2];
    let found = format!("{median}, Envoy's timeouts {}, {grown} MiB", stage.timeouts());
    figure("T15", "3x a capped processor through Envoy, with its breaker: decided, refused, growth", &found);

    assert!(stage.capped.throttled() > 0, "it wanted more than it was given");
    assert!(rounds.iter().any(Round::was_too_much), "{found}");
    assert!(grown < 64, "{found}");
    // how much was decided, and of what, is the figure: a busy machine changes it by a fifth; without the breaker it is next to nothing
    assert!(!is_full() || median.goodput() >= 50, "{found}");
    let refused = |came: Came| came.by_keyward + came.by_envoy;
    for _ in 0..10 {
        if refused(before) == 0 {
            return;
        }
        before = stage.come(Pace::Returning(1)).await;
    }
    panic!("who finds a place is refused still: {before:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_breaker_envoy_gives_up_on_more_of_what_it_has_asked_for_than_is_decided() {
    let Some(stage) = Stage::set(NO_BREAKER).await else { return };
    let peak = stage.peak().await;
    // where the machine was busy with others at its peak, three times as much was none too much
    for pace in [three_times(peak), Pace::Returning(MOST)] {
        let before = stage.timeouts();
        let over = stage.come(pace).await;
        let timeouts = stage.timeouts() - before;
        let found = format!("{}/s of {}/s, Envoy's timeouts {timeouts}", over.a_second, peak.a_second);
        if timeouts > over.decided() {
            figure("T15", &format!("{pace:?} to a capped processor through Envoy, without a breaker"), &found);
            return;
        }
    }
    panic!("without a breaker it decides what it can: then the breaker is of no use");
}
