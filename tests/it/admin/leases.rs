//! Whose word an admin token is taken on: that of a replica which holds a lease, or, while the log is rolled back, of the store as it is.

use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, CreateOwnerRequest, DisableOwnerRequest, EnableOwnerRequest, GetKeyRequest, GetOwnerRequest,
    GetRevocationStatusRequest, ListKeysRequest, ListOwnersRequest, ResumeRequest, RevokeKeyRequest,
};
use keyward::replica::session::Leased;
use keyward::revocation::{At, Holder, Mark, Renewal, Terms};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

use super::world::{LEASE, World, otesse, reason, until, with};

on_every_store![
    without_a_lease_no_token_is_taken,
    a_token_that_was_revoked_is_refused_though_a_node_that_lags_knows_it,
    while_the_log_is_rolled_back_nothing_is_made_and_the_rest_goes_on,
    only_what_was_found_rolled_back_is_resumed,
];

async fn without_a_lease_no_token_is_taken(world: World) {
    let list = || ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() };
    world.faults.renewals_fail();
    world.keys().list_keys(world.ask(list())).await.expect("the control: its lease goes on");
    world.clock.pass(LEASE);
    let refused = world.keys().list_keys(world.ask(list())).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unavailable, "NO_LEASE".into()));
    assert!(refused.get_details_retry_info().is_some());
    let status = world.revocation().get_revocation_status(world.ask(GetRevocationStatusRequest {})).await.unwrap_err();
    assert_eq!(reason(&status).1, "NO_LEASE");
    let nobody = world.keys().list_keys(list()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated, "without a token nobody learns even that");
    world.faults.renewals_succeed();
    until("it is leased again", || world.guard.session.admits()).await;
    world.keys().list_keys(world.ask(list())).await.unwrap();
}

async fn a_token_that_was_revoked_is_refused_though_a_node_that_lags_knows_it(world: World) {
    let token = world.token("leaver", &["viewer"]).await;
    let list = || with(&token.secret, ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() });
    world.faults.lags();
    world.keys().list_keys(list()).await.unwrap();
    world.otesse("something else changes").await;
    world.keys().list_keys(list()).await.expect("the control: what was found stands");
    let revoke = RevokeKeyRequest { name: token.key.unwrap().name, ..Default::default() };
    world.keys().revoke_key(world.ask(revoke)).await.unwrap();
    let refused = world.keys().list_keys(list()).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unavailable, "NO_LEASE".into()), "it can be found still, and the log says that it changed");
}

async fn while_the_log_is_rolled_back_nothing_is_made_and_the_rest_goes_on(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let lost = world.otesse("its revocation was lost").await.key.unwrap();
    roll_back(&world).await;
    let owner = key.owner.clone();
    let refused = [
        world.keys().create_key(world.ask(otesse("new"))).await.map(drop),
        world.keys().create_key(world.ask(CreateKeyRequest::default())).await.map(drop),
        world.owners().create_owner(world.ask(CreateOwnerRequest::default())).await.map(drop),
        world.owners().enable_owner(world.ask(EnableOwnerRequest { name: owner.clone(), ..Default::default() })).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(reason(&refused.unwrap_err()), (Code::Unavailable, "ROLLED_BACK".into()));
    }
    let list = |parent: &str| ListKeysRequest { parent: parent.into(), ..Default::default() };
    world.keys().list_keys(world.ask(list("realms/otesse"))).await.unwrap();
    world.keys().get_key(world.ask(GetKeyRequest { name: key.name, read_mask: None })).await.unwrap();
    world.owners().get_owner(world.ask(GetOwnerRequest { name: owner.clone(), read_mask: None })).await.unwrap();
    let owners = ListOwnersRequest { parent: "realms/otesse".into(), ..Default::default() };
    world.owners().list_owners(world.ask(owners)).await.unwrap();
    let status = world.revocation().get_revocation_status(world.ask(GetRevocationStatusRequest {})).await.unwrap().into_inner();
    assert!(status.rolled_back);
    let revoke = world.ask(RevokeKeyRequest { name: lost.name, ..Default::default() });
    let disable = world.ask(DisableOwnerRequest { name: owner, ..Default::default() });
    let (mut keys, mut owners) = (world.keys(), world.owners());
    let again = tokio::spawn(async move { (keys.revoke_key(revoke).await, owners.disable_owner(disable).await) });
    until("leases end, and the lost is done again", || {
        world.clock.pass(LEASE);
        again.is_finished()
    })
    .await;
    let (revoked, disabled) = again.await.unwrap();
    let told = |response: Response<_>| response.into_inner();
    assert_eq!(told(revoked.unwrap()).guarantee.unwrap().holders_acknowledged, 0, "nobody applies what nobody follows");
    assert!(disabled.unwrap().into_inner().guarantee.is_some());
    let position = world.revocation().resume(world.ask(ResumeRequest {})).await.unwrap().into_inner().position;
    assert!(position > 0);
    until("it is leased again", || world.guard.session.admits()).await;
    world.keys().create_key(world.ask(otesse("new"))).await.expect("the control: the log goes on");
}

async fn only_what_was_found_rolled_back_is_resumed(world: World) {
    let resume = async || -> Result<(), Status> { world.revocation().resume(world.ask(ResumeRequest {})).await.map(drop) };
    assert_eq!(reason(&resume().await.unwrap_err()), (Code::FailedPrecondition, "NOT_ROLLED_BACK".into()));
    roll_back(&world).await;
    resume().await.unwrap();
    until("it is leased again", || world.guard.session.admits()).await;
    assert_eq!(reason(&resume().await.unwrap_err()).1, "NOT_ROLLED_BACK");
}

/// Another replica was promised what the store does not have, and says so.
pub(super) async fn roll_back(world: &World) {
    let promised = At { position: 1_000, mark: Mark(0xfeed) };
    let holder = Holder { replica: "another".into(), incarnation: 0xab };
    let renewal = Renewal { holder, number: 1, terms: Terms { lease: LEASE }, applied: Some(promised), secured: promised };
    world.store.renew(&renewal).await.unwrap();
    while world.guard.session.status().lease != Leased::RolledBack {
        world.guard.session.catch_up(u64::MAX).await;
    }
}
