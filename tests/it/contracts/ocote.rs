//! Ocote: every row and every case of its contract.

mod limits;

use super::Contract;
use super::stage::{Soon, Stage};
use crate::support::keyward::{Made, NewKey};

pub(super) const CONTRACT: Contract = Contract { realm: "ocote", edit: limits::with_a_small_hour, cases };

/// The key that the document prints, taken over verbatim.
const PRINTED: &str = "odt_f57b5eabebb5ee8698d54c5c9427a991f6254150e819d04b2f56a490";
const API: &str = "https://ocote.io/api/connect";

const MISSING: &str = r#"401 application/json {"error":"API key requerida"}"#;
const UNKNOWN: &str = r#"401 application/json {"error":"API key invalida"}"#;
const INACTIVE: &str = r#"401 application/json {"error":"Empresa inactiva"}"#;
const FORBIDDEN: &str = r#"403 application/json {"error":"Operacion no permitida"}"#;
const INSECURE: &str = r#"403 application/json {"error":"HTTPS requerido"}"#;

fn cases(stage: &mut Stage) {
    stage.owner("company-a");
    stage.owner("company-b");
    let soon = Soon::new();
    let end = soon.text();
    let ends = stage.key(&NewKey { owner: "company-b", label: "ends", expire_time: Some(&end), ..NewKey::default() });
    stage.line("a key before its end", &get("status/x", &ends.secret), "200 GET /api/connect/status/x x-ocote-company=company-b");

    let printed = stage.key(&NewKey { owner: "company-a", label: "printed", secret: Some(PRINTED), ..NewKey::default() });
    let other = stage.key(&NewKey { owner: "company-b", label: "other", ..NewKey::default() });
    examples(stage);
    issuing(stage, &other);
    header(stage);
    unknown(stage, &other);
    download(stage, &other);
    elsewhere(stage);
    everything(stage);
    untouched(stage);
    identity(stage);
    transport(stage);
    grpc(stage);
    company(stage, &printed, &other);
    rotation(stage, &other);
    limits::cases(stage);

    soon.pass();
    stage.line("the same key after its end", &get("status/x", &ends.secret), UNKNOWN);
}

fn get(path: &str, secret: &str) -> String {
    format!("curl '{API}/{path}' -H 'Authorization: Bearer {secret}'")
}

fn examples(stage: &mut Stage) {
    stage.line(
        "the document's curl line",
        "curl https://ocote.io/api/connect/status/SALE-2026-0042 \\\n\
         -H \"Authorization: Bearer odt_f57b5eabebb5ee8698d54c5c9427a991f6254150e819d04b2f56a490\"",
        "200 GET /api/connect/status/SALE-2026-0042 x-ocote-company=company-a",
    );
    stage.showing(
        &["content-type"],
        "its axios and requests samples: a GET with Content-Type",
        &format!("{} -H 'Content-Type: application/json'", get("status/SALE-2026-0042", PRINTED)),
        "200 GET /api/connect/status/SALE-2026-0042 x-ocote-company=company-a content-type=application/json",
    );
    stage.showing(
        &["content-type"],
        "its POST /api/connect/invoice, body intact",
        &format!("{} -H 'Content-Type: application/json' --data-binary @body", get("invoice", PRINTED)),
        "200 POST /api/connect/invoice x-ocote-company=company-a content-type=application/json body intact",
    );
    stage.line("its POST with Bearer odt_xxx", &format!("{} --http1.1 -d '{{}}'", get("invoice", "odt_xxx")), UNKNOWN);
}

/// The admin's side: issued against a registered company, of the stated format, shown once.
fn issuing(stage: &mut Stage, key: &Made) {
    let body = key.secret.strip_prefix("odt_").unwrap_or_default();
    let hex = body.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let got = format!("odt_ + {} {}", body.len(), if hex { "hexadecimal, lower case" } else { "others" });
    stage.says("a minted key has the stated format", "odt_ + 56 hexadecimal, lower case", &got);
    let refused = stage.keyward.try_create_key("ocote", &NewKey { owner: "nobody", label: "x", ..NewKey::default() });
    stage.says("no key for a company that is not registered", "refused", if refused.status.success() { "created" } else { "refused" });
    let shown = stage.shown(key);
    stage.says("a key is shown once: get and list do not have it", "absent", if shown.contains(&key.secret) { "shown" } else { "absent" });
    let ends = &key.printed["key"]["expire_time"];
    let got = if ends.is_null() { "no end" } else { "an end" };
    stage.says("a key does not expire by default", "no end", got);
}

fn header(stage: &mut Stage) {
    let status = format!("curl {API}/status/x");
    for (name, header) in [
        ("no header", String::new()),
        ("Basic", "-H 'Authorization: Basic b2R0OnBhc3M='".into()),
        ("the bare key, without Bearer", format!("-H 'Authorization: {PRINTED}'")),
        ("Bearer alone", "-H 'Authorization: Bearer'".into()),
        ("Bearer and a space", "-H 'Authorization: Bearer '".into()),
        ("Bearer and the key in one word", format!("-H 'Authorization: Bearer{PRINTED}'")),
        ("an empty Authorization", "-H 'Authorization;'".into()),
        ("only X-API-Key", format!("-H 'X-API-Key: {PRINTED}'")),
        ("only a cookie", format!("-H 'Cookie: key={PRINTED}; Authorization=Bearer {PRINTED}'")),
        ("only a form in the body", format!("--http1.1 -d key={PRINTED}")),
    ] {
        stage.line(&format!("required: {name}"), &format!("{status} {header}"), MISSING);
    }
    let lower = format!("curl --http1.1 {API}/status/x -H 'authorization: bearer {PRINTED}'");
    stage.line("a header's name and scheme in lower case", &lower, "200 GET /api/connect/status/x x-ocote-company=company-a");
}

fn unknown(stage: &mut Stage, other: &Made) {
    let upper = PRINTED[4..].to_uppercase();
    for (name, secret) in [
        ("of the format, never made", "odt_00000000000000000000000000000000000000000000000000000000".to_owned()),
        ("one character changed", format!("{}1", &PRINTED[..PRINTED.len() - 1])),
        ("in upper case", format!("odt_{upper}")),
        ("too short", PRINTED[..PRINTED.len() - 1].to_owned()),
        ("too long", format!("{PRINTED}0")),
        ("without its prefix", PRINTED[4..].to_owned()),
    ] {
        stage.line(&format!("a key {name}"), &get("status/x", &secret), UNKNOWN);
    }
    let twice = format!("{} -H 'Authorization: Bearer {}'", get("status/x", PRINTED), other.secret);
    stage.line("two Authorization headers", &twice, UNKNOWN);
}

/// "Exception: file download endpoint."
fn download(stage: &mut Stage, other: &Made) {
    let passed = |path: &str| format!("200 GET /api/connect/file/{path} x-ocote-company=company-a");
    stage.line("GET /file/{id} with ?key=", &format!("curl '{API}/file/D1?type=ticket&key={PRINTED}'"), &passed("D1?type=ticket"));
    let key_first = format!("curl '{API}/file/D1?key={PRINTED}&type=ticket'");
    stage.line("the same, key first", &key_first, &passed("D1?type=ticket"));
    stage.line("the same, nothing but the key", &format!("curl '{API}/file/D1?key={PRINTED}'"), &passed("D1"));
    let odd = format!("curl '{API}/file/D1?z=%7e%20+&flag&key={PRINTED}&b=2&a=&b=1'");
    stage.line("other parameters arrive byte for byte", &odd, &passed("D1?z=%7e%20+&flag&b=2&a=&b=1"));
    stage.line("GET /file/{id} with the header", &get("file/D1?type=json", PRINTED), &passed("D1?type=json"));
    stage.line("both, the same key", &get(&format!("file/D1?key={PRINTED}"), PRINTED), &passed("D1"));
    stage.line("both, two keys", &get(&format!("file/D1?key={}", other.secret), PRINTED), UNKNOWN);
    stage.line("?key= twice", &format!("curl '{API}/file/D1?key={PRINTED}&key={}'", other.secret), UNKNOWN);
    stage.line("?key= of no key", &format!("curl '{API}/file/D1?type=ticket&key=odt_xxx'"), UNKNOWN);
    stage.line("?key= empty", &format!("curl '{API}/file/D1?type=ticket&key='"), MISSING);
}

/// "Everything else always uses the Authorization header."
fn elsewhere(stage: &mut Stage) {
    for (name, line) in [
        ("on /status/x", format!("curl '{API}/status/x?key={PRINTED}'")),
        ("on POST /file/{id}", format!("curl -X POST '{API}/file/D1?key={PRINTED}'")),
        ("on POST /invoice", format!("curl --http1.1 '{API}/invoice?key={PRINTED}' -d '{{}}'")),
        ("on /file", format!("curl '{API}/file?key={PRINTED}'")),
        ("on /file/", format!("curl '{API}/file/?key={PRINTED}'")),
        ("below /file/{id}", format!("curl '{API}/file/D1/x?key={PRINTED}'")),
        ("on a path that only passes by /file", format!("curl --path-as-is '{API}/file/../status/x?key={PRINTED}'")),
    ] {
        stage.line(&format!("?key= {name}"), &line, MISSING);
    }
    let both = get(&format!("status/x?a=1&key={PRINTED}"), PRINTED);
    stage.line("?key= beside a good header never goes on", &both, "200 GET /api/connect/status/x?a=1 x-ocote-company=company-a");
}

/// A key may do all that its company may, below /api/connect.
fn everything(stage: &mut Stage) {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let line = format!("{} -X {method}", get("invoice/INV-1", PRINTED));
        stage.line(
            &format!("{method} of the company's"),
            &line,
            &format!("200 {method} /api/connect/invoice/INV-1 x-ocote-company=company-a"),
        );
    }
    let outside = format!("curl https://ocote.io/panel -H 'Authorization: Bearer {PRINTED}'");
    stage.line("a path outside of /api/connect", &outside, FORBIDDEN);
    let like = format!("curl https://ocote.io/api/connected -H 'Authorization: Bearer {PRINTED}'");
    stage.line("a path that only begins like it", &like, FORBIDDEN);
}

fn untouched(stage: &mut Stage) {
    stage.showing(
        &["x-trace", "accept-language", "cookie", "x-api-key"],
        "other headers pass untouched",
        &format!(
            "{} -H 'X-Trace: a, b;c=\"d\"' -H 'Accept-Language: es-SV,es;q=0.9' -H 'Cookie: s=1; t=\"2\"' -H 'X-API-Key: none of ours'",
            get("status/x", PRINTED)
        ),
        "200 GET /api/connect/status/x x-ocote-company=company-a x-trace=a, b;c=\"d\" accept-language=es-SV,es;q=0.9 \
         cookie=s=1; t=\"2\" x-api-key=none of ours",
    );
    stage.line(
        "other query parameters pass untouched",
        &get("status/SALE%202?z=%7e%20+&flag&b=2&a=&b=1&key=7&q=a%2Fb", PRINTED),
        "200 GET /api/connect/status/SALE%202?z=%7e%20+&flag&b=2&a=&b=1&key=7&q=a%2Fb x-ocote-company=company-a",
    );
}

fn identity(stage: &mut Stage) {
    let spoofed = format!("{} -H 'X-Ocote-Company: company-b'", get("status/x", PRINTED));
    stage.line("the company cannot be spoofed", &spoofed, "200 GET /api/connect/status/x x-ocote-company=company-a");
}

fn transport(stage: &mut Stage) {
    let plain = format!("curl http://ocote.io/api/connect/status/x -H 'Authorization: Bearer {PRINTED}'");
    stage.line("plain HTTP", &plain, INSECURE);
    stage.line("plain HTTP that calls itself HTTPS", &format!("{plain} -H 'X-Forwarded-Proto: https'"), INSECURE);
}

fn grpc(stage: &mut Stage) {
    let call = format!("curl -X POST {API}/x -H 'Content-Type: application/grpc' -H 'TE: trailers'");
    stage.line("a gRPC caller without a key", &call, "grpc-status 16 API key requerida");
    stage.line(
        "a gRPC caller with no key of ours",
        &format!("{call} -H 'Authorization: Bearer odt_xxx'"),
        "grpc-status 16 API key invalida",
    );
}

/// "Company bound to the key is disabled."
fn company(stage: &mut Stage, printed: &Made, other: &Made) {
    let second = stage.key(&NewKey { owner: "company-a", label: "second", ..NewKey::default() });
    let dead = stage.key(&NewKey { owner: "company-a", label: "dead", ..NewKey::default() });
    stage.revoke(&dead);
    stage.keyward.disable_owner("ocote", "company-a");
    for (name, key, expected) in [
        ("a key of it", printed, INACTIVE),
        ("another key of it", &second, INACTIVE),
        ("a deactivated key of it", &dead, UNKNOWN),
        ("a key of another company", other, "200 GET /api/connect/status/x x-ocote-company=company-b"),
    ] {
        stage.line(&format!("company disabled: {name}"), &get("status/x", &key.secret), expected);
    }
    stage.line("company disabled: ?key= of a file", &format!("curl '{API}/file/D1?key={PRINTED}'"), INACTIVE);
    let call = format!("{} -X POST -H 'Content-Type: application/grpc'", get("x", PRINTED));
    stage.line("company disabled: a gRPC caller", &call, "grpc-status 16 Empresa inactiva");
    stage.keyward.enable_owner("ocote", "company-a");
    for (name, key) in [("a key of it", printed), ("another key of it", &second)] {
        let expected = "200 GET /api/connect/status/x x-ocote-company=company-a";
        stage.line(&format!("company enabled again: {name}"), &get("status/x", &key.secret), expected);
    }
    stage.line("company enabled again: a deactivated key of it", &get("status/x", &dead.secret), UNKNOWN);
}

/// "Request a new key from Ocote and deactivate the old one."
fn rotation(stage: &mut Stage, old: &Made) {
    let new = stage.key(&NewKey { owner: "company-b", label: "new", ..NewKey::default() });
    let passed = "200 GET /api/connect/status/x x-ocote-company=company-b";
    stage.line("a new key: the old one still works", &get("status/x", &old.secret), passed);
    stage.line("a new key: the same company at the upstream", &get("status/x", &new.secret), passed);
    stage.revoke(old);
    stage.line("deactivated: the very next request", &get("status/x", &old.secret), UNKNOWN);
    stage.line("deactivated: ?key= of a file", &format!("curl '{API}/file/D1?key={}'", old.secret), UNKNOWN);
    stage.line("deactivated: the new key works", &get("status/x", &new.secret), passed);
    let when = &stage.keyward.get_key("ocote", &old.id)["key"]["revoke_time"];
    let got = if when.as_str().is_some_and(|when| !when.is_empty()) { "on record" } else { "nowhere" };
    stage.says("deactivated: when that was is kept", "on record", got);
}
