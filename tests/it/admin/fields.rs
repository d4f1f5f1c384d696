//! What cannot be taken is refused with the path of every field that is wrong. Nothing is made.

use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, CreateOwnerRequest, GetKeyRequest, GetOwnerRequest, Key, ListKeysRequest, ListOwnersRequest, Owner, RevokeKeyRequest,
};
use prost_types::{FieldMask, Timestamp};

use super::world::{World, create, fields, otesse};

/// One wrong thing, and the fields that the refusal names.
type Case = (fn(&mut CreateKeyRequest), &'static [&'static str]);

const KEYS: &[Case] = &[
    (|request| request.parent.clear(), &["parent"]),
    (|request| request.parent = "realms/Otesse".into(), &["parent"]),
    (|request| request.parent = "realms/otesse/keys".into(), &["parent"]),
    (|request| request.key = None, &["key"]),
    (|request| request.request_id = "not a uuid".into(), &["request_id"]),
    (|request| key(request).owner.clear(), &["key.owner"]),
    (|request| key(request).owner = "acme".into(), &["key.owner"]),
    (|request| key(request).owner = "realms/ocus/owners/acme".into(), &["key.owner"]),
    (|request| key(request).owner = "realms/otesse/owners/a/b".into(), &["key.owner"]),
    (|request| key(request).label = "x".repeat(129), &["key.label"]),
    (|request| key(request).label = "two\nlines".into(), &["key.label"]),
    (|request| key(request).environment = "a b".into(), &["key.environment"]),
    (|request| key(request).environment = "stage".into(), &["key.environment"]),
    (|request| key(request).environment.clear(), &["key.environment"]),
    (|request| key(request).kind = "publishable".into(), &["key.kind"]),
    (|request| key(request).plan = "gold".into(), &["key.plan"]),
    (|request| key(request).plan = "go ld".into(), &["key.plan"]),
    (|request| key(request).tenant = "two words".into(), &["key.tenant"]),
    (|request| key(request).tenant = "x".repeat(129), &["key.tenant"]),
    (|request| key(request).scopes.push("bookings:delete".into()), &["key.scopes[1]"]),
    (|request| key(request).scopes.push("bookings:read".into()), &["key.scopes[1]"]),
    (|request| key(request).scopes.insert(0, "a scope".into()), &["key.scopes[0]"]),
    (|request| key(request).allowed_addresses = vec!["192.0.2.0/33".into()], &["key.allowed_addresses[0]"]),
    (|request| key(request).allowed_addresses = vec!["192.0.2.1".into(), "here".into()], &["key.allowed_addresses[1]"]),
    (|request| key(request).allowed_addresses = vec!["192.0.2.7/24".into()], &["key.allowed_addresses[0]"]),
    (|request| key(request).allowed_addresses = vec!["::ffff:192.0.2.0/120".into()], &["key.allowed_addresses[0]"]),
    (|request| key(request).allowed_addresses = vec!["192.0.2.1".into(); 65], &["key.allowed_addresses"]),
    (|request| key(request).expire_time = at(1_000_000_000, 0), &["key.expire_time"]),
    (|request| key(request).expire_time = at(-1, 0), &["key.expire_time"]),
    (|request| key(request).expire_time = at(4_000_000_000, 1_000_000_000), &["key.expire_time"]),
    (|request| key(request).expire_time = at(253_402_300_800, 0), &["key.expire_time"]),
    (|request| request.secret = "short".into(), &["secret"]),
    (|request| request.secret = "otesse_live_sk_a1b2c3d4e5f6...".into(), &["secret"]),
    (|request| request.secret = "otesse_test_sk_a1b2c3d4e5f6a1b2c3d4".into(), &["key.environment"]),
    (
        |request| *key(request) = Key { owner: "o".into(), plan: " ".into(), scopes: vec![" ".into()], ..Key::default() },
        &["key.owner", "key.plan", "key.scopes[0]"],
    ),
    (
        |request| *key(request) = Key { label: "\0".into(), plan: "gold".into(), scopes: vec!["x".into()], ..key(request).clone() },
        &["key.label", "key.plan", "key.scopes[0]"],
    ),
];

on_every_store![
    a_key_with_a_wrong_field_is_refused_with_its_path,
    what_a_realm_requires_must_be_there,
    admin_tokens_end_and_are_bound_to_no_address,
    addresses_are_kept_as_blocks,
    an_owner_with_a_wrong_field_is_refused_with_its_path,
    reads_and_changes_with_a_wrong_field_are_refused_with_its_path,
];

async fn a_key_with_a_wrong_field_is_refused_with_its_path(world: World) {
    world.owner("otesse", "acme").await;
    for (number, (spoil, wrong)) in KEYS.iter().enumerate() {
        let mut request = otesse("spoiled");
        spoil(&mut request);
        let refused = world.try_create(request.clone()).await.unwrap_err();
        assert_eq!(fields(&refused), *wrong, "case {number}: {request:?}: {refused:?}");
    }
    let listed = world.keys().list_keys(world.ask(ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() })).await.unwrap();
    assert_eq!(listed.get_ref().keys, [], "and nothing was made");
    world.try_create(otesse("the control")).await.unwrap();
}

async fn what_a_realm_requires_must_be_there(world: World) {
    world.owner("azotte", "acme").await;
    let key = Key { owner: "realms/azotte/owners/acme".into(), environment: "live".into(), kind: "secret".into(), ..Key::default() };
    assert_eq!(fields(&world.try_create(create("azotte", key.clone())).await.unwrap_err()), ["key.tenant"]);
    let undecided = Key { kind: String::new(), tenant: "t".into(), ..key.clone() };
    let refused = world.try_create(create("azotte", undecided)).await.unwrap_err();
    assert_eq!(fields(&refused), ["key.kind"]);
    for choice in ["environment live, kind publishable", "environment development, kind secret"] {
        assert!(refused.message().contains(choice), "{refused:?}");
    }
    world.try_create(create("azotte", Key { tenant: "t".into(), ..key })).await.unwrap();
}

async fn admin_tokens_end_and_are_bound_to_no_address(world: World) {
    world.owner("keyward", "team").await;
    let endless = Key { owner: "realms/keyward/owners/team".into(), scopes: vec!["viewer".into()], ..Key::default() };
    assert_eq!(fields(&world.try_create(create("keyward", endless.clone())).await.unwrap_err()), ["key.expire_time"]);
    let ending = Key { expire_time: at(4_000_000_000, 0), ..endless };
    let bound = Key { allowed_addresses: vec!["192.0.2.1".into()], ..ending.clone() };
    assert_eq!(fields(&world.try_create(create("keyward", bound)).await.unwrap_err()), ["key.allowed_addresses"]);
    let almighty = Key { scopes: vec!["root".into()], ..ending.clone() };
    assert_eq!(fields(&world.try_create(create("keyward", almighty)).await.unwrap_err()), ["key.scopes[0]"]);
    world.try_create(create("keyward", ending)).await.unwrap();
}

async fn addresses_are_kept_as_blocks(world: World) {
    world.owner("otesse", "acme").await;
    let mut request = otesse("at home");
    key(&mut request).allowed_addresses =
        ["192.0.2.7", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32", "::ffff:192.0.2.9"].map(String::from).into();
    key(&mut request).expire_time = at(4_000_000_000, 123_999_999);
    let made = world.try_create(request).await.unwrap().key.unwrap();
    assert_eq!(made.allowed_addresses, ["192.0.2.7/32", "192.0.2.0/24", "2001:db8::1/128", "2001:db8::/32", "192.0.2.9/32"]);
    assert_eq!(made.expire_time, at(4_000_000_000, 123_000_000), "it never lives longer than it was told to");
}

async fn an_owner_with_a_wrong_field_is_refused_with_its_path(world: World) {
    let owner = |name: &str, plan: &str| Some(Owner { display_name: name.into(), plan: plan.into(), ..Owner::default() });
    let request = CreateOwnerRequest { parent: "realms/otesse".into(), owner_id: "acme".into(), owner: None, request_id: String::new() };
    for (wrong, request) in [
        ("parent", CreateOwnerRequest { parent: "otesse".into(), ..request.clone() }),
        ("owner_id", CreateOwnerRequest { owner_id: String::new(), ..request.clone() }),
        ("owner_id", CreateOwnerRequest { owner_id: "a/b".into(), ..request.clone() }),
        ("request_id", CreateOwnerRequest { request_id: "1".into(), ..request.clone() }),
        ("owner.display_name", CreateOwnerRequest { owner: owner(&"x".repeat(129), ""), ..request.clone() }),
        ("owner.display_name", CreateOwnerRequest { owner: owner("\u{1b}[31m", ""), ..request.clone() }),
        ("owner.plan", CreateOwnerRequest { owner: owner("", "gold"), ..request.clone() }),
    ] {
        let refused = world.owners().create_owner(world.ask(request)).await.unwrap_err();
        assert_eq!(fields(&refused), [wrong]);
    }
    world.owners().create_owner(world.ask(request)).await.unwrap();
}

async fn reads_and_changes_with_a_wrong_field_are_refused_with_its_path(world: World) {
    let mask = |path: &str| Some(FieldMask { paths: vec![path.into()] });
    let list = ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() };
    for (wrong, request) in [
        (&["parent"][..], ListKeysRequest { parent: "realms/".into(), ..list.clone() }),
        (&["page_size"], ListKeysRequest { page_size: -1, ..list.clone() }),
        (&["page_token"], ListKeysRequest { page_token: "2".into(), ..list.clone() }),
        (&["owner"], ListKeysRequest { owner: "realms/ocus/owners/acme".into(), ..list.clone() }),
        (&["read_mask"], ListKeysRequest { read_mask: mask("secret"), ..list.clone() }),
        (
            &["parent", "read_mask", "page_size"],
            ListKeysRequest { parent: String::new(), page_size: -1, read_mask: mask("x"), ..list.clone() },
        ),
    ] {
        assert_eq!(fields(&world.keys().list_keys(world.ask(request)).await.unwrap_err()), wrong);
    }
    for name in ["", "key_1", "realms/otesse/keys/", "realms/otesse/keys/KEY", "realms/otesse/owners/acme", "realms/otesse/keys/a/b"] {
        let get = world.keys().get_key(world.ask(GetKeyRequest { name: name.into(), read_mask: None })).await;
        assert_eq!(fields(&get.unwrap_err()), ["name"], "{name}");
    }
    let owner = GetOwnerRequest { name: "realms/otesse/owners/acme".into(), read_mask: mask("label") };
    assert_eq!(fields(&world.owners().get_owner(world.ask(owner)).await.unwrap_err()), ["read_mask"]);
    let owners = ListOwnersRequest { parent: "realms/otesse".into(), page_size: -1, ..Default::default() };
    assert_eq!(fields(&world.owners().list_owners(world.ask(owners)).await.unwrap_err()), ["page_size"]);
    for etag in ["1", "\"x\"", "W/\"1\"", "\""] {
        let revoke =
            RevokeKeyRequest { name: "realms/otesse/keys/key_1".into(), etag: etag.into(), request_id: "1".into(), ..Default::default() };
        assert_eq!(fields(&world.keys().revoke_key(world.ask(revoke)).await.unwrap_err()), ["etag", "request_id"], "{etag}");
    }
}

fn key(request: &mut CreateKeyRequest) -> &mut Key {
    request.key.as_mut().unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "a field of requests")]
fn at(seconds: i64, nanos: i32) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos })
}
