//! A replica in this process, on any store: what a control is made of that tells its replica wrong things, or tells them late.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyward::clock::{SharedClock, SystemClock};
use keyward::domain::key::Digest;
use keyward::domain::name::{OwnerId, RealmId};
use keyward::domain::realms::Realms;
use keyward::grpc::check_server::CheckServer;
use keyward::grpc::ext_authz::Authorizer;
use keyward::revocation::{At, Entry, Log, Pushed, Renewal, Renewed, Touched};
use keyward::store::{Finding, Round, SharedStore, Store, StoreError};
use keyward::telemetry::metrics::Metrics;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::TcpIncoming;

use super::world::REALM_FILE;
use crate::support::in_process::Replica;
use crate::support::seed::peppers;

/// Longer than any machine holds a test up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Serves as long as it lives.
pub struct Composed {
    pub envoy: SocketAddr,
    _replica: Replica,
    _serving: AbortOnDropHandle<()>,
}

impl Composed {
    /// It holds a lease when this is done.
    pub async fn start(store: SharedStore, lease: Duration) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let replica = Replica::with(&store, &clock, lease);
        replica.session.leased().await;
        let realms = Arc::new(Realms::new([keyward::config::realm("rev.yaml", REALM_FILE).unwrap()]).unwrap());
        let gate = replica.gate(realms, Arc::new(peppers()), PATIENCE);
        let authorizer = Authorizer::new(gate, PATIENCE, Arc::new(Metrics::default()));
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let envoy = incoming.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_service(CheckServer::new(authorizer));
        let serving = tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
        Self { envoy, _replica: replica, _serving: AbortOnDropHandle::new(serving) }
    }
}

/// A store whose log names somebody else in every entry: places are applied and acknowledged, and nothing is forgotten.
pub struct Deaf(pub SharedStore);

#[async_trait]
impl Round for Deaf {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.0)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let renewed = self.0.renew(renewal).await?;
        let log = match renewed.log {
            Log::Entries { entries, head } => Log::Entries { entries: unheard(entries), head },
            other => other,
        };
        Ok(Renewed { log, ..renewed })
    }

    async fn follow(&self, after: At, patience: Duration) -> Result<Pushed, StoreError> {
        let pushed = self.0.follow(after, patience).await?;
        Ok(Pushed { entries: unheard(pushed.entries), ..pushed })
    }
}

fn unheard(entries: Vec<Entry>) -> Vec<Entry> {
    let nobody = Touched::Owner { realm: RealmId::parse("nobody").unwrap(), id: OwnerId::parse("nobody").unwrap() };
    entries.into_iter().map(|entry| Entry { touched: nobody.clone(), ..entry }).collect()
}

/// A store whose answers to `find` are kept back after they were read, as long as it is told to.
pub struct Late {
    store: SharedStore,
    told: Told,
    held: watch::Sender<bool>,
    /// A permit for each answer that was kept back.
    pub kept_back: Semaphore,
}

/// What place a late answer says that it was read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The one that it was read at.
    Truly,
    /// The one where the log is when it is let go.
    Newest,
}

impl Late {
    pub fn new(store: SharedStore, told: Told) -> Arc<Self> {
        Arc::new(Self { store, told, held: watch::Sender::new(false), kept_back: Semaphore::new(0) })
    }

    /// Keeps back from now on.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets go what was kept back, and keeps nothing back any more.
    pub fn release(&self) {
        self.held.send_replace(false);
    }
}

#[async_trait]
impl Round for Late {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let mut held = self.held.subscribe();
        let found = self.store.find(realm, digests).await?;
        if !*held.borrow_and_update() {
            return Ok(found);
        }
        self.kept_back.add_permits(1);
        let _ = held.wait_for(|held| !held).await;
        let at = match self.told {
            Told::Truly => found.at,
            Told::Newest => self.store.find(realm, digests).await?.at,
        };
        Ok(Finding { at, ..found })
    }
}
