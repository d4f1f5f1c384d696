//! Envoy's `Check`: the bytes of a `CheckRequest` become a borrowed request, the gate decides, and every outcome is answered in band. A failed
//! call would be what `failure_mode_allow` lets pass.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tonic::codegen::http::HeaderMap;
use tracing::Instrument as _;

use super::check_request;
use super::check_server::Answers;
use super::status::{self, Caller};
use super::trace_context;
use super::unary::LengthPrefixed;
use crate::domain::reason::Reason;
use crate::domain::request::Request;
use crate::domain::verdict::{Grant, Refusal};
use crate::gate::{Admission, Gate};
use crate::replica::tokens::Receipt;
use crate::telemetry::metrics::Metrics;

/// The service.
pub struct Authorizer {
    gate: Arc<Gate>,
    /// A check is answered within this time.
    deadline: Duration,
    metrics: Arc<Metrics>,
}

impl Authorizer {
    pub fn new(gate: impl Into<Arc<Gate>>, deadline: Duration, metrics: Arc<Metrics>) -> Self {
        Self { gate: gate.into(), deadline, metrics }
    }

    async fn decided(&self, asked: Bytes, metadata: &HeaderMap) -> LengthPrefixed {
        // without a method it is malformed
        let request = check_request::read(&asked).unwrap_or_default();
        let caller = Caller::of(&request);
        let (verdict, charge) = self.verdict(&request, metadata).await;
        let response = status::answer(&verdict, caller).encode();
        // nothing is awaited any more: from here on it is answered
        charge.into_iter().for_each(Receipt::keep);
        response
    }

    /// The verdict, whatever goes wrong, and what was charged: to be kept when the answer is made.
    pub(super) async fn verdict(&self, request: &Request<'_>, metadata: &HeaderMap) -> (Result<Grant, Refusal>, Option<Receipt>) {
        let decision = AssertUnwindSafe(self.decide(request, metadata)).catch_unwind();
        let verdict = decision.await.unwrap_or_else(|_| Err(Reason::Internal.into()));
        let (verdict, charge) = match verdict {
            Ok(Admission { grant, charge }) => (Ok(grant), charge),
            Err(refusal) => (Err(refusal), None),
        };
        self.metrics.decided(&verdict);
        (verdict, charge)
    }

    /// Who decides.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    async fn decide(&self, request: &Request<'_>, metadata: &HeaderMap) -> Result<Admission, Refusal> {
        if request.method.is_empty() {
            return Err(Reason::Malformed.into());
        }
        let deadline = expected(metadata).map_or(self.deadline, |theirs| theirs.min(self.deadline));
        self.gate.decide(request, Instant::now() + deadline).await
    }
}

impl Answers for Authorizer {
    async fn answer(&self, asked: Bytes, metadata: &HeaderMap) -> LengthPrefixed {
        let span = trace_context::span(metadata);
        let answer = self.decided(asked, metadata);
        if span.is_disabled() { answer.await } else { answer.instrument(span).await }
    }
}

/// Four fifths of what the caller still waits: its `grpc-timeout`. The rest is for the way back.
fn expected(metadata: &HeaderMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    let whole = match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    };
    Some(whole / 5 * 4)
}
