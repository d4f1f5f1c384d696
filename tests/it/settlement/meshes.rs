//! What Istio and Envoy Gateway are told to send of the access log, in a real Envoy: they make a filter of Envoy's of the expression in our
//! manifests.

use super::campaign::{Through, through_envoy};
use super::mixed::Want;
use super::world::World;
use crate::support::until;

/// The filter of the bootstrap that we ship.
const SHIPPED: &str = "              metadata_filter:
                matcher:
                  filter: envoy.filters.http.ext_authz
                  path: [{ key: keyward }, { key: ticket }]
                  value: { present_match: true }
                match_if_key_not_found: false
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istio_sends_what_has_a_ticket_and_nothing_else() {
    let expression = between(include_str!("../../../deploy/istio/istio.yaml"), "      expression: ", "\n");
    assert_eq!(sent(expression).await, (20, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_gateway_sends_what_has_a_ticket_and_nothing_else() {
    let expression = between(include_str!("../../../deploy/envoy-gateway/envoy-gateway.yaml"), "- matches: ['", "']\n");
    assert_eq!(sent(expression).await, (20, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_such_an_expression_all_is_sent() {
    assert_eq!(sent("true").await, (20, 20), "control");
}

/// How many entries came with a ticket and without, of twenty requests with a key and twenty without, each among the others.
async fn sent(expression: &str) -> (u64, u64) {
    let world = World::embedded().await;
    let node = world.node().await;
    let filter = format!(
        "              extension_filter:
                name: cel
                typed_config:
                  \"@type\": type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter
                  expression: '{expression}'\n"
    );
    let edit = move |bootstrap: String| {
        assert!(bootstrap.contains(SHIPPED));
        bootstrap.replace(SHIPPED, &filter)
    };
    let Through { envoy, upstream, .. } = through_envoy(&node, &[Want::Status(200), Want::NoKey], 40, edit).await;
    // entries come in the order in which requests end
    upstream.ask(envoy.plain, 40, Want::Status(200)).await;
    until("the last came", || node.entries("ended") == 21).await;
    (node.entries("ended") - 1, node.entries("no_ticket"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let from = text.find(before).map(|at| &text[at + before.len()..]);
    from.and_then(|rest| Some(&rest[..rest.find(after)?])).expect("the manifest has an expression")
}
