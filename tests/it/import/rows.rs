//! `ImportKeys`, row by row, on every store.

use futures_util::future::join_all;
use keyward::domain::name::{KeyId, RealmId};
use keyward::domain::time::StoreTime;
use keyward::proto::keyward::admin::v1::audit_service_client::AuditServiceClient;
use keyward::proto::keyward::admin::v1::imported_key::Credential;
use keyward::proto::keyward::admin::v1::{
    DeleteKeyRequest, GetKeyRequest, ImportKeysRequest, ImportKeysResponse, ImportOptions, ImportedKey, Key, ListAuditRequest, OnConflict,
    UpdateKeyRequest,
};
use keyward::store::{Change, Expect};
use prost_types::{FieldMask, Timestamp};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::admin::life::strict;
use crate::admin::world::{World, create, fields, peppers, reason, with};
use crate::support::seed;

on_every_store![
    a_key_keeps_what_it_was_and_opens_by_its_secret,
    rows_that_are_there_change_nothing_and_others_do_not_overwrite_them,
    refused_rows_are_told_and_the_others_are_taken,
    an_import_may_end_at_a_conflict_and_tells_what_is_done,
    a_message_that_is_wrong_ends_an_import_and_it_is_told_what_is_done,
    a_dry_run_says_the_same_and_writes_nothing,
    a_dry_run_of_many_rows_counts_the_owners_that_the_rows_would_make,
    imports_at_once_make_all_their_rows_and_owners_whoever_comes_between,
    every_lot_is_one_entry_in_the_audit_log_that_names_its_keys,
    who_is_not_admin_or_is_bound_to_an_owner_imports_nothing,
    racing_imports_of_the_same_rows_make_each_key_once,
    a_row_of_a_time_to_come_is_refused,
    no_row_lives_longer_than_its_realm_lets_keys_live,
    an_etag_of_a_key_that_was_deleted_is_none_of_the_key_that_is_imported_under_its_id,
];

const REALM: &str = "realms/otesse";

const DAY: i64 = 24 * 60 * 60;

fn secret(number: usize) -> String {
    format!("otesse_live_sk_importedByATestNumber{number:06}")
}

fn row(number: usize) -> ImportedKey {
    ImportedKey {
        key_id: format!("theirs_{number}"),
        owner_id: "acme".into(),
        scopes: vec!["bookings:read".into()],
        create_time: Some(Timestamp { seconds: 1_500_000_000, nanos: 0 }),
        credential: Some(Credential::Secret(secret(number))),
        ..ImportedKey::default()
    }
}

async fn import(world: &World, rows: Vec<ImportedKey>, options: ImportOptions) -> Result<ImportKeysResponse, Status> {
    let mut messages: Vec<_> =
        rows.chunks(300).map(|rows| ImportKeysRequest { rows: rows.to_vec(), ..ImportKeysRequest::default() }).collect();
    messages.insert(0, ImportKeysRequest { parent: REALM.into(), options: Some(options), rows: Vec::new() });
    world.keys().import_keys(world.ask(tokio_stream::iter(messages))).await.map(tonic::Response::into_inner)
}

fn making_owners() -> ImportOptions {
    ImportOptions { create_owners: true, ..ImportOptions::default() }
}

async fn count(world: &World) -> usize {
    let page = keyward::store::Page { after: None, count: 100_000, order: keyward::store::Order::Ascending };
    world.store.keys(&RealmId::parse("otesse").unwrap(), None, &page).await.unwrap().len()
}

async fn get(world: &World, id: &str) -> Key {
    let request = GetKeyRequest { name: format!("{REALM}/keys/{id}"), read_mask: None };
    world.keys().get_key(world.ask(request)).await.unwrap().into_inner().key.unwrap()
}

async fn a_key_keeps_what_it_was_and_opens_by_its_secret(world: World) {
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let over = ImportedKey { expire_time: at(1_600_000_000), ..row(1) };
    let revoked =
        ImportedKey { revoke_time: at(1_550_000_000), label: "old".into(), metadata: [("a".into(), "b".into())].into(), ..row(2) };
    let nameless = ImportedKey { key_id: String::new(), create_time: None, ..row(3) };
    let done = import(&world, vec![over, revoked, nameless, row(4)], making_owners()).await.unwrap();
    assert_eq!((done.rows, done.created, done.owners_created, done.durable_row, done.refusals.len()), (4, 4, 1, 4, 0));
    let (over, revoked) = (get(&world, "theirs_1").await, get(&world, "theirs_2").await);
    assert_eq!((over.create_time, over.expire_time, over.environment.as_str()), (at(1_500_000_000), at(1_600_000_000), "live"));
    assert_eq!((revoked.revoke_time, revoked.label.as_str(), revoked.metadata["a"].as_str()), (at(1_550_000_000), "old", "b"));
    let realm = RealmId::parse("otesse").unwrap();
    for number in 1..=4 {
        let digests = peppers(&["1"]).digests(&realm, secret(number).as_bytes());
        let found = world.store.find(&realm, &digests).await.unwrap().holder.unwrap().record;
        assert_eq!(found.id.as_str().starts_with("key_"), number == 3, "{found:?}");
        assert_eq!(found.secrets[0].last_four, secret(number)[secret(number).len() - 4..]);
    }
}

async fn rows_that_are_there_change_nothing_and_others_do_not_overwrite_them(world: World) {
    let rows = || vec![row(1), ImportedKey { key_id: String::new(), create_time: None, ..row(2) }, row(3)];
    import(&world, rows(), making_owners()).await.unwrap();
    let head = world.store.audit_head().await.unwrap();
    let again = import(&world, rows(), making_owners()).await.unwrap();
    assert_eq!((again.created, again.unchanged, again.durable_row, count(&world).await), (0, 3, 3, 3));
    assert_eq!(world.store.audit_head().await.unwrap(), head, "what changes nothing is no entry");
    let key = Key { name: format!("{REALM}/keys/theirs_1"), label: "ours".into(), ..Key::default() };
    world.keys().update_key(world.ask(UpdateKeyRequest { key: Some(key), ..UpdateKeyRequest::default() })).await.unwrap();
    let other_secret = ImportedKey { credential: Some(Credential::Secret(secret(9))), ..row(3) };
    let other_id = ImportedKey { key_id: "other".into(), ..row(3) };
    let conflicts = import(&world, vec![row(1), other_secret, other_id, row(3)], making_owners()).await.unwrap();
    let told: Vec<_> = conflicts.refusals.iter().map(|refused| (refused.row, refused.fields[0].field.as_str())).collect();
    assert_eq!(told, [(1, "id"), (2, "id"), (3, "secret")], "{conflicts:?}");
    assert_eq!((conflicts.refused, conflicts.unchanged, get(&world, "theirs_1").await.label.as_str()), (3, 1, "ours"));
}

async fn refused_rows_are_told_and_the_others_are_taken(world: World) {
    let bad = [
        ImportedKey { key_id: "UPPER".into(), scopes: vec!["nothing:here".into()], ..row(1) },
        ImportedKey { credential: Some(Credential::Secret("no-format-of-otesse".into())), ..row(2) },
        ImportedKey { credential: None, ..row(3) },
        ImportedKey { scopes: vec!["nothing:here".into()], environment: "moon".into(), ..row(4) },
    ];
    let rows: Vec<_> = bad.into_iter().chain((5..1500).map(row)).collect();
    let done = import(&world, rows.clone(), ImportOptions::default()).await.unwrap();
    assert_eq!((done.refused, done.refusals.len(), done.created), (1499, 1000, 0), "no owner, and the control: {:?}", done.refusals[5]);
    assert_eq!(done.refusals[5].fields[0].field, "owner");
    let done = import(&world, rows, making_owners()).await.unwrap();
    let told: Vec<_> = done.refusals.iter().map(|refused| (refused.row, refused.fields[0].field.as_str())).collect();
    assert_eq!(told, [(1, "key_id"), (2, "secret"), (3, "secret"), (4, "key.environment")], "{done:?}");
    assert_eq!((done.rows, done.created, done.refused, done.durable_row, count(&world).await), (1499, 1495, 4, 1499, 1495));
}

async fn an_import_may_end_at_a_conflict_and_tells_what_is_done(world: World) {
    import(&world, vec![row(700)], making_owners()).await.unwrap();
    let rows: Vec<_> = (1..=1200).map(|number| ImportedKey { label: "new".into(), row: 10 + number as u64, ..row(number) }).collect();
    let options = ImportOptions { on_conflict: OnConflict::Fail.into(), ..ImportOptions::default() };
    let ended = import(&world, rows, options).await.unwrap_err();
    assert_eq!(reason(&ended), (Code::AlreadyExists, "IMPORT_CONFLICT".into()));
    let about = ended.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!((about["row"].as_str(), about["durable_row"].as_str(), count(&world).await), ("710", "709", 700));
}

async fn a_message_that_is_wrong_ends_an_import_and_it_is_told_what_is_done(world: World) {
    let message = |rows| ImportKeysRequest { rows, ..ImportKeysRequest::default() };
    let first = ImportKeysRequest { parent: REALM.into(), options: Some(making_owners()), rows: Vec::new() };
    let begins = [vec![first], (0..4).map(|part| message((part * 300 + 1..=part * 300 + 300).map(row).collect())).collect()].concat();
    let other_realm = ImportKeysRequest { parent: "realms/ocus".into(), ..message(vec![row(1201)]) };
    for (last, expected) in [(other_realm, "INVALID"), (message(vec![ImportedKey::default(); 10_001]), "MESSAGE_TOO_LARGE")] {
        let messages = [begins.clone(), vec![last]].concat();
        let ended = world.keys().import_keys(world.ask(tokio_stream::iter(messages))).await.unwrap_err();
        assert_eq!(reason(&ended), (Code::InvalidArgument, expected.into()));
        let about = ended.get_error_details().error_info().unwrap().metadata.clone();
        assert_eq!((about["durable_row"].as_str(), count(&world).await), ("1000", 1000), "whole lots, and they are there: {expected}");
    }
}

async fn a_dry_run_says_the_same_and_writes_nothing(world: World) {
    world.owner("otesse", "acme").await;
    let head = world.store.audit_head().await.unwrap();
    let rows = vec![row(1), row(2), row(1), ImportedKey { owner_id: "nobody".into(), ..row(3) }];
    let dry = import(&world, rows.clone(), ImportOptions { dry_run: true, ..ImportOptions::default() }).await.unwrap();
    assert_eq!((dry.created, dry.unchanged, dry.refused, dry.durable_row), (2, 1, 1, 0));
    assert_eq!((count(&world).await, world.store.audit_head().await.unwrap()), (0, head));
    let real = import(&world, rows, ImportOptions::default()).await.unwrap();
    assert_eq!(ImportKeysResponse { durable_row: 0, ..real }, dry);
}

async fn a_dry_run_of_many_rows_counts_the_owners_that_the_rows_would_make(world: World) {
    // one owner in two lots, and one that comes back after a lot without it
    let of = |owner: &str, numbers: std::ops::Range<usize>| -> Vec<_> {
        numbers.map(|number| ImportedKey { owner_id: owner.into(), ..row(number) }).collect()
    };
    let rows = [of("a", 0..400), of("b", 400..600), of("c", 600..1_100), of("a", 1_100..1_300)].concat();
    let dry = import(&world, rows.clone(), ImportOptions { dry_run: true, ..making_owners() }).await.unwrap();
    assert_eq!((dry.created, dry.owners_created, count(&world).await), (1_300, 3, 0));
    let real = import(&world, rows, making_owners()).await.unwrap();
    assert_eq!(ImportKeysResponse { durable_row: 0, ..real }, dry);
}

async fn imports_at_once_make_all_their_rows_and_owners_whoever_comes_between(world: World) {
    let rows = |import: usize| -> Vec<_> {
        let all = (1..=2_000).map(|number| import * 10_000 + number);
        all.map(|number| ImportedKey { owner_id: format!("owner_{}", number % 700), row: (number % 10_000) as u64, ..row(number) })
            .collect()
    };
    let imports = join_all((0..3).map(|number| import(&world, rows(number), making_owners())));
    let others = async {
        for number in 0..30 {
            world.owner("ocus", &format!("other_{number}")).await;
        }
    };
    let (done, ()) = tokio::join!(imports, others);
    let done: Vec<_> = done.into_iter().map(Result::unwrap).collect();
    assert!(done.iter().all(|done| (done.created, done.refused, done.unchanged, done.durable_row) == (2_000, 0, 0, 2_000)), "{done:?}");
    assert_eq!(done.iter().map(|done| done.owners_created).sum::<u64>(), 700, "each once: {done:?}");
    assert_eq!(count(&world).await, 6_000);
}

async fn every_lot_is_one_entry_in_the_audit_log_that_names_its_keys(world: World) {
    let before = world.store.audit_head().await.unwrap().sequence;
    import(&world, (1..=1001).map(row).collect(), making_owners()).await.unwrap();
    let request = ListAuditRequest { action: "ImportKeys".into(), ..ListAuditRequest::default() };
    let listed = AuditServiceClient::new(world.channel()).list_audit(world.ask(request)).await.unwrap().into_inner().entries;
    let subjects: Vec<_> = listed.iter().rev().map(|entry| entry.subjects.len()).collect();
    assert_eq!((subjects, world.store.audit_head().await.unwrap().sequence), (vec![501, 500, 1], before + 3));
    assert_eq!(listed[0].subjects, [format!("{REALM}/keys/theirs_1001")]);
    assert!(listed[2].subjects.contains(&format!("{REALM}/owners/acme")));
    assert!(!format!("{listed:?}").contains("importedByATest"), "no secret is in it");
}

async fn who_is_not_admin_or_is_bound_to_an_owner_imports_nothing(world: World) {
    world.owner("otesse", "acme").await;
    let asked = |parent: &str| tokio_stream::iter([ImportKeysRequest { parent: parent.into(), rows: vec![row(1)], options: None }]);
    let issuer = world.token("issuers", &["issuer", "viewer", "revoker"]).await.secret;
    let refused = world.keys().import_keys(with(&issuer, asked(REALM))).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::PermissionDenied, "ROLE_MISSING".into()));
    let now = world.store.now().await.unwrap();
    let bound = |binding: &str| Key {
        owner: "realms/keyward/owners/issuers".into(),
        scopes: vec!["admin".into()],
        expire_time: Some(Timestamp { seconds: now.0 / 1000 + 3600, nanos: 0 }),
        binding: binding.into(),
        ..Key::default()
    };
    let mut answers = Vec::new();
    for (binding, parent) in
        [("realms/otesse/owners/acme", REALM), ("realms/ocus", REALM), ("realms/otesse", REALM), ("", "realms/keyward")]
    {
        let token = world.try_create(create("keyward", bound(binding))).await.unwrap().secret;
        answers.push(world.keys().import_keys(with(&token, asked(parent))).await);
    }
    let [owners, others, own, admins] = &answers[..] else { unreachable!() };
    assert_eq!(reason(owners.as_ref().unwrap_err()), (Code::PermissionDenied, "BOUND".into()));
    assert_eq!(reason(others.as_ref().unwrap_err()), (Code::NotFound, "REALM_NOT_FOUND".into()));
    assert_eq!(own.as_ref().unwrap().get_ref().created, 1, "the control: a realm's own admin imports into it");
    assert_eq!(fields(admins.as_ref().unwrap_err()), ["parent"]);
}

async fn racing_imports_of_the_same_rows_make_each_key_once(world: World) {
    let rows: Vec<_> = (1..=600).map(row).collect();
    let run = |owners: ImportOptions| import(&world, rows.clone(), owners);
    let (one, two, three) = tokio::join!(run(making_owners()), run(making_owners()), run(making_owners()));
    let done = [one.unwrap(), two.unwrap(), three.unwrap()];
    assert!(done.iter().all(|done| done.created + done.unchanged == 600), "{done:?}");
    assert_eq!((done.iter().map(|done| done.created).sum::<u64>(), count(&world).await), (600, 600));
    assert_eq!(done.iter().map(|done| done.owners_created).sum::<u64>(), 1);
}

/// Before, any time was taken.
async fn a_row_of_a_time_to_come_is_refused(world: World) {
    let now = world.store.now().await.unwrap().0 / 1000;
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let rows = vec![
        ImportedKey { create_time: at(now + 3600), ..row(1) },
        ImportedKey { revoke_time: at(now + 3600), ..row(2) },
        ImportedKey { create_time: at(253_370_764_800), revoke_time: at(253_370_764_800), label: "\n".into(), ..row(3) },
        // the control, and what two clocks may differ
        ImportedKey { create_time: at(now - 3600), revoke_time: at(now - 1800), ..row(4) },
        ImportedKey { create_time: at(now + 30), revoke_time: at(now + 30), ..row(5) },
    ];
    let done = import(&world, rows, making_owners()).await.unwrap();
    let told: Vec<Vec<&str>> = done.refusals.iter().map(|refused| refused.fields.iter().map(|field| &*field.field).collect()).collect();
    assert_eq!(told, [vec!["create_time"], vec!["revoke_time"], vec!["key.label", "create_time", "revoke_time"]]);
    assert_eq!((done.created, get(&world, "theirs_5").await.create_time), (2, at(now + 30)));
}

/// Before, a key that was said to be made later lived longer by as much, and by whatever it was changed to end at.
async fn no_row_lives_longer_than_its_realm_lets_keys_live(world: World) {
    let mut keys = strict(&world, "{max_lifetime: 24h}").await;
    let now = world.store.now().await.unwrap().0 / 1000;
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let rows = vec![
        ImportedKey { create_time: at(now + 55), ..row(1) },
        ImportedKey { create_time: at(now + 55), expire_time: at(now + DAY + 50), ..row(2) },
        ImportedKey { create_time: at(now - 3600), ..row(3) },
    ];
    let options = ImportKeysRequest { parent: REALM.into(), options: Some(making_owners()), rows };
    let done = keys.import_keys(world.ask(tokio_stream::iter([options]))).await.unwrap().into_inner();
    let told: Vec<&str> = done.refusals.iter().map(|refused| &*refused.fields[0].field).collect();
    assert_eq!((told, done.created), (vec!["key.expire_time"], 2));
    let end = async |id: &str| get(&world, id).await.expire_time.unwrap().seconds;
    let soon = world.store.now().await.unwrap().0 / 1000 + DAY + 1;
    assert!(end("theirs_1").await <= soon, "not by the fifty-five seconds more");
    assert_eq!(end("theirs_3").await, now - 3600 + DAY, "the control");
    let later = |id: &str, expire_time| Key { name: format!("{REALM}/keys/{id}"), expire_time, ..Key::default() };
    let update =
        |key| UpdateKeyRequest { key: Some(key), update_mask: Some(FieldMask { paths: vec!["expire_time".into()] }), ..Default::default() };
    let refused = keys.update_key(world.ask(update(later("theirs_1", at(now + DAY + 50))))).await.unwrap_err();
    assert_eq!(fields(&refused), ["key.expire_time"]);
    // as one came in before such rows were refused
    let realm = RealmId::parse("otesse").unwrap();
    let mut old = world.store.key(&realm, &KeyId::parse("theirs_1").unwrap()).await.unwrap().unwrap();
    old.secrets[0].created = StoreTime((now + 400 * DAY) * 1000);
    old.revision += 1;
    let expect = Expect::Revision(old.revision - 1);
    seed::commit(&*world.store, vec![Change::Key { record: old, expect }]).await;
    let refused = keys.update_key(world.ask(update(later("theirs_1", at(now + 3 * DAY))))).await.unwrap_err();
    assert_eq!(fields(&refused), ["key.expire_time"], "nor by what a row of before said");
}

/// Before, both were of revision 1, and the later key was deleted by whoever had seen the one before.
async fn an_etag_of_a_key_that_was_deleted_is_none_of_the_key_that_is_imported_under_its_id(world: World) {
    let delete = |etag: &str| {
        let (name, etag) = (format!("{REALM}/keys/theirs_1"), etag.to_owned());
        world.ask(DeleteKeyRequest { name, etag, ..Default::default() })
    };
    import(&world, vec![row(1)], making_owners()).await.unwrap();
    let seen = get(&world, "theirs_1").await;
    world.keys().delete_key(delete(&seen.etag)).await.unwrap();
    import(&world, vec![ImportedKey { label: "another".into(), ..row(1) }], making_owners()).await.unwrap();
    let refused = world.keys().delete_key(delete(&seen.etag)).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()));
    let again = get(&world, "theirs_1").await;
    assert_eq!(again.label, "another");
    world.keys().delete_key(delete(&again.etag)).await.expect("the control: its own");
}
