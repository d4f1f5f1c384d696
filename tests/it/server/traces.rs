//! A check is a span under Envoy's own, sent by OTLP.

use tonic::metadata::MetadataValue;

use super::server;
use crate::support::check;
use crate::support::collector::Collector;
use crate::support::keyward::Store;

#[tokio::test(flavor = "multi_thread")]
async fn a_checks_span_carries_the_trace_that_envoy_began() {
    let collector = Collector::start();
    let endpoint = format!("otlp_endpoint: {}\n", collector.endpoint);

    let (mut keyward, secret) = tokio::task::block_in_place(|| server(&Store::Embedded, |config| config + &endpoint));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut call = tonic::Request::new(check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]));
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    call.metadata_mut().insert("traceparent", MetadataValue::try_from(parent).unwrap());
    check::connect(keyward.envoy).await.check(call).await.unwrap();
    // What is left is sent before the process ends.
    assert_eq!(tokio::task::block_in_place(|| keyward.stop()), Some(0), "{}", keyward.said());

    let sent = collector.received();
    let holds = |needle: &[u8]| sent.windows(needle.len()).any(|window| window == needle);
    assert!(holds(&data_encoding::HEXLOWER.decode(trace.as_bytes()).unwrap()), "the span is not in Envoy's trace");
    assert!(holds(b"envoy.service.auth.v3.Authorization/Check"));
    assert!(!holds(secret.as_bytes()), "a secret in a trace");
}
