//! What a gRPC client reads of a refusal beside code and message: a `google.rpc.Status`, whose details a program can go by.

use std::collections::HashMap;
use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, QuotaViolation, StatusExt as _};

use super::answer::Header;
use crate::domain::allowance::{Allowance, State};
use crate::domain::denial::{Denial, told_as, wait};
use crate::domain::limit::Per;
use crate::domain::verdict::Refusal;

/// Whose reasons they are.
pub(super) const DOMAIN: &str = "keyward";

/// The header that Envoy hands on as it is.
pub(super) fn header(code: u8, message: &str, refusal: &Refusal) -> Header<'static> {
    ("grpc-status-details-bin".into(), BASE64_NOPAD.encode(&bytes(code, message, refusal)).into())
}

/// Why, as far as the realm's contract tells reasons apart; how long to wait, where it is of use; and which limits are exceeded.
pub(super) fn bytes(code: u8, message: &str, refusal: &Refusal) -> Vec<u8> {
    let reason = match &refusal.realm {
        Some(realm) => realm.told_as(refusal.reason),
        None => told_as(refusal.reason, |one, other| Denial::default_for(one) == Denial::default_for(other)),
    };
    let mut details = ErrorDetails::with_error_info(reason.name().to_ascii_uppercase(), DOMAIN, HashMap::new());
    if let Some(seconds) = wait(refusal.reason, refusal.retry_after) {
        details.set_retry_info(Some(refusal.retry_after.unwrap_or(Duration::from_secs(seconds))));
    }
    let exceeded = refusal.allowances.iter().filter(|allowance| allowance.state == State::Exceeded);
    let violations: Vec<_> = exceeded.map(violation).collect();
    if !violations.is_empty() {
        details.set_quota_failure(violations);
    }
    Status::with_error_details(Code::from_i32(code.into()), message, details).details().to_vec()
}

fn violation(allowance: &Allowance) -> QuotaViolation {
    let whose = match allowance.per {
        Per::Key => "key",
        Per::Owner => "owner",
    };
    let description = format!("{} of {} are left to this {whose}", allowance.left, allowance.most);
    QuotaViolation::new(format!("limit:{}", allowance.limit), description)
}
