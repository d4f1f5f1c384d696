//! Tokens under a lease, on a real Redis: what checks cost it, and what it counts when they are over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use futures_util::future::join_all;
use keyward::clock::{SharedClock, SystemClock};
use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::realms::Realms;
use keyward::domain::window::Spec;
use keyward::grpc::ext_authz::Authorizer;
use keyward::proto::envoy::service::auth::v3::CheckRequest;
use keyward::store::{Charge, Round, SharedStore, Store, StoreError, Subject, SubjectName, Taken};
use keyward::telemetry::metrics::Metrics;
use prost::Message as _;
use tonic::metadata::MetadataMap;

use crate::support::check;
use crate::support::in_process::Replica;
use crate::support::redis::RedisServer;
use crate::support::seed::{id, many_keys, peppers};

/// Longer than any machine holds a test up.
const PATIENCE: Duration = Duration::from_mins(2);

/// As long as a busy machine's Redis may take, and short enough that tokens are held in advance.
const ONCE: Duration = Duration::from_millis(900);

/// A Redis with eight keys of the owner `acme`, in a realm with this plan.
struct Stage {
    redis: RedisServer,
    store: Arc<Watched>,
    realms: Arc<Realms>,
}

/// One replica, in this process.
pub(super) struct Gate {
    replica: Replica,
    authorizer: Arc<Authorizer>,
}

/// Counts charges, and has them take longer where a test says so.
struct Watched {
    store: SharedStore,
    charges: AtomicUsize,
    longest_ms: u32,
}

impl Stage {
    async fn set(plan: &str) -> Self {
        Self::delayed(plan, 0).await
    }

    async fn delayed(plan: &str, longest_ms: u32) -> Self {
        let redis = RedisServer::start();
        let store: SharedStore = redis.store();
        many_keys(&*store, "stage", "acme", 0..8, secret).await;
        let realm = format!(
            "realm: stage\nhosts: [stage.test]\ncredentials: [{{header: x-api-key}}]\nkeys: [{{prefix: st_, alphabet: hex, length: 32}}]\n\
             routes: [{{prefix: /seven, cost: 7}}, {{prefix: /}}]\nplans: {{plan: [{plan}]}}\ndefault_plan: plan\n"
        );
        let realms = Arc::new(Realms::new([keyward::config::realm("stage.yaml", &realm).unwrap()]).unwrap());
        let store = Arc::new(Watched { store, charges: AtomicUsize::new(0), longest_ms });
        Self { redis, store, realms }
    }

    async fn gate(&self) -> Gate {
        let (store, clock): (SharedStore, SharedClock) = (self.store.clone(), Arc::new(SystemClock));
        let replica = Replica::leased(&store, &clock).await;
        let gate = replica.gate(self.realms.clone(), Arc::new(peppers()), ONCE);
        let authorizer = Arc::new(Authorizer::new(gate, None, PATIENCE, Arc::new(Metrics::default())));
        Gate { replica, authorizer }
    }

    /// How many scripts Redis has run, as it says itself.
    fn scripts(&self) -> usize {
        let told: String = self.redis.ask("INFO commandstats");
        let calls = |command: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
            line.and_then(|rest| rest.split(',').next()?.parse::<usize>().ok()).unwrap_or(0)
        };
        calls("eval") + calls("evalsha")
    }

    /// How many tokens the store counts in a window of a key, or of the owner.
    async fn counted(&self, key: Option<usize>, spec: Spec) -> u32 {
        let (realm, owner) = (RealmId::parse("stage").unwrap(), OwnerId::parse("acme").unwrap());
        let key = key.map(|number| KeyId::parse(&id(number)).unwrap());
        let subject = Subject { name: SubjectName { realm, owner, key }, generation: 0, windows: vec![spec] };
        let look = Charge { subjects: vec![subject], want: 0, cost: 0, ttl: Duration::ZERO, share: 1, returns: Vec::new() };
        match &self.store.store.take(&[look]).await.unwrap()[..] {
            [Taken::Granted { windows, .. }] => spec.most - windows[0].left,
            other => panic!("{other:?}"),
        }
    }
}

impl Gate {
    async fn check(&self, key: usize, path: &str) -> CheckResponse {
        answer(&self.authorizer, key, path).await
    }

    async fn admits(&self, key: usize, path: &str) -> bool {
        check::admits(&self.check(key, path).await)
    }

    /// Begins so many checks at once, and says how many are admitted.
    async fn at_once(&self, key: usize, count: usize) -> usize {
        let checks = (0..count).map(|_| self.admits(key, "/"));
        join_all(checks).await.into_iter().filter(|admits| *admits).count()
    }
}

async fn answer(authorizer: &Authorizer, key: usize, path: &str) -> CheckResponse {
    let request = check::request("GET", "stage.test", path, &[("x-api-key", &secret(key))]).encode_to_vec();
    let response = authorizer.answer(CheckRequest::decode(request.as_slice()), &MetadataMap::new()).await;
    CheckResponse::decode(response.encode_to_vec().as_slice()).unwrap()
}

fn secret(number: usize) -> String {
    format!("st_{number:032x}")
}

#[async_trait]
impl Round for Watched {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.charges.fetch_add(charges.iter().filter(|charge| charge.want > 0).count(), Ordering::SeqCst);
        self.lag().await;
        let taken = self.store.take(charges).await;
        self.lag().await;
        taken
    }
}

impl Watched {
    fn charges(&self) -> usize {
        self.charges.load(Ordering::SeqCst)
    }

    async fn lag(&self) {
        if self.longest_ms > 0 {
            tokio::time::sleep(up_to(self.longest_ms)).await;
        }
    }
}

fn up_to(longest_ms: u32) -> Duration {
    Duration::from_micros(u64::from(getrandom::u32().unwrap() % (longest_ms * 1000)))
}

#[tokio::test]
async fn a_hot_key_costs_redis_a_hundredth_of_a_script_a_check_at_most_and_what_is_not_spent_comes_back() {
    let stage = Stage::set("{limit: minute, per: key, most: 1000000, window: 1m}").await;
    let gate = stage.gate().await;
    let (before, began, checks) = (stage.scripts(), Instant::now(), 10_000);
    for _ in 0..checks {
        assert!(gate.admits(0, "/").await);
    }
    let (scripts, took) = (stage.scripts() - before, began.elapsed());
    println!("a hot key: {scripts} scripts for {checks} checks in {took:?}");
    assert!(scripts * 100 <= checks, "{scripts} scripts for {checks} checks");

    let minute = Spec::sliding(60_000, 1_000_000);
    let spent = u32::try_from(checks).unwrap();
    assert!(stage.counted(Some(0), minute).await > spent, "some are held in advance");
    let deadline = Instant::now() + PATIENCE;
    while stage.counted(Some(0), minute).await != spent {
        assert!(Instant::now() < deadline, "tokens that were not spent come back when their lease has ended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(gate);
}

#[tokio::test]
async fn a_flood_on_an_exhausted_key_costs_redis_a_five_hundredth_of_a_script_a_check_at_most() {
    let stage = Stage::set("{limit: minute, per: key, most: 50, window: 1m}").await;
    let gate = stage.gate().await;
    while gate.admits(0, "/").await {}
    let (before, began, checks) = (stage.scripts(), Instant::now(), 10_000);
    for _ in 0..checks {
        assert!(!gate.admits(0, "/").await);
    }
    let scripts = stage.scripts() - before;
    println!("an exhausted key: {scripts} scripts for {checks} checks in {:?}", began.elapsed());
    assert!(scripts * 500 <= checks, "{scripts} scripts for {checks} checks");
}

#[tokio::test]
async fn a_cold_key_with_three_limits_is_charged_in_one_call() {
    let limits = "{limit: second, per: key, most: 50, window: 1s}, {limit: minute, per: key, most: 1000, window: 1m}, \
                  {limit: day, per: owner, most: 5000, window: day}";
    let stage = Stage::set(limits).await;
    let gate = stage.gate().await;
    let before = stage.scripts();
    assert!(gate.admits(0, "/").await);
    assert_eq!(stage.store.charges(), 1);
    println!("a cold key with three limits: {} scripts, one of them for its record", stage.scripts() - before);
    assert_eq!(stage.counted(Some(0), Spec::sliding(60_000, 1000)).await, 1, "and asks for no more than it spends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_checks_of_one_cold_key_at_once_are_few_calls() {
    let stage = Stage::delayed("{limit: minute, per: key, most: 100000, window: 1m}", 5).await;
    let gate = stage.gate().await;
    assert_eq!(gate.at_once(0, 1000).await, 1000);
    let calls = stage.store.charges();
    println!("a thousand checks of one cold key at once: {calls} calls");
    assert!(calls <= 10, "{calls} calls");
    let exact = Stage::delayed("{limit: minute, per: key, most: 100000, window: 1m}", 5).await;
    let alone = exact.gate().await;
    for _ in 0..3 {
        assert!(alone.admits(0, "/").await);
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    assert_eq!(exact.store.charges(), 3, "control: apart from one another they are a call each");
}

#[tokio::test]
async fn a_route_that_costs_seven_takes_seven() {
    let stage = Stage::set("{limit: minute, per: key, most: 20, window: 1m}").await;
    let gate = stage.gate().await;
    let seven = [gate.admits(0, "/seven").await, gate.admits(0, "/seven").await, gate.admits(0, "/seven").await];
    assert_eq!(seven, [true, true, false]);
    let ones: Vec<bool> = join_all((0..7).map(|_| gate.admits(0, "/"))).await;
    assert_eq!(ones.iter().filter(|admits| **admits).count(), 6, "what is too little for seven is enough for six");
}

#[tokio::test]
async fn keys_of_one_owner_and_replicas_share_its_limit() {
    let stage = Stage::set("{limit: minute, per: owner, most: 100, window: 1m}").await;
    let gates = [stage.gate().await, stage.gate().await];
    let mut admitted = 0;
    for round in 0..200 {
        admitted += usize::from(gates[round % 2].admits(round % 8, "/").await);
    }
    // what some key held at the end and did not spend comes back, and then the last is spent
    until_exhausted(&gates[0], &mut admitted).await;
    assert_eq!(admitted, 100);
}

async fn until_exhausted(gate: &Gate, admitted: &mut usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while *admitted < 100 && Instant::now() < deadline {
        for key in 0..8 {
            *admitted += usize::from(gate.admits(key, "/").await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_replica_that_is_killed_strands_what_it_holds_and_no_more() {
    let stage = Stage::set("{limit: minute, per: key, most: 100000, window: 1m}").await;
    let (killed, other) = (stage.gate().await, stage.gate().await);
    let minute = Spec::sliding(60_000, 100_000);
    let mut spent = 0;
    // until it holds some in advance; were it never to, the limit would end this
    while stage.counted(Some(0), minute).await <= spent {
        for _ in 0..200 {
            assert!(killed.admits(0, "/").await);
            spent += 1;
        }
    }
    let held = stage.counted(Some(0), minute).await - spent;
    drop(killed);
    assert!(other.admits(0, "/").await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stranded = stage.counted(Some(0), minute).await - spent - 1;
    println!("a replica that is killed after {spent} checks strands {stranded} tokens of {held} that it held");
    assert!(stranded <= held && stranded > 0, "{stranded} of {held}");
}

/// Checks that are dropped at random moments: how many were answered, and how many tokens the store counts when all has come back.
async fn cancelled(go_on_unheard: bool) -> (usize, usize) {
    let count = if std::env::var_os("KEYWARD_SOAK").is_some() { 100_000 } else { 5_000 };
    let stage = Stage::delayed("{limit: day, per: key, most: 1000000, window: 24h}", 10).await;
    let gate = stage.gate().await;
    let mut answered = 0;
    for first in (0..count).step_by(250) {
        let checks = (first..first + 250).map(|number| {
            let (authorizer, patience) = (gate.authorizer.clone(), up_to(40));
            async move {
                let check = async move { answer(&authorizer, number % 8, "/").await };
                if go_on_unheard {
                    return tokio::time::timeout(patience, tokio::spawn(check)).await.ok().map(Result::unwrap);
                }
                tokio::time::timeout(patience, check).await.ok()
            }
        });
        let answers = join_all(checks).await;
        answered += answers.iter().flatten().filter(|answer| check::admits(answer)).count();
        tokio::time::sleep(up_to(30)).await;
    }
    let day = Spec::sliding(86_400_000, 1_000_000);
    let mut counted = usize::MAX;
    // longer than anything is held
    let deadline = Instant::now() + Duration::from_secs(8);
    while counted != answered && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
        counted = 0;
        for key in 0..8 {
            counted += stage.counted(Some(key), day).await as usize;
        }
    }
    println!("{count} checks, {answered} answered, {counted} counted, {} calls", stage.store.charges());
    assert!(gate.replica.session.admits(), "the replica was never without its lease");
    (answered, counted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_that_are_cancelled_at_any_moment_are_not_counted() {
    let (answered, counted) = cancelled(false).await;
    assert!(answered > 0);
    assert_eq!(counted, answered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_receipts_that_come_back_cancelled_checks_are_counted() {
    let (answered, counted) = cancelled(true).await;
    assert!(counted > answered, "control: a check that goes on when nobody hears it keeps what it was charged");
}
