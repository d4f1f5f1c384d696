//! A limit is lowered while three replicas are asked for its keys: of the checks that are sent after the call has returned no more are admitted
//! than the new number leaves. The windows last an hour, so that none of them turns meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::composed::{Composed, Deaf};
use super::hammer::{Hammer, How};
use super::world::{REALM, World, figure, secret, share};
use crate::support::member::Plan;
use crate::support::operator::{Limits, Operator};
use crate::support::redis::RedisServer;
use crate::support::{seed, until};

const LEASE: Duration = Duration::from_secs(5);
const ALL: [usize; 3] = [0, 1, 2];
/// Of each trial: two keys of one owner.
const KEYS: usize = 2;

/// What is lowered, and how. The number is what the limit is then, given what was admitted so far.
#[derive(Debug, Clone, Copy)]
enum Case {
    /// A key's number, to a little more than it has used.
    Key,
    /// A key's number, to less than it has used.
    KeyBelow,
    /// The number that all of an owner's keys share.
    Owner,
    /// A key's plan.
    KeyPlan,
    /// An owner's plan, which is that of its keys as well.
    OwnerPlan,
}

const CASES: [Case; 5] = [Case::Key, Case::KeyBelow, Case::Owner, Case::KeyPlan, Case::OwnerPlan];

const WIDE: Limits = Limits { plan: "wide", number: None };
const SMALL: Limits = Limits { plan: "small", number: None };

/// What was admitted before and after the return, what might have been after it, and what ended neither way.
#[derive(Debug)]
struct Trial {
    before: usize,
    after: usize,
    allowed: usize,
    otherwise: usize,
    took: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_that_is_sent_after_the_return_is_admitted_beyond_the_new_number() {
    let rounds = share(1, 40);
    let redis = RedisServer::durable();
    let (realms, first) = World::prepare(&*redis.store(), 0).await;
    let trials = rounds * CASES.len();
    for trial in 0..trials {
        let from = first + trial * KEYS;
        seed::many_keys(&*redis.store(), REALM, owner(trial), from..from + KEYS, secret).await;
    }
    let prepared = (realms, first + trials * KEYS);
    let world = World::start(prepared, |realms| ALL.map(|_| Plan::new(realms, &redis.url(), LEASE)).to_vec()).await;
    let addresses = ALL.map(|replica| world.replicas[replica].envoy);
    for case in CASES {
        let (mut all, mut longest) = (Vec::new(), Duration::ZERO);
        for round in 0..rounds {
            let trial = round * CASES.len() + case as usize;
            let operator = world.operator.at(world.replicas[trial % 3].admin);
            let done = lower(case, &operator, &addresses, (owner(trial), first + trial * KEYS)).await;
            assert!(done.after <= done.allowed, "{case:?}: {done:?}");
            longest = longest.max(done.took);
            all.push(done);
        }
        let sum = |of: fn(&Trial) -> usize| all.iter().map(of).sum::<usize>();
        let beyond: usize = all.iter().map(|done| done.after.saturating_sub(done.allowed)).sum();
        let (before, after, allowed, otherwise) = (sum(|t| t.before), sum(|t| t.after), sum(|t| t.allowed), sum(|t| t.otherwise));
        figure(
            "L1",
            &format!("{case:?} lowered: trials, admits before, after of so many allowed, beyond"),
            &format!("{rounds}, {before}, {after} of {allowed}, {beyond}; {otherwise} neither admitted nor limited; at most {longest:.0?}"),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_does_not_apply_the_log_admits_more_than_the_new_number() {
    let redis = RedisServer::durable();
    let prepared = World::prepare(&*redis.store(), 1).await;
    let world = World::start(prepared, |realms| vec![Plan::new(realms, &redis.url(), LEASE)]).await;
    let deaf = Composed::start(Arc::new(Deaf(redis.store())), LEASE).await;
    world.operator.limit_key(&seed::id(1), &WIDE).await.unwrap();
    let (begun, hammer) = (Instant::now(), Hammer::start(&[deaf.envoy], &[1]));
    until("it admits the key", || hammer.count(0, How::Admitted, begun) > 50).await;
    let lowered = world.operator.limit_key(&seed::id(1), &Limits { number: Some(("hour", 20)), ..WIDE }).await.unwrap();
    assert_eq!(lowered.guarantee.unwrap().holders_acknowledged, 2, "it says that it has applied what it has not");
    let returned = Instant::now();
    until("the control admits beyond the new number", || hammer.count(0, How::Admitted, returned) > 50).await;
}

/// Lowers a limit of these keys under load, and counts until all replicas refuse them.
async fn lower(case: Case, operator: &Operator, replicas: &[SocketAddr], (owner, first): (&str, usize)) -> Trial {
    let shared = matches!(case, Case::Owner | Case::OwnerPlan);
    let keys: Vec<usize> = (first..first + if shared { KEYS } else { 1 }).collect();
    let key = seed::id(first);
    if shared {
        operator.limit_owner(owner, &WIDE).await.unwrap();
    } else {
        operator.limit_key(&key, &WIDE).await.unwrap();
    }
    let (begun, hammer) = (Instant::now(), Hammer::start(replicas, &keys));
    let all = |how, least, since| (0..replicas.len()).all(|replica| hammer.count(replica, how, since) >= least);
    until("every replica admits the keys", || all(How::Admitted, 60, begun)).await;
    let so_far: usize = (0..replicas.len()).map(|replica| hammer.count(replica, How::Admitted, begun)).sum();
    let (limits, most) = match case {
        Case::Key => (own("hour", so_far + 300), so_far + 300),
        Case::KeyBelow => (own("hour", so_far / 2), so_far / 2),
        Case::Owner => (own("together", so_far + 300), so_far + 300),
        Case::KeyPlan => (SMALL, 100),
        Case::OwnerPlan => (SMALL, 150),
    };
    let asked = Instant::now();
    let guarantee = if shared {
        operator.limit_owner(owner, &limits).await.unwrap().guarantee
    } else {
        operator.limit_key(&key, &limits).await.unwrap().guarantee
    };
    let returned = Instant::now();
    assert!(guarantee.is_some(), "what may lower is guaranteed");
    until("every replica refuses the keys", || all(How::Limited, 30, returned)).await;
    let checks = hammer.ended().await;
    let count = |how, after: bool| checks.iter().filter(|check| check.how == how && (check.sent > returned) == after).count();
    let (before, after) = (count(How::Admitted, false), count(How::Admitted, true));
    let otherwise = count(How::Otherwise, false) + count(How::Otherwise, true);
    Trial { before, after, allowed: most.saturating_sub(before), otherwise, took: returned - asked }
}

fn own(limit: &'static str, most: usize) -> Limits {
    Limits { number: Some((limit, u32::try_from(most).unwrap())), ..WIDE }
}

/// The owner of a trial's keys.
fn owner(trial: usize) -> &'static str {
    format!("owner-{trial}").leak()
}
