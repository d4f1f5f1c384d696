//! The composition root: configuration → built parts → bound ports → running → drained. Only here are engine, adapter and configuration
//! named together.

mod build;
mod connection;
mod door;
mod first_start;
mod greeter;
mod lanes;
mod listen;
pub mod moving;
mod replica;
mod tls;
mod upkeep;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router as Pages;
use serde::Serialize;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::Router;
use tonic_health::server::HealthReporter;

use self::door::Door;
use self::lanes::{Lane, usher};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::retention::Retention;
use crate::keyring::Keyring;
use crate::replica::rehash::Rehash;
use crate::replica::session::Session;
use crate::settlement::Settlements;
use crate::store::claimed::Claimed;
use crate::store::{SharedStore, StoreError};
use crate::telemetry::http::{self, Stage};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces;
use crate::usage::flush::Flusher;

/// How long calls in flight may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// How long a store is waited for at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often a store that was away at the start is asked again.
const CLAIM_EVERY: Duration = Duration::from_millis(200);

/// A server whose ports are open.
pub struct Bound {
    addresses: Addresses,
    /// A router a lane.
    envoy: (Vec<listen::EnvoyRouter>, Door),
    admin: (Router, Door),
    pages: (Pages, Door),
    health: HealthReporter,
    stage: watch::Sender<Stage>,
    leave: Duration,
    lease: Duration,
    store: Arc<Claimed>,
    session: Arc<Session>,
    rehash: Arc<Rehash>,
    settlements: Arc<Settlements>,
    usage: Flusher,
    keyring: Arc<Keyring>,
    retention: Retention,
    metrics: Arc<Metrics>,
    /// No more calls are begun, and streams without an end of their own are ended.
    stopping: CancellationToken,
    claimed: Claim,
}

/// Whether the store has answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Made,
    /// The store is away: until it is back, every check is refused in band.
    Waiting,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Addresses {
    pub envoy: SocketAddr,
    pub admin: SocketAddr,
    pub http: SocketAddr,
}

/// Builds, binds, says where, and runs until `shutdown`.
pub async fn serve(
    config: Config,
    clock: SharedClock,
    addresses_file: Option<PathBuf>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let _traces = traces::start(config.otlp_endpoint.as_deref())?;
    let bound = bind(&config, clock).await?;
    let addresses = bound.addresses();
    tracing::info!(envoy = %addresses.envoy, admin = %addresses.admin, http = %addresses.http, "keyward listens");
    if let Some(file) = addresses_file {
        write_addresses(&file, addresses)?;
    }
    bound.run(shutdown).await
}

/// Builds everything and opens the ports. Every reason not to start is an error here.
pub async fn bind(config: &Config, clock: SharedClock) -> anyhow::Result<Bound> {
    let stopping = CancellationToken::new();
    let parts = build::parts(config, clock, stopping.clone())?;
    let claimed = claim(&parts.store).await?;
    let stage = watch::Sender::new(Stage::Starting);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_not_serving::<listen::Checking>().await;
    let doors = listen::open(config, &parts.metrics).await?;
    let addresses = Addresses { envoy: doors.envoy.address(), admin: doors.admin.address(), http: doors.pages.address() };
    let envoy = listen::envoy(config, (parts.authorizer, parts.secret), parts.access_log, &health, parts.metrics.clone())?;
    Ok(Bound {
        addresses,
        envoy: (envoy, doors.envoy),
        admin: (listen::admin(&parts.keyring, &parts.gate, stopping.clone())?, doors.admin),
        pages: (http::pages(parts.metrics.clone(), stage.subscribe()), doors.pages),
        health: reporter,
        stage,
        leave: config.leave,
        lease: config.replica.lease,
        store: parts.store,
        session: parts.session,
        rehash: parts.rehash,
        settlements: parts.settlements,
        usage: parts.usage,
        keyring: parts.keyring,
        retention: config.retention,
        metrics: parts.metrics,
        stopping,
        claimed,
    })
}

impl Bound {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `shutdown`, then leaves: health says `NOT_SERVING` while calls are still answered, then connections are told to go away,
    /// calls in flight end, and after 20 seconds whatever is left is cut.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let stopping = self.stopping;
        let stop = || stopping.clone().cancelled_owned();
        let ((envoy, at_envoy), (admin, at_admin), (pages, at_pages)) = (self.envoy, self.admin, self.pages);
        let (to_envoy, mut threads) =
            lanes::start(envoy, &at_envoy, &stopping, &self.store).context("the threads of the Envoy port cannot be started")?;
        let ((to_admin, from_admin), (to_pages, from_pages)) = (Lane::of(&at_admin), Lane::of(&at_pages));
        let arriving = async {
            tokio::try_join!(usher(at_envoy, &to_envoy), usher(at_admin, from_ref(&to_admin)), usher(at_pages, from_ref(&to_pages)))
        };
        let mut serving = Box::pin(async {
            tokio::try_join!(
                async { lanes::ended(&mut threads).await.context("the Envoy port failed") },
                async { admin.serve_with_incoming_shutdown(from_admin.incoming(), stop()).await.context("the admin port failed") },
                async { axum::serve(from_pages, pages).with_graceful_shutdown(stop()).await.context("the HTTP port failed") },
                async {
                    // who comes when nobody is served any more is no failure: that is looked at first
                    tokio::select! {
                        biased;
                        () = stopping.cancelled() => Ok(()),
                        never = arriving => never.map(|_| ()),
                    }
                },
            )
        });
        let session = self.session.clone();
        let mut session = AbortOnDropHandle::new(tokio::spawn(async move { session.run().await }));
        let (keyring, retention, metrics) = (self.keyring, self.retention, self.metrics);
        let _upkeep = AbortOnDropHandle::new(tokio::spawn(upkeep::run(keyring.clone(), retention, metrics)));
        let (counted, all_counted) = oneshot::channel::<Infallible>();
        let usage = AbortOnDropHandle::new(tokio::spawn(self.usage.run(async move { drop(all_counted.await) }, FAREWELL)));
        let _rehashing = rehashing(self.rehash, self.store.clone(), self.session.clone());
        tokio::select! {
            ended = &mut serving => return ended.map(|_| ()),
            never = becomes_ready(&self.session, self.lease, &self.health, &self.stage) => match never {},
            refused = keep_claiming(&self.store, self.claimed, self.lease) => return Err(refused.into()),
            failed = &mut session => return failed.context("the session with the store failed"),
            () = shutdown => {}
        }
        tracing::info!("keyward leaves");
        self.health.set_not_serving::<listen::Checking>().await;
        self.stage.send_replace(Stage::Leaving);
        tokio::select! {
            ended = &mut serving => return ended.map(|_| ()),
            () = tokio::time::sleep(self.leave) => stopping.cancel(),
        }
        let ended = tokio::time::timeout(DRAIN, &mut serving).await;
        drop(serving);
        settled(&self.settlements).await;
        drop(counted);
        let _ = usage.await;
        let _ = tokio::time::timeout(FAREWELL, keyring.tell_last_refused()).await;
        session.abort();
        give_up(&self.session).await;
        lanes::close(threads).await;
        let Ok(ended) = ended else {
            tracing::warn!("calls were still in flight after {DRAIN:?}, and were cut");
            return Ok(());
        };
        ended.map(|_| ())
    }
}

/// Tickets that have come are settled; those that a store keeps waiting stay counted.
async fn settled(settlements: &Settlements) {
    if tokio::time::timeout(FAREWELL, settlements.done()).await.is_err() {
        tracing::warn!("tickets were still to be settled: what they stand for stays counted");
    }
}

/// Revocations need not wait for the lease of a replica that has gone. Who cannot say so is waited for.
async fn give_up(session: &Session) {
    if !matches!(tokio::time::timeout(FAREWELL, session.leave()).await, Ok(Ok(()))) {
        tracing::debug!("the lease could not be given up: it ends by itself");
    }
}

/// Ready with the first lease, so that Envoy asks nobody who would refuse everything. A store that keeps silent is no reason to leave Envoy
/// without anybody to ask, so after twice a lease it is ready all the same. From then on it stays so.
async fn becomes_ready(session: &Session, lease: Duration, health: &HealthReporter, stage: &watch::Sender<Stage>) -> Infallible {
    if tokio::time::timeout(2 * lease, session.leased()).await.is_err() {
        tracing::warn!("no lease after {:?}: ready all the same, to refuse in band until there is one", 2 * lease);
    }
    health.set_serving::<listen::Checking>().await;
    stage.send_replace(Stage::Ready);
    std::future::pending().await
}

/// The first claim. A store that is away is no reason not to start: without a replica Envoy's failure mode would decide.
async fn claim(store: &Claimed) -> Result<Claim, StoreError> {
    match store.claim().await {
        Ok(()) => Ok(Claim::Made),
        Err(error @ StoreError::Unavailable(_)) => {
            tracing::warn!(%error, "the store does not answer: checks are refused until it does");
            Ok(Claim::Waiting)
        }
        Err(error) => Err(error),
    }
}

/// Claims until the store answers, and keeps asking then which pepper is in use: at once where this replica waits for the others, and else now
/// and then. Ends with what is for good.
async fn keep_claiming(store: &Claimed, mut claim: Claim, lease: Duration) -> StoreError {
    loop {
        let is_settled = claim == Claim::Made && store.uses_its_first();
        tokio::time::sleep(if is_settled { lease } else { CLAIM_EVERY }).await;
        let said = if claim == Claim::Made { store.agree().await } else { store.claim().await };
        match (said, claim) {
            (Ok(()), Claim::Waiting) => {
                tracing::info!("the store answers: checks are decided");
                claim = Claim::Made;
            }
            (Ok(()) | Err(StoreError::Unavailable(_)), _) => {}
            (Err(error @ StoreError::PepperMissing(_)), _) | (Err(error), Claim::Waiting) => return error,
            (Err(error), Claim::Made) => tracing::debug!(%error, "which pepper is in use could not be asked"),
        }
    }
}

/// Puts secrets under the pepper in use, for as long as the handle lives.
fn rehashing(rehash: Arc<Rehash>, store: SharedStore, session: Arc<Session>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move { rehash.run(&store, &session).await }))
}

/// Written beside and renamed, so that whoever waits for the file reads all of it.
fn write_addresses(file: &Path, addresses: Addresses) -> anyhow::Result<()> {
    let beside = file.with_extension("part");
    let written = std::fs::write(&beside, serde_json::to_vec(&addresses)?).and_then(|()| std::fs::rename(&beside, file));
    written.with_context(|| format!("the addresses cannot be written to {}", file.display()))
}
