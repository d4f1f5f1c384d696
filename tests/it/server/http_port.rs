//! What the HTTP port tells.

use super::server;
use crate::support::check;
use crate::support::http;
use crate::support::keyward::Store;
use crate::support::redis::RedisServer;

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_is_counted_by_realm_and_reason_and_no_label_names_a_key() {
    let (keyward, secret) = server(&Store::Embedded, |config| config);
    let mut checks = check::connect(keyward.envoy).await;
    for value in [secret.as_str(), "junk", ""] {
        checks.check(check::request("GET", "plain.test", "/", &[("x-api-key", value)])).await.unwrap();
    }
    checks.check(check::request("GET", "nobody.test", "/", &[])).await.unwrap();
    let (status, metrics) = http::get(keyward.http, "/metrics").unwrap();
    assert_eq!(status, 200);
    for line in [
        r#"keyward_checks_total{realm="plain",verdict="grant",reason="none"} 1"#,
        r#"keyward_checks_total{realm="plain",verdict="refusal",reason="unknown"} 1"#,
        r#"keyward_checks_total{realm="plain",verdict="refusal",reason="missing"} 1"#,
        r#"keyward_checks_total{realm="none",verdict="refusal",reason="no_realm"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    for line in [
        "keyward_records 1",
        "keyward_records_memory_bytes ",
        r#"keyward_record_finds_total{how="looked_up"} 1"#,
        r#"keyward_record_finds_total{how="unleased"} 0"#,
        r#"keyward_lease{state="held"} 1"#,
        r#"keyward_revocation_level{level="single"} 1"#,
        "keyward_log_position ",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains(r#"keyward_store_calls_total{call="find",outcome="ok"}"#), "{metrics}");
    assert!(!metrics.contains("acme") && !metrics.contains("key_"), "a label names an owner or a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_stays_ready_without_its_store_and_goes_on_answering() {
    let mut redis = RedisServer::start();
    let (keyward, secret) = server(&Store::Redis(&redis.url()), |config| config);
    redis.kill();
    let mut checks = check::connect(keyward.envoy).await;
    let response = checks.check(check::request("GET", "plain.test", "/", &[("x-api-key", &secret)])).await.unwrap().into_inner();
    assert_eq!(check::denied_status(&response), Some(503));
    for page in ["/readyz", "/livez"] {
        assert_eq!(http::get(keyward.http, page).unwrap().0, 200, "{page}");
    }
}
