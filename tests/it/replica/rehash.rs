//! Secrets get another digest behind the checks that found them: many in one commit, once, whoever else does the same.

use std::sync::Arc;

use keyward::domain::key::{Digest, Pepper, Peppers};
use keyward::domain::name::{KeyId, RealmId, Word};
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::replica::rehash::{Rehash, Stale};
use keyward::store::audit;
use keyward::store::{Change, Expect, SharedStore};

use crate::support::peppers::{claim, knows};
use crate::support::redis::RedisServer;
use crate::support::seed::{commit, many_keys};

const REALM: &str = "rehash";
/// More than two commits take.
const KEYS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_find_the_same_secrets_give_each_its_digest_once() {
    let server = RedisServer::start();
    let store: SharedStore = server.store();
    rotated(&store, &["2", "1"]).await;
    let before = store.audit_head().await.unwrap().sequence;
    let (a, b) = (Rehash::new(peppers(&["2", "1"])), Rehash::new(second_in_use()));
    for number in 0..KEYS {
        let record = key(&store, number).await;
        for (rehash, versions) in [(&a, ["2", "1"]), (&b, ["1", "2"])] {
            let stale = rehash.stale(&digests(&versions, number), &record);
            rehash.add(stale.clone().unwrap());
            rehash.add(stale.unwrap());
        }
    }
    assert_eq!((a.seen().waiting, b.seen().waiting), (KEYS as u64, KEYS as u64), "each once");
    let (one, other) = tokio::join!(a.flush(&store), b.flush(&store));
    assert_eq!((one, other), (Ok(()), Ok(())));
    for number in 0..KEYS {
        let record = key(&store, number).await;
        let [kept] = &record.secrets[..] else { panic!("{record:?}") };
        assert_eq!((kept.digest, kept.pepper.as_str(), kept.number, record.revision), (digests(&["2"], number)[0], "2", 1, 2));
        assert_eq!(a.stale(&digests(&["2", "1"], number), &record), None);
    }
    assert_eq!(a.seen().rehashed + b.seen().rehashed, KEYS as u64);
    let entries = store.audit(before, 1_000).await.unwrap();
    let subjects: Vec<usize> = entries
        .iter()
        .map(|entry| audit::read(entry).unwrap())
        .map(|entry| {
            assert_eq!((entry.actor.as_str(), entry.action.as_str()), ("keyward", "RehashSecrets"));
            entry.subjects.len()
        })
        .collect();
    assert!(subjects.iter().sum::<usize>() == KEYS && subjects.len() < 2 * KEYS / 3, "{subjects:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_to_a_key_meanwhile_stays_done() {
    let server = RedisServer::start();
    let store: SharedStore = server.store();
    rotated(&store, &["2", "1"]).await;
    let rehash = Rehash::new(peppers(&["2", "1"]));
    for number in 0..3 {
        rehash.add(rehash.stale(&digests(&["2", "1"], number), &key(&store, number).await).unwrap());
    }
    let (revoked, replaced) = (key(&store, 0).await, key(&store, 1).await);
    let mut other = replaced.secrets[0].clone();
    (other.digest, other.pepper) = (Digest([9; 32]), word("2"));
    change(&store, Record { revoked: Some(StoreTime(5)), ..revoked }).await;
    change(&store, Record { secrets: vec![other.clone()], ..replaced }).await;
    rehash.flush(&store).await.unwrap();
    assert_eq!(rehash.seen().rehashed, 2);
    let now = key(&store, 0).await;
    assert_eq!((now.revoked, now.secrets[0].pepper.as_str(), now.revision), (Some(StoreTime(5)), "2", 3));
    assert_eq!(key(&store, 1).await.secrets, [other], "another secret under the same number is not the one that was found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_told_of_another_pepper_than_the_one_in_use_changes_nothing() {
    let server = RedisServer::start();
    let store: SharedStore = server.store();
    rotated(&store, &["2", "1"]).await;
    let late = Rehash::new(peppers(&["3", "1"]));
    late.add(late.stale(&digests(&["3", "1"], 0), &key(&store, 0).await).unwrap());
    late.flush(&store).await.unwrap();
    assert_eq!((late.seen().rehashed, key(&store, 0).await.secrets[0].pepper.as_str()), (0, "1"));
}

#[test]
fn those_that_wait_are_bounded_and_one_that_waits_takes_no_second_place() {
    let rehash = Rehash::new(peppers(&["2", "1"]));
    let stale = |number: usize| Stale {
        realm: RealmId::parse(REALM).unwrap(),
        key: KeyId::parse(&format!("key_{number}")).unwrap(),
        number: 1,
        found: Digest([1; 32]),
        digest: Digest([2; 32]),
        pepper: word("2"),
    };
    (0..10_000).for_each(|number| rehash.add(stale(number)));
    (0..10).for_each(|number| rehash.add(stale(number)));
    assert_eq!((rehash.seen().waiting, rehash.seen().dropped), (8_192, 10_000 - 8_192));
}

/// Keys that are under the first pepper, in a store that has gone on to the second.
async fn rotated(store: &SharedStore, versions: &[&str]) {
    store.claim_peppers(&[claim("1", 1), claim("2", 2), claim("3", 3)]).await.unwrap();
    store.agree_on_pepper(&knows("a", &["1"])).await.unwrap();
    many_keys(&**store, REALM, "acme", 0..KEYS, secret).await;
    for number in 0..KEYS {
        assert_eq!(key(store, number).await.secrets[0].digest, digests(&["1"], number)[0]);
    }
    assert_eq!(store.agree_on_pepper(&knows("a", versions)).await.unwrap(), word("2"));
}

/// As the store tells a replica whose file has it second.
fn second_in_use() -> Arc<Peppers> {
    let peppers = peppers(&["1", "2"]);
    assert!(peppers.use_version(&word("2")));
    peppers
}

async fn key(store: &SharedStore, number: usize) -> Record {
    store.key(&RealmId::parse(REALM).unwrap(), &KeyId::parse(&format!("key_{number}")).unwrap()).await.unwrap().unwrap()
}

async fn change(store: &SharedStore, record: Record) {
    let expect = Expect::Revision(record.revision);
    commit(&**store, vec![Change::Key { record: Record { revision: record.revision + 1, ..record }, expect }]).await;
}

fn secret(number: usize) -> String {
    format!("reh_{number:032x}")
}

fn digests(versions: &[&str], number: usize) -> Vec<Digest> {
    peppers(versions).digests(&RealmId::parse(REALM).unwrap(), secret(number).as_bytes())
}

/// The first is that of seeds.
fn peppers(versions: &[&str]) -> Arc<Peppers> {
    let byte = |version: &str| if version == "1" { 7 } else { version.as_bytes()[0] };
    let pepper = |version: &&str| Pepper::new(word(version), vec![byte(version); 32]).unwrap();
    Arc::new(Peppers::new(versions.iter().map(pepper).collect()).unwrap())
}

fn word(version: &str) -> Word {
    Word::parse(version).unwrap()
}
