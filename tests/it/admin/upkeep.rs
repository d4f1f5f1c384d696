//! What is due without anybody asking: secrets whose grace is over, and what is old enough to be forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyward::domain::key::Digest;
use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::reason::Reason;
use keyward::domain::record::{KeptSecret, Record};
use keyward::domain::retention::Retention;
use keyward::domain::time::StoreTime;
use keyward::domain::usage::LastUse;
use keyward::keyring::{EndedSecrets, Keyring};
use keyward::proto::keyward::admin::v1::{
    AuditEntry, CreateKeyResponse, EnableKeyRequest, GetKeyRequest, ListAuditRequest, RevokeKeyRequest, RotateKeyRequest,
    VerifyAuditRequest, VerifyAuditResponse,
};
use keyward::store::{Change, Commit, Counts, Due, DueKey, Expect, Needs, Round, SharedStore, Store, StoreError, SubjectName, UsagePiece};
use tonic::Code;

use super::presented::bookings;
use super::world::{World, peppers, reason};
use crate::support::audit::note;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// For what would not end if it were wrong.
const PATIENCE: Duration = Duration::from_mins(1);

on_every_store![
    a_secret_whose_grace_is_over_is_dropped_and_whether_it_was_in_use_is_told,
    two_replicas_at_once_end_each_secret_once,
    the_last_secret_of_a_key_ends_as_any_other_does_and_the_key_can_have_another,
    keys_of_which_every_secret_has_ended_keep_no_other_from_its_turn,
    what_is_due_and_cannot_be_done_keeps_nothing_else_from_its_turn,
    revoked_keys_are_forgotten_when_they_are_old_enough_and_nothing_else_is,
    two_replicas_at_once_forget_each_key_once,
    audit_entries_are_forgotten_when_they_are_old_enough_and_the_log_says_so,
];

async fn a_secret_whose_grace_is_over_is_dropped_and_whether_it_was_in_use_is_told(world: World) {
    let (idle, used, revoked) = (rotated(&world).await, rotated(&world).await, rotated(&world).await);
    revoke(&world, &revoked).await;
    assert_eq!(world.keyring.end_secrets().await.unwrap(), EndedSecrets::default(), "their grace is not over");
    uses(&world, &used, world.store.now().await.unwrap()).await;
    uses(&world, &idle, StoreTime(world.store.now().await.unwrap().0 - 2 * 24 * 3_600_000)).await;
    world.time.pass(HOUR + Duration::from_secs(1));
    // of the gate too, which goes by the boot clock
    world.pass(HOUR + Duration::from_secs(1)).await;
    assert_eq!(bookings(&world, &idle.secret).await, Err(Reason::Expired));
    let too_early = world.keyring.end_secrets().await.unwrap();
    assert_eq!(too_early, EndedSecrets::default(), "replicas may have to tell of their last uses still");
    world.time.pass(Duration::from_secs(30));
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.keyring.end_secrets().await.unwrap(), EndedSecrets { unused: 2, in_use: 1 });
    assert_eq!(bookings(&world, &idle.secret).await, Err(Reason::Unknown));
    let told: BTreeMap<String, String> =
        ended(&world).await.into_iter().map(|entry| (entry.subjects[0].clone(), entry.action.clone())).collect();
    let expected = [(&idle, "EndSecret"), (&used, "EndSecretInUse"), (&revoked, "EndSecret")];
    assert_eq!(told, expected.into_iter().map(|(made, action)| (name(made), action.to_owned())).collect());
    for entry in ended(&world).await {
        assert_eq!((&*entry.actor, &*entry.address), ("keyward", ""));
        let [change] = &entry.changes[..] else { panic!("{entry:?}") };
        assert!(change.field == "secrets" && change.before.starts_with("1 ") && change.after.starts_with("2 "), "{change:?}");
    }
    assert_eq!(world.keyring.end_secrets().await.unwrap(), EndedSecrets::default(), "once");
}

async fn two_replicas_at_once_end_each_secret_once(world: World) {
    let mut made = Vec::new();
    for _ in 0..12 {
        made.push(rotated(&world).await);
    }
    world.time.pass(2 * HOUR);
    let other = another(&world);
    let (one, two) = tokio::join!(world.keyring.end_secrets(), other.end_secrets());
    assert_eq!(one.unwrap().unused + two.unwrap().unused, 12);
    let mut subjects: Vec<String> = ended(&world).await.into_iter().flat_map(|entry| entry.subjects).collect();
    subjects.sort_unstable();
    let mut names: Vec<String> = made.iter().map(name).collect();
    names.sort_unstable();
    assert_eq!(subjects, names);
}

/// Before, such a key stayed due for ever, and nobody was told.
async fn the_last_secret_of_a_key_ends_as_any_other_does_and_the_key_can_have_another(world: World) {
    let (idle, used) = (rotated(&world).await, rotated(&world).await);
    for made in [&idle, &used] {
        without_its_newest(&world, made).await;
    }
    uses(&world, &used, world.store.now().await.unwrap()).await;
    world.time.pass(2 * HOUR);
    assert_eq!(due(&world, Due::SecretEnds).await.len(), 2);
    assert_eq!(world.keyring.end_secrets().await.unwrap(), EndedSecrets { unused: 1, in_use: 1 });
    let told: BTreeMap<String, String> =
        ended(&world).await.into_iter().map(|entry| (entry.subjects[0].clone(), entry.action.clone())).collect();
    assert_eq!(told, [(name(&idle), "EndSecret".to_owned()), (name(&used), "EndSecretInUse".to_owned())].into());
    assert_eq!((due(&world, Due::SecretEnds).await, world.keyring.end_secrets().await.unwrap()), (vec![], EndedSecrets::default()));
    let rotation = RotateKeyRequest { name: name(&idle), ..Default::default() };
    let fresh = world.keys().rotate_key(world.ask(rotation)).await.unwrap().into_inner().secret;
    assert_eq!((bookings(&world, &idle.secret).await, bookings(&world, &fresh).await), (Err(Reason::Unknown), Ok(())));
}

/// Before, the first hundred of the list were looked at over and over, without an end: hence the deadline.
async fn keys_of_which_every_secret_has_ended_keep_no_other_from_its_turn(world: World) {
    let made = rotated(&world).await;
    let template = record(&world, &made).await;
    let owner = template.owner.clone();
    let dead = |number: u8| {
        let secret = KeptSecret { digest: Digest([number; 32]), ends: Some(StoreTime(1_000)), ..template.secrets[0].clone() };
        let id = KeyId::parse(&format!("key_of_no_secret_{number}")).unwrap();
        let record = Record { id, owner: owner.clone(), secrets: vec![secret], revision: 1, ..template.clone() };
        Change::Key { record, expect: Expect::Absent }
    };
    let commit = Commit {
        changes: (0..250).map(dead).collect(),
        audit: note("Test", "250 keys"),
        request: None,
        once: None,
        needs: Needs::default(),
    };
    world.store.commit(&commit).await.unwrap();
    world.time.pass(2 * HOUR);
    let ended = tokio::time::timeout(PATIENCE, world.keyring.end_secrets()).await.expect("it ends");
    assert_eq!(ended.unwrap(), EndedSecrets { unused: 251, in_use: 0 }, "of the one that was rotated, too, which is the last in the list");
    assert_eq!(due(&world, Due::SecretEnds).await, vec![]);
}

/// Before, a hundred such at the head of the list were all that was ever looked at: secrets without an end, keys not at all.
async fn what_is_due_and_cannot_be_done_keeps_nothing_else_from_its_turn(world: World) {
    let (ends, revoked) = (rotated(&world).await, world.otesse("revoked").await);
    revoke(&world, &revoked).await;
    world.time.pass(10 * DAY);
    let store: SharedStore = Arc::new(Ghosts(world.store.clone()));
    let haunted = Keyring::new(store, world.realms.clone(), peppers(&["1"]), None, world.guard.clone());
    let ended = tokio::time::timeout(PATIENCE, haunted.end_secrets()).await.expect("it ends");
    assert_eq!(ended.unwrap(), EndedSecrets { unused: 1, in_use: 0 });
    let retention = Retention { audit: None, revoked_keys: Some(DAY) };
    tokio::time::timeout(PATIENCE, haunted.forget(&retention)).await.expect("it ends").unwrap();
    assert_eq!(bookings(&world, &revoked.secret).await, Err(Reason::Unknown));
    assert_eq!(bookings(&world, &ends.secret).await, Err(Reason::Unknown));
    assert!(ended_of(&world, &ends).await, "the control: it was due");
}

async fn revoked_keys_are_forgotten_when_they_are_old_enough_and_nothing_else_is(world: World) {
    let (old, other) = (world.otesse("old").await, world.otesse("other").await);
    let (live, again) = (world.otesse("live").await, world.otesse("again").await);
    for made in [&old, &other, &again] {
        revoke(&world, made).await;
    }
    let enable = EnableKeyRequest { name: name(&again), ..Default::default() };
    world.keys().enable_key(world.ask(enable)).await.unwrap();
    world.time.pass(10 * DAY);
    let young = world.otesse("young").await;
    revoke(&world, &young).await;
    let forget = async |revoked_keys| world.keyring.forget(&Retention { audit: None, revoked_keys }).await.unwrap();
    forget(None).await;
    forget(Some(11 * DAY)).await;
    assert_eq!(bookings(&world, &old.secret).await, Err(Reason::Revoked), "the control: nothing is that old, or none is to be forgotten");
    forget(Some(9 * DAY)).await;
    for made in [&old, &other] {
        assert_eq!(bookings(&world, &made.secret).await, Err(Reason::Unknown));
        let get = GetKeyRequest { name: name(made), read_mask: None };
        assert_eq!(reason(&world.keys().get_key(world.ask(get)).await.unwrap_err()), (Code::NotFound, "KEY_NOT_FOUND".into()));
    }
    let others = [bookings(&world, &live.secret).await, bookings(&world, &again.secret).await, bookings(&world, &young.secret).await];
    assert_eq!(others, [Ok(()), Ok(()), Err(Reason::Revoked)]);
    let entries = listed(&world, "ForgetKeys").await;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    let mut subjects = entry.subjects.clone();
    subjects.sort_unstable();
    let mut names = [name(&old), name(&other)];
    names.sort_unstable();
    assert_eq!((&*entry.actor, &subjects[..]), ("keyward", &names[..]));
}

async fn two_replicas_at_once_forget_each_key_once(world: World) {
    for number in 0..8 {
        revoke(&world, &world.otesse(&format!("old {number}")).await).await;
    }
    world.time.pass(10 * DAY);
    let (other, retention) = (another(&world), Retention { audit: None, revoked_keys: Some(DAY) });
    let (one, two) = tokio::join!(world.keyring.forget(&retention), other.forget(&retention));
    one.unwrap();
    two.unwrap();
    let subjects: usize = listed(&world, "ForgetKeys").await.iter().map(|entry| entry.subjects.len()).sum();
    assert_eq!(subjects, 8);
}

async fn audit_entries_are_forgotten_when_they_are_old_enough_and_the_log_says_so(world: World) {
    for number in 0..5 {
        world.otesse(&format!("key {number}")).await;
    }
    let before = verify(&world, "").await;
    assert!(before.intact && before.entries >= 5, "{before:?}");
    let forget = async |audit| world.keyring.forget(&Retention { audit, revoked_keys: None }).await.unwrap();
    forget(None).await;
    forget(Some(DAY)).await;
    assert_eq!(verify(&world, "").await, before, "the control: nothing is that old, or none is to be forgotten");
    world.time.pass(10 * DAY);
    forget(Some(9 * DAY)).await;
    let after = verify(&world, &before.anchor).await;
    assert!(after.intact && after.entries == 1, "{after:?}");
    let entries = listed(&world, "").await;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&*entry.actor, &*entry.action, entry.sequence), ("keyward", "DropAudit", before.entries + 1));
    world.otesse("later").await;
    assert!(verify(&world, &after.anchor).await.intact);
}

/// At the head of every list of what is due stand three hundred keys that are not there.
struct Ghosts(SharedStore);

#[async_trait]
impl Round for Ghosts {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.0)
    }

    async fn due(&self, what: Due, before: StoreTime, after: Option<&DueKey>, count: usize) -> Result<Vec<DueKey>, StoreError> {
        let ghost = |number: i64| DueKey {
            since: StoreTime(i64::MIN + number),
            realm: RealmId::parse("otesse").unwrap(),
            id: KeyId::parse("key_that_is_not_there").unwrap(),
        };
        let next = after.map_or(0, |after| after.since.0.saturating_sub(i64::MIN).saturating_add(1));
        let mut due: Vec<DueKey> = (next..300).map(ghost).take(count).collect();
        let (behind, left) = (after.filter(|after| after.since.0 > i64::MIN + 300), count - due.len());
        if left > 0 {
            due.extend(self.0.due(what, before, behind, left).await?);
        }
        Ok(due)
    }
}

async fn due(world: &World, what: Due) -> Vec<DueKey> {
    world.store.due(what, world.store.now().await.unwrap(), None, 1_000).await.unwrap()
}

async fn record(world: &World, made: &CreateKeyResponse) -> Record {
    let id = KeyId::parse(name(made).rsplit('/').next().unwrap()).unwrap();
    world.store.key(&RealmId::parse("otesse").unwrap(), &id).await.unwrap().unwrap()
}

/// As the withdrawal of its newest secret's pepper leaves a key.
async fn without_its_newest(world: &World, made: &CreateKeyResponse) {
    let before = record(world, made).await;
    let secrets = before.secrets.iter().filter(|kept| kept.ends.is_some()).cloned().collect();
    let expect = Expect::Revision(before.revision);
    let changes = vec![Change::Key { record: Record { secrets, revision: before.revision + 1, ..before }, expect }];
    world
        .store
        .commit(&Commit { changes, audit: note("Test", &name(made)), request: None, once: None, needs: Needs::default() })
        .await
        .unwrap();
}

async fn ended_of(world: &World, made: &CreateKeyResponse) -> bool {
    ended(world).await.iter().any(|entry| entry.subjects == [name(made)])
}

/// A key whose old secret, which is the one that is told, has an hour.
async fn rotated(world: &World) -> CreateKeyResponse {
    let made = world.otesse("rotated").await;
    let grace = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
    let rotation = RotateKeyRequest { name: name(&made), grace, ..Default::default() };
    world.keys().rotate_key(world.ask(rotation)).await.unwrap();
    made
}

async fn revoke(world: &World, made: &CreateKeyResponse) {
    let request = RevokeKeyRequest { name: name(made), ..Default::default() };
    world.keys().revoke_key(world.ask(request)).await.unwrap();
}

/// The key's first secret was used then, as a replica would tell it.
async fn uses(world: &World, made: &CreateKeyResponse, at: StoreTime) {
    let owner = SubjectName { realm: RealmId::parse("otesse").unwrap(), owner: OwnerId::parse("acme").unwrap(), key: None };
    let key = KeyId::parse(name(made).rsplit('/').next().unwrap()).unwrap();
    let last = vec![(1, LastUse { at, address: None })];
    let counts = vec![Counts { key: Some(key), minutes: Vec::new(), last }];
    let number = u64::try_from(at.0).unwrap();
    let piece = UsagePiece { owner, by: 1, number, at: StoreTime(0), counts };
    assert_eq!(world.store.add_usage(&[piece]).await.unwrap(), [Ok(())]);
}

/// Another replica's, on the same store.
fn another(world: &World) -> Keyring {
    Keyring::new(world.store.clone(), world.realms.clone(), peppers(&["1"]), None, world.guard.clone())
}

fn name(made: &CreateKeyResponse) -> String {
    made.key.as_ref().unwrap().name.clone()
}

async fn ended(world: &World) -> Vec<AuditEntry> {
    [listed(world, "EndSecret").await, listed(world, "EndSecretInUse").await].concat()
}

async fn listed(world: &World, action: &str) -> Vec<AuditEntry> {
    let request = ListAuditRequest { action: action.into(), ..Default::default() };
    world.audit().list_audit(world.ask(request)).await.unwrap().into_inner().entries
}

async fn verify(world: &World, anchor: &str) -> VerifyAuditResponse {
    world.audit().verify_audit(world.ask(VerifyAuditRequest { anchor: anchor.into() })).await.unwrap().into_inner()
}
