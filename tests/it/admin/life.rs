//! How long a realm lets its keys live: enforced where a key's end is said, and advice of when another secret should take over.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyward::config;
use keyward::domain::name::{KeyId, RealmId};
use keyward::domain::time::StoreTime;
use keyward::keyring::Keyring;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, GetKeyRequest, Key, ListKeysRequest, RevokeKeyRequest, RotateKeyRequest, UpdateKeyRequest, UpdateKeyResponse,
};
use keyward::store::{Change, Expect};
use prost_types::{FieldMask, Timestamp};
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use super::world::{World, fields, otesse, peppers, serve};
use crate::support::seed;

const DAY: i64 = 24 * 60 * 60;

on_every_store![
    a_key_without_an_end_gets_the_latest_that_its_realm_allows,
    no_key_is_made_or_changed_to_end_later_than_its_realm_allows,
    only_another_secret_buys_a_key_more_time,
    advice_to_rotate_comes_and_is_listed_while_it_is_due,
    metadata_is_kept_changed_and_listed_and_restricts_nobody,
];

async fn a_key_without_an_end_gets_the_latest_that_its_realm_allows(world: World) {
    let mut keys = strict(&world, "{max_lifetime: 90d}").await;
    let made = keys.create_key(world.ask(otesse("none said"))).await.unwrap().into_inner().key.unwrap();
    let created = made.create_time.unwrap();
    assert_eq!(made.expire_time, Some(Timestamp { seconds: created.seconds + 90 * DAY, ..created }));
    let sooner = at(created.seconds + DAY);
    let chosen = keys.create_key(world.ask(ending(sooner))).await.unwrap().into_inner().key.unwrap();
    assert_eq!(chosen.expire_time, sooner);
    // the control: in a realm that says nothing a key without an end has none
    let mut keys = world.keys();
    let free = keys.create_key(world.ask(otesse("free"))).await.unwrap().into_inner().key.unwrap();
    assert_eq!(free.expire_time, None);
}

async fn no_key_is_made_or_changed_to_end_later_than_its_realm_allows(world: World) {
    let mut keys = strict(&world, "{max_lifetime: 90d}").await;
    let now = world.store.now().await.unwrap().0 / 1000;
    let late = at(now + 91 * DAY);
    let refused = keys.create_key(world.ask(ending(late))).await.unwrap_err();
    assert_eq!(fields(&refused), ["key.expire_time"]);
    let made = keys.create_key(world.ask(otesse("made"))).await.unwrap().into_inner().key.unwrap();
    let latest = made.expire_time.unwrap();
    for (expires, why) in [(late, "later"), (None, "emptied")] {
        let refused = update(&world, &mut keys, &made, expires).await.unwrap_err();
        assert_eq!(fields(&refused), ["key.expire_time"], "{why}");
        let told = refused.get_error_details().bad_request().unwrap().field_violations[0].description.clone();
        let date = jiff::Timestamp::new(latest.seconds, latest.nanos).unwrap().to_string();
        assert!(told.contains(&format!("no later than {date}")), "{why}: {told}");
    }
    for lawful in [at(now + DAY), Some(latest)] {
        assert_eq!(update(&world, &mut keys, &made, lawful).await.unwrap().key.unwrap().expire_time, lawful);
    }
    // the control: the realm as it was
    assert_eq!(update(&world, &mut world.keys(), &made, None).await.unwrap().key.unwrap().expire_time, None);
    assert_eq!(update(&world, &mut world.keys(), &made, late).await.unwrap().key.unwrap().expire_time, late);
}

async fn only_another_secret_buys_a_key_more_time(world: World) {
    let mut keys = strict(&world, "{max_lifetime: 9d}").await;
    let made = keys.create_key(world.ask(otesse("made"))).await.unwrap().into_inner().key.unwrap();
    let created = made.create_time.unwrap().seconds;
    world.time.pass(Duration::from_hours(3 * 24));
    let more = at(created + 10 * DAY);
    assert_eq!(fields(&update(&world, &mut keys, &made, more).await.unwrap_err()), ["key.expire_time"], "its age is that of its secret");
    let grace = Some(prost_types::Duration { seconds: 30 * DAY, nanos: 0 });
    let rotation = RotateKeyRequest { name: made.name.clone(), grace, ..Default::default() };
    let rotated = keys.rotate_key(world.ask(rotation)).await.unwrap().into_inner().key.unwrap();
    assert_eq!(rotated.expire_time, made.expire_time, "it lets the end be moved, and does not move it");
    assert_eq!(update(&world, &mut keys, &made, more).await.unwrap().key.unwrap().expire_time, more);
    let old = &keys
        .get_key(world.ask(GetKeyRequest { name: made.name.clone(), read_mask: None }))
        .await
        .unwrap()
        .into_inner()
        .key
        .unwrap()
        .secrets[1];
    assert_eq!(old.end_time, made.expire_time, "whatever the grace: the old secret lives no longer for it");
    let too_much = at(created + 13 * DAY);
    assert_eq!(fields(&update(&world, &mut keys, &made, too_much).await.unwrap_err()), ["key.expire_time"]);
}

async fn advice_to_rotate_comes_and_is_listed_while_it_is_due(world: World) {
    let mut keys = strict(&world, "{rotate_after: 2d}").await;
    let made = keys.create_key(world.ask(otesse("old"))).await.unwrap().into_inner().key.unwrap();
    let created = made.create_time.unwrap();
    assert_eq!(made.rotate_time, Some(Timestamp { seconds: created.seconds + 2 * DAY, ..created }));
    assert_eq!(due(&world, &mut keys).await, [""; 0]);
    world.time.pass(Duration::from_hours(2 * 24 + 1));
    let young = keys.create_key(world.ask(otesse("young"))).await.unwrap().into_inner().key.unwrap();
    // what has ended needs no other secret: this one is over when its advice would be due
    keys.create_key(world.ask(ending(at(young.create_time.unwrap().seconds + DAY)))).await.unwrap();
    assert_eq!(due(&world, &mut keys).await, ["old"]);
    a_newer_secret(&world, &made, created.seconds + 2 * DAY).await;
    assert_eq!(due(&world, &mut keys).await, [""; 0], "another secret took over");
    world.time.pass(Duration::from_hours(2 * 24 - 1));
    assert_eq!(due(&world, &mut keys).await, ["old"]);
    world.time.pass(Duration::from_hours(2));
    assert_eq!(due(&world, &mut keys).await, ["old", "young"]);
    let request = RevokeKeyRequest { name: made.name.clone(), ..Default::default() };
    let revoked = keys.revoke_key(world.ask(request)).await.unwrap().into_inner().key.unwrap();
    assert_eq!(revoked.rotate_time, None);
    assert_eq!(due(&world, &mut keys).await, ["young"]);
    // the control: a realm that advises nothing
    assert_eq!(due(&world, &mut world.keys()).await, [""; 0]);
}

async fn metadata_is_kept_changed_and_listed_and_restricts_nobody(world: World) {
    let some = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let with = |metadata| {
        let request = otesse("noted");
        CreateKeyRequest { key: request.key.map(|key| Key { metadata, ..key }), ..request }
    };
    world.owner("otesse", "acme").await;
    let noted = some(&[("team", "billing"), ("ticket/no", "Überweisung 7, \"a = b\"")]);
    let made = world.try_create(with(noted)).await.unwrap().key.unwrap();
    assert_eq!(made.metadata, some(&[("team", "billing"), ("ticket/no", "Überweisung 7, \"a = b\"")]));
    let request = ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() };
    assert_eq!(world.keys().list_keys(world.ask(request)).await.unwrap().into_inner().keys, std::slice::from_ref(&made));
    let change = async |metadata, paths: &[&str]| {
        let key = Key { name: made.name.clone(), metadata, ..Key::default() };
        let mask = FieldMask { paths: paths.iter().map(ToString::to_string).collect() };
        let request = UpdateKeyRequest { key: Some(key), update_mask: Some(mask), request_id: String::new() };
        world.keys().update_key(world.ask(request)).await.map(tonic::Response::into_inner)
    };
    let changed = change(some(&[("team", "sales")]), &["metadata"]).await.unwrap();
    assert_eq!((changed.key.unwrap().metadata, changed.guarantee), (some(&[("team", "sales")]), None));
    assert_eq!(change(some(&[]), &["metadata"]).await.unwrap().key.unwrap().metadata.len(), 0);
    let most = |count: usize| (0..count).map(|number| (format!("n{number}"), "v".repeat(512))).collect();
    assert_eq!(change(most(64), &["metadata"]).await.unwrap().key.unwrap().metadata.len(), 64);
    for (metadata, field) in [
        (most(65), "key.metadata"),
        (some(&[("", "x")]), "key.metadata[]"),
        (some(&[("a b", "x")]), "key.metadata[a b]"),
        (some(&[("é", "x")]), "key.metadata[é]"),
        (some(&[(&"n".repeat(65), "x")]), &format!("key.metadata[{}]", "n".repeat(64))),
        (some(&[("a", &"v".repeat(513))]), "key.metadata[a]"),
        (some(&[("a", "two\nlines")]), "key.metadata[a]"),
    ] {
        assert_eq!(fields(&change(metadata.clone(), &["metadata"]).await.unwrap_err()), [field]);
        assert_eq!(fields(&world.try_create(with(metadata)).await.unwrap_err()), [field]);
    }
}

/// The admin API of a server on the same store, whose realm of Otesse has this `key_life`.
pub async fn strict(world: &World, life: &str) -> KeyServiceClient<Channel> {
    world.owner("otesse", "acme").await;
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms/otesse.yaml");
    let text = fs::read_to_string(example).unwrap();
    fs::write(folder.path().join("otesse.yaml"), format!("{text}\nkey_life: {life}\n")).unwrap();
    let realms = Arc::new(config::realms(&[folder.path().to_owned()]).unwrap());
    let keyring = Keyring::new(world.store.clone(), realms, peppers(&["1"]), None, world.guard.clone());
    KeyServiceClient::new(serve(&Arc::new(keyring), &world.gate).await)
}

/// What a rotation does to a record, as far as its age is concerned.
async fn a_newer_secret(world: &World, key: &Key, seconds: i64) {
    let realm = RealmId::parse("otesse").unwrap();
    let id = KeyId::parse(key.name.rsplit('/').next().unwrap()).unwrap();
    let mut record = world.store.key(&realm, &id).await.unwrap().unwrap();
    let mut newer = record.secrets[0].clone();
    newer.digest.0[0] ^= 1;
    (newer.number, newer.created) = (2, StoreTime(seconds * 1000));
    record.secrets.push(newer);
    record.revision += 1;
    let expect = Expect::Revision(record.revision - 1);
    seed::commit(&*world.store, vec![Change::Key { record, expect }]).await;
}

async fn due(world: &World, keys: &mut KeyServiceClient<Channel>) -> Vec<String> {
    let request = ListKeysRequest { parent: "realms/otesse".into(), rotation_due: true, ..Default::default() };
    keys.list_keys(world.ask(request)).await.unwrap().into_inner().keys.into_iter().map(|key| key.label).collect()
}

async fn update(
    world: &World,
    keys: &mut KeyServiceClient<Channel>,
    key: &Key,
    expire_time: Option<Timestamp>,
) -> Result<UpdateKeyResponse, Status> {
    let key = Key { name: key.name.clone(), expire_time, ..Key::default() };
    let update_mask = Some(FieldMask { paths: vec!["expire_time".into()] });
    let request = UpdateKeyRequest { key: Some(key), update_mask, request_id: String::new() };
    Ok(keys.update_key(world.ask(request)).await?.into_inner())
}

fn ending(expire_time: Option<Timestamp>) -> CreateKeyRequest {
    let request = otesse("ending");
    CreateKeyRequest { key: request.key.map(|key| Key { expire_time, ..key }), ..request }
}

#[allow(clippy::unnecessary_wraps, reason = "a field of requests")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}
