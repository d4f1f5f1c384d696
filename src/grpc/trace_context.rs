//! The trace that a check belongs to: W3C Trace Context, taken from the metadata of Envoy's call.

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::codegen::http::{HeaderMap, HeaderName};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::telemetry::traces;

/// A span of one check, under the caller's; disabled, and free, where traces go nowhere.
#[must_use]
pub fn span(metadata: &HeaderMap) -> Span {
    let span = traces::check_span();
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new().extract(&Carrier(metadata));
        if span.set_parent(parent).is_err() {
            tracing::debug!("a check's trace context could not be taken over");
        }
    }
    span
}

struct Carrier<'a>(&'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
