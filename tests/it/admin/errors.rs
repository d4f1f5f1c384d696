//! What an error carries beside its sentence (AIP-193, google.rpc): a reason always, and whatever a program needs to go on.

use std::time::Duration;

use bytes::Bytes;
use keyward::domain::name::{KeyId, OwnerId, RealmId, Word};
use keyward::domain::record::Binding;
use keyward::keyring::{KeyringError, NoRandomness, Wrong};
use keyward::proto::keyward::admin::v1::CreateOwnerRequest;
use keyward::revocation::Level;
use keyward::store::StoreError;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::world::{World, reason, with};
use crate::support::raw_codec::RawCodec;

on_every_store![what_is_no_message_or_no_rpc_is_refused_with_a_reason_too];

/// One of each.
fn all() -> Vec<KeyringError> {
    let (realm, owner, key) = (RealmId::parse("otesse").unwrap(), OwnerId::parse("acme").unwrap(), KeyId::parse("key_1").unwrap());
    let binding = Binding { realm: realm.clone(), owner: None };
    let (reached, demanded) = (Level::Volatile, Level::Replicated);
    vec![
        KeyringError::Invalid(vec![Wrong::new("key.scopes[1]", "must be a scope"), Wrong::new("key.plan", "must be a plan")]),
        KeyringError::TokenRefused,
        KeyringError::RoleMissing("admin"),
        KeyringError::AdminOnly,
        KeyringError::Bound { binding, what: "making owners" },
        KeyringError::NoRealm(realm.clone().into()),
        KeyringError::NoKey(realm.clone(), key.clone().into()),
        KeyringError::NoOwner(realm.clone(), owner.clone().into()),
        KeyringError::OwnerMissing(realm.clone(), owner.clone().into()),
        KeyringError::OwnerExists(realm.clone(), owner),
        KeyringError::KeyRevoked(realm.clone(), key.clone()),
        KeyringError::KeyExpired(realm.clone(), key.clone()),
        KeyringError::KeyLeaked(realm.clone(), key),
        KeyringError::TooManySecrets(8),
        KeyringError::NoSuchSecret,
        KeyringError::Publishable,
        KeyringError::Throttled { what: "secrets", retry_in: Duration::from_secs(5) },
        KeyringError::TooManyOwnReaders(4),
        KeyringError::TooManyReaders(16),
        KeyringError::SecretTaken(realm),
        KeyringError::EtagOld,
        KeyringError::ImportConflict { row: 7, wrong: Wrong::new("id", "is that of another key") },
        KeyringError::Busy,
        KeyringError::RequestIdReused,
        KeyringError::NotGuaranteed { rpc: "RevokeKey", name: "realms/otesse/keys/key_1".into(), position: 7, reached, demanded },
        KeyringError::NotRestricted("realms/otesse/keys/key_1".into()),
        KeyringError::NoLease,
        KeyringError::RolledBack,
        KeyringError::NotRolledBack,
        KeyringError::BootstrapOff,
        KeyringError::BootstrapRefused,
        KeyringError::BootstrapDone,
        KeyringError::PepperHoldsKeys { version: Word::parse("1").unwrap(), keys: 3, first: "realms/otesse/keys/key_1".into() },
        KeyringError::Store(StoreError::PepperInUse(Word::parse("1").unwrap())),
        KeyringError::Randomness(NoRandomness("none".into())),
        KeyringError::Name(OwnerId::parse("").unwrap_err()),
        KeyringError::Store(StoreError::Unavailable("redis://user:hush@host".into())),
        KeyringError::Store(StoreError::Corrupt("a record".into())),
    ]
}

/// What each must carry. A new variant does not compile until it stands here, and then it must be in [`all`].
fn expected(error: &KeyringError) -> (Code, &'static str) {
    use KeyringError as E;
    match error {
        E::Invalid(_) | E::RequestIdReused => (Code::InvalidArgument, "bad_request"),
        E::TokenRefused | E::BootstrapRefused => (Code::Unauthenticated, ""),
        E::RoleMissing(_) | E::AdminOnly | E::Bound { .. } => (Code::PermissionDenied, ""),
        E::NoRealm(_) | E::NoKey(..) | E::NoOwner(..) => (Code::NotFound, "resource_info"),
        E::OwnerExists(..) => (Code::AlreadyExists, "resource_info"),
        E::SecretTaken(_) | E::ImportConflict { .. } => (Code::AlreadyExists, ""),
        // has the reason of what cut it, and so does not stand in [`all`]
        E::ImportCut { why, .. } => expected(why),
        E::NoSuchSecret => (Code::NotFound, ""),
        E::Throttled { .. } | E::TooManyOwnReaders(_) | E::TooManyReaders(_) => (Code::ResourceExhausted, "retry_info"),
        E::KeyRevoked(..)
        | E::KeyExpired(..)
        | E::KeyLeaked(..)
        | E::TooManySecrets(_)
        | E::Publishable
        | E::OwnerMissing(..)
        | E::NotRestricted(_)
        | E::NotRolledBack
        | E::BootstrapOff
        | E::BootstrapDone
        | E::PepperHoldsKeys { .. }
        | E::Store(StoreError::PepperInUse(_)) => (Code::FailedPrecondition, "precondition_failure"),
        // to repeat it as it is would be as wrong again
        E::EtagOld => (Code::Aborted, ""),
        E::Busy => (Code::Aborted, "retry_info"),
        E::NotGuaranteed { .. } | E::NoLease | E::RolledBack | E::Store(StoreError::Unavailable(_)) => (Code::Unavailable, "retry_info"),
        E::Store(_) | E::Name(_) | E::Randomness(_) => (Code::Internal, ""),
    }
}

#[test]
fn every_error_says_its_reason_and_carries_what_a_program_needs() {
    let mut reasons = Vec::new();
    for error in all() {
        let (code, carries) = expected(&error);
        let status = Status::from(error.clone());
        let (told, reason) = reason(&status);
        assert_eq!(told, code, "{error:?}");
        let fits = !reason.is_empty() && reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        assert!(fits, "a reason is written in capitals: {reason}");
        let details = status.get_error_details();
        let carried = [
            ("bad_request", details.bad_request().is_some_and(|bad| bad.field_violations.iter().all(|wrong| !wrong.field.is_empty()))),
            ("precondition_failure", details.precondition_failure().is_some_and(|failure| !failure.violations[0].subject.is_empty())),
            ("retry_info", details.retry_info().is_some_and(|retry| retry.retry_delay.is_some())),
            ("resource_info", details.resource_info().is_some_and(|resource| resource.resource_name.starts_with("realms/"))),
        ];
        for (kind, is_carried) in carried {
            assert_eq!(is_carried, kind == carries, "{kind}: {error:?}");
        }
        reasons.push(reason);
    }
    let internal = reasons.iter().filter(|reason| *reason == "INTERNAL").count();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons.len(), all().len() + 1 - internal, "a reason is one error's, but what is the server's own affair has one for all");
}

#[test]
fn every_error_says_what_to_do_next_and_nothing_of_the_servers_own() {
    let unknown = KeyringError::Store(StoreError::NoPepper(Word::parse("9").unwrap()));
    for error in all().into_iter().chain([unknown]) {
        let status = Status::from(error.clone());
        let (what, next) = status.message().split_once(": ").unwrap_or_default();
        assert!(what.len() > 3 && next.len() > 6, "what is wrong, and after a colon what to do: {:?}", status.message());
        let whole = format!("{} {:?}", status.message(), String::from_utf8_lossy(status.details()));
        assert!(!whole.contains("hush") && !whole.contains("a record"), "{whole}");
    }
}

/// What the codec and the router refuse is told as everything else is.
async fn what_is_no_message_or_no_rpc_is_refused_with_a_reason_too(world: World) {
    let call = async |rpc: &str, message: Vec<u8>| {
        let mut client = tonic::client::Grpc::new(world.channel());
        client.ready().await.unwrap();
        let path = format!("/keyward.admin.v1.{rpc}").parse().unwrap();
        client.unary(with(&world.admin, Bytes::from(message)), path, RawCodec).await.unwrap_err()
    };
    let request = CreateOwnerRequest { parent: "realms/otesse".into(), owner_id: "x".repeat(5 << 20), ..Default::default() };
    for (rpc, message, expected) in [
        ("OwnerService/CreateOwner", b"no message of any kind".to_vec(), (Code::InvalidArgument, "MESSAGE_MALFORMED")),
        ("OwnerService/CreateOwner", request.encode_to_vec(), (Code::InvalidArgument, "MESSAGE_TOO_LARGE")),
        ("OwnerService/PurgeOwner", Vec::new(), (Code::Unimplemented, "NO_SUCH_RPC")),
    ] {
        assert_eq!(reason(&call(rpc, message).await), (expected.0, expected.1.to_owned()), "{rpc}");
    }
}
