//! Five realms, each written twice: here as plain structs for the reference, and under `realms/` as the YAML that keyward reads. They differ in every way that
//! a realm can: where credentials stand, formats, transport, tenants, addresses, routes, plans, identity.

use super::people;
use super::plain::{Alphabet, Client, Format, Https, Limit, Paths, Place, Plan, Realm, Route, Tenant, World, block};

/// Where the clock stands: 2026-01-15T12:00:00Z.
pub(super) const NOW: i64 = 1_768_478_400_000;

const HUGE: u64 = 1_000_000_000;

pub(super) fn world() -> World {
    let realms = vec![alpha(), beta(), gamma(), delta(), epsilon()];
    let (owners, keys) = people::people(&realms);
    World { now: NOW, realms, owners, keys }
}

/// By file name.
pub(super) const FILES: [(&str, &str); 5] = [
    ("alpha.yaml", include_str!("realms/alpha.yaml")),
    ("beta.yaml", include_str!("realms/beta.yaml")),
    ("gamma.yaml", include_str!("realms/gamma.yaml")),
    ("delta.yaml", include_str!("realms/delta.yaml")),
    ("epsilon.yaml", include_str!("realms/epsilon.yaml")),
];

const fn limit(name: &'static str, per_owner: bool, most: u64) -> Limit {
    Limit { name, per_owner, most }
}

const fn format(prefix: &'static str, alphabet: Alphabet, min: usize, max: usize) -> Format {
    Format { prefix, alphabet, min, max, crc32: false, environment: None, kind: None, plan: None }
}

const fn of(format: Format, environment: &'static str, kind: &'static str) -> Format {
    Format { environment: Some(environment), kind: Some(kind), ..format }
}

const fn planned(format: Format, plan: &'static str) -> Format {
    Format { plan: Some(plan), ..format }
}

const fn route(paths: Paths, methods: &'static [&'static str]) -> Route {
    Route { paths, methods, extensions: &[], scopes: &[], kinds: &[], environments: &[], cost: 1, anonymous: false, places: None }
}

const BEARER: Place = Place::Header("authorization", Some("Bearer"));

/// One header; a query parameter on one route only; limits by key and by owner; no limit without a plan.
fn alpha() -> Realm {
    Realm {
        name: "alpha",
        hosts: &["alpha.test", "api.alpha.test"],
        https: Https::Required,
        places: vec![BEARER],
        formats: vec![format("odt_", Alphabet::Hex, 32, 32)],
        tenant: None,
        client: Client::Peer,
        allow: vec![],
        deny: vec![],
        routes: vec![
            Route { places: Some(vec![BEARER, Place::Query("key")]), ..route(Paths::Whole("/file/{id}"), &["GET"]) },
            route(Paths::Below("/status"), &["GET", "HEAD"]),
            Route { cost: 3, ..route(Paths::Whole("/invoice"), &["POST"]) },
            Route { anonymous: true, ..route(Paths::Whole("/open"), &[]) },
        ],
        plans: vec![
            Plan { name: "few", limits: vec![limit("day", false, 10)] },
            Plan { name: "firm", limits: vec![limit("day", true, 13), limit("each", false, 8)] },
            Plan { name: "huge", limits: vec![limit("minute", false, HUGE), limit("hour", true, HUGE)] },
        ],
        default_plan: None,
        identity: &[("x-alpha-owner", "${owner.id}"), ("x-alpha-key", "${key.id}")],
        failing: None,
        statuses: &[("unknown", 401), ("owner_disabled", 403), ("malformed", 422)],
    }
}

/// Two headers, environments, kinds, scopes, a checksum, lists of addresses of keys, every identity value.
fn beta() -> Realm {
    let read = &["bookings:read"];
    Realm {
        name: "beta",
        hosts: &["*.beta.test"],
        https: Https::Required,
        places: vec![BEARER, Place::Header("x-api-key", None)],
        formats: vec![
            planned(of(format("beta_live_", Alphabet::Base62, 22, 40), "live", "secret"), "live"),
            of(format("beta_test_", Alphabet::Base62, 22, 40), "test", "publishable"),
            Format { crc32: true, ..of(format("bc_", Alphabet::Base64url, 24, 24), "live", "secret") },
        ],
        tenant: None,
        client: Client::External,
        allow: vec![],
        deny: vec![],
        routes: vec![
            Route { scopes: read, ..route(Paths::Whole("/v1/bookings"), &["GET"]) },
            Route { scopes: &["bookings:read", "bookings:write"], kinds: &["secret"], ..route(Paths::Whole("/v1/bookings"), &["POST"]) },
            Route { kinds: &["secret", "publishable"], ..route(Paths::Whole("/v1/bookings/today"), &["GET"]) },
            Route { scopes: read, ..route(Paths::Whole("/v1/bookings/{id}"), &["GET"]) },
            Route { scopes: &["invoices:read"], environments: &["live"], ..route(Paths::Below("/v1/invoices"), &[]) },
            Route { anonymous: true, ..route(Paths::Whole("/health"), &["GET"]) },
        ],
        plans: vec![
            Plan { name: "live", limits: vec![limit("day", false, 11)] },
            Plan { name: "wide", limits: vec![limit("minute", false, HUGE)] },
        ],
        default_plan: None,
        identity: &[
            ("x-beta-key", "${key.id}"),
            ("x-beta-owner", "${owner.id}"),
            ("x-beta-environment", "${key.environment}"),
            ("x-beta-kind", "${key.kind}"),
            ("x-beta-tenant", "${key.tenant}"),
            ("x-beta-scopes", "${key.scopes}"),
            ("x-beta-plan", "${key.plan}"),
            ("x-beta-realm", "${realm}"),
            ("x-beta-who", "${realm}/${owner.id}"),
            ("x-beta-always", "keyward"),
        ],
        failing: None,
        statuses: &[("missing", 401), ("unknown", 404), ("revoked", 410), ("scope", 403), ("limited", 420)],
    }
}

/// An opaque format in a header, a query parameter removed exactly, or a cookie; addresses by `x-forwarded-for`; any transport.
fn gamma() -> Realm {
    Realm {
        name: "gamma",
        hosts: &["gamma.test"],
        https: Https::Any,
        places: vec![Place::Header("x-api-key", None), Place::ExactQuery("api_key"), Place::Cookie("gsess")],
        formats: vec![format("", Alphabet::Opaque, 24, 48)],
        tenant: None,
        client: Client::ForwardedFor(2),
        allow: vec![block("203.0.113.0/24"), block("2001:db8::/32")],
        deny: vec![block("203.0.113.66/32"), block("203.0.113.128/26"), block("2001:db8:bad::/48")],
        routes: vec![
            Route { anonymous: true, ..route(Paths::Below("/pub"), &[]) },
            Route { places: Some(vec![Place::Cookie("gsess")]), ..route(Paths::Below("/page"), &["GET"]) },
            route(Paths::Below("/"), &["GET", "POST", "PUT"]),
        ],
        plans: vec![],
        default_plan: None,
        identity: &[("x-gamma-owner", "${owner.id}")],
        failing: Some(12),
        statuses: &[("address", 451)],
    }
}

/// Tenants that must be named; https as a trusted proxy tells it; four prefixes; a default plan.
fn delta() -> Realm {
    let of = |prefix, environment, kind| of(format(prefix, Alphabet::Base62, 24, 24), environment, kind);
    Realm {
        name: "delta",
        hosts: &["delta.test", "delta.example"],
        https: Https::Forwarded,
        places: vec![Place::Header("x-api-key", None)],
        formats: vec![
            planned(of("pk_dev_", "dev", "publishable"), "dev"),
            planned(of("sk_dev_", "dev", "secret"), "dev"),
            of("pk_live_", "live", "publishable"),
            of("sk_live_", "live", "secret"),
        ],
        tenant: Some(Tenant { header: "x-tn", required: true }),
        client: Client::Header("x-real-ip"),
        allow: vec![],
        deny: vec![block("198.51.100.0/24")],
        routes: vec![
            route(Paths::Whole("/api/v1/plans"), &["GET"]),
            Route { kinds: &["secret"], ..route(Paths::Whole("/v1/subscriptions/{id}/items"), &["POST", "PUT"]) },
            Route { anonymous: true, ..route(Paths::Whole("/v1/open"), &[]) },
            Route { environments: &["live"], ..route(Paths::Below("/v1/live"), &[]) },
            Route { cost: 4, ..route(Paths::Whole("/v1/dear"), &[]) },
            route(Paths::Below("/v1"), &[]),
        ],
        plans: vec![
            Plan { name: "dev", limits: vec![limit("day", false, 12)] },
            Plan { name: "std", limits: vec![limit("minute", false, HUGE), limit("day", true, HUGE)] },
            Plan { name: "team", limits: vec![limit("day", true, 15), limit("each", false, 4)] },
        ],
        default_plan: Some("std"),
        identity: &[("x-delta-tenant", "${key.tenant}"), ("x-delta-environment", "${key.environment}"), ("x-delta-kind", "${key.kind}")],
        failing: None,
        statuses: &[("tenant_missing", 400), ("insecure", 426)],
    }
}

/// Routes by context extensions; a tenant that may be named; two formats that overlap; another scheme; the peer's address.
fn epsilon() -> Realm {
    let search = &[("policy", "search")];
    Realm {
        name: "epsilon",
        hosts: &["epsilon.test"],
        https: Https::Any,
        places: vec![Place::Query("k"), Place::Header("x-api-key", None), Place::Header("authorization", Some("ApiKey"))],
        formats: vec![planned(format("", Alphabet::Hex, 32, 32), "hexed"), format("", Alphabet::Base64url, 22, 43)],
        tenant: Some(Tenant { header: "x-tenant", required: false }),
        client: Client::Peer,
        allow: vec![block("10.0.0.0/8"), block("2001:db8:10::/48")],
        deny: vec![block("10.9.0.0/16")],
        routes: vec![
            Route { extensions: search, cost: 2, ..route(Paths::Any, &["GET"]) },
            Route { extensions: &[("policy", "admin")], scopes: &["admin"], ..route(Paths::Any, &[]) },
            Route { anonymous: true, extensions: &[("policy", "open"), ("tier", "free")], ..route(Paths::Below("/"), &[]) },
            route(Paths::Whole("/any/{one}/of/{two}"), &[]),
        ],
        plans: vec![
            Plan { name: "std", limits: vec![limit("day", true, HUGE)] },
            Plan { name: "hexed", limits: vec![limit("day", false, 9)] },
        ],
        default_plan: Some("std"),
        identity: &[("x-epsilon-key", "${key.id}"), ("x-epsilon-tenant", "${key.tenant}"), ("x-epsilon-plan", "${key.plan}")],
        failing: None,
        statuses: &[],
    }
}
