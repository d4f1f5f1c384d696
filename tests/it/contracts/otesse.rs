//! Otesse: every row and every case of its contract.

mod scopes;

use super::Contract;
use super::stage::{Soon, Stage};
use crate::support::keyward::{Made, NewKey};

pub(super) const CONTRACT: Contract = Contract { realm: "otesse", edit: str::to_owned, cases };

const API: &str = "https://api.otesse.com/v1";

const MISSING: &str = r#"401 application/json {"error":{"code":"missing_api_key","message":"An API key is required."}}"#;
const UNKNOWN: &str = r#"401 application/json {"error":{"code":"invalid_api_key","message":"The API key is not valid."}}"#;
const FORBIDDEN: &str = r#"403 application/json {"error":{"code":"forbidden","message":"The API key may not do this."}}"#;
const INSECURE: &str = r#"403 application/json {"error":{"code":"https_required","message":"Use HTTPS."}}"#;
const LIMITED: &str = r#"429 application/json {"error":{"code":"rate_limited","message":"Too many requests."}} retry-after in the minute"#;

fn cases(stage: &mut Stage) {
    stage.owner("acme");
    stage.owner("globex");
    let soon = Soon::new();
    let end = soon.text();
    let ends = stage.key(&NewKey { expire_time: Some(&end), ..reader("ends") });
    stage.line("a key before its end", &get("bookings", &ends.secret), &passed(&ends, "GET /v1/bookings"));

    let live = stage.key(&reader("Production Backend"));
    let test = stage.key(&NewKey { environment: Some("test"), ..reader("Staging Server") });
    examples(stage, &live);
    missing(stage, &live);
    unknown(stage, &live, &test);
    dashboard(stage, &live);
    environments(stage, &live, &test);
    scopes::cases(stage, &live);
    addresses(stage);
    untouched(stage, &live);
    transport(stage, &live);
    grpc(stage, &live);
    rotation(stage);
    owner(stage);
    limits(stage);

    soon.pass();
    stage.line("the same key after its end", &get("bookings", &ends.secret), UNKNOWN);
}

/// A live key of acme that may read bookings.
fn reader(label: &str) -> NewKey<'_> {
    NewKey { owner: "acme", label, scopes: &["bookings:read"], environment: Some("live"), ..NewKey::default() }
}

fn get(path: &str, secret: &str) -> String {
    format!("curl '{API}/{path}' -H 'Authorization: Bearer {secret}'")
}

/// As the upstream is to see a live key of acme.
fn passed(key: &Made, request: &str) -> String {
    of("live", "acme", key, request)
}

fn of(environment: &str, owner: &str, key: &Made, request: &str) -> String {
    format!("200 {request} x-otesse-environment={environment} x-otesse-key={} x-otesse-owner={owner}", key.id)
}

fn examples(stage: &mut Stage, key: &Made) {
    let lines = [
        (
            "Authorization",
            "curl -X GET https://api.otesse.com/v1/bookings \\\n  -H \"Authorization: Bearer otesse_live_sk_a1b2c3d4e5f6...\"",
        ),
        ("X-API-Key", "curl -X GET https://api.otesse.com/v1/bookings \\\n  -H \"X-API-Key: otesse_live_sk_a1b2c3d4e5f6...\""),
    ];
    for (header, line) in lines {
        stage.line(&format!("the document's curl line with {header}, as printed"), line, UNKNOWN);
        let line = line.replace("otesse_live_sk_a1b2c3d4e5f6...", &key.secret);
        stage.line(&format!("the document's curl line with {header}, with a key"), &line, &passed(key, "GET /v1/bookings"));
    }
    let secret = "otesse_live_sk_a1b2c3d4e5f6g7h8i9j0";
    let printed = stage.key(&NewKey { secret: Some(secret), ..reader("printed") });
    stage.line("the printed key, taken over verbatim", &get("bookings", secret), &passed(&printed, "GET /v1/bookings"));
}

fn missing(stage: &mut Stage, key: &Made) {
    for (name, rest) in [
        ("no header", String::new()),
        ("Basic", "-H 'Authorization: Basic b3Rlc3NlOg=='".into()),
        ("the bare key in Authorization", format!("-H 'Authorization: {}'", key.secret)),
        ("an empty X-API-Key", "-H 'X-API-Key;'".into()),
        ("only a cookie", format!("-H 'Cookie: X-API-Key={}'", key.secret)),
    ] {
        stage.line(&format!("missing: {name}"), &format!("curl {API}/bookings {rest}"), MISSING);
    }
    stage.line("missing: only ?key=", &format!("curl '{API}/bookings?key={0}&api_key={0}'", key.secret), MISSING);
}

fn unknown(stage: &mut Stage, key: &Made, other: &Made) {
    for (name, secret) in [
        ("of the format, never made", "otesse_live_sk_0000000000000000000000000000000000000000"),
        ("of another environment, never made", "otesse_dev_sk_0000000000000000000000000000000000000000"),
        ("publishable, which there is not", "otesse_live_pk_0000000000000000000000000000000000000000"),
        ("too short", "otesse_live_sk_0123456789"),
    ] {
        stage.line(&format!("a key {name}"), &get("bookings", secret), UNKNOWN);
    }
    let changed = key.secret.replace("_live_", "_test_");
    stage.line("a key whose environment was changed", &get("bookings", &changed), UNKNOWN);
    let both = |second: &str| format!("{} -H 'X-API-Key: {second}'", get("bookings", &key.secret));
    stage.line("both headers, the same key", &both(&key.secret), &passed(key, "GET /v1/bookings"));
    stage.line("both headers, two keys", &both(&other.secret), UNKNOWN);
    let twice = format!("curl {API}/bookings -H 'X-API-Key: {0}' -H 'X-API-Key: {0}'", key.secret);
    stage.line("X-API-Key twice", &twice, UNKNOWN);
}

/// "The API key is displayed once."
fn dashboard(stage: &mut Stage, key: &Made) {
    let shown = stage.shown(key);
    stage.says("shown once: get and list do not have the key", "absent", if shown.contains(&key.secret) { "shown" } else { "absent" });
    let body = key.secret.strip_prefix("otesse_live_sk_").unwrap_or_default();
    let base62 = if body.bytes().all(|byte| byte.is_ascii_alphanumeric()) { "base62" } else { "others" };
    stage.says("a minted key has the stated format", "otesse_live_sk_ + 40 base62", &format!("otesse_live_sk_ + {} {base62}", body.len()));
    let listed = stage.keyward.list_keys("otesse");
    let listed = listed["keys"].as_array().unwrap().iter().find(|other| other["name"] == key.printed["key"]["name"]).unwrap();
    let got = format!("{} {} {}", listed["label"], listed["scopes"], listed["secrets"][0]["prefix"]);
    stage.says("the list has label, scopes and prefix", r#""Production Backend" ["bookings:read"] "otesse_live_sk_""#, &got);
    let strange = NewKey { scopes: &["bookings:delete"], ..reader("strange") };
    let made = stage.keyward.try_create_key("otesse", &strange).status.success();
    stage.says("a scope that is not stated cannot be given", "refused", if made { "given" } else { "refused" });
}

fn environments(stage: &mut Stage, live: &Made, test: &Made) {
    stage.line("the upstream can tell live from test: live", &get("bookings", &live.secret), &passed(live, "GET /v1/bookings"));
    let expected = of("test", "acme", test, "GET /v1/bookings");
    stage.line("the upstream can tell live from test: test", &get("bookings", &test.secret), &expected);
    let spoofed = "-H 'X-Otesse-Environment: live' -H 'X-Otesse-Owner: globex' -H 'X-Otesse-Key: k1'";
    stage.line("none of it can be spoofed", &format!("{} {spoofed}", get("bookings", &test.secret)), &expected);
}

/// "Optionally limit keys to specific IP addresses". The client's address is the one that it connects from.
fn addresses(stage: &mut Stage) {
    let listed = stage.key(&NewKey { addresses: &["127.0.0.2/32", "2001:db8::/32"], ..reader("listed") });
    let from = |address: &str| format!("{} --interface {address}", get("bookings", &listed.secret));
    stage.line("a key with a list, from a listed address", &from("127.0.0.2"), &passed(&listed, "GET /v1/bookings"));
    stage.line("a key with a list, from another address", &from("127.0.0.3"), FORBIDDEN);
    for header in ["X-Forwarded-For", "X-Envoy-External-Address", "X-Real-IP", "Forwarded"] {
        let value = if header == "Forwarded" { "for=127.0.0.2" } else { "127.0.0.2" };
        stage.line(&format!("from another address, with {header}"), &format!("{} -H '{header}: {value}'", from("127.0.0.3")), FORBIDDEN);
    }
}

fn untouched(stage: &mut Stage, key: &Made) {
    stage.showing(
        &["x-trace", "cookie"],
        "other headers and parameters pass untouched",
        &format!("{} -H 'X-Trace: a, b;c=\"d\"' -H 'Cookie: s=1'", get("bookings?z=%7e%20+&flag&b=2&a=&b=1&key=7", &key.secret)),
        &format!("{} x-trace=a, b;c=\"d\" cookie=s=1", passed(key, "GET /v1/bookings?z=%7e%20+&flag&b=2&a=&b=1&key=7")),
    );
}

fn transport(stage: &mut Stage, key: &Made) {
    let plain = get("bookings", &key.secret).replace("https://", "http://");
    stage.line("plain HTTP", &plain, INSECURE);
    stage.line("plain HTTP that calls itself HTTPS", &format!("{plain} -H 'X-Forwarded-Proto: https'"), INSECURE);
}

fn grpc(stage: &mut Stage, key: &Made) {
    let grpc = "-X POST -H 'Content-Type: application/grpc' -H 'TE: trailers'";
    stage.line("a gRPC caller without a key", &format!("curl {API}/bookings {grpc}"), "grpc-status 16 An API key is required.");
    let call = format!("{} {grpc}", get("bookings", &key.secret));
    stage.line("a gRPC caller without the scope", &call, "grpc-status 7 The API key may not do this.");
}

/// "Generate a new key, update your integration, verify, revoke the old key."
fn rotation(stage: &mut Stage) {
    let (old, new) = (stage.key(&reader("old")), stage.key(&reader("new")));
    stage.line("rotation: the old key, still", &get("bookings", &old.secret), &passed(&old, "GET /v1/bookings"));
    stage.line("rotation: the new key, already", &get("bookings", &new.secret), &passed(&new, "GET /v1/bookings"));
    stage.revoke(&old);
    stage.line("rotation: the old key, the very next request after Revoke", &get("bookings", &old.secret), UNKNOWN);
    let header = format!("curl {API}/bookings -H 'X-API-Key: {}'", old.secret);
    stage.line("rotation: the old key in X-API-Key", &header, UNKNOWN);
    stage.line("rotation: the new key", &get("bookings", &new.secret), &passed(&new, "GET /v1/bookings"));
    let when = &stage.keyward.get_key("otesse", &old.id)["key"]["revoke_time"];
    let got = if when.as_str().is_some_and(|when| !when.is_empty()) { "on record" } else { "nowhere" };
    stage.says("revoked: when that was is kept", "on record", got);
}

fn owner(stage: &mut Stage) {
    let key = stage.key(&NewKey { owner: "globex", ..reader("theirs") });
    stage.keyward.disable_owner("otesse", "globex");
    stage.line("an owner disabled", &get("bookings", &key.secret), UNKNOWN);
    stage.keyward.enable_owner("otesse", "globex");
    stage.line("an owner enabled again", &get("bookings", &key.secret), &of("live", "globex", &key, "GET /v1/bookings"));
}

/// The realm's sandbox has 60 a minute, live more.
fn limits(stage: &mut Stage) {
    let test = stage.key(&NewKey { environment: Some("test"), ..reader("limits, test") });
    let live = stage.key(&reader("limits, live"));
    let many = |key: &Made| get("bookings/[1-61]", &key.secret);
    stage.line("the sandbox's minute: 60 pass", &many(&test), &format!("60 x 200, 1 x {LIMITED}; the upstream saw 60"));
    stage.line("live has more", &many(&live), "61 x 200; the upstream saw 61");
    let post = format!("{} -X POST -H 'Content-Type: application/grpc'", get("bookings", &test.secret));
    stage.line("a refusal for the scope comes before the limit", &post, "grpc-status 7 The API key may not do this.");
}
