//! A replica that has more to ask than its store answers in time, beside a store that is away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

use super::Spent;
use super::stand::{ONCE, World};
use crate::domain::window::Told;
use crate::store::{Charge, Round, SharedStore, Store, StoreError, Taken};

/// As many calls as may be under way at one time, and charges that go together.
const IN_FLIGHT: usize = 16;
const TOGETHER: usize = 256;

/// Longer than any machine holds a test up, and shorter than anybody waits for one.
const LONG: Duration = Duration::from_mins(2);
const SHORT: Duration = Duration::from_millis(20);

type Call = (Vec<Charge>, oneshot::Sender<Result<(), StoreError>>);

/// A store that answers when it is told to.
struct Slow {
    store: SharedStore,
    calls: Arc<Mutex<Vec<Call>>>,
}

#[async_trait]
impl Round for Slow {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        let (tell, told) = oneshot::channel();
        self.calls.lock().unwrap().push((charges.to_vec(), tell));
        told.await.map_err(|_| StoreError::Unavailable("the test is over".into()))??;
        let windows = || vec![Told { slot: Some(0), left: 900, more_in_ms: 0 }];
        Ok(charges.iter().map(|charge| Taken::Granted { tokens: charge.want, ttl: charge.ttl, windows: windows() }).collect())
    }
}

/// A replica whose calls that may be under way at one time are, and are not answered.
struct Busy {
    world: World,
    calls: Arc<Mutex<Vec<Call>>>,
    checks: Vec<JoinHandle<Result<Spent, StoreError>>>,
}

impl Busy {
    async fn new() -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let heard = calls.clone();
        let world = World::on(|store| Arc::new(Slow { store, calls: heard }));
        let mut busy = Self { world, calls, checks: Vec::new() };
        for key in 0..IN_FLIGHT {
            busy.check(key);
            busy.until_asked(key + 1).await;
        }
        busy
    }

    fn check(&mut self, key: usize) {
        self.checks.push(tokio::spawn(self.world.spends(key, LONG)));
    }

    async fn until_asked(&self, calls: usize) {
        while self.calls.lock().unwrap().len() < calls {
            yield_now().await;
        }
    }

    /// Ends the newest call that is under way.
    fn end(&self, answer: Result<(), StoreError>) {
        let (_, call) = self.calls.lock().unwrap().pop().unwrap();
        call.send(answer).unwrap();
    }

    async fn answer(&mut self, check: usize) -> Result<Spent, StoreError> {
        (&mut self.checks[check]).await.unwrap()
    }
}

fn away() -> Result<(), StoreError> {
    Err(StoreError::Unavailable("a test says so".into()))
}

#[tokio::test]
async fn whoever_waits_in_vain_while_the_store_answers_others_is_told_of_an_overload() {
    let mut busy = Busy::new().await;
    busy.world.pass(1);
    busy.end(Ok(()));
    let _ = busy.answer(IN_FLIGHT - 1).await;
    // another has its place: at this instant the store answers, and has no turn for one more
    busy.check(50);
    busy.until_asked(IN_FLIGHT).await;
    let waits = busy.world.spends(100, SHORT).await;
    assert!(matches!(waits, Err(StoreError::Overloaded)), "{waits:?}");
    assert_eq!(busy.world.tokens.tally().overloaded.get(), 1);
}

#[tokio::test]
async fn that_the_store_answers_is_known_on_every_thread() {
    let mut busy = Busy::new().await;
    busy.world.pass(1);
    busy.end(Ok(()));
    let _ = busy.answer(IN_FLIGHT - 1).await;
    let waits = busy.world.spends(100, SHORT);
    let elsewhere = move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(waits);
    let waits = tokio::task::spawn_blocking(elsewhere).await.unwrap();
    assert!(matches!(waits, Err(StoreError::Overloaded)), "{waits:?}");
}

#[tokio::test]
async fn whoever_waits_in_vain_while_the_store_answers_nobody_is_told_that_it_is_away() {
    let busy = Busy::new().await;
    let waits = busy.world.spends(100, SHORT).await;
    assert!(matches!(waits, Err(StoreError::Unavailable(_))), "control: {waits:?}");
    assert_eq!(busy.world.tokens.tally().overloaded.get(), 0);
}

/// What the last of many is told, whose turn comes when it has waited for longer than a call may take; and whether the store heard of it.
async fn turn_comes_late(answer: Result<(), StoreError>) -> (Result<Spent, StoreError>, bool) {
    let mut busy = Busy::new().await;
    let half = u64::try_from(ONCE.as_millis()).unwrap() / 2;
    busy.world.pass(half);
    let last = IN_FLIGHT + TOGETHER;
    for key in IN_FLIGHT..=last {
        busy.check(key);
    }
    while busy.world.tokens.purses() <= last {
        yield_now().await;
    }
    busy.world.pass(5);
    busy.end(answer.clone());
    busy.until_asked(IN_FLIGHT).await;
    // those that went together are answered in time, and then it is the last one's turn
    busy.world.pass(2 * half - 2);
    busy.end(answer);
    let told = busy.answer(last).await;
    let heard = busy.calls.lock().unwrap().len() >= IN_FLIGHT;
    (told, heard)
}

#[tokio::test]
async fn what_has_waited_for_longer_than_a_call_may_take_is_not_sent_any_more() {
    let (told, heard) = turn_comes_late(Ok(())).await;
    assert!(matches!(told, Err(StoreError::Overloaded)) && !heard, "{told:?}");
    let (told, heard) = turn_comes_late(away()).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))) && !heard, "control: {told:?}");
}
