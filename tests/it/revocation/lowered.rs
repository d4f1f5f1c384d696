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
    /// The same, where nothing is counted for the owner itself: no call for tokens carries its generation.
    OwnerPlanForKeys,
}

const CASES: [Case; 6] = [Case::Key, Case::KeyBelow, Case::Owner, Case::KeyPlan, Case::OwnerPlan, Case::OwnerPlanForKeys];

const WIDE: Limits = Limits { plan: "wide", number: None };

/// What is said of a trial's limits after it was begun, and so what every key may use, and all together.
struct Lowered {
    limits: Limits,
    each: usize,
    together: usize,
}

const MANY: usize = 1_000_000;

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
    let shared = matches!(case, Case::Owner | Case::OwnerPlan | Case::OwnerPlanForKeys);
    let keys: Vec<usize> = (first..first + if shared { KEYS } else { 1 }).collect();
    let key = seed::id(first);
    if shared {
        operator.limit_owner(owner, &case.wide()).await.unwrap();
    } else {
        operator.limit_key(&key, &WIDE).await.unwrap();
    }
    let (begun, hammer) = (Instant::now(), Hammer::start(replicas, &keys));
    let all = |how, least, since| (0..replicas.len()).all(|replica| hammer.count(replica, how, since) >= least);
    until("every replica admits the keys", || all(How::Admitted, 150, begun)).await;
    let so_far: usize = (0..replicas.len()).map(|replica| hammer.count(replica, How::Admitted, begun)).sum();
    let lowered = case.lowered(so_far);
    let asked = Instant::now();
    let guarantee = if shared {
        operator.limit_owner(owner, &lowered.limits).await.unwrap().guarantee
    } else {
        operator.limit_key(&key, &lowered.limits).await.unwrap().guarantee
    };
    let returned = Instant::now();
    assert!(guarantee.is_some(), "what may lower is guaranteed");
    until("every replica refuses the keys", || all(How::Limited, 30, returned)).await;
    let checks = hammer.ended().await;
    let admitted = || checks.iter().filter(|check| check.how == How::Admitted);
    let before = |key| admitted().filter(|check| check.sent <= returned && check.key == key).count();
    let after = |key| admitted().filter(|check| check.sent > returned && check.key == key).count();
    let left: Vec<usize> = keys.iter().map(|key| lowered.each.saturating_sub(before(*key))).collect();
    for (key, left) in keys.iter().zip(&left) {
        assert!(after(*key) <= *left, "{case:?}: {} and not {left} at most", after(*key));
    }
    let before: usize = keys.iter().map(|key| before(*key)).sum();
    let allowed = left.iter().sum::<usize>().min(lowered.together.saturating_sub(before));
    let otherwise = checks.iter().filter(|check| check.how == How::Otherwise).count();
    Trial { before, after: keys.iter().map(|key| after(*key)).sum(), allowed, otherwise, took: returned - asked }
}

impl Case {
    fn wide(self) -> Limits {
        if matches!(self, Self::OwnerPlanForKeys) { plan("wide-for-keys") } else { WIDE }
    }

    /// After so many admits.
    fn lowered(self, so_far: usize) -> Lowered {
        let own = |limit, most| Limits { number: Some((limit, u32::try_from(most).unwrap())), ..WIDE };
        match self {
            Self::Key => Lowered { limits: own("hour", so_far + 300), each: so_far + 300, together: MANY },
            Self::KeyBelow => Lowered { limits: own("hour", so_far / 2), each: so_far / 2, together: MANY },
            Self::Owner => Lowered { limits: own("together", so_far + 300), each: MANY, together: so_far + 300 },
            // the window of its owner has the number of the owner's plan
            Self::KeyPlan => Lowered { limits: plan("small"), each: 800, together: MANY },
            Self::OwnerPlan => Lowered { limits: plan("small"), each: 800, together: 600 },
            Self::OwnerPlanForKeys => Lowered { limits: plan("small-for-keys"), each: 400, together: MANY },
        }
    }
}

fn plan(plan: &'static str) -> Limits {
    Limits { plan, number: None }
}

/// The owner of a trial's keys.
fn owner(trial: usize) -> &'static str {
    format!("owner-{trial}").leak()
}
