//! One replica's tokens, on a clock that stands still until a test moves it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot::Receiver;

use super::batch::Call;
use super::shared::{Answer, At, Shared};
use super::simulation::mix::bearer;
use super::{Order, Parts, Spent, Tokens, TokensMemory};
use crate::clock::Clock;
use crate::domain::bearer::Bearer;
use crate::domain::realm::Realm;
use crate::domain::time::{BootTime, StoreTime};
use crate::domain::window::Told;
use crate::furnished;
use crate::replica::session::Session;
use crate::revocation::{Holder, Terms};
use crate::store::{Charge, Generations, SharedStore, StoreError, SubjectName, Taken};

/// How long a call may take.
pub(super) const ONCE: Duration = Duration::from_millis(50);

/// A clock that stands still until it is moved.
struct Held(Mutex<Duration>);

impl Clock for Held {
    fn boot(&self) -> BootTime {
        BootTime(*self.0.lock().unwrap())
    }

    fn wall(&self) -> StoreTime {
        StoreTime(0)
    }
}

/// Keys with a limit of a thousand a minute.
pub(super) struct World {
    clock: Arc<Held>,
    pub tokens: Tokens,
    realm: Realm,
    bearer: Arc<Bearer>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self::on(|store| store)
    }

    pub(super) fn on(round: impl FnOnce(SharedStore) -> SharedStore) -> Self {
        let clock = Arc::new(Held(Mutex::default()));
        let (store, folder) = furnished::store(clock.clone());
        let store = round(store);
        let realm = "realm: simulated\nhosts: [a.test]\ncredentials: [{header: x-api-key}]\n\
                     keys: [{prefix: st_, alphabet: hex, length: 32}]\nroutes: [{prefix: /}]\n\
                     plans: {plan: [{limit: minute, per: key, most: 1000, window: 1m}]}\ndefault_plan: plan\n";
        let realm = furnished::realm(realm);
        let (memory, holder) = (TokensMemory::new(), Holder { replica: "test".into(), incarnation: 1 });
        let terms = Terms { lease: Duration::from_secs(5) };
        let session = Session::new(store.clone(), clock.clone(), terms, holder, memory.clone());
        let tokens = Tokens::new(Parts { store, clock: clock.clone(), session, memory, once: ONCE });
        Self { clock, tokens, realm, bearer: bearer(1, 1, 0), _folder: folder }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.tokens.0
    }

    pub(super) fn pass(&self, ms: u64) {
        *self.clock.0.lock().unwrap() += Duration::from_millis(ms);
    }

    pub(super) fn draw(&self, cost: u32) -> At {
        let (format, begun) = (&self.realm.formats[0], self.tokens.begin());
        let order = Order { realm: &self.realm, bearer: &self.bearer, format, cost, begun, generations: Generations::Heard };
        self.shared().draw(&order)
    }

    pub(super) fn wait(&self, cost: u32) -> Receiver<Answer> {
        let At::Wait { told, .. } = self.draw(cost) else { panic!("nothing is held") };
        told
    }

    /// The call under way is answered.
    pub(super) fn grant(&self, tokens: u32) {
        let name = self.shared().name(&self.realm.id, &self.bearer.key, None);
        let terms = super::terms::Terms::of(&self.realm, &self.bearer, &self.realm.formats[0], StoreTime(0)).unwrap();
        let windows = vec![Told { slot: Some(1), left: 900, more_in_ms: 0 }];
        let taken = Taken::Granted { tokens, ttl: Duration::from_millis(500), windows };
        self.shared().landed(&name, &Arc::new(terms), taken, self.clock.boot());
    }

    pub(super) fn fill_the_queue(&self) {
        let nothing = || Charge {
            subjects: Vec::new(),
            want: 0,
            cost: 0,
            ttl: Duration::ZERO,
            share: 1,
            generations: Generations::Heard,
            returns: Vec::new(),
        };
        let part = self.shared().store.part(&SubjectName {
            realm: self.realm.id.clone(),
            owner: self.bearer.owner.id.clone(),
            key: Some(self.bearer.key.clone()),
        });
        while self.shared().batches.put(part, Call { charge: nothing(), whose: None, since: self.clock.boot() }).is_ok() {}
    }

    /// A check of another key, which gives up when the test's own time has passed by so much.
    pub(super) fn spends(&self, key: usize, patience: Duration) -> impl Future<Output = Result<Spent, StoreError>> + Send + 'static {
        let (tokens, realm, bearer) = (self.tokens.clone(), self.realm.clone(), bearer(key, key, 0));
        let begun = tokens.begin();
        async move {
            let order =
                Order { realm: &realm, bearer: &bearer, format: &realm.formats[0], cost: 1, begun, generations: Generations::Heard };
            tokens.spend(&order, tokio::time::Instant::now() + patience).await
        }
    }
}
