//! `note`, `audit`, `audit_head`, `drop_audit`, `due`, and what commits append.

use keyward::domain::audit::{Head, Sealed, Tampered, Verified, Verifier};
use keyward::domain::key::Peppers;
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::proto::keyward::store::v1::Audit;
use keyward::store::{AuditNote, Change, Commit, Due, DueKey, Expect, Store, StoreError, audit};

use super::engines::Engine;
use super::samples::{changed_key, commit, digest, key, key_id, new_key, new_owner, owner, put, realm, request};
use crate::support::audit::{note, peppers};

pub(super) async fn every_commit_has_one_entry_in_the_audit_log_which_follows_the_one_before_and_is_sealed(engine: &mut impl Engine) {
    let store = engine.store();
    assert_eq!((store.audit_head().await.unwrap(), store.audit(0, 10).await.unwrap()), (Head::default(), Vec::new()));
    let first = key("key_1", &[digest(1)]);
    put(&*store, vec![new_owner(&owner("acme")), new_key(&first)]).await;
    let revoked = Record { revision: 2, revoked: Some(StoreTime(1_800_000_000_000)), ..first.clone() };
    let asked = Commit { request: Some(request("admin_1", "r-1", 1)), ..commit(vec![changed_key(&revoked)]) };
    let made = store.commit(&asked).await.unwrap();
    assert_eq!(made.audit, Some(store.audit_head().await.unwrap()));
    // The control: what changes nothing leaves nothing.
    assert_eq!(store.commit(&asked).await.unwrap().audit, None);
    assert_eq!(store.commit(&commit(vec![changed_key(&revoked)])).await, Err(StoreError::Conflict));
    let racers: Vec<_> = (2..22_u16)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { put(&*store, vec![new_key(&key(&format!("key_{number}"), &[digest(number)]))]).await })
        })
        .collect();
    for racer in racers {
        racer.await.unwrap();
    }
    let entries = read(&*store).await;
    assert_eq!(entries.len(), 22);
    assert_eq!(verified(&*store, &peppers(1)).await, Ok(Verified { entries: 22, head: store.audit_head().await.unwrap() }));
    assert_eq!(verified(&*store, &other_peppers()).await, Err(Tampered::Seal(1)), "the control: another pepper");
    let revocation = &entries[1];
    assert_eq!((revocation.position, revocation.request_id.as_str(), revocation.actor.as_str()), (3, "r-1", "admin_1"));
    let changed: Vec<_> = revocation.changed.iter().map(|changed| (&*changed.field, &*changed.before, &*changed.after)).collect();
    assert_eq!(changed, [("revoke_time", "", "2027-01-15T08:00:00Z")]);
    let positions: Vec<u64> = entries.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, (2..=23).collect::<Vec<u64>>());
}

pub(super) async fn a_note_is_one_entry_more_in_its_order_among_those_of_commits(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme"))]).await;
    let head = store.note(&note("Refused", "realms/otesse/keys/key_1")).await.unwrap();
    assert_eq!((head.sequence, head), (2, store.audit_head().await.unwrap()));
    put(&*store, vec![new_owner(&owner("other"))]).await;
    let entries = read(&*store).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.sequence, entry.action.as_str(), entry.position)).collect();
    assert_eq!(told, [(1, "CreateKey", 1), (2, "Refused", 0), (3, "CreateKey", 2)]);
    assert!(verified(&*store, &peppers(1)).await.is_ok());
}

pub(super) async fn entries_are_read_as_they_were_written(engine: &mut impl Engine) {
    let store = engine.store();
    for number in 0..7 {
        store.note(&note("Test", &format!("subject {number}"))).await.unwrap();
    }
    let all = store.audit(0, 100).await.unwrap();
    let mut pages = Vec::new();
    while let page @ [_, ..] = &store.audit(pages.len() as u64, 3).await.unwrap()[..] {
        pages.extend_from_slice(page);
    }
    assert_eq!((pages.len(), &pages), (7, &all));
    drop(store);
    engine.crash().await;
    assert_eq!(engine.store().audit(0, 100).await.unwrap(), all);
}

pub(super) async fn what_was_dropped_from_the_audit_log_for_its_age_is_told_in_the_log_itself(engine: &mut impl Engine) {
    let store = engine.store();
    store.drop_audit(3, &note("DropAudit", "audit")).await.unwrap();
    assert_eq!(store.audit_head().await.unwrap(), Head::default(), "there was nothing to drop");
    for number in 0..5 {
        store.note(&note("Test", &format!("subject {number}"))).await.unwrap();
    }
    let seen: Vec<Head> = store.audit(0, 10).await.unwrap().iter().map(at).collect();
    store.drop_audit(3, &note("DropAudit", "audit")).await.unwrap();
    let numbers = |entries: &[Audit]| entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>();
    assert_eq!(numbers(&read(&*store).await), [4, 5, 6]);
    let head = store.audit_head().await.unwrap();
    assert_eq!(verified(&*store, &peppers(1)).await, Ok(Verified { entries: 3, head }));
    for anchor in seen {
        assert!(verified_from(&*store, Some(anchor)).await.is_ok(), "{anchor}");
    }
    // Twice, and everything there is: the entry that says so stays.
    store.drop_audit(4, &note("DropAudit", "audit")).await.unwrap();
    assert_eq!(numbers(&read(&*store).await), [5, 6, 7]);
    store.drop_audit(100, &note("DropAudit", "audit")).await.unwrap();
    assert_eq!(numbers(&read(&*store).await), [8]);
    assert!(verified(&*store, &peppers(1)).await.is_ok());
    // The control: what nobody told of is missed.
    let (mut verifier, peppers) = (None, peppers(1));
    let verifier = verifier.get_or_insert_with(|| Verifier::new(&peppers, None));
    store.note(&note("Test", "after")).await.unwrap();
    let last = store.audit(8, 10).await.unwrap();
    verifier.entry(&last[0], &audit::place(&audit::read(&last[0]).unwrap()).unwrap()).unwrap();
    let ends = std::mem::replace(verifier, Verifier::new(&peppers, None)).end(at(&last[0]));
    assert_eq!(ends, Err(Tampered::Start(9)));
}

pub(super) async fn an_entry_that_follows_one_which_no_pepper_of_its_maker_has_sealed_says_so(engine: &mut impl Engine) {
    let store = engine.store();
    let by = |byte: u8| AuditNote { peppers: peppers(byte), ..note("Test", "by") };
    store.note(&by(1)).await.unwrap();
    store.note(&by(1)).await.unwrap();
    store.note(&by(2)).await.unwrap();
    store.note(&by(2)).await.unwrap();
    let owner = Commit { audit: by(3), ..commit(vec![new_owner(&owner("acme"))]) };
    store.commit(&owner).await.unwrap();
    drop(store);
    engine.crash().await;
    let store = engine.store();
    store.note(&by(3)).await.unwrap();
    let unvouched: Vec<u64> = read(&*store).await.iter().filter(|entry| entry.unvouched).map(|entry| entry.sequence).collect();
    assert_eq!(unvouched, [3, 5], "the first of none, and those behind their own, need nobody to vouch");
}

pub(super) async fn a_key_is_due_for_what_it_has_to_do_until_it_has_done_it(engine: &mut impl Engine) {
    let store = engine.store();
    let due = async |what, before| {
        let due = store.due(what, StoreTime(before), None, 10).await.unwrap();
        due.into_iter().map(|due| (due.realm, due.id)).collect::<Vec<_>>()
    };
    let name = |id| (realm("otesse"), key_id(id));
    let mut rotated = key("key_1", &[digest(1), digest(2)]);
    rotated.secrets[0].ends = Some(StoreTime(1_000));
    let revoked = Record { revoked: Some(StoreTime(500)), ..key("key_2", &[digest(3)]) };
    put(&*store, vec![new_owner(&owner("acme")), new_key(&rotated), new_key(&revoked)]).await;
    assert_eq!((due(Due::SecretEnds, 1_000).await, due(Due::SecretEnds, 1_001).await), (vec![], vec![name("key_1")]));
    assert_eq!((due(Due::Revoked, 500).await, due(Due::Revoked, 501).await), (vec![], vec![name("key_2")]));
    // Later, with another in between; then not at all.
    rotated.secrets[0].ends = Some(StoreTime(2_000));
    rotated.revision = 2;
    let again = Record { revision: 2, revoked: None, ..revoked.clone() };
    put(&*store, vec![changed_key(&rotated), changed_key(&again)]).await;
    assert_eq!((due(Due::SecretEnds, 1_999).await, due(Due::SecretEnds, 9_999).await), (vec![], vec![name("key_1")]));
    assert_eq!(due(Due::Revoked, 9_999).await, vec![]);
    let closed = Record { secrets: rotated.secrets[1..].to_vec(), revision: 3, ..rotated };
    put(&*store, vec![changed_key(&closed)]).await;
    assert_eq!(due(Due::SecretEnds, 9_999).await, vec![]);
    let revoked = Record { revision: 3, ..revoked };
    put(&*store, vec![changed_key(&revoked)]).await;
    let removed = Change::Removed { realm: realm("otesse"), id: key_id("key_2"), expect: Expect::Revision(3) };
    assert_eq!(due(Due::Revoked, 9_999).await, vec![name("key_2")]);
    put(&*store, vec![removed]).await;
    assert_eq!(due(Due::Revoked, 9_999).await, vec![]);
}

pub(super) async fn what_is_due_is_walked_on_whatever_became_of_what_was_there(engine: &mut impl Engine) {
    let store = engine.store();
    // three instants, each of several keys, whose names stand in another order than they are made in
    let revoked = |number: u16| {
        let id = format!("key_{}", number * 7 % 20);
        Record { revoked: Some(StoreTime(i64::from(number % 3) + 1)), ..key(&id, &[digest(number)]) }
    };
    let keys: Vec<Record> = (0..20).map(revoked).collect();
    put(&*store, [new_owner(&owner("acme"))].into_iter().chain(keys.iter().map(new_key)).collect()).await;
    let from = async |after: Option<&DueKey>, count| store.due(Due::Revoked, StoreTime(9), after, count).await.unwrap();
    let all = from(None, 100).await;
    let mut expected: Vec<(i64, String)> = keys.iter().map(|key| (key.revoked.unwrap().0, key.id.to_string())).collect();
    expected.sort();
    assert_eq!(all.iter().map(|due| (due.since.0, due.id.to_string())).collect::<Vec<_>>(), expected);
    for (number, place) in all.iter().enumerate() {
        assert_eq!(from(Some(place), 3).await, all[number + 1..].iter().take(3).cloned().collect::<Vec<_>>(), "{number}");
    }
    // places that are gone, and some that never were
    for place in &all[..15] {
        let removed = Change::Removed { realm: realm("otesse"), id: place.id.clone(), expect: Expect::Revision(1) };
        put(&*store, vec![removed]).await;
        let behind: Vec<DueKey> = all.iter().skip(15).cloned().collect();
        assert_eq!(from(Some(place), 100).await.iter().rev().take(5).rev().cloned().collect::<Vec<_>>(), behind);
    }
    let nowhere = |since, id| DueKey { since: StoreTime(since), realm: realm("otesse"), id: key_id(id) };
    assert_eq!(from(Some(&nowhere(0, "zzz")), 100).await, all[15..]);
    assert_eq!(from(Some(&nowhere(3, "a")), 100).await, all[15..], "the last of them are all of this instant");
    assert_eq!(from(Some(&nowhere(3, "zzz")), 100).await, vec![]);
    assert_eq!(from(Some(&nowhere(12, "a")), 100).await, vec![]);
}

async fn read(store: &dyn Store) -> Vec<Audit> {
    store.audit(0, 1_000).await.unwrap().iter().map(|sealed| audit::read(sealed).unwrap()).collect()
}

fn at(sealed: &Sealed) -> Head {
    Head { sequence: audit::read(sealed).unwrap().sequence, link: keyward::domain::audit::Link::of(&sealed.entry) }
}

async fn verified(store: &dyn Store, peppers: &Peppers) -> Result<Verified, Tampered> {
    walked(store, Verifier::new(peppers, None)).await
}

async fn verified_from(store: &dyn Store, anchor: Option<Head>) -> Result<Verified, Tampered> {
    walked(store, Verifier::new(&peppers(1), anchor)).await
}

async fn walked(store: &dyn Store, mut verifier: Verifier<'_>) -> Result<Verified, Tampered> {
    for sealed in store.audit(0, 1_000).await.unwrap() {
        verifier.entry(&sealed, &audit::place(&audit::read(&sealed).unwrap()).unwrap())?;
    }
    verifier.end(store.audit_head().await.unwrap())
}

/// Of the same version, and other bytes.
fn other_peppers() -> Peppers {
    let version = keyward::domain::name::Word::parse("1").unwrap();
    Peppers::new(vec![keyward::domain::key::Pepper::new(version, vec![9; 32]).unwrap()]).unwrap()
}
