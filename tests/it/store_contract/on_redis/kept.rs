//! What is kept in Redis: the log, the audit log, the hash slots, and how many bytes.

use std::collections::{BTreeSet, HashMap};

use keyward::domain::address::AddressList;
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::domain::usage::{Counter, Granularity, LastUse, Tally};
use keyward::proto::keyward::store::v1::{Audit, Entry, Sealed};
use keyward::revocation::{At, Mark, Renewal};
use keyward::store::{Charge, Commit, Counts, Settled, Settlement, Store, StoreError, TICKETS_LIVE, Taken, UsagePiece, What};
use prost::Message;
use redis::streams::StreamRangeReply;

use super::super::samples::{
    DAY, MINUTE, changed_key, charge, commit, digest, holder, key, key_id, new_key, new_owner, owner, page, put, realm, renewal, request,
    settlement, subject,
};
use super::seed;
use crate::support::campaign::figure;
use crate::support::peppers::{claim, knows};
use crate::support::redis::RedisServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_has_one_entry_in_the_log_at_its_position_and_every_commit_one_in_the_audit_log() {
    let server = RedisServer::start();
    let store = server.store();
    seed(&*store).await;
    let revoked = Record { revision: 2, revoked: Some(StoreTime(5)), ..key("key_1", &[digest(1)]) };
    let renamed = Record { revision: 3, label: "other".into(), ..revoked.clone() };
    let asked = Commit { request: Some(request("admin_1", "r-7", 1)), ..commit(vec![changed_key(&revoked)]) };
    store.commit(&asked).await.unwrap();
    put(&*store, vec![changed_key(&renamed)]).await;
    // None of these is a change.
    assert!(store.commit(&asked).await.unwrap().replayed.is_some());
    assert_eq!(store.commit(&commit(vec![changed_key(&renamed)])).await, Err(StoreError::Conflict));
    assert_eq!(store.commit(&commit(vec![new_key(&key("key_2", &[digest(1)]))])).await, Err(StoreError::SecretTaken));

    let log = stream::<Entry>(&server, "kw:1:{kw}:log", "entry");
    let told: Vec<_> = log.iter().map(|(id, entry)| (id.as_str(), entry.kind.as_str(), entry.id.as_str(), entry.restricting)).collect();
    let expected =
        [("1-0", "owner", "acme", false), ("2-0", "key", "key_1", false), ("3-0", "key", "key_1", true), ("4-0", "key", "key_1", false)];
    assert_eq!(told, expected);
    let audit = stream::<Sealed>(&server, "kw:1:{kw}:audit", "entry");
    let audit: Vec<(&str, Audit)> = audit.iter().map(|(id, kept)| (id.as_str(), Audit::decode(&*kept.entry).unwrap())).collect();
    let told: Vec<_> = audit.iter().map(|(id, note)| (*id, note.actor.as_str(), note.position, note.request_id.as_str())).collect();
    let expected = [("1-0", "admin_1", 2, ""), ("2-0", "admin_1", 3, "r-7"), ("3-0", "admin_1", 4, "")];
    assert_eq!(told, expected);
    let now = store.now().await.unwrap().0;
    let at: Vec<i64> = audit.iter().map(|(_, note)| note.at_ms).collect();
    assert!(at.is_sorted() && at.iter().all(|at| (now - 600_000..=now).contains(at)), "{at:?}");

    let kept: i64 = server.ask("PTTL kw:1:{kw}:request:7:admin_1/r-7");
    assert!((86_000_000..=86_400_000).contains(&kept), "a request id is remembered for a day: {kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_of_keys_is_in_one_hash_slot_and_windows_are_in_their_owners() {
    let server = RedisServer::start();
    let store = server.store();
    seed(&*store).await;
    let all =
        Commit { request: Some(request("admin_1", "r}{", 1)), once: Some([1; 32]), ..commit(vec![new_key(&key("key_2", &[digest(2)]))]) };
    store.commit(&all).await.unwrap();
    store.claim_peppers(&[claim("1", 1)]).await.unwrap();
    store.agree_on_pepper(&knows("a", &["1"])).await.unwrap();
    everything_of_leases(&*store).await;
    let state = slots(&server.ask::<Vec<String>>("KEYS *"));
    assert_eq!(state.values().collect::<BTreeSet<_>>().len(), 1, "{state:?}");
    assert_eq!(state.len(), 21, "{state:?}");

    let both = |key| charge(vec![subject(Some(key), &[(DAY, 9)]), subject(None, &[(DAY, 9)])], 1);
    store.take(&[both("key_1"), both("key_2")]).await.unwrap();
    let windows = server.ask::<Vec<String>>("KEYS kw:1:{otesse/*");
    let slots = slots(&windows);
    assert_eq!(slots.len(), 3);
    assert_eq!(slots.values().collect::<BTreeSet<_>>().len(), 1, "{slots:?}");
    assert!(!state.values().any(|slot| slots.values().any(|other| other == slot)));
}

/// Whoever lists reads ids first: a key that is removed before its record is read is as one that was removed before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_whose_record_is_gone_is_passed_over_and_its_page_filled_up() {
    let server = RedisServer::start();
    let store = server.store();
    put(&*store, (0..8).map(|number| new_key(&key(&format!("key_{number}"), &[digest(number)]))).collect()).await;
    let gone: i64 = server.ask("HDEL kw:1:{kw}:keys:otesse key_1 key_2 key_3 key_7");
    let listed = async |after, count| {
        let keys = store.keys(&realm("otesse"), None, &page(after, count)).await.unwrap();
        keys.iter().map(|key| key.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((gone, listed(None, 3).await), (4, ["key_0", "key_4", "key_5"].map(String::from).into()));
    assert_eq!(listed(Some("acme key_5"), 3).await, ["key_6"], "and none comes after them");
}

/// A lease, a log that was found rolled back twice, and something made durable.
async fn everything_of_leases(store: &dyn Store) {
    let lost = |position| Renewal { secured: At { position, mark: Mark(1) }, ..renewal(&holder("a", 1), None) };
    store.renew(&lost(1)).await.unwrap();
    store.resume(&commit(Vec::new()).audit).await.unwrap();
    store.renew(&lost(2)).await.unwrap();
    store.secure(&What::Owner(realm("otesse"), owner("acme").id)).await.unwrap();
}

/// Ids and names are as long as they are in use. The logs are of changes, not of keys, and are counted apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_windows_take_no_more_bytes_than_was_promised() {
    const KEYS: u16 = 4_000;
    let server = RedisServer::start();
    let store = server.store();
    for number in 0..10 {
        put(&*store, vec![new_owner(&owner(&owner_name(number)))]).await;
    }
    for first in (0..KEYS).step_by(50) {
        put(&*store, (first..first + 50).map(|number| new_key(&typical(number))).collect()).await;
    }
    let (mut of_keys, mut of_logs) = (0, 0);
    for name in server.ask::<Vec<String>>("KEYS *") {
        let bytes: u32 = server.ask(&format!("MEMORY USAGE {name} SAMPLES 0"));
        *if name.ends_with("log") || name.ends_with("audit") { &mut of_logs } else { &mut of_keys } += bytes;
    }
    let (a_key, a_change) = (f64::from(of_keys) / f64::from(KEYS), f64::from(of_logs) / f64::from(KEYS));
    let before = used(&server);
    let minute = |number| of(&typical(number), &[(MINUTE, 100)]);
    let both = |number| of(&typical(number), &[(MINUTE, 100), (DAY, 10_000)]);
    let take_of_all = async |of: &dyn Fn(u16) -> Charge| {
        for first in (0..KEYS).step_by(50) {
            store.take(&(first..first + 50).map(of).collect::<Vec<_>>()).await.unwrap();
        }
        (used(&server) - before) / f64::from(KEYS)
    };
    let (alone, of_two) = (take_of_all(&minute).await, take_of_all(&both).await / 2.0);
    let sparse = [told(&server, &minute(1), 1), told(&server, &both(1), 1) / 2];
    let full = [told(&server, &minute(1), 17), told(&server, &both(1), 17) / 2];
    println!("bytes: {a_key:.0} a key, {a_change:.0} a change in the logs");
    println!("bytes a window, sparse: {alone:.0} alone, {of_two:.0} of two, by used_memory; {sparse:?} by MEMORY USAGE");
    println!("bytes a window of sixteen slots, full: {full:?} by MEMORY USAGE, of a key with one limit and with two");
    figure(
        "P9",
        "bytes of a live window in Redis: sparse and full with sixteen slots, of one limit",
        &format!("{} and {}", sparse[0], full[0]),
    );
    figure("P9", "the same of two limits, for each of them (the other is of a day and sparse)", &format!("{} and {}", sparse[1], full[1]));
    assert!(a_key <= 800.0, "{a_key} bytes a key");
    let promised = sparse.iter().all(|bytes| bytes + ENDS <= 220) && full.iter().all(|bytes| bytes + ENDS <= 370);
    assert!(alone <= 220.0 && of_two <= 180.0 && promised, "{alone} {of_two} {sparse:?} {full:?}");
}

/// What Redis tells of a key's windows, of which the minute's have so many slots. The entry that remembers when it ends is not in it: that is
/// [`ENDS`] more.
fn told(server: &RedisServer, charge: &Charge, slots: i64) -> u64 {
    let (mut connection, start) = (server.connection(), 1_800_000_000_000);
    server.ask::<()>("FLUSHALL");
    for slot in 0..slots {
        let mut call = redis::cmd("EVAL");
        call.arg(keyward::store::redis::take::SCRIPT);
        keyward::store::redis::take::write(&mut call, charge, Some(StoreTime(start + slot * 3_750)));
        call.query::<redis::Value>(&mut connection).unwrap();
    }
    let name = format!("kw:1:{{otesse/{}}}{}", owner_name(1), typical(1).id);
    server.ask(&format!("MEMORY USAGE {name} SAMPLES 0"))
}

/// The set of those that were settled ends when none of them can be settled any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settled_tickets_are_kept_beside_their_owners_windows_until_none_of_them_can_be_settled() {
    let server = RedisServer::start();
    let store = server.store();
    let now = store.now().await.unwrap();
    let of_acme = charge(vec![subject(Some("key_1"), &[(DAY, 9)])], 1);
    let tickets: Vec<Settlement> = (0..100).map(|id| settlement(id, &of_acme, now)).collect();
    assert!(store.settle(&tickets).await.unwrap().iter().all(|settled| *settled == Settled::Done));
    let live = i64::try_from(TICKETS_LIVE.as_millis()).unwrap();
    let together = now.0 / live;
    let name = format!("kw:1:{{otesse/acme}}:settled:{together}");
    assert_eq!(server.ask::<Vec<String>>("KEYS *").join(" "), name);
    assert_eq!(server.ask::<i64>(&format!("PEXPIRETIME {name}")), (together + 2) * live);
    let bytes: u64 = server.ask(&format!("MEMORY USAGE {name} SAMPLES 0"));
    println!("bytes of a settled ticket: {}", bytes / 100);
    assert!(bytes / 100 <= 80, "{bytes} for a hundred");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_cannot_be_read_are_no_store_that_is_away_and_harm_nobody_else() {
    let server = RedisServer::start();
    let store = server.store();
    let of = |key| charge(vec![subject(Some(key), &[(DAY, 9)])], 1);
    server.ask::<()>("SET kw:1:{otesse/acme}key_1 x");
    server.ask::<i64>("RPUSH kw:1:{otesse/acme}key_2 x");
    let taken = store.take(&[of("key_1"), of("key_2"), of("key_3")]).await.unwrap();
    let is_corrupt = |taken: &Taken| matches!(taken, Taken::Failed(StoreError::Corrupt(_)));
    assert!(is_corrupt(&taken[0]) && is_corrupt(&taken[1]), "{taken:?}");
    assert!(matches!(taken[2], Taken::Granted { tokens: 1, .. }), "{taken:?}");
    let now = store.now().await.unwrap();
    let settled = store.settle(&[settlement(1, &of("key_1"), now), settlement(2, &of("key_3"), now)]).await.unwrap();
    assert!(matches!(&settled[..], [Settled::Failed(StoreError::Corrupt(_)), Settled::Done]), "{settled:?}");
}

/// Bytes of the entry that remembers when a name ends.
const ENDS: u64 = 32;

fn owner_name(number: u16) -> String {
    format!("acme-{number:04}")
}

/// A key as vendors' dashboards make them, without what few have: an end, a list of addresses.
fn typical(number: u16) -> Record {
    let id = format!("key_01hzy4q6m3c8vt5rw2n9x7{number:04}");
    let record = Record { expires: None, addresses: AddressList::default(), label: "Zapier".into(), ..key(&id, &[digest(number)]) };
    Record { owner: super::super::samples::owner_id(&owner_name(number % 10)), ..record }
}

fn of(record: &Record, windows: &[(u32, u32)]) -> Charge {
    let mut one = subject(None, windows);
    one.name.owner = record.owner.clone();
    one.name.key = Some(record.id.clone());
    charge(vec![one], 1)
}

fn used(server: &RedisServer) -> f64 {
    let told: String = server.ask("INFO memory");
    told.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}

/// The hash slot of each name, as <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/> has it: CRC-16/XMODEM of what
/// stands between the first braces.
fn slots(names: &[String]) -> HashMap<String, u16> {
    let tag =
        |name: &str| name.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(name.to_owned(), |(tag, _)| tag.to_owned());
    names.iter().map(|name| (name.clone(), crc16(tag(name).as_bytes()) % 16_384)).collect()
}

fn crc16(bytes: &[u8]) -> u16 {
    let bit = |sum: u16, _| if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 };
    bytes.iter().fold(0, |sum, byte| (0..8).fold(sum ^ (u16::from(*byte) << 8), bit))
}

#[test]
fn the_slots_of_this_test_are_those_of_the_specification() {
    assert_eq!(crc16(b"123456789"), 0x31C3);
    assert_eq!(slots(&["a{user1000}b".into(), "user1000".into()]).values().collect::<BTreeSet<_>>().len(), 1);
}

/// Ids and messages of a stream.
fn stream<T: Message + Default>(server: &RedisServer, name: &str, field_name: &str) -> Vec<(String, T)> {
    let ids: StreamRangeReply = server.ask(&format!("XRANGE {name} - +"));
    let ids = ids.ids.into_iter().map(|entry| entry.id);
    ids.zip(field(server, name, field_name)).map(|(id, bytes)| (id, T::decode(&bytes[..]).unwrap())).collect()
}

fn field(server: &RedisServer, name: &str, field: &str) -> Vec<Vec<u8>> {
    let entries: StreamRangeReply = server.ask(&format!("XRANGE {name} - +"));
    entries.ids.iter().map(|entry| entry.get(field).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_is_the_same_after_the_store_is_made_again() {
    let server = RedisServer::start();
    seed(&*server.store()).await;
    let again = server.store();
    assert_eq!(again.find(&realm("otesse"), &[]).await.unwrap().at.position, 2);
    assert_eq!(put(&*again, vec![new_key(&key("key_2", &[digest(2)]))]).await.position, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_ends_by_itself_and_a_key_that_nobody_uses_has_none() {
    let server = RedisServer::start();
    let store = server.store();
    seed(&*store).await;
    let names = |server: &RedisServer| server.ask::<Vec<String>>("KEYS kw:1:{otesse/*");
    assert_eq!(names(&server), Vec::<String>::new(), "control: records alone have no usage");
    let now = store.now().await.unwrap();
    let mut tally = Tally::default();
    tally.add(Counter::Allowed, 1);
    let last = vec![(1, LastUse { at: now, address: None })];
    let counts = Counts { key: Some(key_id("key_1")), minutes: vec![(Granularity::Minute.number(now), tally)], last };
    let owner = subject(None, &[]).name;
    store.add_usage(&[UsagePiece { owner, by: 1, number: 1, at: now, counts: vec![counts] }]).await.unwrap().remove(0).unwrap();
    let mut kept: Vec<(String, u64)> = names(&server).into_iter().map(|name| (kind(&name), server.ask(&format!("PTTL {name}")))).collect();
    kept.sort();
    let hours: Vec<(&str, u64)> = kept.iter().map(|(kind, ms)| (kind.as_str(), ms.div_ceil(3_600_000))).collect();
    assert_eq!(
        hours,
        [("d", 400 * 24), ("last", 400 * 24), ("m", 3), ("m", 3)],
        "the second one tells of what replica up to where it was added"
    );
}

/// What a name of usage stands for.
fn kind(name: &str) -> String {
    name.split(':').nth(3).unwrap().to_owned()
}
