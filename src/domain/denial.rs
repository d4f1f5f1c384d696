//! What a refused caller is told, as a realm's contract words it.

use std::time::Duration;

use super::reason::Reason;
use super::template::Template;

/// The answer to one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// 400 to 599: a denial never looks like a success.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(Box<str>, Template<Told>)>,
    pub body: Template<Told>,
    /// What a gRPC caller gets instead: a status code (1 to 16) and a plain message.
    pub grpc_code: u8,
    pub grpc_message: Template<Told>,
}

/// A value that a denial may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Whole seconds until the request may succeed, rounded up.
    RetryAfter,
    /// The reason's name.
    Reason,
}

impl Told {
    /// The value that is written `${name}`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "retry_after" => Some(Self::RetryAfter),
            "reason" => Some(Self::Reason),
            _ => None,
        }
    }

    /// Its text. A text must say some wait: one second where it is not known, a day where no wait is long enough.
    #[must_use]
    pub fn text(self, reason: Reason, retry_after: Option<Duration>) -> String {
        match self {
            Self::RetryAfter => wait(reason, retry_after).unwrap_or(if reason == Reason::Limited { A_DAY } else { 1 }).to_string(),
            Self::Reason => reason.name().into(),
        }
    }
}

const A_DAY: u64 = 86_400;

/// Whole seconds, rounded up: never early.
#[must_use]
pub fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

/// How many seconds whoever is refused is told to wait; `None`: nothing, because of the reason, or because no wait is long enough for a
/// request that costs more than a limit ever lets through.
#[must_use]
pub fn wait(reason: Reason, retry_after: Option<Duration>) -> Option<u64> {
    match (reason, retry_after) {
        (Reason::Limited | Reason::Throttled | Reason::Unavailable | Reason::Internal, Some(wait)) => Some(seconds(wait).max(1)),
        (Reason::Throttled | Reason::Unavailable | Reason::Internal, None) => Some(1),
        _ => None,
    }
}

impl Denial {
    /// What a realm answers where its file says nothing.
    #[must_use]
    pub fn default_for(reason: Reason) -> Self {
        let (status, grpc_code, text) = match reason {
            Reason::Malformed => (400, 3, "Bad request"),
            Reason::Limited | Reason::Throttled => (429, 8, "Too many requests"),
            Reason::Unavailable | Reason::Internal => (503, 14, "Service unavailable"),
            reason if is_about_the_credential(reason) => (401, 16, "Unauthorized"),
            _ => (403, 7, "Forbidden"),
        };
        let headers = vec![("content-type".into(), Template::text("text/plain; charset=utf-8"))];
        Self { status, headers, body: Template::text(text), grpc_code, grpc_message: Template::text(text) }
    }
}

fn is_about_the_credential(reason: Reason) -> bool {
    let named = matches!(reason, Reason::Missing | Reason::Ambiguous | Reason::Unknown | Reason::TenantMissing);
    named || matches!(reason, Reason::Revoked | Reason::Expired | Reason::OwnerDisabled)
}

/// The reason whose denial a realm's file gives instead, where it gives none for this one: what a contract does not tell apart, its
/// realm need not say twice.
#[must_use]
pub fn stands_for(reason: Reason) -> Option<Reason> {
    match reason {
        Reason::Ambiguous | Reason::Revoked | Reason::OwnerDisabled => Some(Reason::Unknown),
        Reason::Expired => Some(Reason::Revoked),
        Reason::TenantMissing => Some(Reason::Missing),
        Reason::NoRoute | Reason::Environment | Reason::Kind | Reason::Tenant | Reason::Address => Some(Reason::Scope),
        Reason::Throttled => Some(Reason::Limited),
        Reason::Internal => Some(Reason::Unavailable),
        _ => None,
    }
}

/// The reason that a refused caller may be told by name: of all that this one's contract words alike, the most general. What a contract does
/// not tell apart, no name of ours does. `alike`: whether the contract words two reasons in the same way.
#[must_use]
pub fn told_as(reason: Reason, alike: impl Fn(Reason, Reason) -> bool) -> Reason {
    let mut told = reason;
    while let Some(general) = stands_for(told).filter(|general| alike(told, *general)) {
        told = general;
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_early() {
        for (nanos, told) in [(1, 1), (999_999_999, 1), (1_000_000_000, 1), (1_000_000_001, 2), (1_000_900_000, 2), (2_500_000_000, 3)] {
            assert_eq!(wait(Reason::Limited, Some(Duration::from_nanos(nanos))), Some(told), "{nanos} ns");
        }
        assert_eq!(wait(Reason::Limited, Some(Duration::ZERO)), Some(1), "whoever was refused is not told to come at once");
    }

    #[test]
    fn a_reason_is_told_by_the_most_general_name_that_is_worded_alike() {
        assert_eq!(told_as(Reason::Expired, |_, _| true), Reason::Unknown);
        assert_eq!(told_as(Reason::Expired, |one, _| one == Reason::Expired), Reason::Revoked, "a revoked key has words of its own");
        assert_eq!(told_as(Reason::Expired, |_, _| false), Reason::Expired);
        assert_eq!(told_as(Reason::Kind, |_, _| true), Reason::Scope);
        for reason in [Reason::Missing, Reason::Unknown, Reason::Limited] {
            assert_eq!(told_as(reason, |_, _| true), reason);
        }
    }

    #[test]
    fn a_request_that_never_fits_is_told_no_time_at_which_it_would() {
        assert_eq!(wait(Reason::Limited, None), None);
        assert_eq!(Told::RetryAfter.text(Reason::Limited, None), "86400", "a text has to say something");
        assert_eq!(wait(Reason::Unavailable, None), Some(1));
    }
}
