//! Tokens under a lease, on a real Redis: what checks cost it, and what it counts when they are over.

mod lost;
mod spread;
mod stage;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use keyward::domain::window::Spec;

use self::stage::{Gate, PATIENCE, Stage, answer, up_to};
use crate::support::check;

#[tokio::test]
async fn a_hot_key_costs_redis_a_hundredth_of_a_script_a_check_at_most_and_what_is_not_spent_comes_back() {
    let stage = Stage::set("{limit: minute, per: key, most: 1000000, window: 1m}").await;
    let gate = stage.gate().await;
    let (before, began, checks) = (stage.scripts(), Instant::now(), 10_000);
    for _ in 0..checks {
        assert!(gate.admits(0, "/").await);
    }
    let (scripts, took) = (stage.scripts() - before, began.elapsed());
    println!("a hot key: {scripts} scripts for {checks} checks in {took:?}");
    assert!(scripts * 100 <= checks, "{scripts} scripts for {checks} checks");

    let minute = Spec::sliding(60_000, 1_000_000);
    let spent = u32::try_from(checks).unwrap();
    assert!(stage.counted(Some(0), minute).await > spent, "some are held in advance");
    let deadline = Instant::now() + PATIENCE;
    while stage.counted(Some(0), minute).await != spent {
        assert!(Instant::now() < deadline, "tokens that were not spent come back when their lease has ended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(gate);
}

#[tokio::test]
async fn a_flood_on_an_exhausted_key_costs_redis_a_five_hundredth_of_a_script_a_check_at_most() {
    let stage = Stage::set("{limit: minute, per: key, most: 50, window: 1m}").await;
    let gate = stage.gate().await;
    while gate.admits(0, "/").await {}
    let (before, began, checks) = (stage.scripts(), Instant::now(), 10_000);
    for _ in 0..checks {
        assert!(!gate.admits(0, "/").await);
    }
    let scripts = stage.scripts() - before;
    println!("an exhausted key: {scripts} scripts for {checks} checks in {:?}", began.elapsed());
    assert!(scripts * 500 <= checks, "{scripts} scripts for {checks} checks");
}

#[tokio::test]
async fn a_cold_key_with_three_limits_is_charged_in_one_call() {
    let limits = "{limit: second, per: key, most: 50, window: 1s}, {limit: minute, per: key, most: 1000, window: 1m}, \
                  {limit: day, per: owner, most: 5000, window: day}";
    let stage = Stage::set(limits).await;
    let gate = stage.gate().await;
    let before = stage.scripts();
    assert!(gate.admits(0, "/").await);
    assert_eq!(stage.store.charges(), 1);
    println!("a cold key with three limits: {} scripts, one of them for its record", stage.scripts() - before);
    assert_eq!(stage.counted(Some(0), Spec::sliding(60_000, 1000)).await, 1, "and asks for no more than it spends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_checks_of_one_cold_key_at_once_are_few_calls() {
    let stage = Stage::delayed("{limit: minute, per: key, most: 100000, window: 1m}", 5).await;
    let gate = stage.gate().await;
    assert_eq!(gate.at_once(0, 1000).await, 1000);
    let calls = stage.store.charges();
    println!("a thousand checks of one cold key at once: {calls} calls");
    assert!(calls <= 10, "{calls} calls");
    let exact = Stage::delayed("{limit: minute, per: key, most: 100000, window: 1m}", 5).await;
    let alone = exact.gate().await;
    for _ in 0..3 {
        assert!(alone.admits(0, "/").await);
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    assert_eq!(exact.store.charges(), 3, "control: apart from one another they are a call each");
}

#[tokio::test]
async fn a_route_that_costs_seven_takes_seven() {
    let stage = Stage::set("{limit: minute, per: key, most: 20, window: 1m}").await;
    let gate = stage.gate().await;
    let seven = [gate.admits(0, "/seven").await, gate.admits(0, "/seven").await, gate.admits(0, "/seven").await];
    assert_eq!(seven, [true, true, false]);
    let ones: Vec<bool> = join_all((0..7).map(|_| gate.admits(0, "/"))).await;
    assert_eq!(ones.iter().filter(|admits| **admits).count(), 6, "what is too little for seven is enough for six");
}

#[tokio::test]
async fn keys_of_one_owner_and_replicas_share_its_limit() {
    let stage = Stage::set("{limit: minute, per: owner, most: 100, window: 1m}").await;
    let gates = [stage.gate().await, stage.gate().await];
    let mut admitted = 0;
    for round in 0..200 {
        admitted += usize::from(gates[round % 2].admits(round % 8, "/").await);
    }
    // what some key held at the end and did not spend comes back, and then the last is spent
    until_exhausted(&gates[0], &mut admitted).await;
    assert_eq!(admitted, 100);
}

async fn until_exhausted(gate: &Gate, admitted: &mut usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while *admitted < 100 && Instant::now() < deadline {
        for key in 0..8 {
            *admitted += usize::from(gate.admits(key, "/").await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_replica_that_is_killed_strands_what_it_holds_and_no_more() {
    let stage = Stage::set("{limit: minute, per: key, most: 100000, window: 1m}").await;
    let (killed, other) = (stage.gate().await, stage.gate().await);
    let minute = Spec::sliding(60_000, 100_000);
    let mut spent = 0;
    // until it holds some in advance; were it never to, the limit would end this
    while stage.counted(Some(0), minute).await <= spent {
        for _ in 0..200 {
            assert!(killed.admits(0, "/").await);
            spent += 1;
        }
    }
    let held = stage.counted(Some(0), minute).await - spent;
    drop(killed);
    assert!(other.admits(0, "/").await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stranded = stage.counted(Some(0), minute).await - spent - 1;
    println!("a replica that is killed after {spent} checks strands {stranded} tokens of {held} that it held");
    assert!(stranded <= held && stranded > 0, "{stranded} of {held}");
}

/// Checks that are dropped at random moments: how many were answered, and how many tokens the store counts when all has come back.
async fn cancelled(go_on_unheard: bool) -> (usize, usize) {
    let count = if std::env::var_os("KEYWARD_SOAK").is_some() { 100_000 } else { 5_000 };
    let stage = Stage::delayed("{limit: day, per: key, most: 1000000, window: 24h}", 10).await;
    let gate = stage.gate().await;
    let mut answered = 0;
    for first in (0..count).step_by(250) {
        let checks = (first..first + 250).map(|number| {
            let (authorizer, patience) = (gate.authorizer.clone(), up_to(40));
            async move {
                let check = async move { answer(&authorizer, number % 8, "/").await };
                if go_on_unheard {
                    return tokio::time::timeout(patience, tokio::spawn(check)).await.ok().map(Result::unwrap);
                }
                tokio::time::timeout(patience, check).await.ok()
            }
        });
        let answers = join_all(checks).await;
        answered += answers.iter().flatten().filter(|answer| check::admits(answer)).count();
        tokio::time::sleep(up_to(30)).await;
    }
    let day = Spec::sliding(86_400_000, 1_000_000);
    let mut counted = usize::MAX;
    // longer than anything is held
    let deadline = Instant::now() + Duration::from_secs(8);
    while counted != answered && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
        counted = 0;
        for key in 0..8 {
            counted += stage.counted(Some(key), day).await as usize;
        }
    }
    println!("{count} checks, {answered} answered, {counted} counted, {} calls", stage.store.charges());
    assert!(gate.replica.session.admits(), "the replica was never without its lease");
    (answered, counted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_that_are_cancelled_at_any_moment_are_not_counted() {
    let (answered, counted) = cancelled(false).await;
    assert!(answered > 0);
    assert_eq!(counted, answered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_receipts_that_come_back_cancelled_checks_are_counted() {
    let (answered, counted) = cancelled(true).await;
    assert!(counted > answered, "control: a check that goes on when nobody hears it keeps what it was charged");
}
