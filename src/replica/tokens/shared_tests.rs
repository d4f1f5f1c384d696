//! Purses where they are kept, with a queue that is full: nothing is ever sent here, for no test waits for anything.

use super::shared::{Answer, At, SHARDS};
use super::stand::World;
use crate::store::StoreError;

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
    (0..SHARDS).for_each(|shard| world.shared().tidy(shard));
    assert_eq!((world.tokens.purses(), world.tokens.tally().returned.get()), (1, 0), "they wait in their purse");
    // the queue is emptied now
    while world.tokens.tally().returned.get() == 0 {
        tokio::task::yield_now().await;
        (0..SHARDS).for_each(|shard| world.shared().tidy(shard));
    }
    assert_eq!((world.tokens.purses(), world.tokens.tally().returned.get()), (0, 8));
}
