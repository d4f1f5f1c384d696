//! Configuration to parts: the store, the peppers, the gate, the keyring.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use super::{first_start, replica};
use crate::clock::SharedClock;
use crate::config::{self, Config, RedisConfig, RedisPlace, RedisUser, StoreConfig};
use crate::gate::Gate;
use crate::grpc::access_log::AccessLog;
use crate::grpc::envoy_secret::EnvoySecret;
use crate::grpc::ext_authz::Authorizer;
use crate::keyring::{Guard, Keyring};
use crate::replica::rehash::Rehash;
use crate::replica::session::Session;
use crate::replica::tokens::{self, TicketIds, Tokens, TokensMemory};
use crate::revocation::Level;
use crate::settlement::{self, Settlements};
use crate::store::SharedStore;
use crate::store::claimed::Claimed;
use crate::store::embedded::{Embedded, Timeouts};
use crate::store::observed::Observed;
use crate::store::redis::{Certificates, Place, RedisStore, Settings, User};
use crate::telemetry::metrics::Metrics;
use crate::usage::Meter;
use crate::usage::flush::{self, Flusher};

/// What the ports are made of.
pub(super) struct Parts {
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) gate: Arc<Gate>,
    /// Shown by the operator's own Envoys.
    pub(super) secret: Option<EnvoySecret>,
    pub(super) access_log: AccessLog,
    pub(super) settlements: Arc<Settlements>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) metrics: Arc<Metrics>,
    /// Closed until its peppers are claimed.
    pub(super) store: Arc<Claimed>,
    pub(super) session: Arc<Session>,
    /// Of what the gate and the access log count.
    pub(super) usage: Flusher,
    pub(super) rehash: Arc<Rehash>,
}

/// `leaving`: when streams that have no end of their own are to end.
pub(super) fn parts(config: &Config, clock: SharedClock, leaving: CancellationToken) -> anyhow::Result<Parts> {
    let metrics = Arc::new(Metrics::default());
    let files = first_start::files(config)?;
    let peppers = Arc::new(config::peppers(&files.peppers)?);
    let (store, once) = store(config, clock.clone())?;
    let (holder, lease) = (replica::holder(&config.replica)?, config.replica.lease);
    let observed = Arc::new(Observed::new(store, metrics.clone()));
    let claimed = Arc::new(Claimed::new(observed, peppers.clone(), (holder.clone(), lease), clock.clone()));
    let store: SharedStore = claimed.clone();
    let realms = Arc::new(config.realms.clone());
    let (told, rehash) = (TokensMemory::new(), Rehash::new(peppers.clone()));
    let (records, memory, session) = replica::records(config, store.clone(), clock.clone(), (told.clone(), rehash.clone(), holder));
    let guard = Guard { session: session.clone(), clock: clock.clone(), demanded: demanded(config) };
    let tokens = Tokens::new(tokens::Parts { store: store.clone(), clock, session: session.clone(), memory: told, once });
    metrics.watch(replica::watched(&records, (memory, rehash.clone()), session.clone(), tokens.clone()));
    let tickets = TicketIds::new(getrandom::u64().context("the operating system gives no randomness")?);
    let (meter, usage) = usage(&store, &session, &metrics)?;
    let gate = Arc::new(Gate::new((realms.clone(), peppers.clone()), records, (tokens, tickets), meter.clone()));
    let secret = envoy_secret(config)?;
    let authorizer = Arc::new(Authorizer::new(gate.clone(), config.check_deadline, metrics.clone()));
    let settlements = Arc::new(Settlements::new(settlement::Parts {
        store: store.clone(),
        session: session.clone(),
        peppers: peppers.clone(),
        metrics: metrics.clone(),
        meter,
    }));
    let access_log = AccessLog::new(settlements.clone(), secret.clone(), metrics.clone(), leaving);
    let keyring = Keyring::new(store, realms, peppers, files.bootstrap, guard);
    let keyring = Arc::new(keyring.with_certified(config.certified.clone()).with_rehash(rehash.clone()));
    Ok(Parts { authorizer, gate, secret, access_log, settlements, keyring, metrics, store: claimed, session, usage, rehash })
}

/// What counts, and what brings that to the store.
fn usage(store: &SharedStore, session: &Arc<Session>, metrics: &Arc<Metrics>) -> anyhow::Result<(Arc<Meter>, Flusher)> {
    let meter = Arc::<Meter>::default();
    let by = getrandom::u64().context("the operating system gives no randomness")?;
    let (store, session, metrics) = (store.clone(), session.clone(), metrics.clone());
    let flusher = Flusher::new(flush::Parts { meter: meter.clone(), store, session, metrics, every: flush::EVERY, by });
    Ok((meter, flusher))
}

/// What a revocation must reach to be told as done.
fn demanded(config: &Config) -> Option<Level> {
    match &config.store {
        StoreConfig::Embedded { .. } => None,
        StoreConfig::Redis(redis) => redis.level,
    }
}

/// The store, and how long tokens may be spent that somebody waits for: as long as anybody waits.
fn store(config: &Config, clock: SharedClock) -> anyhow::Result<(SharedStore, Duration)> {
    Ok(match &config.store {
        StoreConfig::Embedded { folder } => {
            let store = Embedded::open(folder, clock).with_context(|| format!("the store in {} cannot be opened", folder.display()))?;
            let timeouts = Timeouts { check: config.check_deadline, ..Timeouts::default() };
            (Arc::new(store.with_timeouts(timeouts)), config.check_deadline)
        }
        StoreConfig::Redis(redis) => (
            Arc::new(RedisStore::connect(&settings(redis, config.replica.lease)).context("store.redis")?),
            redis.timeout.min(config.check_deadline),
        ),
    })
}

pub(super) fn settings(redis: &RedisConfig, lease: Duration) -> Settings {
    let user = |user: &RedisUser| User { name: user.name.clone(), password: user.password.clone() };
    let place = match redis.place.clone() {
        RedisPlace::Single { url } => Place::Single { url },
        RedisPlace::Sentinel { urls, master } => Place::Sentinel { urls, master },
        RedisPlace::Cluster { urls } => Place::Cluster { urls },
    };
    Settings {
        user: redis.user.as_ref().map(user),
        admin: redis.admin.as_ref().map(user),
        certificates: redis.tls.clone().map(|tls| Certificates { authority: tls.authority, own: tls.own }),
        connect_timeout: redis.connect_timeout,
        timeout: redis.timeout,
        level: redis.level,
        replicas: redis.replicas,
        lease,
        ..Settings::new(place)
    }
}

fn envoy_secret(config: &Config) -> anyhow::Result<Option<EnvoySecret>> {
    let Some(file) = &config.listen.envoy_secret_file else { return Ok(None) };
    let secret = std::fs::read(file).context("listen.envoy.secret_file: what it names cannot be read")?;
    let secret = secret.trim_ascii();
    if secret.len() < 16 {
        bail!("listen.envoy.secret_file: {} must hold at least 16 bytes", file.display());
    }
    Ok(Some(EnvoySecret::new(secret)))
}
