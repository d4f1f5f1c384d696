//! Roles and tokens beside the matrix: several roles at once, keys that are no tokens, and a store that is away.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use keyward::grpc::admin_auth::Authenticated;
use keyward::keyring::Keyring;
use keyward::proto::keyward::admin::v1::{DisableOwnerRequest, EnableOwnerRequest, Key, RevokeKeyRequest};
use keyward::store::redis::{RedisStore, Settings};
use prost_types::Timestamp;
use tonic::body::Body;
use tonic::codegen::{Service as _, http};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::matrix::rpcs;
use super::world::{World, create, otesse, peppers, reason, serve, with};

/// What an empty message is answered by every method that is reached: it lacks something, or, where nothing has to be said, the method is
/// done, or has nothing to do.
fn reached(rpc: &str) -> (Code, &'static str) {
    match rpc {
        "RevocationService/GetRevocationStatus"
        | "PepperService/GetPepperStatus"
        | "AuditService/ListAudit"
        | "AuditService/VerifyAudit" => (Code::Ok, ""),
        "RevocationService/Resume" => (Code::FailedPrecondition, "NOT_ROLLED_BACK"),
        _ => (Code::InvalidArgument, "INVALID"),
    }
}

on_every_store![
    a_token_with_two_roles_may_do_what_either_may,
    only_an_admin_changes_what_is_in_the_realm_of_the_admin_tokens,
    a_key_of_another_realm_is_no_admin_token,
    an_rpc_without_a_row_is_refused,
];

async fn a_token_with_two_roles_may_do_what_either_may(world: World) {
    let token = world.token("both", &["viewer", "revoker"]).await.secret;
    let codes = ["KeyService/GetKey", "KeyService/RevokeKey", "KeyService/CreateKey"].map(|rpc| (rpc, bearer(&token)));
    let mut answers = Vec::new();
    for (rpc, token) in codes {
        answers.push(call(&world, rpc, &token).await.unwrap_err().code());
    }
    assert_eq!(answers, [Code::InvalidArgument, Code::InvalidArgument, Code::PermissionDenied]);
}

async fn only_an_admin_changes_what_is_in_the_realm_of_the_admin_tokens(world: World) {
    let issuer = world.token("issuers", &["issuer", "revoker", "viewer"]).await;
    let expire_time = issuer.key.as_ref().unwrap().expire_time.map(|at| Timestamp { seconds: at.seconds - 60, ..at });
    let owner = "realms/keyward/owners/issuers".to_owned();
    let key = Key { owner: owner.clone(), scopes: vec!["admin".into()], expire_time, ..Key::default() };
    let name = issuer.key.unwrap().name;
    let (mut keys, mut owners, token) = (world.keys(), world.owners(), issuer.secret.as_str());
    let refused = [
        keys.create_key(with(token, create("keyward", key.clone()))).await.unwrap_err(),
        keys.revoke_key(with(token, RevokeKeyRequest { name: name.clone(), ..Default::default() })).await.unwrap_err(),
        owners.disable_owner(with(token, DisableOwnerRequest { name: owner.clone(), ..Default::default() })).await.unwrap_err(),
    ];
    assert!(refused.iter().all(|status| reason(status) == (Code::PermissionDenied, "ADMIN_ONLY".into())), "{refused:?}");
    world.owner("otesse", "acme").await;
    keys.create_key(with(token, otesse("the control"))).await.unwrap();
    keys.create_key(world.ask(create("keyward", key))).await.unwrap();
    owners.enable_owner(world.ask(EnableOwnerRequest { name: owner, ..Default::default() })).await.unwrap();
    keys.revoke_key(world.ask(RevokeKeyRequest { name, ..Default::default() })).await.unwrap();
}

async fn a_key_of_another_realm_is_no_admin_token(world: World) {
    let key = world.otesse("customer").await.secret;
    assert_eq!(call(&world, "KeyService/ListKeys", &bearer(&key)).await.unwrap_err().code(), Code::Unauthenticated);
    world.owner("ocus", "acme").await;
    let shaped = world.token("shaped", &["admin"]).await;
    let revoke = RevokeKeyRequest { name: shaped.key.unwrap().name, ..Default::default() };
    world.keys().revoke_key(world.ask(revoke)).await.unwrap();
    let same = create("ocus", Key { owner: "realms/ocus/owners/acme".into(), ..Key::default() });
    world.try_create(keyward::proto::keyward::admin::v1::CreateKeyRequest { secret: shaped.secret.clone(), ..same }).await.unwrap();
    let status = call(&world, "KeyService/ListKeys", &bearer(&shaped.secret)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "the same secret, alive in another realm");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_store_nobody_is_let_in_and_everybody_is_told_to_come_again() {
    let world = World::redis().await;
    let soon = Duration::from_millis(20);
    let away =
        RedisStore::connect(&Settings { connect_timeout: soon, timeout: soon, ..Settings::at("unix:///nowhere/redis.sock") }).unwrap();
    let keyring = Keyring::new(Arc::new(away), world.realms.clone(), peppers(&["1"]), None, world.guard.clone());
    let channel = serve(&Arc::new(keyring), &world.gate).await;
    for rpc in rpcs() {
        let control = call(&world, rpc, &bearer(&world.admin)).await;
        assert_eq!(told(&control).0, reached(rpc).0, "the control");
        let status = call_at(channel.clone(), rpc, &bearer(&world.admin)).await.unwrap_err();
        assert_eq!(reason(&status), (Code::Unavailable, "STORE_AWAY".into()), "{rpc}");
        assert!(status.get_details_retry_info().is_some());
        assert_eq!(status.message(), "the store is away: repeat it in a moment", "and where it was is not told");
    }
}

/// Behind the table stands a service here that answers whatever reaches it.
async fn an_rpc_without_a_row_is_refused(world: World) {
    let answers_all = tower::service_fn(|_: http::Request<Body>| async { Ok::<_, Infallible>(http::Response::new(Body::empty())) });
    let mut behind = Authenticated::new(answers_all, world.keyring.clone());
    for (rpc, reached) in [("KeyService/ListKeys", true), ("KeyService/PurgeKeys", false), ("OwnerService/ListKeys", false), ("", false)] {
        let request = http::Request::builder().uri(format!("/keyward.admin.v1.{rpc}"));
        let request = request.header("authorization", format!("Bearer {}", world.admin)).body(Body::empty()).unwrap();
        let response = behind.call(request).await.unwrap();
        let status = Status::from_header_map(response.headers()).map(|status| status.code());
        assert_eq!(status, (!reached).then_some(Code::Unimplemented), "{rpc}");
    }
}

/// Code and reason of an answer.
fn told(answer: &Result<(), Status>) -> (Code, String) {
    answer.as_ref().map_or_else(reason, |()| (Code::Ok, String::new()))
}

/// Calls with an empty message.
async fn call(world: &World, rpc: &str, authorization: &[MetadataValue<Ascii>]) -> Result<(), Status> {
    call_at(world.channel(), rpc, authorization).await
}

async fn call_at(channel: Channel, rpc: &str, authorization: &[MetadataValue<Ascii>]) -> Result<(), Status> {
    let mut request = Request::new(());
    for value in authorization {
        request.metadata_mut().append("authorization", value.clone());
    }
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = format!("/keyward.admin.v1.{rpc}").parse().unwrap();
    client.unary(request, path, tonic_prost::ProstCodec::<(), ()>::default()).await.map(|_| ())
}

fn bearer(token: &str) -> Vec<MetadataValue<Ascii>> {
    vec![format!("Bearer {token}").parse().unwrap()]
}
