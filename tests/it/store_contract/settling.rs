//! `settle`.

use std::time::Duration;

use keyward::domain::ticket::TicketId;
use keyward::domain::time::StoreTime;
use keyward::domain::window::WindowId;
use keyward::store::{Charge, Return, Settled, Settlement, SharedStore, Subject, TICKETS_LIVE, Taken, undo};

use super::engines::Engine;
use super::samples::{DAY, MINUTE, charge, subject};

pub(super) async fn a_ticket_is_settled_once_whoever_settles_it(engine: &mut impl Engine) {
    let store = engine.store();
    let all = all_of(&store, &subjects("key_1", 9)).await;
    let (one, other) = (settlement(1, &all, 2), settlement(2, &all, 3));
    let by_many = (0..8).map(|_| {
        let (store, batch) = (store.clone(), [one.clone(), one.clone()]);
        tokio::spawn(async move { store.settle(&batch).await.unwrap() })
    });
    let mut answers = Vec::new();
    for task in by_many.collect::<Vec<_>>() {
        answers.extend(task.await.unwrap());
    }
    let done = answers.iter().filter(|answer| **answer == Settled::Done).count();
    assert_eq!((done, answers.iter().filter(|answer| **answer == Settled::Replayed).count()), (1, 15), "{answers:?}");
    assert_eq!(left(&store).await, [2, 2], "it gave back once, to the key and to the owner");
    // The control: another ticket of the same charge.
    assert_eq!(store.settle(&[other.clone(), one, other]).await.unwrap(), [Settled::Done, Settled::Replayed, Settled::Replayed]);
    assert_eq!(left(&store).await, [5, 5]);
}

pub(super) async fn a_ticket_that_is_too_old_is_settled_no_more(engine: &mut impl Engine) {
    let store = engine.store();
    let all = all_of(&store, &subjects("key_1", 9)).await;
    let long_ago = |ago: Duration| StoreTime(all.minted.0 - i64::try_from(ago.as_millis()).unwrap());
    let aged = |id, ago| Settlement { minted: long_ago(ago), ..settlement(id, &all, 2) };
    let (too_old, old) = (aged(1, TICKETS_LIVE), aged(2, TICKETS_LIVE.checked_sub(Duration::from_mins(2)).unwrap()));
    assert_eq!(store.settle(std::slice::from_ref(&too_old)).await.unwrap(), [Settled::TooLate]);
    assert_eq!(left(&store).await, [0, 0]);
    // The control: one that is not quite as old, and it is noted as long as that.
    assert_eq!(store.settle(std::slice::from_ref(&old)).await.unwrap(), [Settled::Done]);
    assert_eq!(store.settle(&[old, too_old]).await.unwrap(), [Settled::Replayed, Settled::TooLate]);
    assert_eq!(left(&store).await, [2, 2]);
}

pub(super) async fn a_settlement_that_was_acknowledged_is_not_repeated_after_a_crash(engine: &mut impl Engine) {
    let before = engine.store();
    let all = all_of(&before, &subjects("key_1", 9)).await;
    let (settled, open) = (settlement(1, &all, 2), settlement(2, &all, 3));
    assert_eq!(before.settle(std::slice::from_ref(&settled)).await.unwrap(), [Settled::Done]);
    engine.crash().await;
    let after = engine.store();
    assert_eq!(left(&after).await, [2, 2]);
    assert_eq!(after.settle(std::slice::from_ref(&settled)).await.unwrap(), [Settled::Replayed]);
    assert_eq!(left(&after).await, [2, 2]);
    // The control: one that was not settled before.
    assert_eq!(after.settle(&[settled, open]).await.unwrap(), [Settled::Replayed, Settled::Done]);
    assert_eq!(left(&after).await, [5, 5]);
}

pub(super) async fn a_settlement_gives_back_where_it_says_and_to_nothing_that_is_gone(engine: &mut impl Engine) {
    let store = engine.store();
    let all = all_of(&store, &subjects("key_1", 9)).await;
    let elsewhere = |back: &Return| {
        let window = WindowId::sliding(MINUTE);
        [Return { slot: back.slot - 1, ..back.clone() }, Return { window, ..back.clone() }, Return { tokens: 0, ..back.clone() }]
    };
    let gone = Settlement { returns: all.returns.iter().flat_map(elsewhere).collect(), ..settlement(1, &all, 9) };
    let of_the_owner = Settlement { returns: vec![all.returns[1].clone()], ..settlement(2, &all, 9) };
    let nothing = Settlement { returns: Vec::new(), ..settlement(3, &all, 9) };
    let twice = [gone, nothing.clone(), nothing];
    assert_eq!(store.settle(&twice).await.unwrap(), [Settled::Done, Settled::Done, Settled::Done]);
    assert_eq!(left(&store).await, [0, 0]);
    assert_eq!(store.settle(&[of_the_owner]).await.unwrap(), [Settled::Done]);
    assert_eq!(left(&store).await, [0, 9], "an owner's window may leave uncounted what its key's counts");
    assert_eq!(store.settle(&[]).await.unwrap(), []);
}

/// A charge, and all that would undo it.
struct All {
    minted: StoreTime,
    returns: Vec<Return>,
}

fn subjects(key: &str, most: u32) -> Vec<Subject> {
    vec![subject(Some(key), &[(DAY, most)]), subject(None, &[(DAY, most)])]
}

/// Takes everything there is.
async fn all_of(store: &SharedStore, subjects: &[Subject]) -> All {
    let taken = store.take(&[charge(subjects.to_vec(), 9)]).await.unwrap().remove(0);
    let Taken::Granted { tokens: 9, windows, .. } = taken else { panic!("{taken:?}") };
    All { minted: store.now().await.unwrap(), returns: undo(subjects, 9, &windows) }
}

/// Of so many of its tokens.
fn settlement(id: u8, of: &All, tokens: u32) -> Settlement {
    let returns = of.returns.iter().map(|back| Return { tokens, ..back.clone() }).collect();
    Settlement { ticket: TicketId([id; 16]), minted: of.minted, returns }
}

/// What the key and the owner have left.
async fn left(store: &SharedStore) -> Vec<u32> {
    let only_look = Charge { want: 0, cost: 0, ..charge(subjects("key_1", 9), 0) };
    match store.take(&[only_look]).await.unwrap().remove(0) {
        Taken::Granted { tokens: 0, windows, .. } => windows.iter().map(|told| told.left).collect(),
        other => panic!("{other:?}"),
    }
}
