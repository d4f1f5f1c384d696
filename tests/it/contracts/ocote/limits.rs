//! Ocote's minute and hour.

use super::super::stage::Stage;
use super::{PRINTED, get};
use crate::support::keyward::{Made, NewKey};

const LIMITED: &str = r#"429 application/json {"error":"Limite de solicitudes excedido"} retry-after in the"#;

/// A plan whose hour is reached before its minute: no case could wait for the one of the realm.
pub(super) fn with_a_small_hour(realm: &str) -> String {
    let (before, after) = realm.split_once("  standard:\n").unwrap();
    let small = "  small_hour: [{limit: minute, per: owner, most: 60, window: 1m}, {limit: hour, per: owner, most: 3, window: 1h}]\n";
    format!("{before}{small}  standard:\n{after}")
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
    let status = |status: &str| format!("{} -H 'x-want-status: {status}'", get("status/[1-30]", &key.secret));
    stage.line("a 400 of the upstream counts on the minute", &status("400"), "30 x 400; the upstream saw 30");
    stage.line("a 500 of the upstream counts on the minute", &status("500"), "30 x 500; the upstream saw 30");
    stage.line("60 of them are the minute", &get("status/x", &key.secret), &minute[4..]);

    let key = company(stage, "refused", None);
    refusals_spend_nothing(stage, &key);

    let key = company(stage, "hour", Some("small_hour"));
    let many = get("status/[1-4]", &key.secret);
    let hour = format!("3 x 200, 1 x {LIMITED} hour; the upstream saw 3");
    stage.line("the hour (here of 3): 3 pass, the next is told to wait", &many, &hour);
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
