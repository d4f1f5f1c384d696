//! `peek`.

use std::time::Duration;

use keyward::domain::window::Force;
use keyward::store::{Charge, Generations, SharedStore, Subject, Taken, undo};

use super::engines::Engine;
use super::samples::{DAY, MINUTE, charge, subject};
use super::taking::{calendar, granted, left, one, taken, whole_second};

const HOUR: i64 = 3_600_000;

pub(super) async fn a_peek_says_what_a_take_would_answer_and_takes_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    let both = |want| charge(vec![subject(Some("key_1"), &[(MINUTE, 5), (DAY, 100)]), subject(None, &[(DAY, 4)])], want);
    assert_eq!(seen(&store, both(0)).await, (0, vec![5, 100, 4]), "of whom nothing was taken yet all is left");
    for _ in 0..3 {
        assert_eq!(seen(&store, both(3)).await, (3, vec![2, 97, 1]));
    }
    assert_eq!(granted(&store, both(3)).await, (3, vec![2, 97, 1]), "and so the take says");
    assert_eq!(seen(&store, both(0)).await, (0, vec![2, 97, 1]), "the control: a take does take");

    let four = Charge { cost: 4, ..both(4) };
    let (refused, then) = (peeked(&store, four.clone()).await, taken(&store, four).await);
    for answer in [&refused, &then] {
        let Taken::Refused { retry_in: Some(wait), windows } = answer else { panic!("{answer:?}") };
        assert!(*wait > Duration::ZERO && left(windows) == [2, 97, 1], "{answer:?}");
        assert!(windows.iter().all(|told| told.more_in_ms > 0 && told.slot.is_none()), "{answer:?}");
    }
    let never = charge(vec![subject(None, &[(DAY, 4)])], 9);
    let never = peeked(&store, Charge { cost: 9, ..never }).await;
    assert!(matches!(never, Taken::Refused { retry_in: None, .. }), "{never:?}");

    let shadow = |mut of: Charge| {
        of.subjects[0].windows[0].force = Force::Shadow;
        Charge { cost: 3, want: 3, ..of }
    };
    let of_the_key = || charge(vec![subject(Some("key_1"), &[(MINUTE, 5), (DAY, 100)])], 3);
    let Taken::Granted { windows, .. } = peeked(&store, shadow(of_the_key())).await else { panic!("a shadow refuses nothing") };
    assert_eq!((windows[0].slot, left(&windows)), (None, vec![2, 94]), "it would refuse it");

    let now = whole_second(&store).await;
    let ends = |until| one(calendar(now - 3 * HOUR, now - 2 * HOUR, now + until));
    assert_eq!(peeked(&store, ends(-HOUR)).await, Taken::Behind);
    assert_eq!(seen(&store, ends(HOUR)).await, (1, vec![2]));
    assert_eq!(granted(&store, ends(HOUR)).await, (1, vec![2]), "nothing was taken of the period");
}

pub(super) async fn a_peek_gives_nothing_back_and_has_windows_hear_of_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    let under = |generation| charge(vec![Subject { generation, ..subject(Some("key_1"), &[(DAY, 5)]) }], 5);
    let Taken::Granted { tokens: 5, windows, .. } = taken(&store, under(2)).await else { panic!("it fits") };
    let returns = || Charge { want: 0, cost: 0, returns: undo(&under(2).subjects, 3, &windows), ..under(2) };
    for _ in 0..2 {
        assert_eq!(seen(&store, returns()).await, (0, vec![3]), "it says what a take would that brings them");
    }
    assert_eq!(seen(&store, Charge { want: 0, cost: 0, ..under(2) }).await, (0, vec![0]), "and keeps nothing of it");

    let confirmed = Charge { generations: Generations::Confirmed, ..under(1) };
    assert!(matches!(peeked(&store, under(3)).await, Taken::Refused { .. }));
    assert!(matches!(peeked(&store, confirmed).await, Taken::Refused { .. }));
    assert_eq!(peeked(&store, under(1)).await, Taken::Stale, "windows have heard of the second still");
    assert!(matches!(taken(&store, under(2)).await, Taken::Refused { .. }), "and not of the third");
    assert_eq!(seen(&store, returns()).await, (0, vec![3]));
    assert_eq!(granted(&store, returns()).await, (0, vec![3]), "the control: a take gives them back");
    assert_eq!(seen(&store, Charge { want: 0, cost: 0, ..under(2) }).await, (0, vec![3]));
    assert!(matches!(taken(&store, Charge { want: 0, ..under(3) }).await, Taken::Granted { .. }));
    assert_eq!(peeked(&store, under(2)).await, Taken::Stale, "the control: by a take they have heard of it");
}

pub(super) async fn a_peek_of_several_charges_looks_at_each_by_itself(engine: &mut impl Engine) {
    let store = engine.store();
    let of = |want| charge(vec![subject(None, &[(DAY, 6)])], want);
    let answers = store.peek(&[of(1), of(6), of(2)]).await.unwrap();
    let tokens = answers.iter().map(|answer| if let Taken::Granted { tokens, .. } = answer { *tokens } else { 0 });
    assert_eq!(tokens.collect::<Vec<_>>(), [1, 6, 2]);
    assert_eq!(store.peek(&[]).await.unwrap(), []);
}

async fn peeked(store: &SharedStore, charge: Charge) -> Taken {
    store.peek(&[charge]).await.unwrap().remove(0)
}

/// Tokens, and what would be left.
async fn seen(store: &SharedStore, charge: Charge) -> (u32, Vec<u32>) {
    match peeked(store, charge).await {
        Taken::Granted { tokens, windows, .. } => (tokens, left(&windows)),
        other => panic!("{other:?}"),
    }
}
