//! What the reference expects a refused caller to be told: "What is answered where a realm says nothing", of `docs/realms.md`.

use super::plain::{Plain, Realm};
use super::reading;

/// The HTTP status, or the gRPC code of a gRPC caller: no realm here states one, and what a denial leaves out is as if nothing were said.
pub(super) fn status(realm: Option<&Realm>, reason: &str, request: &Plain) -> u32 {
    let grpc = reading::header(request, "content-type").first().is_some_and(|value| value.starts_with(b"application/grpc"));
    let mut reason = reason;
    loop {
        let stated = realm.and_then(|realm| realm.statuses.iter().find(|(name, _)| *name == reason));
        if let Some((_, status)) = stated.filter(|_| !grpc) {
            return *status;
        }
        reason = match reason {
            "ambiguous" | "revoked" | "owner_disabled" => "unknown",
            "expired" => "revoked",
            "tenant_missing" => "missing",
            "throttled" => "limited",
            "no_route" | "environment" | "kind" | "tenant" | "address" => "scope",
            _ => break,
        };
    }
    let (http, code) = match reason {
        "malformed" => (400, 3),
        "missing" | "unknown" => (401, 16),
        "no_realm" | "insecure" | "scope" => (403, 7),
        "limited" => (429, 8),
        _ => (503, 14),
    };
    if grpc { code } else { http }
}
