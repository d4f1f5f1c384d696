//! A replica in this process: its memory of records and its session, on any store.

use std::sync::Arc;
use std::time::Duration;

use keyward::clock::SharedClock;
use keyward::domain::key::Peppers;
use keyward::domain::realms::Realms;
use keyward::gate::Gate;
use keyward::replica::memory::{Bounds, Memory};
use keyward::replica::records::{Parts, Records};
use keyward::replica::remembered::Told;
use keyward::replica::session::Session;
use keyward::replica::tokens::{self, TicketIds, Tokens, TokensMemory};
use keyward::revocation::{Holder, Terms};
use keyward::store::SharedStore;
use keyward::usage::Meter;
use tokio_util::task::AbortOnDropHandle;

/// Its session runs as long as this lives.
pub struct Replica {
    pub session: Arc<Session>,
    pub memory: Arc<Memory>,
    /// Of its gates.
    pub meter: Arc<Meter>,
    told: Arc<TokensMemory>,
    parts: Box<dyn Fn() -> Parts + Send + Sync>,
    _running: AbortOnDropHandle<()>,
}

/// How long a look-up may take that nobody times.
const PATIENCE: Duration = Duration::from_mins(10);

impl Replica {
    /// One that holds a lease of a minute.
    pub async fn leased(store: &SharedStore, clock: &SharedClock) -> Self {
        let replica = Self::with(store, clock, Duration::from_mins(1));
        replica.session.leased().await;
        replica
    }

    /// One that may not have a lease yet.
    pub fn with(store: &SharedStore, clock: &SharedClock, lease: Duration) -> Self {
        let memory = Memory::new(Bounds { bytes: 64 << 20, unknown: 1 << 20, max_age: Duration::from_mins(10) });
        let holder = Holder { replica: "test".into(), incarnation: getrandom::u64().unwrap() };
        let told = TokensMemory::new();
        let all = Arc::new(Told::<2>([memory.clone(), told.clone()]));
        let session = Session::new(store.clone(), clock.clone(), Terms { lease }, holder, all);
        let (running, parts) = (session.clone(), (store.clone(), clock.clone(), session.clone(), memory.clone()));
        let parts = move || {
            let (store, clock, session, memory) = parts.clone();
            Parts { store, clock, session, memory, patience: PATIENCE }
        };
        let running = AbortOnDropHandle::new(tokio::spawn(async move { running.run().await }));
        Self { session, memory, meter: Arc::default(), told, parts: Box::new(parts), _running: running }
    }

    /// Its tokens, each for `once` where they are not held in advance.
    pub fn tokens(&self, once: Duration) -> Tokens {
        let Parts { store, clock, session, .. } = (self.parts)();
        Tokens::new(tokens::Parts { store, clock, session, memory: self.told.clone(), once })
    }

    /// A gate on it.
    pub fn gate(&self, realms: Arc<Realms>, peppers: Arc<Peppers>, once: Duration) -> Gate {
        let tickets = TicketIds::new(getrandom::u64().unwrap());
        Gate::new((realms, peppers), self.records(), (self.tokens(once), tickets), self.meter.clone())
    }

    /// Its records, as a gate has them.
    pub fn records(&self) -> Records {
        Records::new((self.parts)())
    }
}
