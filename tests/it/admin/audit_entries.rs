//! Who did what stands in the audit log: every change once, with what became of it, and calls that were refused.

use std::time::Duration;

use keyward::proto::keyward::admin::v1::{
    AuditEntry, BootstrapRequest, CreateOwnerRequest, DeleteKeyRequest, DisableOwnerRequest, EnableKeyRequest, EnableOwnerRequest,
    GetKeyRequest, Key, ListAuditRequest, Owner, ReportLeakRequest, RetireSecretsRequest, RevokeKeyRequest, RevokeKeysRequest,
    RotateKeyRequest, UpdateKeyRequest, UpdateOwnerRequest,
};
use prost_types::FieldMask;
use tonic::{Code, Request};

use super::world::{BOOTSTRAP, World, create, otesse, with};

const HOUR: Option<prost_types::Duration> = Some(prost_types::Duration { seconds: 3600, nanos: 0 });

on_every_store![
    every_change_of_a_key_leaves_one_entry_with_who_from_where_and_what_became_of_it,
    every_change_of_an_owner_leaves_one_entry,
    what_changes_nothing_leaves_nothing,
    the_bootstrap_has_its_entry,
    calls_that_are_refused_are_told_ten_a_minute_and_the_rest_by_their_number,
    who_lacks_a_role_is_told_by_name,
];

/// Entries behind a number, oldest first.
async fn since(world: &World, sequence: u64) -> Vec<AuditEntry> {
    let request = ListAuditRequest { page_size: 1000, ..Default::default() };
    let entries = world.audit().list_audit(world.ask(request)).await.unwrap().into_inner().entries;
    entries.into_iter().rev().filter(|entry| entry.sequence > sequence).collect()
}

async fn ends(world: &World) -> u64 {
    world.store.audit_head().await.unwrap().sequence
}

/// The one entry of a call: its RPC, its one subject, its request id, and the fields that are not what they were.
async fn the_one((world, before): (&World, u64), (action, subject, id): (&str, &str, &str), changes: &[(&str, &str, &str)]) {
    let entries = since(world, before).await;
    let [entry] = &entries[..] else { panic!("{action}: {entries:#?}") };
    assert_eq!((&*entry.action, &entry.subjects[..], &*entry.request_id), (action, &[subject.to_owned()][..], id));
    assert_eq!((&*entry.address, &*entry.refused), ("192.0.2.7", ""), "{action}");
    assert!(entry.position > 0 && entry.time.is_some() && !entry.actor.is_empty(), "{entry:?}");
    assert_eq!(entry.anchor.split_once('/').unwrap().0, entry.sequence.to_string());
    for (field, was, is) in changes {
        let change = entry.changes.iter().find(|change| change.field == *field).unwrap_or_else(|| panic!("{action} {field}: {entry:#?}"));
        let alike = |told: &str, expected: &str| told == expected || (expected == "*" && !told.is_empty());
        assert!(alike(&change.before, was) && alike(&change.after, is), "{action}: {change:?}");
    }
    assert!(entry.changes.iter().all(|change| change.before != change.after));
    assert_eq!(entry.changes.len(), changes.len(), "{action}: {:#?}", entry.changes);
}

fn id(number: u8) -> String {
    format!("5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f{number:02}")
}

async fn every_change_of_a_key_leaves_one_entry_with_who_from_where_and_what_became_of_it(world: World) {
    world.owner("otesse", "acme").await;
    let at = ends(&world).await;
    let mut request = otesse("Zapier");
    request.request_id = id(1);
    let made = world.try_create(request).await.unwrap();
    let name = made.key.unwrap().name;
    let created = [
        ("owner", "", "acme"),
        ("label", "", "Zapier"),
        ("environment", "", "live"),
        ("scopes", "", "bookings:read"),
        ("secrets", "", "*"),
    ];
    let kind = [("kind", "", "secret")];
    the_one((&world, at), ("CreateKey", &name, &id(1)), &[&created[..], &kind].concat()).await;
    assert!(!format!("{:?}", since(&world, at).await).contains(&made.secret), "never a secret");

    let at = ends(&world).await;
    let key = Key { name: name.clone(), label: "Make".into(), ..Key::default() };
    let mask = Some(FieldMask { paths: vec!["label".into()] });
    let update = UpdateKeyRequest { key: Some(key), update_mask: mask, request_id: id(2) };
    world.keys().update_key(world.ask(update)).await.unwrap();
    the_one((&world, at), ("UpdateKey", &name, &id(2)), &[("label", "Zapier", "Make")]).await;

    let at = ends(&world).await;
    let rotate = RotateKeyRequest { name: name.clone(), grace: HOUR, request_id: id(3), ..Default::default() };
    let rotated = world.keys().rotate_key(world.ask(rotate)).await.unwrap().into_inner();
    the_one((&world, at), ("RotateKey", &name, &id(3)), &[("secrets", "*", "*")]).await;
    assert!(!format!("{:?}", since(&world, at).await).contains(&rotated.secret), "never a secret");

    let at = ends(&world).await;
    let retire = RetireSecretsRequest { name: name.clone(), request_id: id(4), ..Default::default() };
    world.keys().retire_secrets(world.ask(retire)).await.unwrap();
    the_one((&world, at), ("RetireSecrets", &name, &id(4)), &[("secrets", "*", "*")]).await;

    let at = ends(&world).await;
    let revoke = RevokeKeyRequest { name: name.clone(), request_id: id(5), ..Default::default() };
    world.keys().revoke_key(world.ask(revoke)).await.unwrap();
    the_one((&world, at), ("RevokeKey", &name, &id(5)), &[("revoke_time", "", "*")]).await;

    let at = ends(&world).await;
    let enable = EnableKeyRequest { name: name.clone(), request_id: id(6), ..Default::default() };
    world.keys().enable_key(world.ask(enable)).await.unwrap();
    the_one((&world, at), ("EnableKey", &name, &id(6)), &[("revoke_time", "*", "")]).await;

    let at = ends(&world).await;
    let many = RevokeKeysRequest { parent: "realms/otesse".into(), names: vec![name.clone()], ..Default::default() };
    world.keys().revoke_keys(world.ask(many)).await.unwrap();
    the_one((&world, at), ("RevokeKeys", &name, ""), &[("revoke_time", "", "*")]).await;

    let at = ends(&world).await;
    let report = ReportLeakRequest { secret: rotated.secret, parent: String::new() };
    world.leak().report_leak(Request::new(report)).await.unwrap();
    the_one((&world, at), ("ReportLeak", &name, ""), &[("revoke_cause", "", "leaked")]).await;

    let at = ends(&world).await;
    let delete = DeleteKeyRequest { name: name.clone(), request_id: id(7), ..Default::default() };
    world.keys().delete_key(world.ask(delete)).await.unwrap();
    let entries = since(&world, at).await;
    let [entry] = &entries[..] else { panic!("{entries:#?}") };
    assert_eq!((&*entry.action, &entry.subjects, &*entry.request_id), ("DeleteKey", &vec![name], &*id(7)));
    assert!(entry.changes.iter().any(|change| change.field == "owner" && change.before == "acme" && change.after.is_empty()), "{entry:?}");
    assert!(entry.changes.iter().all(|change| change.after.is_empty()), "{entry:?}");
}

async fn every_change_of_an_owner_leaves_one_entry(world: World) {
    let name = "realms/otesse/owners/acme".to_owned();
    let at = ends(&world).await;
    let owner = Some(Owner { display_name: "Acme".into(), ..Owner::default() });
    let make = CreateOwnerRequest { parent: "realms/otesse".into(), owner_id: "acme".into(), owner, request_id: id(1) };
    world.owners().create_owner(world.ask(make)).await.unwrap();
    the_one((&world, at), ("CreateOwner", &name, &id(1)), &[("display_name", "", "Acme")]).await;

    let at = ends(&world).await;
    let owner = Some(Owner { name: name.clone(), display_name: "Acme Ltd".into(), ..Owner::default() });
    let update = UpdateOwnerRequest { owner, update_mask: None, request_id: id(2) };
    world.owners().update_owner(world.ask(update)).await.unwrap();
    the_one((&world, at), ("UpdateOwner", &name, &id(2)), &[("display_name", "Acme", "Acme Ltd")]).await;

    let at = ends(&world).await;
    let disable = DisableOwnerRequest { name: name.clone(), request_id: id(3), ..Default::default() };
    world.owners().disable_owner(world.ask(disable)).await.unwrap();
    the_one((&world, at), ("DisableOwner", &name, &id(3)), &[("disable_time", "", "*")]).await;

    let at = ends(&world).await;
    let enable = EnableOwnerRequest { name: name.clone(), request_id: id(4), ..Default::default() };
    world.owners().enable_owner(world.ask(enable)).await.unwrap();
    the_one((&world, at), ("EnableOwner", &name, &id(4)), &[("disable_time", "*", "")]).await;
}

async fn what_changes_nothing_leaves_nothing(world: World) {
    let made = world.otesse("Zapier").await;
    let name = made.key.unwrap().name;
    let revoke = |request_id: &str| RevokeKeyRequest { name: name.clone(), request_id: request_id.into(), ..Default::default() };
    world.keys().revoke_key(world.ask(revoke(&id(1)))).await.unwrap();
    let at = ends(&world).await;
    for request_id in ["", &id(1)] {
        world.keys().revoke_key(world.ask(revoke(request_id))).await.unwrap();
    }
    let many = RevokeKeysRequest { parent: "realms/otesse".into(), names: vec![name.clone()], ..Default::default() };
    world.keys().revoke_keys(world.ask(RevokeKeysRequest { dry_run: true, ..many.clone() })).await.unwrap();
    world.keys().revoke_keys(world.ask(many)).await.unwrap();
    world.keys().get_key(world.ask(GetKeyRequest { name: name.clone(), read_mask: None })).await.unwrap();
    let rotate = RotateKeyRequest { name: name.clone(), ..Default::default() };
    assert_eq!(world.keys().rotate_key(world.ask(rotate)).await.map(drop).unwrap_err().code(), Code::FailedPrecondition);
    let bad = create("otesse", Key::default());
    assert_eq!(world.try_create(bad).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(since(&world, at).await, []);
}

async fn the_bootstrap_has_its_entry(world: World) {
    let entries = since(&world, 0).await;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&*entry.actor, &*entry.action, entry.sequence), ("bootstrap", "Bootstrap", 1));
    assert!(entry.subjects[0].starts_with("realms/keyward/keys/"), "{entry:?}");
    let again = world.bootstrap().bootstrap(BootstrapRequest { secret: BOOTSTRAP.into() }).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    let [refused] = &world.refusals("Bootstrap", 1).await[..] else { panic!("one was refused") };
    assert_eq!((&*refused.actor, &*refused.refused, refused.sequence), ("unknown", "FAILED_PRECONDITION", 2));
}

async fn calls_that_are_refused_are_told_ten_a_minute_and_the_rest_by_their_number(world: World) {
    let at = ends(&world).await;
    let get = || with("kwa_of_nobody", GetKeyRequest { name: "realms/otesse/keys/key_1".into(), read_mask: None });
    for _ in 0..13 {
        assert_eq!(world.keys().get_key(get()).await.unwrap_err().code(), Code::Unauthenticated);
    }
    refused(&world, at, 10).await;
    for entry in since(&world, at).await {
        let told = (&*entry.action, &*entry.actor, &*entry.refused, &*entry.address, entry.refused_untold, entry.position);
        assert_eq!(told, ("GetKey", "unknown", "UNAUTHENTICATED", "192.0.2.7", 0, 0));
        assert!(entry.subjects.is_empty() && entry.changes.is_empty());
    }
    world.pass(Duration::from_mins(1)).await;
    world.keys().get_key(get()).await.unwrap_err();
    refused(&world, at, 11).await;
    assert_eq!(since(&world, at).await.last().unwrap().refused_untold, 3);
}

async fn who_lacks_a_role_is_told_by_name(world: World) {
    let viewer = world.token("team", &["viewer"]).await;
    let at = ends(&world).await;
    let revoke = RevokeKeyRequest { name: "realms/otesse/keys/key_1".into(), ..Default::default() };
    assert_eq!(world.keys().revoke_key(with(&viewer.secret, revoke)).await.unwrap_err().code(), Code::PermissionDenied);
    refused(&world, at, 1).await;
    let entries = since(&world, at).await;
    let id = viewer.key.unwrap().name.rsplit('/').next().unwrap().to_owned();
    assert_eq!((&entries[0].actor, &*entries[0].action, &*entries[0].refused), (&id, "RevokeKey", "PERMISSION_DENIED"));
    let get = GetKeyRequest { name: "realms/otesse/keys/key_1".into(), read_mask: None };
    assert_eq!(world.keys().get_key(with(&viewer.secret, get)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(since(&world, at).await.len(), 1, "the control: what is not there was not refused");
}

/// Waits until so many were written down: that is done beside the answers.
async fn refused(world: &World, before: u64, count: u64) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while ends(world).await < before + count {
        assert!(std::time::Instant::now() < deadline, "{} of {count}", ends(world).await - before);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
