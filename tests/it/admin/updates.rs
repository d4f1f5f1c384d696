//! Keys and owners are changed: what a mask names and no more, and with a guarantee where something is taken away.

use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::proto::keyward::admin::v1::{
    CreateOwnerRequest, Guarantee, Key, LimitOverride, Owner, UpdateKeyRequest, UpdateKeyResponse, UpdateOwnerRequest, UpdateOwnerResponse,
};
use prost_types::{FieldMask, Timestamp};
use tonic::{Code, Status};

use super::world::{World, create, fields, otesse, reason};

const ID: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10";
const OTHER: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f11";

/// Takes a field over.
type Put = fn(&mut Key, &Key);

on_every_store![
    what_the_mask_names_is_changed_and_the_rest_stays,
    without_a_mask_what_is_set_is_changed_and_a_star_empties_the_rest,
    an_update_with_a_wrong_field_is_refused_with_its_path,
    what_may_lower_a_limit_begins_a_generation_and_is_guaranteed_and_what_raises_one_is_not,
    a_repeated_update_is_guaranteed_like_the_first,
    a_repeated_request_id_changes_nothing_however_old_its_etag,
    an_etag_that_is_old_is_refused_and_changes_nothing,
    an_unknown_key_or_owner_and_another_realms_look_the_same,
    admin_tokens_keep_what_their_realm_demands,
];

async fn what_the_mask_names_is_changed_and_the_rest_stays(world: World) {
    let old = world.otesse("old").await.key.unwrap();
    let full = Key {
        label: "new".into(),
        scopes: vec!["bookings:write".into()],
        allowed_addresses: vec!["192.0.2.7".into()],
        plan: "test".into(),
        limits: own(&[("minute", 100), ("hour", 5)]),
        expire_time: at(4_000_000_000),
        metadata: [("team".into(), "billing".into())].into(),
        ..old.clone()
    };
    let rows: [(&str, Put); 7] = [
        ("label", |key, full| key.label.clone_from(&full.label)),
        ("scopes", |key, full| key.scopes.clone_from(&full.scopes)),
        ("allowed_addresses", |key, _| key.allowed_addresses = vec!["192.0.2.7/32".into()]),
        ("plan", |key, full| key.plan.clone_from(&full.plan)),
        ("limits", |key, full| key.limits.clone_from(&full.limits)),
        ("expire_time", |key, full| key.expire_time = full.expire_time),
        ("metadata", |key, full| key.metadata.clone_from(&full.metadata)),
    ];
    let mut expected = old;
    for (path, put) in rows {
        let changed = update(&world, Key { etag: String::new(), ..full.clone() }, &[path], "").await.unwrap();
        put(&mut expected, &full);
        let now = changed.key.unwrap();
        assert_ne!(now.etag, expected.etag);
        expected.etag.clone_from(&now.etag);
        assert_eq!(now, expected, "{path}");
    }
    let owner = world.owner("otesse", "other").await;
    let full = Owner { display_name: "Other".into(), plan: "live".into(), limits: own(&[("hour", 9)]), ..owner };
    let named = update_owner(&world, full.clone(), &["display_name"], "").await.unwrap().owner.unwrap();
    assert_eq!((named.display_name.as_str(), named.plan.as_str(), named.limits.len()), ("Other", "", 0));
    let limited = update_owner(&world, Owner { etag: named.etag, ..full.clone() }, &["limits", "plan"], "").await.unwrap();
    assert_eq!(limited.owner.unwrap(), Owner { etag: "\"3\"".into(), ..full });
}

async fn without_a_mask_what_is_set_is_changed_and_a_star_empties_the_rest(world: World) {
    let key = world.otesse("old").await.key.unwrap();
    // what cannot be changed is passed over, as whoever read, edited and sent back expects
    let named = Key { label: "new".into(), limits: own(&[("minute", 7)]), environment: "test".into(), ..named(&key) };
    let changed = update(&world, named, &[], "").await.unwrap().key.unwrap();
    assert_eq!((changed.label.as_str(), &changed.scopes, changed.environment.as_str()), ("new", &key.scopes, "live"));
    assert_eq!(changed.limits, own(&[("minute", 7)]));
    let emptied = update(&world, Key { label: "bare".into(), ..self::named(&key) }, &["*"], "").await.unwrap().key.unwrap();
    assert_eq!((emptied.label.as_str(), emptied.scopes.len(), emptied.limits.len()), ("bare", 0, 0));
    let nothing = update(&world, self::named(&key), &[], "").await.unwrap();
    assert_eq!((nothing.key.unwrap(), nothing.position), (emptied, 0));
}

async fn an_update_with_a_wrong_field_is_refused_with_its_path(world: World) {
    let before = world.otesse("old").await.key.unwrap();
    let key = || named(&before);
    let limits = |limits: &[(&str, u32)]| Key { limits: own(limits), ..key() };
    for (number, (key, mask, wrong)) in [
        (Key { name: "realms/otesse".into(), ..key() }, &["label"][..], &["key.name"][..]),
        (Key { etag: "7".into(), ..key() }, &["label"], &["key.etag"]),
        (key(), &["label", "owner", "secret", "limits.most"], &["update_mask.paths[1]", "update_mask.paths[2]", "update_mask.paths[3]"]),
        (key(), &["environment"], &["update_mask.paths[0]"]),
        (Key { label: "two\nlines".into(), ..key() }, &[], &["key.label"]),
        (Key { plan: "gold".into(), scopes: vec!["x".into()], ..key() }, &[], &["key.scopes[0]", "key.plan"]),
        (Key { allowed_addresses: vec!["here".into()], ..key() }, &["*"], &["key.allowed_addresses[0]"]),
        (Key { expire_time: at(1_000_000_000), ..key() }, &["expire_time"], &["key.expire_time"]),
        (limits(&[("minute", 5), ("second", 5)]), &["limits"], &["key.limits[1].limit"]),
        (limits(&[("a limit", 5)]), &["limits"], &["key.limits[0].limit"]),
        (limits(&[("minute", 0)]), &["limits"], &["key.limits[0].most"]),
        (limits(&[("minute", 5), ("hour", 5), ("minute", 6)]), &["limits"], &["key.limits[2].limit"]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(fields(&update(&world, key, mask, "").await.unwrap_err()), wrong, "case {number}");
    }
    assert_eq!(fields(&update(&world, key(), &[], "1").await.unwrap_err()), ["request_id"]);
    let none = UpdateKeyRequest::default();
    assert_eq!(fields(&world.keys().update_key(world.ask(none)).await.unwrap_err()), ["key"]);
    assert_eq!(update(&world, key(), &[], "").await.unwrap().key.unwrap(), before, "and nothing was changed");
    // Ocote's limits are its owners': a key can have no number for one, and an owner can
    let owner = world.owner("ocote", "acme").await;
    let made = create("ocote", Key { owner: owner.name.clone(), limits: own(&[("minute", 5)]), ..Key::default() });
    assert_eq!(fields(&world.try_create(made).await.unwrap_err()), ["key.limits[0].limit"]);
    let limited = update_owner(&world, Owner { limits: own(&[("minute", 5)]), ..named_owner(&owner) }, &["limits"], "").await.unwrap();
    assert_eq!(limited.owner.unwrap().limits, own(&[("minute", 5)]));
    let wrong = Owner { limits: own(&[("day", 5)]), display_name: "\u{7}".into(), ..named_owner(&owner) };
    assert_eq!(fields(&update_owner(&world, wrong.clone(), &[], "").await.unwrap_err()), ["owner.display_name", "owner.limits[0].limit"]);
    assert_eq!(fields(&update_owner(&world, wrong, &["disable_time"], "").await.unwrap_err()), ["update_mask.paths[0]"]);
    let request = |limits| CreateOwnerRequest {
        parent: "realms/otesse".into(),
        owner_id: "new".into(),
        owner: Some(Owner { limits, ..Owner::default() }),
        request_id: String::new(),
    };
    let refused = world.owners().create_owner(world.ask(request(own(&[("day", 1)])))).await.unwrap_err();
    assert_eq!(fields(&refused), ["owner.limits[0].limit"]);
    let made = world.owners().create_owner(world.ask(request(own(&[("hour", 1)])))).await.unwrap().into_inner().owner.unwrap();
    assert_eq!(made.limits, own(&[("hour", 1)]));
}

async fn what_may_lower_a_limit_begins_a_generation_and_is_guaranteed_and_what_raises_one_is_not(world: World) {
    world.owner("otesse", "acme").await;
    let mut made = otesse("limited");
    made.key.as_mut().unwrap().limits = own(&[("minute", 100)]);
    let key = world.try_create(made).await.unwrap().key.unwrap();
    assert_eq!((key.limits.clone(), generation(&world, &key).await), (own(&[("minute", 100)]), 0));
    for (number, (change, mask, generation, guaranteed)) in [
        (Key { limits: own(&[("minute", 101)]), ..named(&key) }, "limits", 0, false),
        (Key { limits: own(&[("minute", 50)]), ..named(&key) }, "limits", 1, true),
        (Key { limits: own(&[("minute", 60), ("hour", 9)]), ..named(&key) }, "limits", 2, true),
        (Key { limits: own(&[("hour", 9), ("minute", 61)]), ..named(&key) }, "limits", 2, false),
        (Key { plan: "test".into(), ..named(&key) }, "plan", 3, true),
        (named(&key), "limits", 4, true),
        (Key { label: "renamed".into(), ..named(&key) }, "label", 4, false),
        (Key { scopes: vec!["bookings:read".into(), "bookings:write".into()], ..named(&key) }, "scopes", 4, false),
        (Key { scopes: vec!["bookings:write".into()], ..named(&key) }, "scopes", 4, true),
        (Key { expire_time: at(4_000_000_000), ..named(&key) }, "expire_time", 4, true),
        (named(&key), "expire_time", 4, false),
    ]
    .into_iter()
    .enumerate()
    {
        let changed = update(&world, change, &[mask], "").await.unwrap();
        assert!(changed.position > 0, "case {number}");
        assert_eq!((self::generation(&world, &key).await, changed.guarantee.is_some()), (generation, guaranteed), "case {number}");
    }
    let owner = world.owner("otesse", "other").await;
    for (change, mask, generation, guaranteed) in [
        (Owner { limits: own(&[("minute", 100)]), ..named_owner(&owner) }, "limits", 1, true),
        (Owner { limits: own(&[("minute", 200)]), ..named_owner(&owner) }, "limits", 1, false),
        (Owner { plan: "live".into(), ..named_owner(&owner) }, "plan", 2, true),
        (Owner { display_name: "Other".into(), ..named_owner(&owner) }, "display_name", 2, false),
    ] {
        let changed = update_owner(&world, change, &[mask], "").await.unwrap();
        let stored = world.store.owner(&realm(), &OwnerId::parse("other").unwrap()).await.unwrap().unwrap();
        assert_eq!((stored.generation, changed.guarantee.is_some()), (generation, guaranteed), "{mask}");
    }
}

async fn a_repeated_update_is_guaranteed_like_the_first(world: World) {
    let key = world.otesse("limited").await.key.unwrap();
    let lowered = || Key { limits: own(&[("minute", 5)]), ..named(&key) };
    let first = update(&world, lowered(), &["limits"], "").await.unwrap();
    let again = update(&world, lowered(), &["limits"], "").await.unwrap();
    assert_eq!((again.key, again.position, held(again.guarantee)), (first.key, 0, held(first.guarantee)));
    let written = update(&world, lowered(), &["limits"], ID).await.unwrap();
    assert!(written.position > 0 && held(written.guarantee), "with a request id it is written, and guaranteed all the same");
    assert_eq!(generation(&world, &key).await, 1, "and lowers nothing more");
    let label = update(&world, Key { label: "limited".into(), ..named(&key) }, &["label"], "").await.unwrap();
    assert_eq!((label.position, held(label.guarantee)), (0, false), "the control: a label takes nothing");
}

async fn a_repeated_request_id_changes_nothing_however_old_its_etag(world: World) {
    let key = world.otesse("limited").await.key.unwrap();
    let lowered = || Key { limits: own(&[("minute", 5)]), etag: key.etag.clone(), ..named(&key) };
    let first = update(&world, lowered(), &["limits"], ID).await.unwrap();
    let again = update(&world, lowered(), &["limits"], ID).await.unwrap();
    assert_eq!((&again.key, again.position, held(again.guarantee)), (&first.key, first.position, true));
    for id in ["", OTHER] {
        let refused = update(&world, lowered(), &["limits"], id).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()), "the control: as a new request it is too late");
    }
    let other = Key { limits: own(&[("minute", 6)]), etag: key.etag.clone(), ..named(&key) };
    assert_eq!(reason(&update(&world, other, &["limits"], ID).await.unwrap_err()).1, "REQUEST_ID_REUSED");
    update(&world, named(&key), &["limits"], "").await.unwrap();
    let late = update(&world, lowered(), &["limits"], ID).await.unwrap();
    assert_eq!(
        (late.key.unwrap().limits, late.position, held(late.guarantee)),
        (vec![], first.position, false),
        "somebody has had the last word"
    );
}

async fn an_etag_that_is_old_is_refused_and_changes_nothing(world: World) {
    let key = world.otesse("limited").await.key.unwrap();
    let now = update(&world, Key { label: "new".into(), ..key.clone() }, &["label"], "").await.unwrap().key.unwrap();
    for etag in [key.etag.as_str(), "\"9\""] {
        let refused = update(&world, Key { label: "late".into(), etag: etag.into(), ..named(&key) }, &["label"], "").await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()));
    }
    assert_eq!(update(&world, named(&key), &[], "").await.unwrap().key.unwrap(), now);
    let owner = world.owner("otesse", "other").await;
    update_owner(&world, Owner { display_name: "new".into(), ..owner.clone() }, &["display_name"], "").await.unwrap();
    let refused = update_owner(&world, Owner { display_name: "late".into(), ..owner }, &["display_name"], "").await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()));
}

async fn an_unknown_key_or_owner_and_another_realms_look_the_same(world: World) {
    let key = world.otesse("elsewhere").await.key.unwrap();
    let id = key.name.rsplit('/').next().unwrap();
    for name in [format!("realms/ocus/keys/{id}"), "realms/otesse/keys/key_1".to_owned()] {
        let refused = update(&world, Key { name, label: "x".into(), ..Key::default() }, &[], "").await.unwrap_err();
        assert_eq!(reason(&refused), (Code::NotFound, "KEY_NOT_FOUND".into()));
    }
    for name in ["realms/ocus/owners/acme", "realms/otesse/owners/nobody"] {
        let owner = Owner { name: name.into(), display_name: "x".into(), ..Owner::default() };
        assert_eq!(reason(&update_owner(&world, owner, &[], "").await.unwrap_err()), (Code::NotFound, "OWNER_NOT_FOUND".into()));
    }
    let nowhere = Key { name: format!("realms/nowhere/keys/{id}"), ..Key::default() };
    assert_eq!(reason(&update(&world, nowhere, &[], "").await.unwrap_err()), (Code::NotFound, "REALM_NOT_FOUND".into()));
}

async fn admin_tokens_keep_what_their_realm_demands(world: World) {
    let token = world.token("team", &["viewer"]).await.key.unwrap();
    let wrong = Key { allowed_addresses: vec!["192.0.2.1".into()], ..named(&token) };
    assert_eq!(
        fields(&update(&world, wrong, &["allowed_addresses", "expire_time"], "").await.unwrap_err()),
        ["key.allowed_addresses", "key.expire_time"]
    );
    let more = Key { scopes: vec!["viewer".into(), "issuer".into()], ..named(&token) };
    assert_eq!(update(&world, more, &[], "").await.unwrap().key.unwrap().scopes, ["viewer", "issuer"]);
}

async fn update(world: &World, key: Key, paths: &[&str], request_id: &str) -> Result<UpdateKeyResponse, Status> {
    let request = UpdateKeyRequest { key: Some(key), update_mask: mask(paths), request_id: request_id.into() };
    world.keys().update_key(world.ask(request)).await.map(tonic::Response::into_inner)
}

async fn update_owner(world: &World, owner: Owner, paths: &[&str], request_id: &str) -> Result<UpdateOwnerResponse, Status> {
    let request = UpdateOwnerRequest { owner: Some(owner), update_mask: mask(paths), request_id: request_id.into() };
    world.owners().update_owner(world.ask(request)).await.map(tonic::Response::into_inner)
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    (!paths.is_empty()).then(|| FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}

/// Nothing but the name.
fn named(key: &Key) -> Key {
    Key { name: key.name.clone(), ..Key::default() }
}

fn named_owner(owner: &Owner) -> Owner {
    Owner { name: owner.name.clone(), ..Owner::default() }
}

fn own(limits: &[(&str, u32)]) -> Vec<LimitOverride> {
    limits.iter().map(|(limit, most)| LimitOverride { limit: (*limit).into(), most: *most }).collect()
}

fn held(guarantee: Option<Guarantee>) -> bool {
    guarantee.is_some_and(|guarantee| guarantee.holders_acknowledged == 1 && guarantee.holders_expired == 0)
}

async fn generation(world: &World, key: &Key) -> u64 {
    let id = KeyId::parse(key.name.rsplit('/').next().unwrap()).unwrap();
    world.store.key(&realm(), &id).await.unwrap().unwrap().generation
}

fn realm() -> RealmId {
    RealmId::parse("otesse").unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "a field of requests")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}
