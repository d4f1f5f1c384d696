//! A request id makes a repetition harmless: it is done once, whatever the network lost.

use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, CreateOwnerRequest, DisableOwnerRequest, EnableOwnerRequest, GetOwnerRequest, ListKeysRequest, RevokeKeyRequest,
};
use tonic::Code;

use super::world::{World, fields, otesse, reason, with};

const ID: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10";
const OTHER: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f11";

on_every_store![
    a_repeated_create_makes_one_key_and_never_shows_the_secret_again,
    a_request_id_with_other_content_is_refused,
    a_request_id_is_its_callers_own,
    racing_repetitions_make_one_key,
    a_given_secret_is_part_of_the_content,
    a_repeated_change_succeeds_though_its_etag_is_old_by_now,
    a_repeated_change_is_not_done_again_after_it_was_undone,
    a_repetition_of_what_had_nothing_to_change_changes_nothing_later,
    a_repeated_owner_is_the_same_owner,
];

async fn a_repeated_create_makes_one_key_and_never_shows_the_secret_again(world: World) {
    world.owner("otesse", "acme").await;
    let first = world.try_create(once("Zapier", ID)).await.unwrap();
    let again = world.try_create(once("Zapier", &ID.to_uppercase())).await.unwrap();
    assert!(!first.replayed && !first.secret.is_empty());
    assert!(again.replayed && again.secret.is_empty());
    assert_eq!(again.key, first.key);
    assert_eq!(count(&world).await, 1);
    world.try_create(once("Zapier", "")).await.unwrap();
    assert_eq!(count(&world).await, 2, "the control: without an id it is made again");
}

async fn a_request_id_with_other_content_is_refused(world: World) {
    world.owner("otesse", "acme").await;
    let key = world.try_create(once("Zapier", ID)).await.unwrap().key.unwrap();
    let refused = world.try_create(once("Make", ID)).await.unwrap_err();
    assert_eq!((reason(&refused), fields(&refused)), ((Code::InvalidArgument, "REQUEST_ID_REUSED".into()), vec!["request_id".into()]));
    let revoke = RevokeKeyRequest { name: key.name, request_id: ID.into(), ..Default::default() };
    let refused = world.keys().revoke_key(world.ask(revoke)).await.unwrap_err();
    assert_eq!(reason(&refused).1, "REQUEST_ID_REUSED", "another RPC is other content");
    assert_eq!(count(&world).await, 1);
}

async fn a_request_id_is_its_callers_own(world: World) {
    world.owner("otesse", "acme").await;
    let issuer = world.token("team", &["issuer"]).await.secret;
    world.try_create(once("Zapier", ID)).await.unwrap();
    let made = world.keys().create_key(with(&issuer, once("Make", ID))).await.unwrap().into_inner();
    assert!(!made.replayed);
    assert_eq!(count(&world).await, 2);
}

async fn racing_repetitions_make_one_key(world: World) {
    world.owner("otesse", "acme").await;
    let race = (0..20).map(|_| world.try_create(once("Zapier", ID)));
    let made: Vec<_> = futures_util::future::join_all(race).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|made| !made.replayed).count(), 1);
    assert_eq!(made.iter().filter(|made| !made.secret.is_empty()).count(), 1);
    assert!(made.iter().all(|other| other.key == made[0].key));
    assert_eq!(count(&world).await, 1);
}

async fn a_given_secret_is_part_of_the_content(world: World) {
    world.owner("otesse", "acme").await;
    let given = |body: &str| CreateKeyRequest { secret: format!("otesse_live_sk_{body}"), ..once("old", ID) };
    let first = world.try_create(given("00000000000000000000")).await.unwrap();
    let again = world.try_create(given("00000000000000000000")).await.unwrap();
    assert!(again.replayed && again.key == first.key);
    let refused = world.try_create(given("00000000000000000001")).await.unwrap_err();
    assert_eq!(reason(&refused).1, "REQUEST_ID_REUSED");
}

async fn a_repeated_change_succeeds_though_its_etag_is_old_by_now(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let revoke = |request_id: &str| RevokeKeyRequest {
        name: key.name.clone(),
        etag: key.etag.clone(),
        request_id: request_id.into(),
        ..Default::default()
    };
    let first = world.keys().revoke_key(world.ask(revoke(ID))).await.unwrap().into_inner();
    let again = world.keys().revoke_key(world.ask(revoke(ID))).await.unwrap().into_inner();
    assert_eq!((again.key, again.position), (first.key, first.position));
    for request_id in ["", OTHER] {
        let refused = world.keys().revoke_key(world.ask(revoke(request_id))).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()), "the control: as a new request it is too late");
    }
}

async fn a_repeated_change_is_not_done_again_after_it_was_undone(world: World) {
    let name = world.owner("otesse", "acme").await.name;
    let disable = || world.ask(DisableOwnerRequest { name: name.clone(), request_id: ID.into(), ..Default::default() });
    let enable = world.ask(EnableOwnerRequest { name: name.clone(), request_id: OTHER.into(), ..Default::default() });
    let disabled = world.owners().disable_owner(disable()).await.unwrap().into_inner();
    world.owners().enable_owner(enable).await.unwrap();
    let late = world.owners().disable_owner(disable()).await.unwrap().into_inner();
    assert_eq!((late.position, late.owner.unwrap().disable_time), (disabled.position, None));
    let owner = world.owners().get_owner(world.ask(GetOwnerRequest { name, read_mask: None })).await.unwrap().into_inner().owner.unwrap();
    assert_eq!(owner.disable_time, None);
}

async fn a_repetition_of_what_had_nothing_to_change_changes_nothing_later(world: World) {
    let name = world.owner("otesse", "acme").await.name;
    let enable =
        |request_id: &str| world.ask(EnableOwnerRequest { name: name.clone(), request_id: request_id.into(), ..Default::default() });
    let disable = || world.ask(DisableOwnerRequest { name: name.clone(), ..Default::default() });
    let enabled = world.owners().enable_owner(enable(ID)).await.unwrap().into_inner();
    world.owners().disable_owner(disable()).await.unwrap();
    let late = world.owners().enable_owner(enable(ID)).await.unwrap().into_inner();
    assert_eq!(late.position, enabled.position);
    assert!(late.owner.unwrap().disable_time.is_some(), "whoever disabled it meanwhile had the last word");
    let anew = world.owners().enable_owner(enable("")).await.unwrap().into_inner();
    assert_eq!(anew.owner.unwrap().disable_time, None, "the control: without an id it is a request of its own");
}

async fn a_repeated_owner_is_the_same_owner(world: World) {
    let create = || CreateOwnerRequest { parent: "realms/otesse".into(), owner_id: "acme".into(), owner: None, request_id: ID.into() };
    let first = world.owners().create_owner(world.ask(create())).await.unwrap().into_inner();
    let again = world.owners().create_owner(world.ask(create())).await.unwrap().into_inner();
    assert_eq!(again, first);
    let refused = world.owners().create_owner(world.ask(CreateOwnerRequest { request_id: String::new(), ..create() })).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "the control: without an id it is another request");
}

fn once(label: &str, request_id: &str) -> CreateKeyRequest {
    CreateKeyRequest { request_id: request_id.into(), ..otesse(label) }
}

async fn count(world: &World) -> usize {
    let list = ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() };
    world.keys().list_keys(world.ask(list)).await.unwrap().into_inner().keys.len()
}
