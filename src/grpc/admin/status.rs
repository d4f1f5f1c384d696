//! The one table from what a keyring says to what a gRPC client gets: a code, a reason, and the details of `google.rpc`.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::keyring::KeyringError as E;
use crate::store::StoreError;

/// Of every `ErrorInfo`.
const DOMAIN: &str = "keyward";

/// So many bytes of what is wrong are told. They stand in headers, nearly four times over, and some clients take no more than 8 KiB of those.
const TOLD: usize = 2_048;

impl From<E> for Status {
    fn from(error: E) -> Self {
        let error = the_first_of(error);
        let (code, reason) = row(&error);
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata(&error));
        detail(&mut details, &error);
        Self::with_error_details(code, told(&error), details)
    }
}

/// What is wrong with a request, as far as an answer has room for it, but something always.
fn the_first_of(error: E) -> E {
    let E::Invalid(mut all) = error else { return error };
    let mut bytes = 0;
    let fitting = all.iter().take_while(|wrong| {
        bytes += wrong.field.len() + wrong.says.len();
        bytes <= TOLD
    });
    let fitting = fitting.count().max(1);
    if fitting < all.len() {
        all.truncate(fitting);
        all[fitting - 1].says += "; more is wrong, and is told once this is right";
    }
    E::Invalid(all)
}

/// For a call of what no service has.
pub(in super::super) fn no_such_rpc() -> Status {
    let says = "there is no such call: the server may be older than its caller";
    Status::with_error_details(Code::Unimplemented, says, ErrorDetails::with_error_info("NO_SUCH_RPC", DOMAIN, HashMap::new()))
}

/// For a call that was refused before any service had a request of it to look at: its bytes are none, or more than are taken.
pub(in super::super) fn unread(status: &Status) -> Status {
    let (code, reason) = row_unread(status.code());
    Status::with_error_details(code, status.message(), ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()))
}

/// The same, for a message of an import that is not its first.
pub(super) fn unread_behind(status: &Status, durable_row: u64) -> Status {
    let (code, reason) = row_unread(status.code());
    let about = HashMap::from([("durable_row".to_owned(), durable_row.to_string())]);
    Status::with_error_details(code, cut(status.message(), durable_row), ErrorDetails::with_error_info(reason, DOMAIN, about))
}

fn row_unread(code: Code) -> (Code, &'static str) {
    match code {
        Code::Internal => (Code::InvalidArgument, "MESSAGE_MALFORMED"),
        Code::OutOfRange | Code::ResourceExhausted => (Code::InvalidArgument, "MESSAGE_TOO_LARGE"),
        other => (other, "MESSAGE_UNREAD"),
    }
}

fn cut(why: &str, durable_row: u64) -> String {
    format!("{why}; rows up to {durable_row} are done, and to import them again changes nothing of those")
}

fn row(error: &E) -> (Code, &'static str) {
    match error {
        E::Invalid(_) => (Code::InvalidArgument, "INVALID"),
        E::RequestIdReused => (Code::InvalidArgument, "REQUEST_ID_REUSED"),
        E::TokenRefused => (Code::Unauthenticated, "TOKEN_REFUSED"),
        E::BootstrapRefused => (Code::Unauthenticated, "BOOTSTRAP_REFUSED"),
        E::RoleMissing(_) => (Code::PermissionDenied, "ROLE_MISSING"),
        E::AdminOnly => (Code::PermissionDenied, "ADMIN_ONLY"),
        E::Bound { .. } => (Code::PermissionDenied, "BOUND"),
        E::NoRealm(_) => (Code::NotFound, "REALM_NOT_FOUND"),
        E::NoKey(..) => (Code::NotFound, "KEY_NOT_FOUND"),
        E::NoOwner(..) => (Code::NotFound, "OWNER_NOT_FOUND"),
        E::OwnerExists(..) => (Code::AlreadyExists, "OWNER_EXISTS"),
        E::SecretTaken(_) => (Code::AlreadyExists, "SECRET_TAKEN"),
        E::OwnerMissing(..) => (Code::FailedPrecondition, "OWNER_MISSING"),
        E::NotRestricted(_) => (Code::FailedPrecondition, "NOT_RESTRICTED"),
        E::NotRolledBack => (Code::FailedPrecondition, "NOT_ROLLED_BACK"),
        E::BootstrapOff => (Code::FailedPrecondition, "BOOTSTRAP_OFF"),
        E::BootstrapDone => (Code::FailedPrecondition, "BOOTSTRAP_DONE"),
        E::Throttled { .. } => (Code::ResourceExhausted, "THROTTLED"),
        E::TooManyOwnReaders(_) => (Code::ResourceExhausted, "TOO_MANY_OWN_READERS"),
        E::TooManyReaders(_) => (Code::ResourceExhausted, "TOO_MANY_READERS"),
        E::NoSuchSecret => (Code::NotFound, "SECRET_NOT_FOUND"),
        E::KeyRevoked(..) => (Code::FailedPrecondition, "KEY_REVOKED"),
        E::KeyExpired(..) => (Code::FailedPrecondition, "KEY_EXPIRED"),
        E::KeyLeaked(..) => (Code::FailedPrecondition, "KEY_LEAKED"),
        E::TooManySecrets(_) => (Code::FailedPrecondition, "TOO_MANY_SECRETS"),
        E::Publishable => (Code::FailedPrecondition, "PUBLISHABLE"),
        E::EtagOld => (Code::Aborted, "ETAG_MISMATCH"),
        E::Busy => (Code::Aborted, "BUSY"),
        E::NotGuaranteed { .. } => (Code::Unavailable, "NOT_GUARANTEED"),
        E::NoLease => (Code::Unavailable, "NO_LEASE"),
        E::RolledBack => (Code::Unavailable, "ROLLED_BACK"),
        E::ImportConflict { .. } => (Code::AlreadyExists, "IMPORT_CONFLICT"),
        E::ImportCut { why, .. } => row(why),
        E::Store(StoreError::Unavailable(_)) => (Code::Unavailable, "STORE_AWAY"),
        E::Store(StoreError::NoPepper(_)) => (Code::NotFound, "PEPPER_NOT_FOUND"),
        E::Store(StoreError::PepperInUse(_)) => (Code::FailedPrecondition, "PEPPER_IN_USE"),
        E::PepperHoldsKeys { .. } => (Code::FailedPrecondition, "PEPPER_HOLDS_KEYS"),
        E::Store(_) | E::Name(_) | E::Randomness(_) => (Code::Internal, "INTERNAL"),
    }
}

/// What a program may want to know beside the reason.
fn metadata(error: &E) -> HashMap<String, String> {
    let pair = |name: &str, value: &dyn ToString| (name.to_owned(), value.to_string());
    match error {
        E::RoleMissing(role) => [pair("role", role)].into(),
        E::Bound { binding, .. } => [pair("binding", binding)].into(),
        E::NoRealm(realm) => [pair("realm", &realm.in_a_name())].into(),
        E::SecretTaken(realm) => [pair("realm", realm)].into(),
        E::NoKey(realm, key) => [pair("realm", realm), pair("key", &key.in_a_name())].into(),
        E::KeyRevoked(realm, key) | E::KeyExpired(realm, key) | E::KeyLeaked(realm, key) => [pair("realm", realm), pair("key", key)].into(),
        E::NoOwner(realm, owner) | E::OwnerMissing(realm, owner) => [pair("realm", realm), pair("owner", &owner.in_a_name())].into(),
        E::OwnerExists(realm, owner) => [pair("realm", realm), pair("owner", owner)].into(),
        E::NotGuaranteed { rpc, name, position, reached, demanded } => {
            let levels = [pair("level", reached), pair("demanded_level", demanded)];
            [pair("rpc", rpc), pair("name", name), pair("position", position)].into_iter().chain(levels).collect()
        }
        E::NotRestricted(name) => [pair("name", name)].into(),
        E::PepperHoldsKeys { version, keys, .. } => [pair("pepper", version), pair("stopped_key_count", keys)].into(),
        E::ImportConflict { row, .. } => [pair("row", row)].into(),
        E::ImportCut { durable_row, why } => metadata(why).into_iter().chain([pair("durable_row", durable_row)]).collect(),
        _ => HashMap::new(),
    }
}

fn detail(details: &mut ErrorDetails, error: &E) {
    if let E::ImportCut { why, .. } = error {
        return detail(details, why);
    }
    let says = error.to_string();
    match error {
        E::Invalid(wrong) => {
            for wrong in wrong {
                details.add_bad_request_violation(&wrong.field, &wrong.says);
            }
        }
        E::RequestIdReused => drop(details.add_bad_request_violation("request_id", says)),
        E::NoRealm(realm) => drop(details.set_resource_info("keyward.Realm", format!("realms/{}", realm.in_a_name()), "", says)),
        E::NoKey(realm, key) => {
            details.set_resource_info("keyward.Key", format!("realms/{realm}/keys/{}", key.in_a_name()), "", says);
        }
        E::NoOwner(realm, owner) => {
            details.set_resource_info("keyward.Owner", format!("realms/{realm}/owners/{}", owner.in_a_name()), "", says);
        }
        E::OwnerExists(realm, owner) => {
            details.set_resource_info("keyward.Owner", format!("realms/{realm}/owners/{owner}"), "", says);
        }
        E::OwnerMissing(realm, owner) => {
            details.add_precondition_failure_violation("OWNER", format!("realms/{realm}/owners/{}", owner.in_a_name()), says);
        }
        E::KeyRevoked(realm, key) | E::KeyExpired(realm, key) | E::KeyLeaked(realm, key) => {
            details.add_precondition_failure_violation("KEY", format!("realms/{realm}/keys/{key}"), says);
        }
        E::TooManySecrets(_) | E::Publishable => drop(details.add_precondition_failure_violation("SECRET", "secret", says)),
        E::BootstrapOff | E::BootstrapDone => drop(details.add_precondition_failure_violation("BOOTSTRAP", "realms/keyward", says)),
        E::NotRestricted(name) => drop(details.add_precondition_failure_violation("RESTRICTED", name, says)),
        E::NotRolledBack => drop(details.add_precondition_failure_violation("ROLLED_BACK", "revocation", says)),
        E::Throttled { retry_in, .. } => drop(details.set_retry_info(Some(*retry_in))),
        E::Busy | E::NotGuaranteed { .. } | E::NoLease | E::Store(StoreError::Unavailable(_)) => {
            details.set_retry_info(Some(Duration::from_secs(1)));
        }
        // until one of them is ended
        E::TooManyOwnReaders(_) | E::TooManyReaders(_) => drop(details.set_retry_info(Some(Duration::from_secs(10)))),
        // until an operator has said that they go on
        E::RolledBack => drop(details.set_retry_info(Some(Duration::from_secs(30)))),
        // not the version that was asked for: whoever mistakes one for the other pastes the pepper itself
        E::Store(StoreError::NoPepper(_)) => {
            details.set_resource_info("keyward.Pepper", "peppers/-", "", says);
        }
        E::Store(StoreError::PepperInUse(version)) | E::PepperHoldsKeys { version, .. } => {
            details.add_precondition_failure_violation("PEPPER", format!("peppers/{version}"), says);
        }
        _ => {}
    }
}

/// What is the server's own affair is logged, here and once, and not told.
fn told(error: &E) -> String {
    match error {
        E::Store(StoreError::Unavailable(_)) => {
            tracing::warn!(%error, "an admin call could not be answered");
            "the store is away: repeat it in a moment".into()
        }
        E::Store(StoreError::NoPepper(_) | StoreError::PepperInUse(_)) => error.to_string(),
        E::Store(_) | E::Name(_) | E::Randomness(_) => {
            tracing::error!(%error, "an admin call could not be answered");
            "a fault of the server's own: its log says which".into()
        }
        E::ImportCut { durable_row, why } => cut(&told(why), *durable_row),
        other => other.to_string(),
    }
}
