//! Headers, gRPC details, metadata and metrics, to the second: the clock stands still until a test moves it.

use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::World;
use crate::support::check;

/// A token counts from its grant until it can no longer have been spent, half a second, and then for a minute.
const ONCE: Duration = Duration::from_millis(500);
const MINUTE: &str = "plans: {few: [{limit: minute, per: key, most: 3, window: 1m}]}\ndefault_plan: few\n";
const BOTH: &str = "limit_headers: [x-ratelimit, ratelimit]\n";
const ALL: [&str; 5] = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-policy", "ratelimit"];

/// The values of all five.
fn headers(response: &CheckResponse) -> Vec<Option<String>> {
    ALL.iter().map(|name| check::header(response, name)).collect()
}

fn are(response: &CheckResponse, expected: [&str; 5]) {
    assert_eq!(headers(response), expected.map(|value| Some(value.to_owned()).filter(|value| !value.is_empty())), "{response:?}");
    let overwrites = HeaderAppendAction::OverwriteIfExistsOrAdd as i32;
    assert!(check::headers(response).iter().all(|option| option.append_action == overwrites), "{response:?}");
}

fn field<'a>(of: &'a Struct, name: &str) -> Option<&'a Kind> {
    of.fields.get(name)?.kind.as_ref()
}

fn ours(response: &CheckResponse) -> &Struct {
    match field(response.dynamic_metadata.as_ref().unwrap(), "keyward") {
        Some(Kind::StructValue(ours)) => ours,
        other => panic!("{other:?}"),
    }
}

fn number(response: &CheckResponse, name: &str) -> Option<f64> {
    match field(ours(response), name) {
        Some(Kind::NumberValue(number)) => Some(*number),
        _ => None,
    }
}

#[tokio::test]
async fn headers_tell_of_the_tightest_limit_on_grant_and_on_refusal() {
    let world = World::of(&format!("{MINUTE}{BOTH}"), &[], ONCE).await;
    are(&world.ask("/").await, ["3", "2", "61", "\"minute\";q=3;w=60", "\"minute\";r=2;t=61"]);
    world.hands.pass(Duration::from_secs(10));
    let dear = world.ask("/dear").await;
    are(&dear, ["3", "0", "51", "\"minute\";q=3;w=60", "\"minute\";r=0;t=51"]);
    assert_eq!((check::metadata(&dear, "limit").as_deref(), number(&dear, "limit_left")), (Some("minute"), Some(0.0)));
    let refused = world.ask("/").await;
    assert_eq!((check::denied_status(&refused), check::header(&refused, "retry-after").as_deref()), (Some(429), Some("51")));
    are(&refused, ["3", "0", "51", "\"minute\";q=3;w=60", "\"minute\";r=0;t=51"]);
    assert_eq!(check::metadata(&refused, "limit").as_deref(), Some("minute"));
    assert_eq!(number(&refused, "limit_reset"), Some(51.0));
    assert_eq!(world.counted("keyward_limited_total{realm=\"told\",limit=\"minute\"}"), Some(1));
}

#[tokio::test]
async fn a_realm_that_wants_no_headers_has_none_and_one_that_wants_one_family_has_that_one() {
    let world = World::of(MINUTE, &[], ONCE).await;
    are(&world.ask("/").await, [""; 5]);
    let world = World::of(&format!("{MINUTE}limit_headers: [ratelimit]\n"), &[], ONCE).await;
    are(&world.ask("/").await, ["", "", "", "\"minute\";q=3;w=60", "\"minute\";r=2;t=61"]);
}

#[tokio::test]
async fn a_quota_has_no_window_in_seconds_and_ends_with_its_period() {
    let day = "plans: {few: [{limit: quota, per: owner, most: 3, window: day, zone: Asia/Tokyo}]}\ndefault_plan: few\n";
    let world = World::of(&format!("{day}{BOTH}"), &[], ONCE).await;
    // 2027-01-15T08:00:00Z is 17:00 in Tokyo
    let left = (7 * 3600).to_string();
    are(&world.ask("/").await, ["3", "2", &left, "\"quota\";q=3", &format!("\"quota\";r=2;t={left}")]);
}

#[tokio::test]
async fn no_wait_is_told_that_is_too_short_for_what_the_request_costs() {
    let world = World::of(&format!("{MINUTE}{BOTH}"), &[], ONCE).await;
    for _ in 0..3 {
        assert!(check::admits(&world.ask("/").await));
        world.hands.pass(Duration::from_secs(10));
    }
    let told = |response: &CheckResponse| check::header(response, "retry-after").unwrap().parse::<u64>().unwrap();
    let one = told(&world.ask("/").await);
    assert_eq!(one, 31, "one fits when the first is forgotten, 60.5 s after it was granted");
    let two = told(&world.ask("/dear").await);
    assert_eq!(two, 41, "two fit when the second is forgotten as well, whatever is remembered of what costs less");
    // control: what the cheaper one was told would have been early
    world.hands.pass(Duration::from_secs(one));
    assert_eq!(check::denied_status(&world.ask("/dear").await), Some(429));
    world.hands.pass(Duration::from_secs(two - one));
    assert!(check::admits(&world.ask("/dear").await));
}

#[tokio::test]
async fn what_costs_more_than_its_limit_is_told_no_time_to_come_again() {
    let world = World::of(&format!("{MINUTE}{BOTH}"), &[("minute", 1)], ONCE).await;
    let never = world.ask_with("/dear", &[]).await;
    assert_eq!((check::denied_status(&never), check::header(&never, "retry-after")), (Some(429), None));
    are(&never, ["1", "1", "", "\"minute\";q=1;w=60", "\"minute\";r=1"]);
    let told = details(&world.ask_with("/dear", &[("content-type", "application/grpc")]).await);
    assert!(told.retry_info().is_none() && told.quota_failure().is_some(), "{told:?}");
    assert!(check::admits(&world.ask("/").await), "control: what costs one passes");
    let later = world.ask("/").await;
    assert_eq!(check::header(&later, "retry-after").as_deref(), Some("61"), "control: and is told when it does again");
    let never = world.ask("/dear").await;
    assert_eq!(check::header(&never, "retry-after"), None, "whatever is remembered of one that costs less");
}

/// As a client of gRPC reads them.
fn details(response: &CheckResponse) -> ErrorDetails {
    assert_eq!(check::header(response, "grpc-status").as_deref(), Some("8"));
    let bytes = BASE64_NOPAD.decode(check::header(response, "grpc-status-details-bin").unwrap().as_bytes()).unwrap();
    Status::with_details(Code::ResourceExhausted, "", bytes.into()).get_error_details()
}

#[tokio::test]
async fn a_caller_of_grpc_has_the_wait_and_the_limit_as_details() {
    let world = World::of(MINUTE, &[("minute", 1)], ONCE).await;
    let grpc = [("content-type", "application/grpc+proto")];
    let granted = world.ask_with("/", &grpc).await;
    assert!(check::admits(&granted) && check::header(&granted, "grpc-status-details-bin").is_none());
    let told = details(&world.ask_with("/", &grpc).await);
    assert_eq!(told.retry_info().unwrap().retry_delay, Some(Duration::from_millis(60_500)));
    let [violation] = &told.quota_failure().unwrap().violations[..] else { panic!("one limit: {told:?}") };
    assert_eq!((&*violation.subject, &*violation.description), ("limit:minute", "0 of 1 are left to this key"));
    let http = world.ask("/").await;
    assert_eq!(check::header(&http, "grpc-status-details-bin"), None, "control: another caller has none");
}

/// Reason, and how long to wait, of a refusal to a caller of gRPC.
fn about(response: &CheckResponse) -> (String, Option<Duration>) {
    let bytes = BASE64_NOPAD.decode(check::header(response, "grpc-status-details-bin").unwrap().as_bytes()).unwrap();
    let told = Status::with_details(Code::Unknown, "", bytes.into()).get_error_details();
    let about = told.error_info().unwrap();
    assert_eq!((&*about.domain, about.metadata.len()), ("keyward", 0));
    (about.reason.clone(), told.retry_info().and_then(|info| info.retry_delay))
}

#[tokio::test]
async fn a_caller_of_grpc_has_the_reason_of_every_refusal_as_far_as_the_contract_tells_it() {
    let open = "denials: {unknown: {grpc: {message: who is that}}, revoked: {grpc: {message: who was that}}}\n";
    let world = World::of(&format!("{MINUTE}{open}"), &[("minute", 1)], ONCE).await;
    let grpc = ("content-type", "application/grpc");
    let junk = "to_ffffffffffffffffffffffffffffffff";
    let unknown = world.ask_as("/", &[grpc, ("x-api-key", junk)]).await;
    assert_eq!(about(&unknown), ("UNKNOWN".into(), None));
    assert_eq!(about(&world.ask_as("/", &[grpc]).await), ("MISSING".into(), None));
    assert_eq!(about(&world.ask_as("/a//b", &[grpc]).await), ("MALFORMED".into(), None));
    let insecure = world.ask_as("/", &[grpc, ("x-forwarded-proto", "http")]).await;
    assert_eq!(about(&insecure), ("INSECURE".into(), None));
    let twice = world.ask_as("/", &[grpc, ("x-api-key", "a,b")]).await;
    assert_eq!(about(&twice), ("UNKNOWN".into(), None), "the contract words it in the same way");
    assert!(check::admits(&world.ask_with("/", &[grpc]).await));
    assert_eq!(about(&world.ask_with("/", &[grpc]).await), ("LIMITED".into(), Some(Duration::from_millis(60_500))));
    world.goes_away();
    let later = about(&world.ask_with("/dear", &[grpc]).await);
    assert_eq!(later, ("UNAVAILABLE".into(), Some(Duration::from_secs(1))));
    for refused in [world.ask_as("/", &[("x-api-key", junk)]).await, world.ask_as("/", &[]).await] {
        assert_eq!(check::header(&refused, "grpc-status-details-bin"), None, "control: another caller has none");
    }
}

#[tokio::test]
async fn a_shadow_refuses_nothing_is_told_to_no_caller_and_says_what_it_would_have_refused() {
    let plan =
        "plans: {few: [{limit: minute, per: key, most: 3, window: 1m}, {limit: tried, per: key, most: 1, window: 1h, shadow: true}]}\n";
    let world = World::of(&format!("{plan}default_plan: few\n{BOTH}"), &[], ONCE).await;
    let would = |response: &CheckResponse| match field(ours(response), "would_refuse") {
        Some(Kind::ListValue(list)) => list.values.clone(),
        None => Vec::new(),
        other => panic!("{other:?}"),
    };
    let tried = || vec![Value { kind: Some(Kind::StringValue("tried".into())) }];
    let first = world.ask("/").await;
    are(&first, ["3", "2", "61", "\"minute\";q=3;w=60", "\"minute\";r=2;t=61"]);
    assert_eq!(would(&first), [], "control: within it nothing is said");
    for left in ["1", "0"] {
        let over = world.ask("/").await;
        assert_eq!((check::admits(&over), would(&over)), (true, tried()));
        assert_eq!(check::header(&over, "x-ratelimit-remaining").as_deref(), Some(left));
    }
    let refused = world.ask("/").await;
    assert_eq!((check::admits(&refused), would(&refused)), (false, tried()));
    assert_eq!(check::metadata(&refused, "limit").as_deref(), Some("minute"), "a shadow is not what refused");
    assert_eq!(world.counted("keyward_would_refuse_total{realm=\"told\",limit=\"tried\"}"), Some(3));
    assert_eq!(world.counted("keyward_limited_total{realm=\"told\",limit=\"tried\"}"), None);
}

#[tokio::test]
async fn a_shadow_is_told_of_where_no_headers_are_wanted() {
    let plan = "plans: {few: [{limit: tried, per: owner, most: 1, window: 1h, shadow: true}]}\ndefault_plan: few\n";
    let world = World::of(plan, &[], ONCE).await;
    assert!(field(ours(&world.ask("/").await), "would_refuse").is_none());
    assert!(field(ours(&world.ask("/").await), "would_refuse").is_some());
}

#[tokio::test]
async fn envoys_own_filter_is_fed_at_the_top_the_numbers_in_force_and_the_cost() {
    let world = World::of(&format!("{MINUTE}feed_envoy: [minute]\n"), &[("minute", 7)], ONCE).await;
    let response = world.ask("/dear").await;
    let metadata = response.dynamic_metadata.as_ref().unwrap();
    let Some(Kind::StructValue(limit)) = field(metadata, "keyward_limit_minute") else { panic!("{metadata:?}") };
    assert_eq!(field(limit, "requests_per_unit"), Some(&Kind::NumberValue(7.0)), "the key's own number");
    assert_eq!(field(limit, "unit"), Some(&Kind::StringValue("MINUTE".into())));
    assert_eq!(field(metadata, "keyward_cost"), Some(&Kind::NumberValue(2.0)));
    are(&response, [""; 5]);
    let unfed = World::of(MINUTE, &[], ONCE).await.ask("/").await;
    assert_eq!(unfed.dynamic_metadata.unwrap().fields.keys().collect::<Vec<_>>(), ["keyward"], "control: no realm is fed unasked");
}
