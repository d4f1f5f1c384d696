//! Sources that keep failing are told to wait before they cost another look-up.

use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use keyward::grpc::check_server::Answers as _;
use keyward::replica::records::Unfound;
use prost::Message as _;
use tonic::codegen::http::HeaderMap;

use super::stage::{Stage, digest, key, owner};
use crate::support::check;

async fn fail(stage: &Stage, address: &str, numbers: std::ops::Range<u32>) -> Vec<Unfound> {
    let mut answers = Vec::new();
    for number in numbers {
        answers.push(stage.ask_from(address, &[digest(number)]).await.unwrap_err());
    }
    answers
}

#[tokio::test]
async fn a_source_that_keeps_failing_costs_no_more_look_ups_until_it_has_waited() {
    let stage = Stage::set().await;
    assert!(fail(&stage, "192.0.2.7", 0..300).await.iter().all(|answer| *answer == Unfound::Unknown));
    assert!(fail(&stage, "192.0.2.7", 300..1000).await.iter().all(|answer| matches!(answer, Unfound::Throttled { .. })));
    assert_eq!(stage.finds(), 300);
    let [Unfound::Throttled { retry_in }] = fail(&stage, "192.0.2.7", 300..301).await[..] else { panic!("it was throttled") };
    stage.clock.pass(retry_in);
    assert_eq!(fail(&stage, "192.0.2.7", 300..301).await, [Unfound::Unknown]);
}

#[tokio::test]
async fn known_keys_from_the_same_address_and_other_addresses_notice_nothing() {
    let stage = Stage::set().await;
    let acme = owner("acme");
    (1..3).for_each(|number| stage.store.put(&key(number, &acme)));
    stage.ask_from("2001:db8::1", &[digest(1)]).await.unwrap();
    fail(&stage, "2001:db8::2", 1000..1300).await;
    stage.ask_from("2001:db8::3", &[digest(1)]).await.unwrap();
    let new = stage.ask_from("2001:db8::3", &[digest(2)]).await;
    assert!(matches!(new, Err(Unfound::Throttled { .. })), "what is not remembered would have to be looked up");
    stage.ask_from("2001:db8:0:1::3", &[digest(2)]).await.unwrap();
}

#[tokio::test]
async fn what_is_found_and_what_is_unknown_already_costs_a_source_nothing() {
    let stage = Stage::set().await;
    let acme = owner("acme");
    (0..1000).for_each(|number| stage.store.put(&key(number, &acme)));
    for number in 0..1000 {
        stage.ask(&[digest(number)]).await.unwrap();
    }
    for _ in 0..1000 {
        assert_eq!(stage.ask(&[digest(5000)]).await, Err(Unfound::Unknown));
    }
    assert_eq!(fail(&stage, "192.0.2.1", 6000..6299).await.pop(), Some(Unfound::Unknown));
}

#[tokio::test]
async fn a_store_that_is_away_is_not_the_sources_failure() {
    let stage = Stage::set().await;
    stage.store.is_away(true);
    fail(&stage, "192.0.2.7", 0..1000).await;
    stage.store.is_away(false);
    assert_eq!(fail(&stage, "192.0.2.7", 0..1).await, [Unfound::Unknown]);
}

#[tokio::test]
async fn who_is_throttled_is_told_to_wait_and_whoever_has_no_address_is_not() {
    let stage = Stage::with_realm("failing_sources: {look_ups: 1, per: 1m}\nclient_address: {header: x-real-ip}\n").await;
    let authorizer = stage.authorizer();
    let ask = async |number: u32, address: &str| {
        let secret = format!("st_{number:032x}");
        let request = check::request("GET", "stage.test", "/", &[("x", &secret), ("x-real-ip", address)]).encode_to_vec();
        let answer = authorizer.answer(request.into(), &HeaderMap::new()).await.message();
        CheckResponse::decode(answer).unwrap()
    };
    assert_eq!(check::metadata(&ask(1, "192.0.2.1").await, "reason").as_deref(), Some("unknown"));
    let throttled = ask(2, "192.0.2.1").await;
    assert_eq!(check::metadata(&throttled, "reason").as_deref(), Some("throttled"));
    assert_eq!(check::denied_status(&throttled), Some(429));
    assert_eq!(check::header(&throttled, "retry-after").as_deref(), Some("60"));
    for number in 3..10 {
        assert_eq!(check::metadata(&ask(number, "nowhere").await, "reason").as_deref(), Some("unknown"));
    }
}

#[tokio::test]
async fn a_realm_has_thresholds_of_its_own_or_none() {
    let strict = Stage::with_realm("failing_sources: {look_ups: 2, per: 10s}\n").await;
    let answers = fail(&strict, "192.0.2.7", 0..3).await;
    assert_eq!(answers[1..], [Unfound::Unknown, Unfound::Throttled { retry_in: Duration::from_secs(5) }]);
    let control = Stage::with_realm("failing_sources: off\n").await;
    assert!(fail(&control, "192.0.2.7", 0..1000).await.iter().all(|answer| *answer == Unfound::Unknown));
    assert_eq!(control.finds(), 1000);
}
