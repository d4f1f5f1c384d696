//! Azotte: every row and every case of its contract.

use super::Contract;
use super::stage::{Soon, Stage};
use crate::support::keyward::{Made, NewKey};

pub(super) const CONTRACT: Contract = Contract { realm: "azotte", edit: with_a_route_for_secret_keys, cases };

const API: &str = "https://api.azotte.com/v1";
const TENANT: &str = "tenant_abc123";
/// The key that the document prints, taken over verbatim.
const PRINTED: &str = "sk_dev_1234567890abcdef";

const UNAUTHENTICATED: &str = "401 application/json body Z";
const FORBIDDEN: &str =
    r#"403 application/json {"error":{"code":"permission_denied","message":"The API key may not do this","type":"permission_error"}}"#;
const INSECURE: &str = r#"403 application/json {"error":{"code":"https_required","message":"Use HTTPS","type":"permission_error"}}"#;
const LIMITED: &str = r#"429 application/json {"error":{"code":"rate_limited","message":"Too many requests","type":"rate_limit_error"}} retry-after in the minute"#;
const PRINTED_PASSED: &str =
    "200 GET /v1/subscriptions x-azotte-environment=development x-azotte-kind=secret x-azotte-tenant=tenant_abc123";

/// The example that the realm's file has as a comment: a route that publishable keys are kept off.
fn with_a_route_for_secret_keys(realm: &str) -> String {
    let first = "routes: # the documentation shows both paths; ours: both are accepted\n";
    assert!(realm.contains(first) && realm.contains("  # - prefix: /v1/refunds\n  #   kinds: [secret]\n"));
    realm.replace(first, "routes:\n  - prefix: /v1/refunds\n    kinds: [secret]\n")
}

fn cases(stage: &mut Stage) {
    stage.owner("acme");
    stage.owner("globex");
    let soon = Soon::new();
    let end = soon.text();
    let ends = stage.key(&NewKey { expire_time: Some(&end), ..live("ends") });
    stage.line("a key before its end", &get("subscriptions", &ends.secret), &passed("live", "secret", "GET /v1/subscriptions"));

    stage.key(&NewKey { environment: Some("development"), secret: Some(PRINTED), ..live("printed") });
    let key = stage.key(&live("secret, live"));
    examples(stage);
    missing(stage);
    unknown(stage, &key);
    tenants(stage);
    prefixes(stage);
    untouched(stage, &key);
    transport(stage, &key);
    grpc(stage);
    ended(stage);
    limits(stage);

    soon.pass();
    stage.line("the same key after its end", &get("subscriptions", &ends.secret), UNAUTHENTICATED);
}

/// A secret live key of acme and of the printed tenant.
fn live(label: &str) -> NewKey<'_> {
    let (environment, kind) = (Some("live"), Some("secret"));
    NewKey { owner: "acme", label, environment, kind, tenant: Some(TENANT), ..NewKey::default() }
}

fn get(path: &str, secret: &str) -> String {
    format!("curl '{API}/{path}' -H 'x-api-key: {secret}' -H 'x-tn: {TENANT}'")
}

fn passed(environment: &str, kind: &str, request: &str) -> String {
    format!("200 {request} x-azotte-environment={environment} x-azotte-kind={kind} x-azotte-tenant={TENANT}")
}

fn examples(stage: &mut Stage) {
    stage.showing(
        &["x-tn", "content-type"],
        "the document's curl line",
        "curl -X GET https://api.azotte.com/v1/subscriptions \\\n-H \"x-api-key: sk_dev_1234567890abcdef\" \\\n\
         -H \"x-tn: tenant_abc123\" \\\n-H \"Content-Type: application/json\"",
        &format!("{PRINTED_PASSED} x-tn=tenant_abc123 content-type=application/json"),
    );
    let raw = "curl --http1.1 https://api.azotte.com/api/v1/subscriptions -H 'x-api-key: sk_dev_1234567890abcdef' \
               -H 'x-tn: tenant_abc123' -H 'Content-Type: application/json'";
    stage.line("its GET /api/v1/subscriptions HTTP/1.1", raw, &PRINTED_PASSED.replace("/v1/", "/api/v1/"));
}

fn missing(stage: &mut Stage) {
    let (key, tenant) = (format!("-H 'x-api-key: {PRINTED}'"), format!("-H 'x-tn: {TENANT}'"));
    for (name, headers) in [
        ("neither header", String::new()),
        ("without x-api-key", tenant.clone()),
        ("without x-tn", key.clone()),
        ("an empty x-api-key", format!("-H 'x-api-key;' {tenant}")),
        ("an empty x-tn", format!("{key} -H 'x-tn;'")),
        ("x-tn twice", format!("{key} {tenant} {tenant}")),
        ("Bearer instead", format!("-H 'Authorization: Bearer {PRINTED}' {tenant}")),
        ("only a cookie", format!("-H 'Cookie: x-api-key={PRINTED}' {tenant}")),
    ] {
        stage.line(&format!("missing: {name}"), &format!("curl {API}/subscriptions {headers}"), UNAUTHENTICATED);
    }
    stage.line("missing: only ?x-api-key=", &format!("curl '{API}/subscriptions?x-api-key={PRINTED}' {tenant}"), UNAUTHENTICATED);
}

fn unknown(stage: &mut Stage, other: &Made) {
    for (name, secret) in [
        ("of the format, never made", "sk_dev_0000000000000000"),
        ("of the prefix pk_test_", "pk_test_1234567890abcdef"),
        ("of the prefix sk_test_", "sk_test_1234567890abcdef"),
        ("of the printed one's characters with pk_dev_", "pk_dev_1234567890abcdef"),
        ("with one character more", "sk_dev_1234567890abcdef0"),
        ("too short", "sk_dev_1234"),
    ] {
        stage.line(&format!("a key {name}"), &get("subscriptions", secret), UNAUTHENTICATED);
    }
    let twice = format!("{} -H 'x-api-key: {}'", get("subscriptions", PRINTED), other.secret);
    stage.line("x-api-key twice", &twice, UNAUTHENTICATED);
    let never = NewKey { secret: Some("pk_test_1234567890abcdef"), environment: None, kind: None, ..live("never") };
    let made = stage.keyward.try_create_key("azotte", &never).status.success();
    stage.says("a key with pk_test_ cannot be taken over", "refused", if made { "taken" } else { "refused" });
}

/// "Tenant Context: specifies which tenant's data to access."
fn tenants(stage: &mut Stage) {
    let theirs = stage.key(&NewKey { tenant: Some("tenant_other"), ..live("their tenant") });
    stage.line("a foreign tenant", &get("subscriptions", &theirs.secret), FORBIDDEN);
    let own = format!("curl {API}/subscriptions -H 'x-api-key: {}' -H 'x-tn: tenant_other'", theirs.secret);
    let expected = "200 GET /v1/subscriptions x-azotte-environment=live x-azotte-kind=secret x-azotte-tenant=tenant_other";
    stage.line("its own tenant", &own, expected);
    let longer = get("subscriptions", PRINTED).replace(TENANT, "tenant_abc1234");
    stage.line("a tenant that only begins like its own", &longer, FORBIDDEN);
    let case = get("subscriptions", PRINTED).replace(TENANT, "TENANT_ABC123");
    stage.line("its own tenant in another case", &case, FORBIDDEN);
    let made = stage.keyward.try_create_key("azotte", &NewKey { tenant: None, ..live("no tenant") }).status.success();
    stage.says("a key without a tenant cannot be made", "refused", if made { "made" } else { "refused" });
    let spoofed = "-H 'X-Azotte-Tenant: tenant_other' -H 'X-Azotte-Environment: live' -H 'X-Azotte-Kind: publishable'";
    stage.line("none of it can be spoofed", &format!("{} {spoofed}", get("subscriptions", PRINTED)), PRINTED_PASSED);
}

/// `pk_dev_ sk_dev_ pk_live_ sk_live_`.
fn prefixes(stage: &mut Stage) {
    let kinds = [
        ("development", "publishable", "pk_dev_"),
        ("development", "secret", "sk_dev_"),
        ("live", "publishable", "pk_live_"),
        ("live", "secret", "sk_live_"),
    ];
    for (environment, kind, prefix) in kinds {
        let key = stage.key(&NewKey { environment: Some(environment), kind: Some(kind), ..live(prefix) });
        let rest = key.secret.strip_prefix(prefix).unwrap_or_default();
        let alphanumeric = if rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) { "alphanumeric" } else { "others" };
        let expected = format!("{prefix} + 32 alphanumeric");
        stage.says(&format!("a minted key, {kind}, {environment}"), &expected, &format!("{prefix} + {} {alphanumeric}", rest.len()));
        let expected = passed(environment, kind, "GET /v1/subscriptions");
        stage.line(&format!("{prefix}: the upstream is told what it is"), &get("subscriptions", &key.secret), &expected);
        let line = get("refunds/7", &key.secret);
        let expected = if kind == "secret" { passed(environment, kind, "GET /v1/refunds/7") } else { FORBIDDEN.into() };
        stage.line(&format!("{prefix}: a route kept for secret keys"), &line, &expected);
    }
}

fn untouched(stage: &mut Stage, key: &Made) {
    let path = "subscriptions?z=%7e%20+&flag&b=2&a=&b=1&key=7";
    for (method, kind) in [("POST", "application/json"), ("PUT", "application/json"), ("POST", "text/plain")] {
        stage.showing(
            &["content-type", "x-trace"],
            &format!("{method} of {kind}: body, headers, parameters untouched"),
            &format!("{} -X {method} -H 'Content-Type: {kind}' -H 'X-Trace: a, b;c=\"d\"' --data-binary @body", get(path, &key.secret)),
            &format!("{} content-type={kind} x-trace=a, b;c=\"d\" body intact", passed("live", "secret", &format!("{method} /v1/{path}"))),
        );
    }
    let delete = format!("{} -X DELETE", get("subscriptions/7", &key.secret));
    stage.line("full access: DELETE", &delete, &passed("live", "secret", "DELETE /v1/subscriptions/7"));
    let outside = get("subscriptions", &key.secret).replace("/v1/", "/v2/");
    stage.line("a path of neither shape", &outside, FORBIDDEN);
}

/// "All API calls must use HTTPS."
fn transport(stage: &mut Stage, key: &Made) {
    let plain = get("subscriptions", &key.secret).replace("https://", "http://");
    stage.line("plain HTTP", &plain, INSECURE);
    stage.line("plain HTTP that calls itself HTTPS", &format!("{plain} -H 'X-Forwarded-Proto: https'"), INSECURE);
}

fn grpc(stage: &mut Stage) {
    let grpc = "-X POST -H 'Content-Type: application/grpc' -H 'TE: trailers'";
    let none = format!("curl {API}/subscriptions {grpc}");
    stage.line("a gRPC caller without a key", &none, "grpc-status 16 Invalid API key provided");
    let foreign = get("subscriptions", PRINTED).replace(TENANT, "tenant_other");
    stage.line("a gRPC caller of a foreign tenant", &format!("{foreign} {grpc}"), "grpc-status 7 The API key may not do this");
}

fn ended(stage: &mut Stage) {
    let (old, new) = (stage.key(&live("old")), stage.key(&live("new")));
    let ok = passed("live", "secret", "GET /v1/subscriptions");
    stage.line("rotation: the old key, still", &get("subscriptions", &old.secret), &ok);
    stage.line("rotation: the new key, already", &get("subscriptions", &new.secret), &ok);
    stage.revoke(&old);
    stage.line("revoked: the very next request", &get("subscriptions", &old.secret), UNAUTHENTICATED);
    stage.line("revoked: the new key", &get("subscriptions", &new.secret), &ok);
    let shown = stage.shown(&new);
    stage.says("shown once: get and list do not have the key", "absent", if shown.contains(&new.secret) { "shown" } else { "absent" });

    let theirs = stage.key(&NewKey { owner: "globex", ..live("theirs") });
    stage.keyward.disable_owner("azotte", "globex");
    stage.line("an owner disabled", &get("subscriptions", &theirs.secret), UNAUTHENTICATED);
    stage.keyward.enable_owner("azotte", "globex");
    stage.line("an owner enabled again", &get("subscriptions", &theirs.secret), &ok);
}

/// The realm's development keys have 30 a minute, live more.
fn limits(stage: &mut Stage) {
    let development = stage.key(&NewKey { environment: Some("development"), ..live("limits, development") });
    let live = stage.key(&live("limits, live"));
    let many = |key: &Made| get("subscriptions/[1-31]", &key.secret);
    stage.line("development's minute: 30 pass", &many(&development), &format!("30 x 200, 1 x {LIMITED}; the upstream saw 30"));
    stage.line("live has more", &many(&live), "31 x 200; the upstream saw 31");
    let call = format!("{} -X POST -H 'Content-Type: application/grpc'", get("subscriptions", &development.secret));
    stage.line("development's minute: a gRPC caller", &call, "grpc-status 8 Too many requests");
}
