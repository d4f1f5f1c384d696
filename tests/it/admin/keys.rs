//! Keys are made, read and revoked.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward::domain::address::AddressList;
use keyward::domain::name::{OwnerId, RealmId, Word};
use keyward::keyring::{KeyDraft, Keyring, KeyringError, NewKey, NoRandomness, Sight};
use keyward::proto::keyward::admin::v1::{CreateKeyRequest, DisableOwnerRequest, GetKeyRequest, Key, ListKeysRequest, RevokeKeyRequest};
use tonic::Code;
use tonic_types::{ResourceInfo, StatusExt as _};

use super::world::{World, create, otesse, peppers, reason, visitor};

on_every_store![
    a_secret_is_shown_when_it_is_minted_and_never_again,
    environment_and_kind_choose_the_format,
    a_given_secret_is_taken_verbatim_and_says_environment_and_kind_itself,
    a_secret_that_a_key_of_the_realm_has_is_refused,
    a_key_needs_an_owner_which_may_be_disabled,
    ids_are_in_the_order_of_their_making,
    revoking_ends_a_key_once_and_for_ever,
    an_unknown_key_and_another_realms_look_the_same,
    nothing_is_made_without_randomness,
];

async fn a_secret_is_shown_when_it_is_minted_and_never_again(world: World) {
    let made = world.otesse("Zapier").await;
    let (key, secret) = (made.key.unwrap(), made.secret);
    assert!(secret.starts_with("otesse_live_sk_") && secret.len() == 55 && !made.replayed);
    let [kept] = &key.secrets[..] else { panic!("{key:?}") };
    assert_eq!((kept.prefix.as_str(), kept.last_four.as_str()), ("otesse_live_sk_", &secret[51..]));
    let got = world.keys().get_key(world.ask(GetKeyRequest { name: key.name.clone(), read_mask: None })).await.unwrap();
    let listed = world.keys().list_keys(world.ask(ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() })).await.unwrap();
    assert_eq!(got.get_ref().key.as_ref(), Some(&key));
    assert_eq!(listed.get_ref().keys[..], [key.clone()][..]);
    let body = &secret["otesse_live_sk_".len()..];
    assert!(!format!("{key:?} {got:?} {listed:?}").contains(body));
    let stored = world
        .store
        .find(&RealmId::parse("otesse").unwrap(), &peppers(&["1"]).digests(&RealmId::parse("otesse").unwrap(), secret.as_bytes()))
        .await
        .unwrap();
    assert!(key.name.ends_with(stored.holder.unwrap().record.id.as_str()), "the secret that was shown is the key's");
}

async fn environment_and_kind_choose_the_format(world: World) {
    world.owner("azotte", "acme").await;
    for (environment, kind, prefix) in [
        ("development", "publishable", "pk_dev_"),
        ("development", "secret", "sk_dev_"),
        ("live", "publishable", "pk_live_"),
        ("live", "secret", "sk_live_"),
    ] {
        let made = world.try_create(azotte(environment, kind)).await.unwrap();
        let key = made.key.unwrap();
        assert!(made.secret.starts_with(prefix), "{prefix}");
        assert_eq!((key.environment.as_str(), key.kind.as_str(), key.tenant.as_str()), (environment, kind, "tenant_abc123"));
    }
}

async fn a_given_secret_is_taken_verbatim_and_says_environment_and_kind_itself(world: World) {
    world.owner("azotte", "acme").await;
    let made = world.try_create(given(azotte("", ""), "sk_dev_1234567890abcdef")).await.unwrap();
    let key = made.key.unwrap();
    assert_eq!(made.secret, "", "the caller has it already");
    assert_eq!((key.environment.as_str(), key.kind.as_str()), ("development", "secret"));
    assert_eq!((key.secrets[0].prefix.as_str(), key.secrets[0].last_four.as_str()), ("sk_dev_", "cdef"));
    let realm = RealmId::parse("azotte").unwrap();
    let found = world.store.find(&realm, &peppers(&["1"]).digests(&realm, b"sk_dev_1234567890abcdef")).await.unwrap();
    assert!(found.holder.is_some());
}

async fn a_secret_that_a_key_of_the_realm_has_is_refused(world: World) {
    world.owner("azotte", "acme").await;
    world.owner("ocus", "acme").await;
    world.try_create(given(azotte("", ""), "sk_dev_1234567890abcdef")).await.unwrap();
    let refused = world.try_create(given(azotte("", ""), "sk_dev_1234567890abcdef")).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::AlreadyExists, "SECRET_TAKEN".into()));
    assert!(!format!("{refused:?}").contains("1234567890"));
    let elsewhere = Key { owner: "realms/ocus/owners/acme".into(), ..Key::default() };
    world.try_create(given(create("ocus", elsewhere), "sk_dev_1234567890abcdef")).await.unwrap();
}

async fn a_key_needs_an_owner_which_may_be_disabled(world: World) {
    let refused = world.try_create(otesse("orphan")).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "OWNER_MISSING".into()));
    let details = refused.get_error_details();
    assert_eq!(details.precondition_failure().unwrap().violations[0].subject, "realms/otesse/owners/acme");
    assert_eq!(details.error_info().unwrap().metadata["owner"], "acme");
    let owner = world.owner("otesse", "acme").await;
    let disable = DisableOwnerRequest { name: owner.name, ..Default::default() };
    world.owners().disable_owner(world.ask(disable)).await.unwrap();
    world.try_create(otesse("prepared")).await.unwrap();
}

async fn ids_are_in_the_order_of_their_making(world: World) {
    let mut names = Vec::new();
    for label in ["first", "second", "third"] {
        names.push(world.otesse(label).await.key.unwrap().name);
        world.time.pass(Duration::from_millis(1));
    }
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    let id = names[0].strip_prefix("realms/otesse/keys/key_").unwrap();
    assert!(id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'v').contains(&byte)), "{id}");
}

async fn revoking_ends_a_key_once_and_for_ever(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let revoke = || RevokeKeyRequest { name: key.name.clone(), ..Default::default() };
    let first = world.keys().revoke_key(world.ask(revoke())).await.unwrap().into_inner();
    let revoked = first.key.unwrap();
    assert!(first.position > 0 && revoked.revoke_time.is_some() && revoked.etag != key.etag);
    world.time.pass(Duration::from_secs(5));
    let again = world.keys().revoke_key(world.ask(revoke())).await.unwrap().into_inner();
    assert_eq!((again.key.unwrap(), again.position), (revoked, 0));
}

async fn an_unknown_key_and_another_realms_look_the_same(world: World) {
    let other = world.otesse("elsewhere").await.key.unwrap().name;
    let id = other.rsplit('/').next().unwrap();
    let unknown = format!("{}{}", &id[..id.len() - 1], if id.ends_with('0') { '1' } else { '0' });
    let mut answers = Vec::new();
    for id in [id, &unknown] {
        let name = format!("realms/ocus/keys/{id}");
        let get = world.keys().get_key(world.ask(GetKeyRequest { name: name.clone(), read_mask: None })).await.unwrap_err();
        let revoke = world.keys().revoke_key(world.ask(RevokeKeyRequest { name, ..Default::default() })).await.unwrap_err();
        assert_eq!((reason(&get), reason(&revoke)), ((Code::NotFound, "KEY_NOT_FOUND".into()), (Code::NotFound, "KEY_NOT_FOUND".into())));
        answers.push(format!("{:?} {:?}", told(&get), told(&revoke)).replace(id, "ID"));
    }
    assert_eq!(answers[0], answers[1]);
}

/// All that a refusal tells, in an order of its own.
fn told(status: &tonic::Status) -> (String, BTreeMap<String, String>, Option<ResourceInfo>) {
    let details = status.get_error_details();
    let about = details.error_info().unwrap().metadata.clone();
    (status.message().to_owned(), about.into_iter().collect(), details.resource_info().cloned())
}

async fn nothing_is_made_without_randomness(world: World) {
    world.owner("otesse", "acme").await;
    let none = |_: &mut [u8]| Err(NoRandomness("none today".into()));
    let guard = world.guard.clone();
    let keyring = Keyring::new(world.store.clone(), world.realms.clone(), peppers(&["1"]), None, guard).with_randomness(none);
    let caller = keyring.caller(&visitor(&world.admin), Sight::Leased).await.unwrap();
    let new = NewKey { realm: RealmId::parse("otesse").unwrap(), key: draft(), secret: None, once: None };
    assert!(matches!(keyring.create_key(&caller, &new).await, Err(KeyringError::Randomness(_))));
    let listed = world.keys().list_keys(world.ask(ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() })).await.unwrap();
    assert_eq!(listed.get_ref().keys, []);
}

fn draft() -> KeyDraft {
    KeyDraft {
        owner: OwnerId::parse("acme").unwrap(),
        label: String::new(),
        environment: Some(Word::parse("live").unwrap()),
        kind: None,
        plan: None,
        limits: Vec::new(),
        tenant: None,
        scopes: Vec::new(),
        addresses: AddressList::default(),
        expires: None,
        binding: None,
        metadata: BTreeMap::new(),
    }
}

fn azotte(environment: &str, kind: &str) -> CreateKeyRequest {
    let key = Key {
        owner: "realms/azotte/owners/acme".into(),
        tenant: "tenant_abc123".into(),
        environment: environment.into(),
        kind: kind.into(),
        ..Key::default()
    };
    create("azotte", key)
}

fn given(request: CreateKeyRequest, secret: &str) -> CreateKeyRequest {
    CreateKeyRequest { secret: secret.into(), ..request }
}
