//! A newer pepper beside an older one: what was made under the older is still known, and is not made twice.

use std::collections::BTreeMap;

use keyward::domain::address::AddressList;
use keyward::domain::key::Secret;
use keyward::domain::name::{OwnerId, RealmId};
use keyward::keyring::{KeyDraft, Keyring, KeyringError, NewKey, Once, Sight};
use keyward::proto::keyward::admin::v1::{CreateKeyRequest, Key};
use keyward::store::StoreError;

use super::world::{World, create, peppers, visitor};

const OLD: &str = "a-secret-of-old-times";

on_every_store![
    a_token_made_under_an_older_pepper_is_good_while_that_pepper_is_there,
    a_secret_that_is_known_under_an_older_pepper_is_not_taken_again,
    a_repetition_is_one_whichever_pepper_is_in_use_by_then,
];

async fn a_token_made_under_an_older_pepper_is_good_while_that_pepper_is_there(world: World) {
    keyring(&world, &["2", "1"]).caller(&visitor(&world.admin), Sight::Leased).await.unwrap();
    let without = keyring(&world, &["2"]).caller(&visitor(&world.admin), Sight::Leased).await;
    assert_eq!(without, Err(KeyringError::TokenRefused), "the control");
}

async fn a_secret_that_is_known_under_an_older_pepper_is_not_taken_again(world: World) {
    world.owner("ocus", "acme").await;
    let key = Key { owner: "realms/ocus/owners/acme".into(), ..Key::default() };
    world.try_create(CreateKeyRequest { secret: OLD.into(), ..create("ocus", key) }).await.unwrap();
    let rotated = keyring(&world, &["2", "1"]);
    let caller = rotated.caller(&visitor(&world.admin), Sight::Leased).await.unwrap();
    let again = rotated.create_key(&caller, &given()).await.unwrap_err();
    assert_eq!(again, KeyringError::SecretTaken(RealmId::parse("ocus").unwrap()));
    keyring(&world, &["2"]).create_key(&caller, &given()).await.unwrap();
}

/// Before, its request id was said to be of another request.
async fn a_repetition_is_one_whichever_pepper_is_in_use_by_then(world: World) {
    world.owner("ocus", "acme").await;
    let caller = keyring(&world, &["1"]).caller(&visitor(&world.admin), Sight::Leased).await.unwrap();
    let once = || Some(Once { id: "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10".into(), content: [7; 32] });
    let first = keyring(&world, &["1"]).create_key(&caller, &NewKey { once: once(), ..given() }).await.unwrap();
    for versions in [&["2", "1"][..], &["3", "2", "1"], &["1", "2"]] {
        let again = keyring(&world, versions).create_key(&caller, &NewKey { once: once(), ..given() }).await.unwrap();
        assert!(again.replayed && again.record == first.record, "{versions:?}");
    }
    let other = NewKey { once: once(), secret: Some(Secret::new("another-secret-of-old-times".into())), ..given() };
    let refused = async |versions: &[&str], new: &NewKey| keyring(&world, versions).create_key(&caller, new).await.unwrap_err();
    let reused = KeyringError::from(StoreError::RequestIdReused);
    assert_eq!(refused(&["2", "1"], &other).await, reused, "the control: with another secret it is another request");
    assert_eq!(refused(&["2"], &NewKey { once: once(), ..given() }).await, reused, "and nobody can tell without the pepper of then");
}

fn keyring(world: &World, versions: &[&str]) -> Keyring {
    Keyring::new(world.store.clone(), world.realms.clone(), peppers(versions), None, world.guard.clone())
}

fn given() -> NewKey {
    let key = KeyDraft {
        owner: OwnerId::parse("acme").unwrap(),
        label: String::new(),
        environment: None,
        kind: None,
        plan: None,
        limits: Vec::new(),
        tenant: None,
        scopes: Vec::new(),
        addresses: AddressList::default(),
        expires: None,
        binding: None,
        metadata: BTreeMap::new(),
    };
    NewKey { realm: RealmId::parse("ocus").unwrap(), key, secret: Some(Secret::new(OLD.into())), once: None }
}
