//! Blocks of tokens: a check rarely waits for the disk, and yet no limit is exceeded, nor are tokens withheld that nobody will spend.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::poll;
use keyward::clock::SharedClock;
use keyward::domain::window::Spec;
use keyward::store::embedded::Embedded;
use keyward::store::{Change, Charge, Expect, Store as _, Taken};
use redb::{ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};

use super::records::{PATIENT, charge, commit, key_id, new_key, new_owner, owner, owner_id, record, spec};
use crate::support::hands::Hands;
use crate::support::lossy_disk::{Dice, LossyDisk};
use crate::support::peppers::claim;

struct Bench {
    clock: Arc<Hands>,
    disk: LossyDisk,
    store: Arc<Embedded>,
}

impl Bench {
    fn new() -> Self {
        Self::on(LossyDisk::new(1), Hands::new())
    }

    fn on(disk: LossyDisk, clock: Arc<Hands>) -> Self {
        let shared: SharedClock = clock.clone();
        let store = Embedded::with_backend(disk.clone(), shared).unwrap().with_timeouts(PATIENT);
        Self { clock, disk, store: Arc::new(store) }
    }

    async fn take(&self, charge: &Charge) -> Taken {
        self.store.take(std::slice::from_ref(charge)).await.unwrap().remove(0)
    }

    /// How many of `asks` are granted, and then no more for an instant.
    async fn granted(&self, charge: &Charge, asks: usize) -> u32 {
        let mut granted = 0;
        for _ in 0..asks {
            granted += tokens(&self.take(charge).await);
        }
        granted
    }
}

fn tokens(taken: &Taken) -> u32 {
    if let Taken::Granted { tokens, .. } = taken { *tokens } else { 0 }
}

fn left(taken: &Taken) -> &[u32] {
    match taken {
        Taken::Granted { left, .. } | Taken::Refused { left, .. } => left,
        Taken::Stale => &[],
    }
}

fn sixty() -> Vec<Spec> {
    vec![spec(60, 60)]
}

#[tokio::test]
async fn sixty_a_minute_admit_sixty_of_a_burst_and_tell_what_is_left() {
    let bench = Bench::new();
    let charge = charge(1, 1, sixty(), vec![]);
    for number in 1..=60 {
        let taken = bench.take(&charge).await;
        assert_eq!((tokens(&taken), left(&taken)), (1, [60 - number].as_slice()));
    }
    let Taken::Refused { retry_in: Some(retry_in), left } = bench.take(&charge).await else { panic!("the limit was exceeded") };
    assert_eq!(left, [0]);
    assert!(retry_in > Duration::from_secs(59) && retry_in < Duration::from_secs(62), "{retry_in:?}");
    bench.clock.pass(retry_in.saturating_sub(Duration::from_millis(1)));
    assert_eq!(bench.granted(&charge, 1).await, 0, "told to come too late");
    bench.clock.pass(Duration::from_millis(1));
    assert_eq!(bench.granted(&charge, 1).await, 1, "told to come too early");
}

/// Without the reclaiming of siblings' blocks before a refusal fewer are granted, most of all where time stands still; without the owner's
/// windows, more.
#[tokio::test]
async fn two_keys_that_share_a_limit_admit_it_exactly_in_any_interleaving() {
    for (seed, most, pause) in (0..40).flat_map(|seed| [(seed, 10, 0), (seed, 10, 300), (seed, 100, 0), (seed, 100, 100)]) {
        let (bench, mut dice) = (Bench::new(), Dice::new(seed));
        let charges = [1, 2].map(|key| charge(1, key, vec![spec(1_000, 60)], vec![spec(most, 60)]));
        let odds = 1 + dice.below(6);
        let mut granted = 0;
        for _ in 0..dice.below(u64::from(most) / 2) {
            let asks = (0..=dice.below(3)).map(|_| bench.take(&charges[usize::from(dice.once_in(odds))])).collect::<Vec<_>>();
            granted += join_all(asks).await.iter().map(tokens).sum::<u32>();
            bench.clock.pass(Duration::from_millis(dice.below(pause)));
        }
        // the other key is idle from here on, and must not sit on any
        granted += bench.granted(&charges[1], 150).await;
        assert_eq!(granted, most, "seed {seed}, pause {pause}");
    }
}

/// A refusal is remembered, so that a flood costs nothing; were it remembered beyond a return, the fourth would wait for a second.
#[tokio::test]
async fn a_return_ends_a_refusal_at_once() {
    let bench = Bench::new();
    let charge = charge(1, 1, vec![spec(3, 60)], vec![]);
    let Taken::Granted { slots, .. } = bench.take(&charge).await else { panic!("there is room") };
    assert_eq!(bench.granted(&charge, 20).await, 2);
    let syncs = bench.disk.syncs();
    assert_eq!(bench.granted(&charge, 1_000).await, 0);
    assert_eq!(bench.disk.syncs(), syncs, "a refusal writes nothing");
    bench.take(&Charge { want: 0, cost: 0, returns: charge.undo(1, &slots), ..charge.clone() }).await;
    assert_eq!(bench.granted(&charge, 20).await, 1);
}

/// The tokens are 200 for two keys of an owner, so that blocks of both compete for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_of_many_tasks_at_once_admit_the_limit_and_not_one_more() {
    let bench = Arc::new(Bench::new());
    let tasks = (0..8).map(|task| {
        let bench = bench.clone();
        let charge = charge(1, task % 2, vec![spec(150, 60)], vec![spec(200, 60)]);
        tokio::spawn(async move { bench.granted(&charge, 60).await })
    });
    let granted: u32 = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(granted, 200);
}

/// Every durable transaction syncs twice. Without blocks there would be twenty thousand syncs.
#[tokio::test]
async fn ten_thousand_takes_of_a_hot_key_are_a_handful_of_transactions() {
    let bench = Bench::new();
    let charge = charge(1, 1, vec![spec(1_000_000, 60)], vec![]);
    let before = bench.disk.syncs();
    assert_eq!(bench.granted(&charge, 10_000).await, 10_000);
    let syncs = bench.disk.syncs() - before;
    assert!(syncs < 60, "{syncs} syncs");
}

#[tokio::test]
async fn takes_that_wait_together_are_one_transaction() {
    let bench = Bench::new();
    let charges: Vec<_> = (0..200).map(|key| charge(1, key, sixty(), vec![])).collect();
    let before = bench.disk.syncs();
    bench.disk.hang();
    let asks = join_all(charges.iter().map(|charge| bench.take(charge)));
    let (answers, ()) = futures_util::future::join(asks, async { bench.disk.be_well() }).await;
    assert_eq!(answers.iter().map(tokens).sum::<u32>(), 200);
    let syncs = bench.disk.syncs() - before;
    assert!(syncs <= 10, "{syncs} syncs");
}

/// Without the giving back of ended blocks some of the hundred stay withheld for the whole minute.
#[tokio::test]
async fn what_a_block_did_not_spend_in_time_can_be_taken_again() {
    let bench = Bench::new();
    let hot = charge(1, 1, vec![spec(100, 60)], vec![]);
    let mut granted = 0;
    for _ in 0..20 {
        granted += bench.granted(&hot, 1).await;
        bench.clock.pass(Duration::from_millis(40));
    }
    bench.clock.pass(Duration::from_secs(5));
    granted += bench.granted(&hot, 200).await;
    assert_eq!(granted, 100);
}

/// Without the giving back of what nobody receives, 59 are granted.
#[tokio::test]
async fn a_caller_who_vanished_leaves_its_token_to_the_next() {
    let bench = Bench::new();
    let charge = charge(1, 1, sixty(), vec![]);
    bench.disk.hang();
    let mut asked = bench.store.take(std::slice::from_ref(&charge));
    assert!(poll!(asked.as_mut()).is_pending());
    bench.disk.until_a_call_hangs();
    drop(asked);
    bench.disk.be_well();
    // the writer answers in turn: when it has answered this, it has answered the caller who vanished
    bench.store.claim_peppers(&[claim("1", 1)]).await.unwrap();
    assert_eq!(bench.granted(&charge, 100).await, 60);
}

/// Were a block published with its transaction still under way, a power cut now would forget a token that was spent.
#[tokio::test]
async fn no_token_is_spent_before_its_block_is_durable() {
    let bench = Bench::new();
    let charge = charge(1, 1, vec![spec(1_000, 60)], vec![]);
    // blocks of 1, 2, 4 and 8 tokens are spent: the next is of 16
    assert_eq!(bench.granted(&charge, 15).await, 15);
    bench.disk.hang();
    let mut first = bench.store.take(std::slice::from_ref(&charge));
    assert!(poll!(first.as_mut()).is_pending());
    bench.disk.until_a_call_hangs();
    let mut second = bench.store.take(std::slice::from_ref(&charge));
    assert!(poll!(second.as_mut()).is_pending(), "spent from a block that is not durable");
    let syncs = bench.disk.syncs();
    bench.disk.be_well();
    assert!(first.await.is_ok() && second.await.is_ok());
    assert_eq!(bench.granted(&charge, 14).await, 14);
    assert_eq!(bench.disk.syncs() - syncs, 2, "one block was enough for all");
}

/// Were a return taken at its word, the tokens that a sibling's block still holds would be granted a second time.
#[tokio::test]
async fn a_return_of_more_than_was_granted_frees_nothing_that_a_block_still_holds() {
    let bench = Bench::new();
    let [hot, other] = [1, 2].map(|key| charge(1, key, vec![spec(1_000, 60)], vec![spec(100, 60)]));
    // blocks of 1, 2, 4 and 8 tokens: three are unspent
    assert_eq!(bench.granted(&hot, 12).await, 12);
    let Taken::Granted { slots, .. } = bench.take(&other).await else { panic!("there is room") };
    let returns = other.undo(1_000, &slots);
    bench.take(&Charge { want: 0, cost: 0, returns, ..other.clone() }).await;
    assert_eq!(bench.granted(&hot, 300).await, 100, "what was spent before was returned, and no more");
}

#[tokio::test]
async fn a_raised_generation_ends_blocks_that_were_taken_under_the_older_one() {
    let bench = Bench::new();
    let of = owner(&owner_id(1));
    let key = record(&key_id(1), &of.id);
    let create = commit(vec![new_owner(of.clone()), new_key(key.clone())], "made".into());
    bench.store.commit(&create).await.unwrap();
    let older = charge(1, 1, vec![spec(1_000, 60)], vec![spec(1_000, 60)]);
    assert_eq!(bench.granted(&older, 20).await, 20);
    for change in [
        Change::Key { record: keyward::domain::record::Record { revision: 2, generation: 2, ..key }, expect: Expect::Revision(1) },
        Change::Owner { owner: keyward::domain::owner::Owner { revision: 2, generation: 2, ..of }, expect: Expect::Revision(1) },
    ] {
        bench.store.commit(&commit(vec![change], "lowered".into())).await.unwrap();
        assert_eq!(bench.take(&older).await, Taken::Stale);
    }
    let mut newer = older.clone();
    newer.subjects.iter_mut().for_each(|subject| subject.generation = 2);
    assert_eq!(bench.granted(&newer, 2_000).await, 980, "and nothing of the older block is withheld");
}

#[tokio::test]
async fn a_taker_who_knows_newer_limits_makes_the_older_ones_stale() {
    let bench = Bench::new();
    let older = [1, 2].map(|key| charge(1, key, sixty(), vec![spec(100, 60)]));
    assert_eq!(bench.granted(&older[0], 10).await + bench.granted(&older[1], 10).await, 20);
    let mut newer = older[0].clone();
    newer.subjects[1].generation = 2;
    assert_eq!(bench.granted(&newer, 1).await, 1);
    assert_eq!(bench.take(&older[0]).await, Taken::Stale);
    assert_eq!(bench.take(&older[1]).await, Taken::Stale, "the owner's limits are its other key's too");
}

/// Of the two, only the crash withholds what the block had left: counted without being spent, never spent without being counted.
#[tokio::test]
async fn a_restart_in_order_gives_back_what_is_unspent_and_a_crash_leaves_it_counted() {
    for crash in [false, true] {
        let bench = Bench::new();
        let charge = charge(1, 1, vec![spec(100, 60)], vec![]);
        assert_eq!(bench.granted(&charge, 9).await, 9);
        let found = if crash { bench.disk.after_power_cut() } else { bench.disk.clone() };
        let clock = bench.clock.clone();
        drop(bench);
        let after = Bench::on(found, clock).granted(&charge, 200).await;
        assert_eq!(after == 91, !crash, "{after} granted after the restart");
        assert!(after <= 91, "{after} granted after the restart");
    }
}

/// A charge that asks for more than it costs is a lease of the caller's: it gets what the windows say, and no block stands between.
#[tokio::test]
async fn a_lease_of_many_tokens_is_taken_as_asked() {
    let bench = Bench::new();
    let lease = Charge { want: 80, share: 4, ..charge(1, 1, vec![spec(100, 60)], vec![]) };
    let mut granted = Vec::new();
    for _ in 0..5 {
        granted.push(tokens(&bench.take(&lease).await));
    }
    assert_eq!(granted, [25, 18, 14, 10, 8]);
}

#[tokio::test]
async fn subjects_whose_past_is_over_are_dropped() {
    let bench = Bench::new();
    for key in 0..300 {
        bench.granted(&charge(key, key, sixty(), vec![]), 1).await;
    }
    bench.clock.pass(Duration::from_mins(2));
    for key in 0..40 {
        bench.granted(&charge(key, key, sixty(), vec![]), 1).await;
    }
    let disk = bench.disk.clone();
    drop(bench);
    let database = redb::Database::builder().create_with_backend(disk).unwrap();
    let windows: TableDefinition<(&str, &str, &str), &[u8]> = TableDefinition::new("windows");
    let kept = database.begin_read().unwrap().open_table(windows).unwrap().len().unwrap();
    assert!(kept < 100, "{kept} subjects are kept");
}
