//! Traps 4, 11, 12, 13, 15 and 16: what a client can make others believe.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;

use super::{Scene, key};
use crate::support::check;
use crate::support::keyward::{NewKey, Store};

/// A client of 127.0.0.1, whose key is for another address.
fn elsewhere() -> NewKey<'static> {
    NewKey { addresses: &["203.0.113.7/32"], ..key() }
}

const SPOOFED: &str = "-H 'X-Forwarded-For: 203.0.113.7' -H 'X-Envoy-External-Address: 203.0.113.7'";

#[test]
fn trap_4_and_15_a_clients_word_on_its_address_is_not_believed() {
    let scene = Scene::new(&Store::Embedded, &elsewhere(), |bootstrap| bootstrap);
    for spoofed in ["", "-H 'X-Forwarded-For: 203.0.113.7'", SPOOFED] {
        let (answer, seen) = scene.bookings(spoofed);
        assert!(answer.status == 403 && seen.is_none(), "{spoofed}: {}", answer.status);
    }
    let gullible = |bootstrap: String| bootstrap.replace("use_remote_address: true", "use_remote_address: false");
    let scene = Scene::new(&Store::Embedded, &elsewhere(), gullible);
    assert_eq!(scene.bookings(SPOOFED).0.status, 200, "control: an Envoy without use_remote_address passes a client's word on");
}

#[test]
fn trap_11_an_identity_header_is_set_and_never_added_to() {
    let let_in = |bootstrap: String| bootstrap.replace("- remove: x-otesse-owner", "- remove: x-nothing");
    let scene = Scene::new(&Store::Embedded, &key(), let_in);
    let (_, seen) = scene.bookings("-H 'X-Otesse-Owner: evil' -H 'x-otesse-owner: worse'");
    assert_eq!(seen.unwrap().header("x-otesse-owner").as_deref(), Some("acme"));
}

#[test]
fn trap_12_every_header_of_ours_is_set_and_never_added_as_another() {
    let scene = Scene::plain();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut checks = check::connect(scene.keyward.envoy).await;
        for secret in [scene.secret.as_str(), "junk"] {
            let request = check::request("GET", "api.otesse.com", "/v1/bookings", &[("x-api-key", secret)]);
            let options = check::headers(checks.check(request).await.unwrap().get_ref());
            assert!(!options.is_empty(), "control: there are headers to look at");
            let overwrites = HeaderAppendAction::OverwriteIfExistsOrAdd as i32;
            assert!(options.iter().all(|option| option.append_action == overwrites), "{options:?}");
        }
    });
}

#[test]
fn trap_13_no_value_that_we_keep_can_end_a_header() {
    let scene = Scene::plain();
    scene.keyward.create_owner("azotte", "acme", None);
    let tenant = NewKey { owner: "acme", label: "t", kind: Some("secret"), environment: Some("live"), ..NewKey::default() };
    let refused = scene.keyward.try_create_key("azotte", &NewKey { tenant: Some("a\r\nx-evil: 1"), ..tenant });
    assert!(!refused.status.success(), "a tenant with a line break must be refused");
}

#[test]
fn trap_16_a_path_that_the_upstream_may_read_otherwise_is_refused_where_envoy_does_not_normalise_it() {
    let scene = Scene::plain();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut checks = check::connect(scene.keyward.envoy).await;
        for path in
            ["/v1/bookings/../webhooks", "/v1/bookings/%2e%2e/webhooks", "//v1/bookings", "/v1/bookings;a=b", "/v1%2fbookings", "*", ""]
        {
            let request = check::request("GET", "api.otesse.com", path, &[("x-api-key", &scene.secret)]);
            let response = checks.check(request).await.unwrap().into_inner();
            assert_eq!(check::denied_status(&response), Some(400), "{path}");
            assert_eq!(check::metadata(&response, "reason").as_deref(), Some("malformed"), "{path}");
        }
        let request = check::request("GET", "api.otesse.com", "/v1/bookings?a=/../b;c", &[("x-api-key", &scene.secret)]);
        assert!(
            check::admits(checks.check(request).await.unwrap().get_ref()),
            "control: the same characters in the query are nobody's path"
        );
    });
}

#[test]
fn a_client_that_writes_https_over_plain_http_is_not_believed() {
    let scene = Scene::plain();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut checks = check::connect(scene.keyward.envoy).await;
        for (proto, reason) in [("http", Some("insecure")), ("https,http", Some("insecure")), ("https", None)] {
            let headers = [("x-api-key", scene.secret.as_str()), ("x-forwarded-proto", proto)];
            let response = checks.check(check::request("GET", "api.otesse.com", "/v1/bookings", &headers)).await.unwrap().into_inner();
            assert_eq!(check::metadata(&response, "reason").as_deref(), reason, "{proto}");
        }
    });
}
