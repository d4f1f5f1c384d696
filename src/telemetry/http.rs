//! `/livez`, `/readyz` and `/metrics` over plain HTTP.
//!
//! Ready means: started, and not about to stop. A store that is away does not make a replica unready: Envoy would then have nobody to ask,
//! and what it does without an answer is its failure mode's word, where keyward's own is a refusal.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// The three pages. `leaving` is cancelled when the process is about to stop.
pub fn pages(metrics: Arc<Metrics>, leaving: CancellationToken) -> Router {
    let ready = move || async move {
        if leaving.is_cancelled() { (StatusCode::SERVICE_UNAVAILABLE, "leaving\n") } else { (StatusCode::OK, "ok\n") }
    };
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|| async move { openmetrics(&metrics) }))
}

fn openmetrics(metrics: &Metrics) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.text())
}
