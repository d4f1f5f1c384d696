//! Replicas in this process, each with both of Envoy's services on a port of its own, on one store that the test can look into.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use keyward::clock::{SharedClock, SystemClock};
use keyward::domain::realms::Realms;
use keyward::domain::ticket::Ticket;
use keyward::grpc::access_log::AccessLog;
use keyward::grpc::access_log::service::access_log_service_server::AccessLogServiceServer;
use keyward::grpc::check_server::CheckServer;
use keyward::grpc::envoy_secret::EnvoySecret;
use keyward::grpc::ext_authz::Authorizer;
use keyward::settlement::{Parts, Settlements};
use keyward::store::SharedStore;
use keyward::store::embedded::{Embedded, Timeouts};
use keyward::telemetry::metrics::Metrics;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::TcpIncoming;

use crate::support::check;
use crate::support::in_process::Replica;
use crate::support::seed::{one_key, peppers};
use crate::support::until;
use crate::support::windows::{Of, counted};

/// Its host is one that Envoy has a route for.
pub(super) const HOST: &str = "api.azotte.com";
pub(super) const SECRET: &str = "stl_0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(10);
const MOST: u32 = 1_000_000;
const REALM: &str = "
realm: settle
hosts: [api.azotte.com]
https: any
credentials: [{header: x-api-key}]
keys: [{prefix: stl_, alphabet: hex, length: 32}]
routes: [{prefix: /}]
plans:
  of_each_sort:
    - {limit: minute, per: owner, most: 1000000, window: 2h, counts: {except: [401]}}
    - {limit: hour, per: owner, most: 1000000, window: 3h, counts: {except: [401, 400, 500]}}
    - {limit: good, per: owner, most: 1000000, window: 4h, counts: {only: [2xx]}}
    - {limit: answered, per: owner, most: 1000000, window: 5h, counts: {except: [reset, timeout, disconnect]}}
    - {limit: all, per: owner, most: 1000000, window: 6h}
default_plan: of_each_sort
";
const WINDOWS: [u64; 5] = [2, 3, 4, 5, 6];

/// What is counted, by the limits' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counted {
    pub(super) minute: u32,
    pub(super) hour: u32,
    pub(super) good: u32,
    pub(super) answered: u32,
    pub(super) all: u32,
}

/// A store with one key in it.
pub(super) struct World {
    pub(super) store: SharedStore,
    _folder: Option<TempDir>,
}

/// A replica, stopped when this is dropped.
pub(super) struct Node {
    pub(super) address: SocketAddr,
    pub(super) settlements: Arc<Settlements>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) replica: Replica,
    _serving: AbortOnDropHandle<()>,
}

impl World {
    pub(super) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(&folder.path().join("data"), Arc::new(SystemClock)).unwrap();
        // a busy machine's disk is not one that is away
        let store = store.with_timeouts(Timeouts { check: PATIENCE, ..Timeouts::default() });
        Self { _folder: Some(folder), ..Self::on(Arc::new(store)).await }
    }

    pub(super) async fn on(store: SharedStore) -> Self {
        one_key(&*store, "settle", SECRET).await;
        Self { store, _folder: None }
    }

    pub(super) async fn node(&self) -> Node {
        self.node_with(None).await
    }

    /// One that admits only who shows this.
    pub(super) async fn node_with(&self, secret: Option<&str>) -> Node {
        let clock: SharedClock = Arc::new(SystemClock);
        let replica = Replica::leased(&self.store, &clock).await;
        let realms = Arc::new(Realms::new([keyward::config::realm("settle.yaml", REALM).unwrap()]).unwrap());
        let (peppers, metrics) = (Arc::new(peppers()), Arc::new(Metrics::default()));
        let gate = replica.gate(realms, peppers.clone(), PATIENCE);
        let (session, meter) = (replica.session.clone(), replica.meter.clone());
        let parts = Parts { store: self.store.clone(), session, peppers, metrics: metrics.clone(), meter };
        let settlements = Arc::new(Settlements::new(parts));
        let secret = secret.map(|secret| EnvoySecret::new(secret.as_bytes()));
        let log = AccessLog::new(settlements.clone(), secret, metrics.clone(), CancellationToken::new());
        let authorizer = Authorizer::new(gate, PATIENCE, metrics.clone());
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<CheckServer<Authorizer>>().await;
        let router = tonic::transport::Server::builder()
            .add_service(health)
            .add_service(CheckServer::new(authorizer))
            .add_service(AccessLogServiceServer::new(log).max_decoding_message_size(16 << 20));
        let serving = AbortOnDropHandle::new(tokio::spawn(async move { router.serve_with_incoming(incoming).await.unwrap() }));
        Node { address, settlements, metrics, replica, _serving: serving }
    }

    pub(super) async fn counted(&self) -> Counted {
        let of = Of { realm: "settle", owner: "acme", key: None };
        let windows = WINDOWS.map(|hours| (Duration::from_hours(hours), MOST));
        let counted = counted(&*self.store, &of, &windows).await;
        let [minute, hour, good, answered, all] = counted[..] else { panic!("{counted:?}") };
        Counted { minute, hour, good, answered, all }
    }

    /// Waits until so much is counted: what replicas hold in advance is, until it goes back.
    pub(super) async fn counts(&self, expected: Counted) {
        for _ in 0..600 {
            if self.counted().await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?} is counted after a minute, and not {expected:?}", self.counted().await);
    }
}

impl Node {
    /// Has so many requests admitted: their tickets.
    pub(super) async fn charge(&self, many: usize) -> Vec<String> {
        let mut checks = check::connect(self.address).await;
        let mut tickets = Vec::new();
        for _ in 0..many {
            let request = check::request("GET", HOST, "/", &[("x-api-key", SECRET)]);
            let response = checks.check(request).await.unwrap().into_inner();
            assert!(check::admits(&response), "{response:?}");
            tickets.push(check::metadata(&response, "ticket").expect("a limit does not count everything, so there is a ticket"));
        }
        tickets
    }

    /// How many tickets had this fate here.
    pub(super) fn tickets(&self, fate: &str) -> u64 {
        self.metric(&format!("keyward_tickets_total{{fate=\"{fate}\"}}"))
    }

    pub(super) fn entries(&self, what: &str) -> u64 {
        self.metric(&format!("keyward_access_log_entries_total{{what=\"{what}\"}}"))
    }

    pub(super) fn messages(&self, how: &str) -> u64 {
        self.metric(&format!("keyward_access_log_messages_total{{how=\"{how}\"}}"))
    }

    /// Waits until so many had it.
    pub(super) async fn fated(&self, fate: &str, many: u64) {
        until(&format!("{many} tickets are {fate}"), || self.tickets(fate) >= many).await;
        assert_eq!(self.tickets(fate), many, "{fate}");
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

/// What a ticket says.
pub(super) fn opened(ticket: &str) -> Ticket {
    Ticket::open(&BASE64URL_NOPAD.decode(ticket.as_bytes()).unwrap(), &peppers()).unwrap()
}

/// A ticket of one's own making, under the replicas' peppers.
pub(super) fn sealed(ticket: &Ticket) -> String {
    BASE64URL_NOPAD.encode(&ticket.seal(&peppers()))
}
