//! Denials: what a file says of some reasons is an answer to every one of them.

use std::time::Duration;

use keyward::domain::denial::Denial;
use keyward::domain::reason::Reason;

use super::{VALID, read, refused, with};

/// The valid realm with these denials.
fn denials(text: &str) -> String {
    let (before, rest) = VALID.split_once("denials:\n").unwrap();
    let (_, after) = rest.split_once("when_store_is_away").unwrap();
    format!("{before}denials:\n{text}\nwhen_store_is_away{after}")
}

fn denial(text: &str, reason: Reason) -> Denial {
    read(&denials(text)).denial(reason).unwrap().clone()
}

fn body(denial: &Denial, reason: Reason) -> String {
    denial.body.render(|told| Some(told.text(reason, Some(Duration::from_millis(1500))))).unwrap()
}

fn header(denial: &Denial, name: &str) -> Vec<String> {
    let named = denial.headers.iter().filter(|(own, _)| &**own == name);
    named.map(|(_, value)| value.render(|told| Some(told.text(Reason::Limited, Some(Duration::from_millis(1500))))).unwrap()).collect()
}

#[test]
fn a_realm_that_says_nothing_answers_every_reason_as_the_reference_says() {
    let (before, rest) = VALID.split_once("denials:\n").unwrap();
    let (_, after) = rest.split_once("when_store_is_away").unwrap();
    let realm = read(&format!("{before}when_store_is_away{after}"));
    for reason in Reason::ALL {
        assert_eq!(realm.denial(*reason), Some(&Denial::default_for(*reason)), "{reason:?}");
    }
}

#[test]
fn a_reason_without_words_is_answered_with_those_of_the_reason_that_stands_for_it() {
    let text = "  unknown: {status: 418, text: u}\n  scope: {status: 404, text: s}\n  missing: {status: 400, text: m}\n  unavailable: {status: 500, text: a}";
    let realm = read(&denials(text));
    for (reason, status, words) in [
        (Reason::Unknown, 418, "u"),
        (Reason::Ambiguous, 418, "u"),
        (Reason::Revoked, 418, "u"),
        (Reason::Expired, 418, "u"),
        (Reason::OwnerDisabled, 418, "u"),
        (Reason::Missing, 400, "m"),
        (Reason::TenantMissing, 400, "m"),
        (Reason::Scope, 404, "s"),
        (Reason::NoRoute, 404, "s"),
        (Reason::Environment, 404, "s"),
        (Reason::Kind, 404, "s"),
        (Reason::Tenant, 404, "s"),
        (Reason::Address, 404, "s"),
        (Reason::Unavailable, 500, "a"),
        (Reason::Internal, 500, "a"),
        (Reason::NoRealm, 403, "Forbidden"),
        (Reason::Insecure, 403, "Forbidden"),
        (Reason::Malformed, 400, "Bad request"),
        (Reason::Limited, 429, "Too many requests"),
    ] {
        let denial = realm.denial(reason).unwrap();
        assert_eq!((denial.status, body(denial, reason).as_str()), (status, words), "{reason:?}");
        assert_eq!(denial.grpc_code, Denial::default_for(reason).grpc_code, "{reason:?}");
    }
    let nearer = read(&denials("  unknown: {status: 401, text: u}\n  revoked: {status: 403, text: r}"));
    assert_eq!(body(nearer.denial(Reason::Expired).unwrap(), Reason::Expired), "r");
}

#[test]
fn what_a_denial_leaves_out_is_as_if_nothing_were_said() {
    let only_status = denial("  missing: {status: 418}", Reason::Missing);
    assert_eq!(only_status, Denial { status: 418, ..Denial::default_for(Reason::Missing) });
    let only_grpc = denial("  scope: {grpc: {code: NOT_FOUND}}", Reason::Kind);
    assert_eq!(only_grpc, Denial { grpc_code: 5, ..Denial::default_for(Reason::Kind) });
    let only_headers = denial("  missing: {headers: {www-authenticate: Bearer}}", Reason::Missing);
    assert_eq!((header(&only_headers, "www-authenticate"), header(&only_headers, "content-type").len()), (vec!["Bearer".into()], 1));
}

#[test]
fn json_is_compact_keeps_the_order_of_its_keys_and_tells_its_type() {
    let text = "  limited:\n    json: {z: 1, a: [true, null, 1.5, \"q\\\"\\n\"], m: {wait: \"${retry_after} s\", why: \"${reason}\"}}";
    let limited = denial(text, Reason::Limited);
    assert_eq!(body(&limited, Reason::Limited), r#"{"z":1,"a":[true,null,1.5,"q\"\n"],"m":{"wait":"2 s","why":"limited"}}"#);
    assert_eq!(header(&limited, "content-type"), ["application/json"]);
    refused("text: \"${reason}\"", "json: {a: .nan}", "denials.limited.json.a", "must be a number that JSON has");
    refused("text: \"${reason}\"", "json: {a: !x b}", "denials.limited.json.a", "must be what JSON has");
    refused("text: \"${reason}\"", "json: {1: a}", "denials.limited.json", "must be text");
}

#[test]
fn text_keeps_its_line_breaks_and_a_named_content_type_is_the_only_one() {
    let printed = "  unknown:\n    headers: {Content-Type: application/json}\n    text: |-\n      {\n      \"error\": \"no\"\n      }\n";
    let unknown = denial(printed, Reason::Unknown);
    assert_eq!(body(&unknown, Reason::Unknown), "{\n\"error\": \"no\"\n}");
    assert_eq!(header(&unknown, "content-type"), ["application/json"]);
    let plain = denial("  unknown: {text: no}", Reason::Unknown);
    assert_eq!(header(&plain, "content-type"), ["text/plain; charset=utf-8"]);
    let problem = denial("  unknown: {headers: {content-type: application/problem+json}, json: {}}", Reason::Unknown);
    assert_eq!((header(&problem, "content-type"), body(&problem, Reason::Unknown)), (vec!["application/problem+json".into()], "{}".into()));
}

#[test]
fn the_time_to_wait_may_be_told_in_headers_and_message() {
    let limited = read(VALID).denial(Reason::Limited).unwrap().clone();
    assert_eq!(header(&limited, "x-wait"), ["2"]);
    assert_eq!((limited.status, limited.grpc_code, body(&limited, Reason::Limited).as_str()), (429, 8, "limited"));
    let waits = denial("  limited: {grpc: {message: \"wait ${retry_after}\"}}", Reason::Limited);
    let wait = |wait| waits.grpc_message.render(|told| Some(told.text(Reason::Limited, wait))).unwrap();
    assert_eq!(wait(Some(Duration::from_millis(1))), "wait 1");
    assert_eq!(wait(None), "wait 86400", "no wait is long enough, and a text must say some");
}

#[test]
fn a_denial_that_no_proxy_could_send_is_refused() {
    for status in ["200", "399", "600", "\"401\""] {
        refused("status: 429", &format!("status: {status}"), "denials.limited.status", "must be a number from 400 to 599");
    }
    refused("  limited:", "  limitd:", "denials.limitd", "must be `no_realm`");
    let named = |name: &str, says: &str| refused("{x-wait:", &format!("{{{name:?}:"), &format!("denials.limited.headers.{name}"), says);
    named(":status", "must be a token");
    named("x wait", "must be a token");
    for name in ["content-length", "Transfer-Encoding", "host", "connection"] {
        named(name, "is the proxy's own");
    }
    named("Retry-After", "is set by keyward");
    let value = |value: &str, says: &str| refused("\"${retry_after}\"", value, "denials.limited.headers.x-wait", says);
    value("\"a\\r\\nset-cookie: b\"", "must be visible ASCII");
    value("\"ñ\"", "must be visible ASCII");
    value("5", "must be text (put it in quotes)");
    value("\"${retry}\"", "there is no value `${retry}` here");
    refused("text: \"${reason}\"", "text: \"${why}\"", "denials.limited.text", "there is no value `${why}` here");
    refused("text: \"${reason}\"", "text: a\n    json: {}", "denials.limited.text", "is one too many");
    for code in ["OK", "unauthenticated", "16"] {
        refused("code: RESOURCE_EXHAUSTED", &format!("code: {code}"), "denials.limited.grpc.code", "must be `CANCELLED`");
    }
    refused("message: slow down", "message: \"a\\nb\"", "denials.limited.grpc.message", "must be visible ASCII");
}

#[test]
fn a_wait_may_be_set_by_hand_only_where_keyward_sets_none() {
    let revoked = denial("  revoked: {headers: {retry-after: \"60\"}}", Reason::Revoked);
    assert_eq!(header(&revoked, "retry-after"), ["60"]);
    let text = with("  limited:", "  unavailable:\n    headers: {retry-after: \"1\"}\n  limited:");
    super::refused_at(&text, 44, "denials.unavailable.headers.retry-after", "is set by keyward");
}
