//! Windows have heard of limits whose change is lost: as on a Cluster, where they are at other nodes than records and do not go back with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use keyward::clock::{SharedClock, SystemClock};
use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::window::Spec;
use keyward::revocation::{Renewal, Renewed};
use keyward::store::{Charge, Generations, Round, SharedStore, Store, StoreError, Subject, SubjectName, Taken};
use tokio::sync::Semaphore;

use super::stage::{Stage, up_to};
use crate::support::in_process::Replica;
use crate::support::redis::RedisServer;
use crate::support::seed::id;
use crate::support::until;

const PLAN: &str = "{limit: minute, per: key, most: 100, window: 1m}";

/// The control: nobody is told that what a replica knows of limits was confirmed.
struct Unconfirmed(SharedStore);

#[async_trait]
impl Round for Unconfirmed {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.0)
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        let heard: Vec<Charge> = charges.iter().map(|charge| Charge { generations: Generations::Heard, ..charge.clone() }).collect();
        self.0.take(&heard).await
    }
}

/// Has the windows of the first key hear of limits that its record knows nothing of.
async fn hear_of_newer(store: &dyn Store) {
    let (realm, owner) = (RealmId::parse("stage").unwrap(), OwnerId::parse("acme").unwrap());
    let name = SubjectName { realm, owner, key: Some(KeyId::parse(&id(0)).unwrap()) };
    let subject = Subject { name, generation: 7, windows: vec![Spec::sliding(60_000, 100)] };
    let charge =
        Charge { subjects: vec![subject], want: 1, cost: 1, ttl: up_to(1), share: 1, generations: Generations::Heard, returns: Vec::new() };
    assert!(matches!(store.take(&[charge]).await.unwrap()[..], [Taken::Granted { tokens: 1, .. }]));
}

#[tokio::test]
async fn windows_that_have_heard_of_limits_that_are_lost_hold_up_a_first_check_and_no_other() {
    let stage = Stage::set(PLAN).await;
    hear_of_newer(&*stage.store).await;
    let gates = [stage.gate().await, stage.gate().await];
    assert!(gates[0].admits(0, "/").await, "once its log has brought nothing newer");
    let before = stage.store.charges();
    assert!(gates[1].admits(0, "/").await);
    assert_eq!(stage.store.charges() - before, 1, "nobody else has to find out");
    // what was taken in advance, by whoever was asked slowly, goes back
    stage.counts(Some(0), Spec::sliding(60_000, 100), 3).await;
}

#[tokio::test]
async fn without_a_word_that_they_are_confirmed_no_check_of_such_a_key_passes() {
    let redis = RedisServer::start();
    let store = Arc::new(Unconfirmed(redis.store()));
    let stage = Stage::on(redis, store, PLAN).await;
    hear_of_newer(&*stage.store).await;
    let gate = stage.gate().await;
    assert!(!gate.admits(0, "/").await, "control");
    assert!(gate.admits(1, "/").await);
}

/// A store whose renewals are answered when they have leave to be.
struct Holds {
    store: SharedStore,
    asked: AtomicUsize,
    leave: Semaphore,
}

#[async_trait]
impl Round for Holds {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let answer = self.store.renew(renewal).await;
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.leave.acquire().await.unwrap().forget();
        answer
    }
}

impl Holds {
    async fn until_asked(&self, times: usize) {
        until("renewals are asked for", || self.asked.load(Ordering::SeqCst) >= times).await;
    }
}

#[tokio::test]
async fn limits_are_confirmed_by_a_renewal_that_was_sent_after_windows_spoke_of_newer_ones_and_by_no_other() {
    let redis = RedisServer::start();
    let holds = Arc::new(Holds { store: redis.store(), asked: AtomicUsize::new(0), leave: Semaphore::new(1_000) });
    let (store, clock): (SharedStore, SharedClock) = (holds.clone(), Arc::new(SystemClock));
    let replica = Replica::leased(&store, &clock).await;
    let session = &replica.session;
    session.catch_up_with_now().await;
    holds.leave.forget_permits(1_000);
    let before = holds.asked.load(Ordering::SeqCst);
    let any_progress = tokio::spawn({
        let session = session.clone();
        async move { session.move_on().await }
    });
    holds.until_asked(before + 1).await;
    // that one has left the store, and knows nothing of what comes now
    let confirmed = tokio::spawn({
        let session = session.clone();
        async move { session.catch_up_with_now().await }
    });
    tokio::task::yield_now().await;
    holds.leave.add_permits(1);
    any_progress.await.unwrap();
    holds.until_asked(before + 2).await;
    assert!(!confirmed.is_finished(), "control: any progress would have been enough");
    holds.leave.add_permits(1_000);
    confirmed.await.unwrap();
}
