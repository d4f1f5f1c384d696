//! Envoy's access log service: what became of requests comes back here, with their tickets. Whatever an Envoy sends is read as far as it can
//! be, and counted; nothing ends its stream with an error, which would cost it all that it has buffered.

mod codec;
mod entries;
mod entry;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Request as Call, Response, Status, Streaming};

pub use self::codec::AccessLogCodec;
pub use self::entries::{Malformed, entries};
use self::entry::Entry;
use self::service::access_log_service_server::AccessLogService;
use super::envoy_secret::EnvoySecret;
use crate::proto::envoy::service::accesslog::v3::StreamAccessLogsResponse;
use crate::settlement::Settlements;
use crate::telemetry::metrics::Metrics;

/// The server of `envoy.service.accesslog.v3.AccessLogService`, with keyward's codec.
#[allow(clippy::all, clippy::pedantic, missing_docs)]
pub mod service {
    include!(concat!(env!("OUT_DIR"), "/envoy.service.accesslog.v3.AccessLogService.rs"));
}

/// The service.
pub struct AccessLog {
    settlements: Arc<Settlements>,
    /// Admits only the operator's own Envoys.
    secret: Option<EnvoySecret>,
    metrics: Arc<Metrics>,
    /// A stream ends only with its Envoy, or when this replica leaves.
    leaving: CancellationToken,
}

/// After so many entries of a message others have their turn: checks are answered by the same threads.
const AT_ONCE: usize = 256;
/// How long a stream is read on when this replica leaves.
const LAST: Duration = Duration::from_millis(200);

impl AccessLog {
    pub fn new(settlements: Arc<Settlements>, secret: Option<EnvoySecret>, metrics: Arc<Metrics>, leaving: CancellationToken) -> Self {
        Self { settlements, secret, metrics, leaving }
    }

    /// Reads messages to their end.
    async fn follow(&self, messages: &mut Streaming<Bytes>) {
        // what has come already is read before the stream is left, but not what comes without end
        let left = async {
            self.leaving.cancelled().await;
            sleep(LAST).await;
        };
        tokio::pin!(left);
        loop {
            let message = tokio::select! {
                message = messages.message() => message,
                () = &mut left => return,
            };
            match message {
                Ok(Some(message)) => self.read(message).await,
                Ok(None) => return,
                // the connection broke, or a message is larger than any that is read
                Err(_) => return self.metrics.log_message("cut"),
            }
        }
    }

    async fn read(&self, message: Bytes) {
        let mut fate = "read";
        for (nth, entry) in entries(message).enumerate() {
            match entry {
                Ok(entry) => self.entry(entry::read(&entry)),
                Err(Malformed) => fate = "malformed",
            }
            if nth % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        self.metrics.log_message(fate);
    }

    fn entry(&self, entry: Entry) {
        let name = match entry {
            Entry::Ended(ticket, outcome) => {
                self.settlements.settle(&ticket, outcome);
                "ended"
            }
            Entry::Unclear => "unclear",
            Entry::Underway => "underway",
            Entry::NoTicket => "no_ticket",
            Entry::Malformed => "malformed",
        };
        self.metrics.log_entry(name);
    }
}

#[tonic::async_trait]
impl AccessLogService for AccessLog {
    async fn stream_access_logs(&self, call: Call<Streaming<Bytes>>) -> Result<Response<StreamAccessLogsResponse>, Status> {
        let (metadata, _, mut messages) = call.into_parts();
        if self.secret.as_ref().is_some_and(|secret| !secret.admits(metadata.as_ref())) {
            tracing::warn!("an access log came without this server's Envoy secret");
            self.metrics.log_message("refused");
            return Err(Status::unauthenticated("this is not the secret of this server's Envoys"));
        }
        self.follow(&mut messages).await;
        Ok(Response::new(StreamAccessLogsResponse {}))
    }
}
