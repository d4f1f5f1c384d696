//! Ocote's minute and hour.

use super::super::stage::Stage;
use super::{PRINTED, get};
use crate::support::keyward::{Made, NewKey};

const LIMITED: &str = r#"429 application/json {"error":"Limite de solicitudes excedido"} retry-after in the"#;

/// A plan whose hour is reached before its minute: no case could wait for the one of the realm.
pub(super) fn with_a_small_hour(realm: &str) -> String {
    let (before, after) = realm.split_once("  standard:\n").unwrap();
    let (limits, _) = after.split_once("default_plan").unwrap();
    let small = limits.replace("most: 1000", "most: 3");
    assert_ne!(small, limits, "the realm's hour is 1000");
    format!("{before}  small_hour:\n{small}  standard:\n{after}")
}

/// Each of these companies has windows of its own. The realm's minute is 60 requests of the company.
pub(super) fn cases(stage: &mut Stage) {
    let company = |stage: &mut Stage, owner: &str, plan: Option<&str>| {
        stage.keyward.create_owner("ocote", owner, plan);
        stage.key(&NewKey { owner, label: "limits", ..NewKey::default() })
    };
    let minute = format!("1 x {LIMITED} minute");
    let key = company(stage, "minute", None);
    let many = get("status/[1-61]", &key.secret);
    stage.line("the minute: 60 pass, the next is told to wait", &many, &format!("60 x 200, {minute}; the upstream saw 60"));
    let second = stage.key(&NewKey { owner: "minute", label: "second", ..NewKey::default() });
    stage.line("the minute is the company's: another key of it", &get("status/x", &second.secret), &minute[4..]);
    stage.line(
        "the minute: another company's is not touched",
        &get("status/x", PRINTED),
        "200 GET /api/connect/status/x x-ocote-company=company-a",
    );
    let call = format!("{} -X POST -H 'Content-Type: application/grpc'", get("x", &key.secret));
    stage.line("the minute: a gRPC caller", &call, "grpc-status 8 Limite de solicitudes excedido");

    let key = company(stage, "errors", None);
    errors(stage, &key);
    let key = company(stage, "unauthorized", None);
    unauthorized(stage, &key);
    let key = company(stage, "others", Some("small_hour"));
    others(stage, &key);

    let key = company(stage, "refused", None);
    refusals_spend_nothing(stage, &key);

    let key = company(stage, "hour", Some("small_hour"));
    let many = get("status/[1-4]", &key.secret);
    let hour = format!("3 x 200, 1 x {LIMITED} hour; the upstream saw 3");
    stage.line("the hour (here of 3): 3 pass, the next is told to wait", &many, &hour);
}

fn answering(key: &Made, status: &str, many: &str) -> String {
    format!("{} -H 'x-want-status: {status}'", get(&format!("status/[1-{many}]"), &key.secret))
}

/// "400/500 responses don't count against the hourly limit either, but do count against the minute limit."
fn errors(stage: &mut Stage, key: &Made) {
    stage.line("a 400 of the upstream counts on the minute", &answering(key, "400", "30"), "30 x 400; the upstream saw 30");
    stage.line("a 500 of the upstream counts on the minute", &answering(key, "500", "30"), "30 x 500; the upstream saw 30");
    stage.settled(60);
    stage.line("60 of them are the minute", &get("status/x", &key.secret), &format!("{LIMITED} minute"));
}

/// "401 responses do not count against rate limit", the upstream's own included.
fn unauthorized(stage: &mut Stage, key: &Made) {
    for part in ["first", "second"] {
        let name = format!("a 401 of the upstream counts on nothing: the {part} 50 of them");
        stage.line(&name, &answering(key, "401", "50"), "50 x 401; the upstream saw 50");
        stage.settled(50);
    }
    stage.line("after 100 of them the minute is whole", &get("status/[1-60]", &key.secret), "60 x 200; the upstream saw 60");
    let once_more = format!("{LIMITED} minute");
    stage.line("and no larger", &get("status/x", &key.secret), &once_more);
}

/// The hour is of 3 here.
fn others(stage: &mut Stage, key: &Made) {
    for (status, what) in [("400", "a 400"), ("500", "a 500"), ("401", "a 401")] {
        let name = format!("{what} of the upstream does not count on the hour (here of 3)");
        stage.line(&name, &answering(key, status, "3"), &format!("3 x {status}; the upstream saw 3"));
        stage.settled(3);
    }
    stage.line("a 404 and a 503 do: 400 and 500 are codes", &answering(key, "404", "2"), "2 x 404; the upstream saw 2");
    let last = format!("{} -H 'x-want-status: 503'", get("status/x", &key.secret));
    stage.line("the third of them", &last, "503 GET /api/connect/status/x x-ocote-company=others");
    stage.line("the hour (here of 3) is full", &get("status/x", &key.secret), &format!("{LIMITED} hour"));
}

/// "401 responses do not count against rate limit."
fn refusals_spend_nothing(stage: &mut Stage, key: &Made) {
    let dead = stage.key(&NewKey { owner: "refused", label: "dead", ..NewKey::default() });
    stage.revoke(&dead);
    let refused = "70 x 401; the upstream saw 0";
    stage.line("70 refusals of a deactivated key of a company", &get("status/[1-70]", &dead.secret), refused);
    stage.keyward.disable_owner("ocote", "refused");
    stage.line("70 refusals of the company while disabled", &get("status/[1-70]", &key.secret), refused);
    stage.keyward.enable_owner("ocote", "refused");
    stage.line("spent nothing of its 60", &get("status/[1-60]", &key.secret), "60 x 200; the upstream saw 60");
}
