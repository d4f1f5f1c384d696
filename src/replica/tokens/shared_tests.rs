//! Purses where they are kept, with a queue that is full: nothing is ever sent here, for no test waits for anything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot::Receiver;

use super::batch::{Call, Name};
use super::shared::{Answer, At, Shared};
use super::simulation::mix::bearer;
use super::{Order, Parts, Tokens, TokensMemory};
use crate::clock::Clock;
use crate::domain::bearer::Bearer;
use crate::domain::realm::Realm;
use crate::domain::time::{BootTime, StoreTime};
use crate::domain::window::Told;
use crate::replica::session::Session;
use crate::revocation::{Holder, Terms};
use crate::store::embedded::Embedded;
use crate::store::{Charge, Generations, SharedStore, StoreError, Taken};

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

/// One key with a limit of a thousand a minute.
struct World {
    clock: Arc<Held>,
    tokens: Tokens,
    realm: Realm,
    bearer: Arc<Bearer>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Held(Mutex::default()));
        let store: SharedStore = Arc::new(Embedded::open(folder.path(), clock.clone()).unwrap());
        let realm = "realm: simulated\nhosts: [a.test]\ncredentials: [{header: x-api-key}]\n\
                     keys: [{prefix: st_, alphabet: hex, length: 32}]\nroutes: [{prefix: /}]\n\
                     plans: {plan: [{limit: minute, per: key, most: 1000, window: 1m}]}\ndefault_plan: plan\n";
        let realm = crate::config::realm("simulated.yaml", realm).unwrap();
        let (memory, holder) = (TokensMemory::new(), Holder { replica: "test".into(), incarnation: 1 });
        let terms = Terms { lease: Duration::from_secs(5) };
        let session = Session::new(store.clone(), clock.clone(), terms, holder, memory.clone());
        let once = Duration::from_millis(50);
        let tokens = Tokens::new(Parts { store, clock: clock.clone(), session, memory, once });
        Self { clock, tokens, realm, bearer: bearer(1, 1, 0), _folder: folder }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.tokens.0
    }

    fn pass(&self, ms: u64) {
        *self.clock.0.lock().unwrap() += Duration::from_millis(ms);
    }

    fn draw(&self, cost: u32) -> At {
        let (format, begun) = (&self.realm.formats[0], self.tokens.begin());
        let order = Order { realm: &self.realm, bearer: &self.bearer, format, cost, begun, generations: Generations::Heard };
        self.shared().draw(&order)
    }

    fn wait(&self, cost: u32) -> Receiver<Answer> {
        let At::Wait(waits) = self.draw(cost) else { panic!("nothing is held") };
        waits
    }

    /// The call under way is answered.
    fn grant(&self, tokens: u32) {
        let name: Name = (self.realm.id.clone(), self.bearer.key.clone(), None);
        let terms = super::terms::Terms::of(&self.realm, &self.bearer, &self.realm.formats[0], StoreTime(0)).unwrap();
        let windows = vec![Told { slot: Some(1), left: 900, more_in_ms: 0 }];
        let taken = Taken::Granted { tokens, ttl: Duration::from_millis(500), windows };
        self.shared().landed(&name, &Arc::new(terms), taken, self.clock.boot());
    }

    fn fill_the_queue(&self) {
        let nothing = || Charge {
            subjects: Vec::new(),
            want: 0,
            cost: 0,
            ttl: Duration::ZERO,
            share: 1,
            generations: Generations::Heard,
            returns: Vec::new(),
        };
        let part = self.shared().store.part(&crate::store::SubjectName {
            realm: self.realm.id.clone(),
            owner: self.bearer.owner.id.clone(),
            key: Some(self.bearer.key.clone()),
        });
        while self.shared().batches.put(part, Call { charge: nothing(), whose: None }).is_ok() {}
    }
}

#[tokio::test]
async fn where_the_queue_is_full_whoever_waits_for_a_busy_key_is_told_so_at_once() {
    let world = World::new();
    let mut first = world.wait(1);
    world.pass(10);
    world.grant(8);
    let Ok(Answer::Receipt(receipt)) = first.try_recv() else { panic!("it was granted") };
    receipt.keep();
    world.fill_the_queue();
    let held: Vec<At> = (0..7).map(|_| world.draw(1)).collect();
    assert!(held.iter().all(|at| matches!(at, At::Drawn(_))), "what is held is spent, though no more of it can be asked for");
    world.pass(10);
    let mut waits = world.wait(1);
    assert!(matches!(waits.try_recv(), Ok(Answer::Failed(StoreError::Overloaded))));
    assert!(matches!(world.wait(1).try_recv(), Ok(Answer::Failed(StoreError::Overloaded))), "and so is the next");
}

#[tokio::test]
async fn tokens_that_could_not_be_returned_for_a_full_queue_are_kept_and_counted_as_returned_only_when_they_leave() {
    let world = World::new();
    let mut first = world.wait(1);
    world.grant(8);
    drop(first.try_recv());
    world.fill_the_queue();
    world.pass(5_000);
    (0..super::shared::SHARDS).for_each(|shard| world.shared().tidy(shard));
    assert_eq!((world.tokens.purses(), world.tokens.tally().returned.get()), (1, 0), "they wait in their purse");
    // the queue is emptied now
    while world.tokens.tally().returned.get() == 0 {
        tokio::task::yield_now().await;
        (0..super::shared::SHARDS).for_each(|shard| world.shared().tidy(shard));
    }
    assert_eq!((world.tokens.purses(), world.tokens.tally().returned.get()), (0, 8));
}
