//! What Otesse's scopes open, and that nothing else does.

use super::super::stage::Stage;
use super::{FORBIDDEN, get, passed, reader};
use crate::support::keyward::{Made, NewKey};

const SCOPES: [&str; 8] = [
    "bookings:read",
    "bookings:write",
    "customers:read",
    "customers:write",
    "invoices:read",
    "invoices:write",
    "services:read",
    "webhooks:manage",
];

/// What each scope opens; nothing else of [`DEEDS`].
const OPENS: [(&str, &str); 8] = [
    ("bookings:read", "GET bookings, GET bookings/7"),
    ("bookings:write", "POST bookings, PUT bookings/7, PATCH bookings/7"),
    ("customers:read", "GET customers, GET customers/7"),
    ("customers:write", "POST customers, PUT customers/7, PATCH customers/7"),
    ("invoices:read", "GET invoices, GET invoices/7"),
    ("invoices:write", "POST invoices"),
    ("services:read", "GET services"),
    ("webhooks:manage", "GET webhooks, POST webhooks, PUT webhooks/7, DELETE webhooks/7"),
];

/// What a key may try.
const DEEDS: [&str; 24] = [
    "GET bookings",
    "GET bookings/7",
    "POST bookings",
    "PUT bookings/7",
    "PATCH bookings/7",
    "DELETE bookings/7",
    "GET customers",
    "GET customers/7",
    "POST customers",
    "PUT customers/7",
    "PATCH customers/7",
    "DELETE customers/7",
    "GET invoices",
    "GET invoices/7",
    "POST invoices",
    "POST invoices/7",
    "PUT invoices/7",
    "DELETE invoices/7",
    "GET services",
    "POST services",
    "GET webhooks",
    "POST webhooks",
    "PUT webhooks/7",
    "DELETE webhooks/7",
];

pub(super) fn cases(stage: &mut Stage, key: &Made) {
    writing(stage);
    scopes(stage, key);
}

fn writing(stage: &mut Stage) {
    let reads = stage.key(&reader("reads"));
    let writes = stage.key(&NewKey { scopes: &["bookings:write"], ..reader("writes") });
    let both = stage.key(&NewKey { scopes: &["bookings:read", "bookings:write"], ..reader("both") });
    let none = stage.key(&NewKey { scopes: &[], ..reader("none") });
    let post = |key: &Made| format!("{} -H 'Content-Type: application/json' --data-binary @body", get("bookings", &key.secret));
    stage.line("POST with bookings:read alone", &format!("{} --http1.1 -d '{{}}'", get("bookings", &reads.secret)), FORBIDDEN);
    stage.showing(
        &["content-type"],
        "POST with bookings:write, body intact",
        &post(&writes),
        &format!("{} content-type=application/json body intact", passed(&writes, "POST /v1/bookings")),
    );
    stage.line("GET with bookings:write alone", &get("bookings", &writes.secret), FORBIDDEN);
    stage.line("GET with both", &get("bookings/7", &both.secret), &passed(&both, "GET /v1/bookings/7"));
    stage.line("HEAD with both", &format!("{} -I", get("bookings", &both.secret)), &passed(&both, "HEAD /v1/bookings"));
    stage.line("DELETE with both", &format!("{} -X DELETE", get("bookings/7", &both.secret)), FORBIDDEN);
    stage.line("a key without scopes", &get("bookings", &none.secret), FORBIDDEN);
}

/// The whole table: each scope against every deed.
fn scopes(stage: &mut Stage, key: &Made) {
    for (scope, opens) in OPENS {
        let key = stage.key(&NewKey { scopes: &[scope], ..reader(scope) });
        stage.says(&format!("{scope} opens"), opens, &opened(stage, &key));
    }
    let all = stage.key(&NewKey { scopes: &SCOPES, ..reader("all") });
    let every = OPENS.map(|(_, opens)| opens).join(", ");
    stage.says("all scopes open", &every, &opened(stage, &all));
    for path in ["payments", "", "bookingsx"] {
        stage.line(&format!("a path that no scope names: /v1/{path}"), &get(path, &all.secret), FORBIDDEN);
    }
    let old = format!("curl https://api.otesse.com/v2/bookings -H 'Authorization: Bearer {}'", key.secret);
    stage.line("a path that no scope names: /v2/bookings", &old, FORBIDDEN);
}

/// The deeds that came through, and every answer of another kind than 200 and 403.
fn opened(stage: &Stage, key: &Made) -> String {
    let opened = DEEDS.iter().filter_map(|deed| {
        let (method, path) = deed.split_once(' ').unwrap();
        let (brought, seen) = stage.ask(&format!("{} -X {method}", get(path, &key.secret)));
        match (brought.answers.first().map(|answer| answer.status), seen.len()) {
            (Some(200), 1) => Some((*deed).to_owned()),
            (Some(403), 0) => None,
            (status, seen) => Some(format!("{deed} ({status:?}, the upstream saw {seen})")),
        }
    });
    opened.collect::<Vec<_>>().join(", ")
}
