//! An etag makes a change conditional on what was seen; without one, changes that meet are made one after the other.

use keyward::proto::keyward::admin::v1::{DisableOwnerRequest, EnableOwnerRequest, GetOwnerRequest, RevokeKeyRequest};
use tonic::Code;

use super::world::{World, reason};

on_every_store![
    a_change_of_what_was_not_seen_is_refused_and_changes_nothing,
    an_etag_of_the_future_is_refused,
    changes_without_an_etag_that_meet_are_all_made,
];

async fn a_change_of_what_was_not_seen_is_refused_and_changes_nothing(world: World) {
    let seen = world.owner("otesse", "acme").await;
    let disable = |etag: &str| world.ask(DisableOwnerRequest { name: seen.name.clone(), etag: etag.into(), ..Default::default() });
    let enable = |etag: &str| world.ask(EnableOwnerRequest { name: seen.name.clone(), etag: etag.into(), ..Default::default() });
    let disabled = world.owners().disable_owner(disable(&seen.etag)).await.unwrap().into_inner().owner.unwrap();
    let refused = world.owners().enable_owner(enable(&seen.etag)).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()));
    let refused = world.owners().disable_owner(disable(&seen.etag)).await.unwrap_err();
    assert_eq!(reason(&refused).0, Code::Aborted, "even where there is nothing to change");
    let now = world.owners().get_owner(world.ask(GetOwnerRequest { name: seen.name.clone(), read_mask: None })).await.unwrap();
    assert_eq!(now.into_inner().owner.unwrap(), disabled);
    world.owners().enable_owner(enable(&disabled.etag)).await.unwrap();
}

async fn an_etag_of_the_future_is_refused(world: World) {
    let key = world.otesse("young").await.key.unwrap();
    for request_id in ["", "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10"] {
        let revoke = RevokeKeyRequest { name: key.name.clone(), etag: "\"2\"".into(), request_id: request_id.into(), ..Default::default() };
        let refused = world.keys().revoke_key(world.ask(revoke)).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()));
    }
}

async fn changes_without_an_etag_that_meet_are_all_made(world: World) {
    let name = world.owner("otesse", "acme").await.name;
    let disable = |name: String| async {
        world.owners().disable_owner(world.ask(DisableOwnerRequest { name, ..Default::default() })).await.unwrap().into_inner().position
    };
    let enable = |name: String| async {
        world.owners().enable_owner(world.ask(EnableOwnerRequest { name, ..Default::default() })).await.unwrap().into_inner().position
    };
    for _ in 0..5 {
        let four = tokio::join!(disable(name.clone()), enable(name.clone()), disable(name.clone()), enable(name.clone()));
        let made = [four.0, four.1, four.2, four.3].into_iter().filter(|position| *position > 0).count();
        assert!(made > 0);
    }
}
