//! Owners are made, read, disabled and enabled.

use keyward::proto::keyward::admin::v1::{CreateOwnerRequest, DisableOwnerRequest, EnableOwnerRequest, GetOwnerRequest, Owner};
use tonic::Code;

use super::world::{World, reason};

on_every_store![
    an_owner_is_made_under_the_id_that_its_maker_chose,
    an_owner_that_is_there_cannot_be_made_again,
    disabling_and_enabling_change_what_is_not_so_already,
    an_unknown_owner_and_another_realms_look_the_same,
    a_realm_that_is_not_there_has_no_owners,
];

async fn an_owner_is_made_under_the_id_that_its_maker_chose(world: World) {
    let owner = Owner { display_name: "Acme Inc. ☂".into(), plan: "live".into(), ..Owner::default() };
    let made = world.owners().create_owner(world.ask(create("otesse", "acme.Corp_1", owner))).await.unwrap().into_inner().owner.unwrap();
    assert_eq!((made.name.as_str(), made.display_name.as_str()), ("realms/otesse/owners/acme.Corp_1", "Acme Inc. ☂"));
    assert_eq!((made.plan.as_str(), made.etag.as_str(), made.disable_time), ("live", "\"1\"", None));
    let get = GetOwnerRequest { name: made.name.clone(), read_mask: None };
    assert_eq!(world.owners().get_owner(world.ask(get)).await.unwrap().into_inner().owner.unwrap(), made);
}

async fn an_owner_that_is_there_cannot_be_made_again(world: World) {
    world.owner("otesse", "acme").await;
    let again = world.owners().create_owner(world.ask(create("otesse", "acme", Owner::default()))).await.unwrap_err();
    assert_eq!(reason(&again), (Code::AlreadyExists, "OWNER_EXISTS".into()));
    world.owners().create_owner(world.ask(create("ocus", "acme", Owner::default()))).await.unwrap();
}

async fn disabling_and_enabling_change_what_is_not_so_already(world: World) {
    let name = world.owner("otesse", "acme").await.name;
    let disable = || world.ask(DisableOwnerRequest { name: name.clone(), ..Default::default() });
    let enable = || world.ask(EnableOwnerRequest { name: name.clone(), ..Default::default() });
    let disabled = world.owners().disable_owner(disable()).await.unwrap().into_inner();
    assert!(disabled.position > 0);
    let again = world.owners().disable_owner(disable()).await.unwrap().into_inner();
    assert_eq!((again.position, &again.owner), (0, &disabled.owner));
    let enabled = world.owners().enable_owner(enable()).await.unwrap().into_inner();
    let owner = enabled.owner.unwrap();
    assert!(enabled.position > disabled.position);
    assert_eq!((owner.disable_time, owner.etag.as_str()), (None, "\"3\""));
    assert_eq!(world.owners().enable_owner(enable()).await.unwrap().into_inner().position, 0);
}

async fn an_unknown_owner_and_another_realms_look_the_same(world: World) {
    world.owner("otesse", "acme").await;
    for id in ["acme", "nobody"] {
        let get = GetOwnerRequest { name: format!("realms/ocus/owners/{id}"), read_mask: None };
        let refused = world.owners().get_owner(world.ask(get)).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::NotFound, "OWNER_NOT_FOUND".into()));
        assert_eq!(refused.message(), format!("the realm ocus has no owner {id}: list its owners to see which it has"));
    }
}

async fn a_realm_that_is_not_there_has_no_owners(world: World) {
    let refused = world.owners().create_owner(world.ask(create("nowhere", "acme", Owner::default()))).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, "REALM_NOT_FOUND".into()));
}

fn create(realm: &str, id: &str, owner: Owner) -> CreateOwnerRequest {
    CreateOwnerRequest { parent: format!("realms/{realm}"), owner_id: id.into(), owner: Some(owner), request_id: String::new() }
}
