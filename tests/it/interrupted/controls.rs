//! The controls of the judge: a commit that is torn at any of its parts is found, and so is whatever is changed behind keyward's back.

use super::judge::{Kind, judge};
use super::state::{Engine, State};
use super::sweep::{ALL, Mutation, OPEN_OWNER, Sweep};
use super::world::World;
use crate::support::redis::RedisServer;

/// Takes a part of a state over from another.
type Take = fn(&mut State, &State);

/// The parts that a commit writes.
const PARTS: [(&str, Take); 9] = [
    ("keys", |to, from| to.keys.clone_from(&from.keys)),
    ("owners", |to, from| to.owners.clone_from(&from.owners)),
    ("digests", |to, from| to.digests.clone_from(&from.digests)),
    ("lists", |to, from| to.lists.clone_from(&from.lists)),
    ("due", |to, from| to.due.clone_from(&from.due)),
    ("audit", |to, from| {
        to.audit.clone_from(&from.audit);
        to.audit_head.clone_from(&from.audit_head);
    }),
    ("audit-head", |to, from| to.audit_head.clone_from(&from.audit_head)),
    ("log", |to, from| {
        to.log.clone_from(&from.log);
        to.head = from.head;
    }),
    ("answers", |to, from| to.answers.clone_from(&from.answers)),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_torn_at_any_of_its_parts_is_found_on_redis() {
    let all: Vec<&Mutation> = ALL.iter().chain([&OPEN_OWNER]).collect();
    torn(World::redis(RedisServer::durable(), None), &all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_torn_at_any_of_its_parts_is_found_on_the_embedded_store() {
    torn(World::embedded(), &[&ALL[0], &ALL[1], &ALL[2], &ALL[8], &ALL[9]]).await;
}

async fn torn(world: World, mutations: &[&Mutation]) {
    let mut sweep = Sweep::of(world).await;
    let mut tears = 0;
    for mutation in mutations {
        sweep.next_mutation();
        let (call, _) = sweep.call(mutation).await;
        let before = still(&mut sweep.world);
        sweep.do_now(call.asked).await;
        let after = still(&mut sweep.world);
        let wrong = |state: &State| judge(state, &sweep.world.peppers, &[]).0;
        for whole in [&before, &after] {
            assert!(wrong(whole).0.is_empty(), "control: {mutation:?} whole: {:#?}", wrong(whole).0);
        }
        for (part, take) in PARTS {
            for (one, other) in [(&before, &after), (&after, &before)] {
                let mut mixed = one.clone();
                take(&mut mixed, other);
                if mixed != *one {
                    tears += 1;
                    assert!(!wrong(&mixed).0.is_empty(), "{mutation:?}: the part {part} alone went unseen");
                }
            }
        }
        for (name, key) in &after.keys {
            let mut mixed = before.clone();
            if before.keys.get(name) != Some(key) {
                mixed.keys.insert(name.clone(), key.clone());
                assert!(!wrong(&mixed).0.is_empty(), "{mutation:?}: {name:?} alone went unseen");
                tears += 1;
            }
        }
    }
    println!("{tears} tears");
    assert!(tears > 8 * mutations.len());
}

/// The state between two calls.
fn still(world: &mut World) -> State {
    tokio::task::block_in_place(|| {
        if world.engine == Engine::Embedded {
            world.keywards[0].kill();
        }
        let state = world.state();
        if world.engine == Engine::Embedded {
            world.start(0);
            world.wait_until_ready();
        }
        state
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_behind_keywards_back_is_found() {
    let mut sweep = Sweep::of(World::redis(RedisServer::durable(), None)).await;
    let mut words = Vec::new();
    for mutation in [&ALL[0], &ALL[2], &ALL[1], &ALL[1]] {
        sweep.next_mutation();
        let (call, word) = sweep.call(mutation).await;
        sweep.do_now(call.asked).await;
        words.push(word);
    }
    let [.., other, word] = &words[..] else { unreachable!() };
    let (whole, judgement) = sweep.world.judge_with(&sweep.book);
    assert!(judgement.0.is_empty(), "control: nobody has touched it: {:#?}", judgement.0);
    let last = whole.audit.keys().next_back().unwrap();
    let key = "kw:1:{kw}:keys:otesse";
    let put = |to: &str, from: &str| format!("redis.call('HSET', '{key}', '{to}', redis.call('HGET', '{key}', '{from}'))");
    let drop_digest = "local all = redis.call('HKEYS', 'kw:1:{kw}:digests:otesse') redis.call('HDEL', 'kw:1:{kw}:digests:otesse', all[1])";
    for (script, kind) in [
        (format!("redis.call('XDEL', 'kw:1:{{kw}}:audit', '{}-0')", last - 1), Kind::Chain),
        (format!("redis.call('XDEL', 'kw:1:{{kw}}:audit', '{last}-0')"), Kind::Chain),
        (put(word, other), Kind::Untold),
        (format!("redis.call('HDEL', '{key}', '{word}')"), Kind::Undone),
        (put("stranger", word), Kind::Untold),
        (drop_digest.to_owned(), Kind::Digest),
        (format!("redis.call('ZREM', 'kw:1:{{kw}}:keys-by-owner:otesse', 'cutters {word}')"), Kind::List),
        (format!("redis.call('ZREM', 'kw:1:{{kw}}:secret-ends', 'otesse/{word}')"), Kind::Due),
        ("redis.call('SET', 'kw:1:{kw}:position', '9999/0000000000000000')".into(), Kind::Log),
    ] {
        let redis = sweep.world.redis.as_ref().unwrap();
        let judged = changed(redis, &script, || judge(&State::of_redis(redis), &sweep.world.peppers, &[]).0);
        assert!(judged.kinds().contains(&kind), "{kind:?} was not found after {script}: {judged:?}");
    }
}

/// Tampers, looks, and puts all back as it was.
fn changed<T>(redis: &RedisServer, script: &str, look: impl Fn() -> T) -> T {
    let mut connection = redis.connection();
    let names: Vec<String> = redis::cmd("KEYS").arg("kw:1:{kw}:*").query(&mut connection).unwrap();
    let dump = |name: &String| redis::cmd("DUMP").arg(name).query::<Vec<u8>>(&mut redis.connection()).unwrap();
    let before: Vec<(&String, Vec<u8>)> = names.iter().filter(|name| !name.contains("lease")).map(|name| (name, dump(name))).collect();
    let _: redis::Value = redis::cmd("EVAL").arg(script).arg(0).query(&mut connection).unwrap();
    let found = look();
    for (name, bytes) in before {
        let _: () = redis::cmd("RESTORE").arg(name).arg(0).arg(bytes).arg("REPLACE").query(&mut connection).unwrap();
    }
    found
}
