//! Logs to standard error, and traces by OTLP where an endpoint is configured.

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// What only traces are interested in: no log line is made of it.
const TARGET: &str = "keyward::traced";

/// Sends what is left when dropped.
pub struct Traces(Option<SdkTracerProvider>);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Starts logging, by `RUST_LOG` or at `info`, and tracing. Called once a process. Of what the libraries do nothing below `info` is logged, whatever
/// `RUST_LOG` says: they print headers and paths that they cannot read, and a secret may stand in those.
pub fn start(otlp_endpoint: Option<&str>) -> anyhow::Result<Traces> {
    let provider = otlp_endpoint.map(provider).transpose()?;
    let traced = provider.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("keyward"));
        layer.with_filter(Targets::new().with_target(TARGET, LevelFilter::TRACE))
    });
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let own = Targets::new().with_default(LevelFilter::INFO).with_target("keyward", LevelFilter::TRACE);
    let logged = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).with_filter(filter.and(own));
    tracing_subscriber::registry().with(traced).with(logged).try_init().context("logging was started before")?;
    Ok(Traces(provider))
}

/// A span of one check; disabled where traces go nowhere.
#[must_use]
pub fn check_span() -> Span {
    tracing::trace_span!(
        target: TARGET,
        "envoy.service.auth.v3.Authorization/Check",
        otel.kind = "server",
        rpc.system.name = "grpc",
        rpc.method = "envoy.service.auth.v3.Authorization/Check",
    )
}

fn provider(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    let exporter = if endpoint.starts_with("https://") {
        exporter.with_tls_config(ClientTlsConfig::new().with_native_roots()).build()
    } else {
        exporter.build()
    };
    let exporter = exporter.with_context(|| format!("traces cannot go to {endpoint}"))?;
    let resource = Resource::builder().with_service_name("keyward").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
