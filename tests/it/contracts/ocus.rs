//! Ocus: every row and every case of its contract.

use super::Contract;
use super::stage::{Soon, Stage};
use crate::support::keyward::{Made, NewKey};

pub(super) const CONTRACT: Contract = Contract { realm: "ocus", edit: str::to_owned, cases };

const API: &str = "https://api.ocus.io/v3";
/// The key of the document's Go sample.
const PRINTED: &str = "abc123xyz";

const UNAUTHORIZED: &str = "401 application/json body U";
const ENDED: &str = "403 application/json body F";
const FORBIDDEN: &str = r#"403 application/json {"error":"Forbidden."}"#;
const INSECURE: &str = r#"403 application/json {"error":"Forbidden. Please use HTTPS."}"#;
const LIMITED: &str = r#"429 application/json {"error":"Too many requests. Please retry later."} retry-after in the minute"#;
const PASSED: &str = "200 GET /v3/projects x-ocus-owner=studio";

fn cases(stage: &mut Stage) {
    stage.owner("studio");
    stage.owner("agency");
    let soon = Soon::new();
    let end = soon.text();
    let ends = stage.key(&NewKey { expire_time: Some(&end), ..key("ends") });
    stage.line("a key before its end", &get("projects", &ends.secret), PASSED);

    let real = stage.key(&key("staging"));
    let other = stage.key(&key("production"));
    examples(stage, &real);
    places(stage, &real, &other);
    unknown(stage);
    shown_once(stage, &real);
    everything(stage, &real);
    transport(stage, &real);
    grpc(stage);
    ended(stage);
    owner(stage);
    limits(stage);

    soon.pass();
    stage.line("the same key after its end", &get("projects", &ends.secret), ENDED);
    let call = format!("{} -X POST -H 'Content-Type: application/grpc'", get("projects", &ends.secret));
    stage.line("the same key after its end, a gRPC caller", &call, "grpc-status 7 Forbidden. This API key has been revoked or expired.");
}

fn key(label: &str) -> NewKey<'_> {
    NewKey { owner: "studio", label, ..NewKey::default() }
}

fn get(path: &str, secret: &str) -> String {
    format!("curl '{API}/{path}' -H 'X-API-KEY: {secret}'")
}

/// The document breaks its line with two backslashes, which no shell takes; here it has one.
fn examples(stage: &mut Stage, key: &Made) {
    let line = "curl -X GET \"https://api.ocus.io/v3/projects\" \\\n-H \"X-API-KEY: <YOUR_API_KEY>\"";
    stage.line("the document's curl line, as printed", line, UNAUTHORIZED);
    stage.line("the document's curl line, with a key", &line.replace("<YOUR_API_KEY>", &key.secret), PASSED);
    stage.key(&NewKey { secret: Some(PRINTED), ..self::key("printed") });
    let go = "curl https://api.ocus.io/v3/projects -H 'Authorization: apikey abc123xyz'";
    stage.line("the Go sample's header, its key taken over verbatim", go, PASSED);
}

fn places(stage: &mut Stage, key: &Made, other: &Made) {
    let projects = |header: &str| format!("curl {API}/projects {header}");
    let secret = &key.secret;
    for (name, header, expected) in [
        ("Authorization: apikey K", format!("-H 'Authorization: apikey {secret}'"), PASSED),
        ("Authorization: ApiKey K", format!("-H 'Authorization: ApiKey {secret}'"), PASSED),
        ("x-api-key over HTTP/1.1", format!("--http1.1 -H 'x-api-key: {secret}'"), PASSED),
        ("both, the same key", format!("-H 'X-API-KEY: {secret}' -H 'Authorization: apikey {secret}'"), PASSED),
        ("both, two keys", format!("-H 'X-API-KEY: {secret}' -H 'Authorization: apikey {}'", other.secret), UNAUTHORIZED),
        ("X-API-KEY twice", format!("-H 'X-API-KEY: {secret}' -H 'X-API-KEY: {secret}'"), UNAUTHORIZED),
        ("missing: no header", String::new(), UNAUTHORIZED),
        ("missing: the bare key in Authorization", format!("-H 'Authorization: {secret}'"), UNAUTHORIZED),
        ("missing: Bearer", format!("-H 'Authorization: Bearer {secret}'"), UNAUTHORIZED),
        ("missing: apikey alone", "-H 'Authorization: apikey'".into(), UNAUTHORIZED),
        ("missing: an empty X-API-KEY", "-H 'X-API-KEY;'".into(), UNAUTHORIZED),
        ("missing: only a cookie", format!("-H 'Cookie: X-API-KEY={secret}'"), UNAUTHORIZED),
    ] {
        stage.line(name, &projects(&header), expected);
    }
    stage.line("missing: only ?key=", &format!("curl '{API}/projects?key={secret}&X-API-KEY={secret}'"), UNAUTHORIZED);
}

fn unknown(stage: &mut Stage) {
    for (name, secret) in [
        ("a key never made", "0000000000000000000000000000000000000000"),
        ("a key with one character more", "abc123xyzz"),
        ("a key in another case", "ABC123XYZ"),
        ("a key that is too short to be one", "abc"),
    ] {
        stage.line(name, &get("projects", secret), UNAUTHORIZED);
    }
    // Every secret fits an opaque format: realms must be kept apart by more than that.
    stage.keyward.create_owner("otesse", "acme", None);
    let elsewhere = NewKey { owner: "acme", label: "x", scopes: &["bookings:read"], environment: Some("live"), ..NewKey::default() };
    let elsewhere = stage.keyward.create_key("otesse", &elsewhere);
    stage.line("a good key of another realm", &get("projects", &elsewhere.secret), UNAUTHORIZED);
}

fn shown_once(stage: &mut Stage, key: &Made) {
    let shown = stage.shown(key);
    stage.says("shown once: get and list do not have the key", "absent", if shown.contains(&key.secret) { "shown" } else { "absent" });
    let odd = "a.b/c=d~e+f:$(0)[1]{2}";
    stage.key(&NewKey { secret: Some(odd), ..self::key("odd") });
    stage.line("an opaque key with odd characters, taken over verbatim", &get("projects", odd), PASSED);
}

fn everything(stage: &mut Stage, key: &Made) {
    for method in ["PUT", "PATCH", "DELETE"] {
        let line = format!("{} -X {method}", get("projects/7", &key.secret));
        stage.line(&format!("a key may do everything: {method}"), &line, &format!("200 {method} /v3/projects/7 x-ocus-owner=studio"));
    }
    stage.showing(
        &["content-type", "x-trace", "authorization"],
        "POST: body, other headers and parameters pass untouched",
        &format!(
            "{} -H 'Content-Type: application/json' -H 'X-Trace: a, b;c=\"d\"' -H 'Authorization: Basic dTpw' --data-binary @body",
            get("projects?z=%7e%20+&flag&b=2&a=&b=1&key=7", &key.secret)
        ),
        "200 POST /v3/projects?z=%7e%20+&flag&b=2&a=&b=1&key=7 x-ocus-owner=studio content-type=application/json \
         x-trace=a, b;c=\"d\" authorization=Basic dTpw body intact",
    );
    let spoofed = format!("{} -H 'X-Ocus-Owner: agency'", get("projects", &key.secret));
    stage.line("the owner cannot be spoofed", &spoofed, PASSED);
    let outside = format!("curl https://api.ocus.io/v2/projects -H 'X-API-KEY: {}'", key.secret);
    stage.line("a path outside of /v3", &outside, FORBIDDEN);
}

fn transport(stage: &mut Stage, key: &Made) {
    let plain = get("projects", &key.secret).replace("https://", "http://");
    stage.line("plain HTTP", &plain, INSECURE);
    stage.line("plain HTTP that calls itself HTTPS", &format!("{plain} -H 'X-Forwarded-Proto: https'"), INSECURE);
}

fn grpc(stage: &mut Stage) {
    let call = format!("curl -X POST {API}/projects -H 'Content-Type: application/grpc' -H 'TE: trailers'");
    stage.line("a gRPC caller without a key", &call, "grpc-status 16 Unauthorized. Please provide a valid API key.");
}

/// "One key per system": each ends by itself. "Revoked or Expired Key": told from a key that never was.
fn ended(stage: &mut Stage) {
    let (one, two) = (stage.key(&key("one system")), stage.key(&key("another system")));
    stage.line("a key per system: one", &get("projects", &one.secret), PASSED);
    stage.revoke(&one);
    stage.line("revoked: the very next request", &get("projects", &one.secret), ENDED);
    let apikey = format!("curl {API}/projects -H 'Authorization: apikey {}'", one.secret);
    stage.line("revoked: in Authorization", &apikey, ENDED);
    stage.line("a key per system: the other", &get("projects", &two.secret), PASSED);
}

fn owner(stage: &mut Stage) {
    let key = stage.key(&NewKey { owner: "agency", ..self::key("theirs") });
    let passed = "200 GET /v3/projects x-ocus-owner=agency";
    stage.keyward.disable_owner("ocus", "agency");
    stage.line("an owner disabled", &get("projects", &key.secret), UNAUTHORIZED);
    stage.keyward.enable_owner("ocus", "agency");
    stage.line("an owner enabled again", &get("projects", &key.secret), passed);
}

/// The realm's minute is 120 requests of a key.
fn limits(stage: &mut Stage) {
    let (key, other) = (stage.key(&key("limits")), stage.key(&key("limits, another")));
    let many = get("projects/[1-121]", &key.secret);
    stage.line("the minute: 120 pass, the next is told to wait", &many, &format!("120 x 200, 1 x {LIMITED}; the upstream saw 120"));
    stage.line("the minute is the key's: another key", &get("projects", &other.secret), PASSED);
    let call = format!("{} -X POST -H 'Content-Type: application/grpc'", get("projects", &key.secret));
    stage.line("the minute: a gRPC caller", &call, "grpc-status 8 Too many requests. Please retry later.");
}
