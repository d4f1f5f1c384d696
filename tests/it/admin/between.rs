//! Somebody else changes a key between a call's look at it and its commit.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use keyward::keyring::Keyring;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::{
    CreateKeyResponse, EnableKeyRequest, GetKeyRequest, Key, ReportLeakRequest, RevokeKeyRequest, RotateKeyRequest, UpdateKeyRequest,
};
use keyward::store::{Commit, Committed, Line, Round, SharedStore, Store, StoreError, audit};
use prost_types::FieldMask;
use tonic::Request;
use tonic::transport::Channel;

use super::world::{World, peppers, reason, serve};

const ID: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10";

on_every_store![
    a_rotation_that_a_revocation_overtook_is_refused_and_no_entry_tells_of_it,
    a_rotation_that_another_overtook_makes_no_ninth_secret,
    an_enabling_that_a_leak_overtook_is_refused_and_no_entry_tells_of_it,
    what_was_overtaken_by_nothing_that_stands_in_its_way_is_done,
];

async fn a_rotation_that_a_revocation_overtook_is_refused_and_no_entry_tells_of_it(world: World) {
    for id in ["", ID] {
        let made = world.otesse("Zapier").await;
        let (mut keys, revoke) = (world.keys(), world.ask(RevokeKeyRequest { name: name(&made), ..Default::default() }));
        let mut overtaken = overtaken(&world, async move { drop(keys.revoke_key(revoke).await.unwrap()) }).await;
        let refused = overtaken.rotate_key(world.ask(rotate(&made, id))).await.map(drop).unwrap_err();
        assert_eq!(reason(&refused).1, "KEY_REVOKED", "{id:?}");
        assert_eq!(told(&world, &made).await, ["CreateKey", "RevokeKey"], "{id:?}");
    }
}

async fn a_rotation_that_another_overtook_makes_no_ninth_secret(world: World) {
    let made = world.otesse("Zapier").await;
    for _ in 2..8 {
        world.keys().rotate_key(world.ask(rotate(&made, ""))).await.unwrap();
    }
    let (mut keys, eighth) = (world.keys(), world.ask(rotate(&made, "")));
    let mut overtaken = overtaken(&world, async move { drop(keys.rotate_key(eighth).await.unwrap()) }).await;
    let refused = overtaken.rotate_key(world.ask(rotate(&made, ID))).await.map(drop).unwrap_err();
    assert_eq!(reason(&refused).1, "TOO_MANY_SECRETS");
    assert_eq!(get(&world, &made).await.secrets.len(), 8);
}

async fn an_enabling_that_a_leak_overtook_is_refused_and_no_entry_tells_of_it(world: World) {
    let made = world.otesse("Zapier").await;
    world.keys().revoke_key(world.ask(RevokeKeyRequest { name: name(&made), ..Default::default() })).await.unwrap();
    let (mut leak, report) = (world.leak(), ReportLeakRequest { secret: made.secret.clone(), parent: String::new() });
    let mut overtaken = overtaken(&world, async move { drop(leak.report_leak(Request::new(report)).await.unwrap()) }).await;
    let enable = EnableKeyRequest { name: name(&made), request_id: ID.into(), ..Default::default() };
    let refused = overtaken.enable_key(world.ask(enable)).await.map(drop).unwrap_err();
    assert_eq!(reason(&refused).1, "KEY_LEAKED");
    assert_eq!(told(&world, &made).await, ["CreateKey", "RevokeKey", "ReportLeak"]);
}

/// The control of those above: it is not for being overtaken that they are refused.
async fn what_was_overtaken_by_nothing_that_stands_in_its_way_is_done(world: World) {
    let made = world.otesse("Zapier").await;
    let rename = |label: &str| UpdateKeyRequest {
        key: Some(Key { name: name(&made), label: label.into(), ..Key::default() }),
        update_mask: Some(FieldMask { paths: vec!["label".into()] }),
        request_id: String::new(),
    };
    let (mut keys, update) = (world.keys(), world.ask(rename("one")));
    let mut rotating = overtaken(&world, async move { drop(keys.update_key(update).await.unwrap()) }).await;
    let rotated = rotating.rotate_key(world.ask(rotate(&made, ID))).await.unwrap().into_inner();
    assert!(!rotated.secret.is_empty() && rotated.guarantee.is_some());
    world.keys().revoke_key(world.ask(RevokeKeyRequest { name: name(&made), ..Default::default() })).await.unwrap();
    let (mut keys, update) = (world.keys(), world.ask(rename("two")));
    let mut enabling = overtaken(&world, async move { drop(keys.update_key(update).await.unwrap()) }).await;
    enabling.enable_key(world.ask(EnableKeyRequest { name: name(&made), ..Default::default() })).await.unwrap();
    let key = get(&world, &made).await;
    assert_eq!((key.label.as_str(), key.secrets.len(), key.revoke_time), ("two", 2, None));
    assert_eq!(told(&world, &made).await, ["CreateKey", "UpdateKey", "RotateKey", "RevokeKey", "UpdateKey", "EnableKey"]);
}

fn name(made: &CreateKeyResponse) -> String {
    made.key.as_ref().unwrap().name.clone()
}

fn rotate(made: &CreateKeyResponse, request_id: &str) -> RotateKeyRequest {
    let grace = Some(prost_types::Duration::try_from(Duration::from_hours(1)).unwrap());
    RotateKeyRequest { name: name(made), grace, request_id: request_id.into(), ..Default::default() }
}

async fn get(world: &World, made: &CreateKeyResponse) -> Key {
    let request = GetKeyRequest { name: name(made), read_mask: None };
    world.keys().get_key(world.ask(request)).await.unwrap().into_inner().key.unwrap()
}

/// What the audit log tells that was done to a key.
async fn told(world: &World, made: &CreateKeyResponse) -> Vec<String> {
    let entries = world.store.audit(0, 1_000).await.unwrap();
    let entries = entries.iter().map(|sealed| audit::entry(sealed).unwrap());
    entries.filter(|entry| entry.refused.is_empty() && entry.subjects == [name(made)]).map(|entry| entry.action).collect()
}

/// The world's keys, before whose first commit something else is done.
async fn overtaken(world: &World, first: impl Future<Output = ()> + Send + 'static) -> KeyServiceClient<Channel> {
    let store = Arc::new(Between { store: world.store.clone(), first: Mutex::new(Some(Box::pin(first))) });
    let keyring = Keyring::new(store, world.realms.clone(), peppers(&["1"]), None, world.guard.clone());
    KeyServiceClient::new(serve(&Arc::new(keyring), &world.gate).await)
}

struct Between {
    store: SharedStore,
    first: Mutex<Option<BoxFuture<'static, ()>>>,
}

#[async_trait]
impl Round for Between {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        let first = self.first.lock().unwrap().take();
        if let Some(first) = first {
            first.await;
        }
        self.store.commit_in_line(commit, line).await
    }
}
