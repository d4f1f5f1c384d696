//! `/livez`, `/readyz` and `/metrics` over plain HTTP.
//!
//! Ready means: started, with a first lease or after a time without one, and not about to stop. A store that is away does not make a replica
//! unready: Envoy would then have nobody to ask, and what it does without an answer is its failure mode's word, where keyward's own is
//! a refusal.
//!
//! One request a connection: what is idle here would only take another's place.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use super::metrics::Metrics;

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Starting,
    Ready,
    /// About to stop.
    Leaving,
}

/// The three pages.
pub fn pages(metrics: Arc<Metrics>, stage: watch::Receiver<Stage>) -> Router {
    let ready = move || async move {
        match *stage.borrow() {
            Stage::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            Stage::Ready => (StatusCode::OK, "ok\n"),
            Stage::Leaving => (StatusCode::SERVICE_UNAVAILABLE, "leaving\n"),
        }
    };
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|| async move { openmetrics(&metrics) }))
        .layer(map_response(async |mut response: Response| {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }))
}

fn openmetrics(metrics: &Metrics) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.text())
}
