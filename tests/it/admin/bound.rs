//! Tokens that are bound: how they come about, what they show, and what an owner's own admin may not do with its owner's keys.

use data_encoding::BASE64URL_NOPAD;
use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, DeleteKeyRequest, GetKeyRequest, Key, LimitOverride, ListKeysRequest, ListOwnersRequest, RevokeKeyRequest,
    RevokeKeysRequest, RotateKeyRequest, UpdateKeyRequest,
};
use prost_types::FieldMask;
use tonic::{Code, Status};

use super::world::{World, create, fields, otesse, reason, with};

/// A request id.
const ID: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10";

on_every_store![
    a_binding_is_shown_and_stays,
    only_admin_tokens_are_bound_and_only_to_what_there_is,
    a_list_shows_what_is_inside_the_binding_alone_page_by_page,
    a_page_token_that_was_written_by_hand_leads_nowhere_else,
    an_owners_admin_does_not_say_how_much_its_keys_may_do,
    what_is_beyond_is_not_ended_however_it_is_named,
];

async fn a_binding_is_shown_and_stays(world: World) {
    world.owner("otesse", "acme").await;
    for binding in ["realms/otesse", "realms/otesse/owners/acme"] {
        let made = world.bound_token("portals", &["admin"], binding).await.key.unwrap();
        assert_eq!(made.binding, binding);
        let get = GetKeyRequest { name: made.name.clone(), read_mask: None };
        assert_eq!(world.keys().get_key(world.ask(get)).await.unwrap().into_inner().key.unwrap(), made);
        for paths in [vec!["binding".to_owned()], vec!["*".to_owned()]] {
            let key = Key { name: made.name.clone(), scopes: vec!["viewer".into()], expire_time: made.expire_time, ..Key::default() };
            let update = UpdateKeyRequest { key: Some(key), update_mask: Some(FieldMask { paths: paths.clone() }), ..Default::default() };
            match world.keys().update_key(world.ask(update)).await {
                Ok(updated) => assert_eq!(updated.into_inner().key.unwrap().binding, binding, "{paths:?}"),
                Err(status) => assert_eq!(fields(&status), ["update_mask.paths[0]"]),
            }
        }
    }
    let mask = Some(FieldMask { paths: vec!["binding".into()] });
    let list = ListKeysRequest {
        parent: "realms/keyward".into(),
        owner: "realms/keyward/owners/portals".into(),
        read_mask: mask,
        ..Default::default()
    };
    let keys = world.keys().list_keys(world.ask(list)).await.unwrap().into_inner().keys;
    assert_eq!(keys.iter().map(|key| key.binding.as_str()).collect::<Vec<_>>(), ["realms/otesse", "realms/otesse/owners/acme"]);
}

async fn only_admin_tokens_are_bound_and_only_to_what_there_is(world: World) {
    let admin = world.token("portals", &[]).await.key.unwrap();
    world.owner("otesse", "acme").await;
    let token = |binding: &str| {
        create("keyward", Key { owner: admin.owner.clone(), expire_time: admin.expire_time, binding: binding.into(), ..Key::default() })
    };
    for wrong in ["otesse", "realms/", "realms/otesse/keys/key_1", "realms/otesse/owners/", "realms/otesse/owners/a/b", "realms/Otesse"] {
        assert_eq!(fields(&world.try_create(token(wrong)).await.unwrap_err()), ["key.binding"], "{wrong}");
    }
    for absent in ["realms/nowhere", "realms/otesse/owners/nobody", "realms/keyward", "realms/keyward/owners/portals"] {
        assert_eq!(fields(&world.try_create(token(absent)).await.unwrap_err()), ["key.binding"], "{absent}");
    }
    let mut of_a_customer = otesse("bound");
    of_a_customer.key.as_mut().unwrap().binding = "realms/otesse".into();
    assert_eq!(fields(&world.try_create(of_a_customer).await.unwrap_err()), ["key.binding"]);
    world.try_create(token("realms/otesse/owners/acme")).await.unwrap();
}

async fn a_list_shows_what_is_inside_the_binding_alone_page_by_page(world: World) {
    for owner in ["aaa", "globex", "zzz"] {
        world.owner("otesse", owner).await;
        for _ in 0..3 {
            let key = Key { owner: format!("realms/otesse/owners/{owner}"), environment: "live".into(), ..Key::default() };
            world.try_create(create("otesse", key)).await.unwrap();
        }
    }
    let of_owner = world.bound_token("portals", &["viewer"], "realms/otesse/owners/globex").await.secret;
    let of_realm = world.bound_token("portals", &["viewer"], "realms/otesse").await.secret;
    for (token, keys, owners) in [(&of_owner, 3, vec!["globex"]), (&of_realm, 9, vec!["aaa", "globex", "zzz"])] {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let list = ListKeysRequest { parent: "realms/otesse".into(), page_size: 2, page_token, ..Default::default() };
            let page = world.keys().list_keys(with(token, list)).await.unwrap().into_inner();
            seen.extend(page.keys.into_iter().map(|key| key.owner));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert!(seen.len() == keys && seen.iter().all(|name| owners.contains(&name.rsplit('/').next().unwrap())), "{seen:?}");
        let (mut named, mut page_token) = (Vec::new(), String::new());
        loop {
            let list = ListOwnersRequest { parent: "realms/otesse".into(), page_size: 1, page_token, ..Default::default() };
            let page = world.owners().list_owners(with(token, list)).await.unwrap().into_inner();
            named.extend(page.owners.into_iter().map(|owner| owner.name.rsplit('/').next().unwrap().to_owned()));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(named, owners);
    }
}

async fn a_page_token_that_was_written_by_hand_leads_nowhere_else(world: World) {
    for owner in ["aaa", "globex", "zzz"] {
        world.owner("otesse", owner).await;
        for _ in 0..2 {
            let key = Key { owner: format!("realms/otesse/owners/{owner}"), environment: "live".into(), ..Key::default() };
            world.try_create(create("otesse", key)).await.unwrap();
        }
    }
    let token = world.bound_token("portals", &["viewer", "revoker"], "realms/otesse/owners/globex").await.secret;
    let forged = |given: &str, after: &str| {
        let question = &BASE64URL_NOPAD.decode(given.as_bytes()).unwrap()[..16];
        BASE64URL_NOPAD.encode(&[question, after.as_bytes()].concat())
    };
    for (order_by, after) in [("owner", "a a"), ("owner", "aaa z"), ("owner desc", "zzz z"), ("owner desc", "zzz")] {
        let list = ListKeysRequest { parent: "realms/otesse".into(), order_by: order_by.into(), page_size: 1, ..Default::default() };
        let first = world.keys().list_keys(with(&token, list.clone())).await.unwrap().into_inner();
        let forged_list = ListKeysRequest { page_token: forged(&first.next_page_token, after), page_size: 99, ..list.clone() };
        let page = world.keys().list_keys(with(&token, forged_list)).await.unwrap().into_inner();
        assert_eq!(page.keys.len(), 2, "its own, from the start");
        assert!(page.keys.iter().all(|key| key.owner == "realms/otesse/owners/globex"), "{after}: {page:?}");

        let revoke = |filter, dry_run| RevokeKeysRequest {
            parent: "realms/otesse".into(),
            filter: Some(filter),
            every_key: true,
            dry_run,
            ..Default::default()
        };
        let dry = world.keys().revoke_keys(with(&token, revoke(list.clone(), true))).await.unwrap().into_inner();
        let forged_list = ListKeysRequest { page_token: forged(&dry.next_page_token, after), page_size: 99, ..list };
        let hit = world.keys().revoke_keys(with(&token, revoke(forged_list, true))).await.unwrap().into_inner();
        let own: Vec<_> = page.keys.iter().map(|key| key.name.clone()).collect();
        assert_eq!(hit.names, own, "{after}");
    }
}

async fn an_owners_admin_does_not_say_how_much_its_keys_may_do(world: World) {
    for (realm, owner) in [("ocus", "acme"), ("azotte", "acme")] {
        world.owner(realm, owner).await;
    }
    let own = |realm: &str| format!("realms/{realm}/owners/acme");
    let bound = world.bound_token("portals", &["admin"], &own("ocus")).await.secret;
    let wider = world.bound_token("portals", &["admin"], "realms/ocus").await.secret;
    let realm = world.realms.iter().find(|realm| realm.id.as_str() == "ocus").unwrap();
    let plan = realm.plans[0].name.to_string();
    let limit = realm.plans.iter().flat_map(|plan| &plan.limits).find(|limit| limit.per == keyward::domain::limit::Per::Key).unwrap();
    let limits = vec![LimitOverride { limit: limit.name.to_string(), most: 1_000_000 }];
    let format = &realm.formats[0];
    let word = |word: &Option<keyward::domain::name::Word>| word.as_ref().map(ToString::to_string).unwrap_or_default();
    let plain = Key { owner: own("ocus"), environment: word(&format.environment), kind: word(&format.kind), ..Key::default() };
    let key = made(&world, &bound, create("ocus", plain.clone())).await.unwrap();
    for more in [Key { plan: plan.clone(), ..plain.clone() }, Key { limits: limits.clone(), ..plain.clone() }] {
        assert_eq!(told(made(&world, &bound, create("ocus", more.clone())).await), (Code::PermissionDenied, "BOUND".into()));
        made(&world, &wider, create("ocus", more.clone())).await.unwrap();
        let update = || UpdateKeyRequest { key: Some(Key { name: key.name.clone(), ..more.clone() }), ..Default::default() };
        let refused = world.keys().update_key(with(&bound, update())).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::PermissionDenied, "BOUND".into()));
        world.keys().update_key(with(&wider, update())).await.unwrap();
    }
    let bound = world.bound_token("portals", &["issuer"], &own("azotte")).await.secret;
    let of_tenant = |tenant: &str| {
        let key = Key { owner: own("azotte"), environment: "live".into(), kind: "secret".into(), tenant: tenant.into(), ..Key::default() };
        create("azotte", key)
    };
    assert_eq!(told(made(&world, &bound, of_tenant("another")).await), (Code::PermissionDenied, "BOUND".into()));
    made(&world, &bound, of_tenant("acme")).await.unwrap();
    world.try_create(of_tenant("another")).await.unwrap();
}

/// An etag that was guessed and a request id make no way round what is looked at first.
async fn what_is_beyond_is_not_ended_however_it_is_named(world: World) {
    world.owner("otesse", "globex").await;
    let key = world.otesse("beyond").await.key.unwrap();
    let bound = world.bound_token("portals", &["admin"], "realms/otesse/owners/globex").await.secret;
    for (etag, request_id) in [("", ""), (key.etag.as_str(), ""), ("", ID), (key.etag.as_str(), ID)] {
        let (name, etag, request_id) = (key.name.clone(), etag.to_owned(), request_id.to_owned());
        let delete = DeleteKeyRequest { name: name.clone(), etag: etag.clone(), request_id: request_id.clone() };
        let revoke = RevokeKeyRequest { name: name.clone(), etag: etag.clone(), request_id: request_id.clone(), ..Default::default() };
        let rotate = RotateKeyRequest { name, etag, request_id, ..Default::default() };
        let refused = [
            world.keys().delete_key(with(&bound, delete)).await.map(drop),
            world.keys().revoke_key(with(&bound, revoke)).await.map(drop),
            world.keys().rotate_key(with(&bound, rotate)).await.map(drop),
        ];
        for refused in refused {
            assert_eq!(reason(&refused.unwrap_err()), (Code::NotFound, "KEY_NOT_FOUND".into()));
        }
    }
    let named = RevokeKeysRequest { parent: "realms/otesse".into(), names: vec![key.name.clone()], ..Default::default() };
    let answer = world.keys().revoke_keys(with(&bound, named)).await.unwrap().into_inner();
    assert_eq!((answer.names.len(), answer.not_found), (0, vec![key.name.clone()]));
    let filter = Some(ListKeysRequest::default());
    let all = RevokeKeysRequest { parent: "realms/otesse".into(), filter, every_key: true, ..Default::default() };
    assert_eq!(world.keys().revoke_keys(with(&bound, all)).await.unwrap().into_inner().names.len(), 0);
    let get = GetKeyRequest { name: key.name.clone(), read_mask: None };
    assert_eq!(world.keys().get_key(world.ask(get)).await.unwrap().into_inner().key.unwrap().etag, key.etag, "nothing has changed it");
    let delete = DeleteKeyRequest { name: key.name, etag: key.etag, ..Default::default() };
    world.keys().delete_key(world.ask(delete)).await.unwrap();
}

async fn made(world: &World, token: &str, request: CreateKeyRequest) -> Result<Key, Status> {
    world.keys().create_key(with(token, request)).await.map(|made| made.into_inner().key.unwrap())
}

fn told(answer: Result<Key, Status>) -> (Code, String) {
    reason(&answer.unwrap_err())
}
