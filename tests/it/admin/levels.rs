//! A level that is demanded and not reached is never told as done: what was recorded is waited for, or done again.

use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use keyward::proto::keyward::admin::v1::revocation_service_client::RevocationServiceClient;
use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, DisableOwnerRequest, EnableOwnerRequest, GetKeyRequest, GetRevocationStatusRequest, Key, Level as Told,
    RevokeKeyRequest, WaitRevocationRequest, WaitRevocationResponse,
};
use keyward::revocation::Level;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::world::{World, create, fields, reason, serve, with};

const ID: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10";

on_every_store![
    a_level_that_is_not_reached_is_an_error_and_the_change_is_recorded,
    it_is_waited_for_once_the_level_can_be_reached,
    only_what_restricts_is_held_to_the_level,
    what_is_not_restricted_cannot_be_waited_for,
    what_was_lost_cannot_be_waited_for,
];

async fn a_level_that_is_not_reached_is_an_error_and_the_change_is_recorded(world: World) {
    let demanding = Demanding::of(&world).await;
    world.faults.reaches(Level::Single);
    let key = world.otesse("leaked").await.key.unwrap();
    for (attempt, request_id) in ["", "", ID, ID].into_iter().enumerate() {
        let refused = demanding.revoke(&world, &key, request_id).await.unwrap_err();
        not_guaranteed(&refused, &key.name);
        let get = GetKeyRequest { name: key.name.clone(), read_mask: None };
        let kept = world.keys().get_key(world.ask(get)).await.unwrap().into_inner().key.unwrap();
        assert!(kept.revoke_time.is_some(), "attempt {attempt}");
    }
    let refused = demanding.disable(&world, &key.owner).await.unwrap_err();
    not_guaranteed(&refused, &key.owner);
    let revoke = RevokeKeyRequest { name: key.name, ..Default::default() };
    let guarantee = world.keys().revoke_key(world.ask(revoke)).await.unwrap().into_inner().guarantee.unwrap();
    assert_eq!(guarantee.level(), Told::Single, "the control: where nothing is demanded it is told");
}

async fn it_is_waited_for_once_the_level_can_be_reached(world: World) {
    let demanding = Demanding::of(&world).await;
    world.faults.reaches(Level::Volatile);
    let key = world.otesse("leaked").await.key.unwrap();
    let refused = demanding.revoke(&world, &key, "").await.unwrap_err();
    let position: u64 = not_guaranteed(&refused, &key.name);
    not_guaranteed(&demanding.wait(&world, &key.name, position).await.unwrap_err(), &key.name);
    not_guaranteed(&demanding.disable(&world, &key.owner).await.unwrap_err(), &key.owner);
    world.faults.reaches(Level::Replicated);
    for (name, position) in [(&key.name, position), (&key.name, 0), (&key.owner, 0)] {
        let held = demanding.wait(&world, name, position).await.unwrap();
        let guarantee = held.guarantee.unwrap();
        assert_eq!((guarantee.level(), guarantee.holders_acknowledged), (Told::Replicated, 1), "{name}");
        assert!(held.position > position);
    }
    demanding.revoke(&world, &key, "").await.unwrap();
    let status = demanding.revocation.clone().get_revocation_status(world.ask(GetRevocationStatusRequest {})).await.unwrap().into_inner();
    assert_eq!(status.demanded_level(), Told::Replicated);
}

async fn only_what_restricts_is_held_to_the_level(world: World) {
    let demanding = Demanding::of(&world).await;
    world.faults.reaches(Level::Volatile);
    let name = world.owner("ocus", "acme").await.name;
    let enable = EnableOwnerRequest { name: name.clone(), ..Default::default() };
    demanding.owners.clone().enable_owner(world.ask(enable)).await.unwrap();
    let key = Key { owner: name, ..Key::default() };
    for secret in ["", "a-secret-of-theirs"] {
        let make = CreateKeyRequest { secret: secret.into(), ..create("ocus", key.clone()) };
        demanding.keys.clone().create_key(world.ask(make)).await.unwrap();
    }
}

async fn what_is_not_restricted_cannot_be_waited_for(world: World) {
    let key = world.otesse("working").await.key.unwrap();
    let wait = async |name: &str| wait(world.revocation(), &world, name, 0).await;
    for name in [&key.name, &key.owner] {
        let refused = wait(name).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::FailedPrecondition, "NOT_RESTRICTED".into()));
        let details = refused.get_error_details();
        assert_eq!(details.precondition_failure().unwrap().violations[0].subject, *name);
    }
    for (name, told) in [("realms/otesse/keys/key_1", "KEY_NOT_FOUND"), ("realms/ocus/owners/acme", "OWNER_NOT_FOUND")] {
        assert_eq!(reason(&wait(name).await.unwrap_err()), (Code::NotFound, told.into()));
    }
    for name in ["", "realms/otesse", "realms/otesse/plans/free", "realms/otesse/keys/a/b", "realms/otesse/owners/"] {
        assert_eq!(fields(&wait(name).await.unwrap_err()), ["name"], "{name}");
    }
    let revoker = world.token("revokers", &["revoker"]).await;
    let name = revoker.key.unwrap().name;
    let request = with(&revoker.secret, WaitRevocationRequest { name, position: 0 });
    assert_eq!(reason(&world.revocation().wait_revocation(request).await.unwrap_err()).1, "ADMIN_ONLY");
    let revoke = RevokeKeyRequest { name: key.name.clone(), ..Default::default() };
    world.keys().revoke_key(world.ask(revoke)).await.unwrap();
    let again = wait(&key.name).await.unwrap();
    assert_eq!(again.guarantee.unwrap().holders_acknowledged, 1, "the control");
}

async fn what_was_lost_cannot_be_waited_for(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let revoke = RevokeKeyRequest { name: key.name.clone(), ..Default::default() };
    let position = world.keys().revoke_key(world.ask(revoke)).await.unwrap().into_inner().position;
    let beyond = wait(world.revocation(), &world, &key.name, position + 1000).await.unwrap_err();
    assert_eq!(reason(&beyond), (Code::FailedPrecondition, "NOT_RESTRICTED".into()), "no log that has this position is the store's");
    wait(world.revocation(), &world, &key.name, position).await.unwrap();
}

/// The services of a server that demands the level `replicated`.
struct Demanding {
    keys: KeyServiceClient<Channel>,
    owners: OwnerServiceClient<Channel>,
    revocation: RevocationServiceClient<Channel>,
}

impl Demanding {
    async fn of(world: &World) -> Self {
        let channel = serve(&world.demanding(Level::Replicated), &world.gate).await;
        let (keys, owners) = (KeyServiceClient::new(channel.clone()), OwnerServiceClient::new(channel.clone()));
        Self { keys, owners, revocation: RevocationServiceClient::new(channel) }
    }

    async fn revoke(&self, world: &World, key: &Key, request_id: &str) -> Result<(), Status> {
        let request = RevokeKeyRequest { name: key.name.clone(), request_id: request_id.into(), ..Default::default() };
        self.keys.clone().revoke_key(world.ask(request)).await.map(drop)
    }

    async fn disable(&self, world: &World, name: &str) -> Result<(), Status> {
        let request = DisableOwnerRequest { name: name.into(), ..Default::default() };
        self.owners.clone().disable_owner(world.ask(request)).await.map(drop)
    }

    async fn wait(&self, world: &World, name: &str, position: u64) -> Result<WaitRevocationResponse, Status> {
        wait(self.revocation.clone(), world, name, position).await
    }
}

async fn wait(
    mut revocation: RevocationServiceClient<Channel>,
    world: &World,
    name: &str,
    position: u64,
) -> Result<WaitRevocationResponse, Status> {
    let request = WaitRevocationRequest { name: name.into(), position };
    revocation.wait_revocation(world.ask(request)).await.map(tonic::Response::into_inner)
}

/// The position that the error tells.
fn not_guaranteed(refused: &Status, name: &str) -> u64 {
    assert_eq!(reason(refused), (Code::Unavailable, "NOT_GUARANTEED".into()));
    let details = refused.get_error_details();
    let about = &details.error_info().unwrap().metadata;
    assert_eq!((about["name"].as_str(), about["demanded_level"].as_str()), (name, "replicated"));
    assert!(["single", "volatile"].contains(&about["level"].as_str()) && details.retry_info().is_some());
    about["position"].parse().unwrap()
}
