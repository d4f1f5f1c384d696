//! What must be so before keys are kept here: a server that forgets nothing, and that can do what is demanded of it.
//!
//! What only the operator can put right is unfit, for good; what may be a failover that is under way is a store that is away for now; what only
//! makes the level lower is warned of, and shown with every answer.

use std::collections::HashMap;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisResult, Value, from_redis_value};
use tokio::time::Instant;
use tracing::warn;

use super::fault;
use super::footing::{Demand, Info, ON_DISK, unlike_on_disk};
use super::link::Link;
use crate::revocation::Level;
use crate::store::StoreError;

const POLICY: &str = "maxmemory-policy";
const FOLLOWERS: &str = "min-replicas-to-write";
const LAG: &str = "min-replicas-max-lag";
/// Before it a script was not held to its user's rights.
const OLDEST: u32 = 7;

/// What a server says of itself.
struct Server {
    info: String,
    /// Empty where it keeps them to itself, as hosted ones do: the operator has to know them, then.
    settings: HashMap<String, String>,
    demand: Demand,
}

/// Refuses a server that may lose what it holds or cannot do what is demanded. `lease`: how long those of replicas last.
pub(super) async fn check(link: &Link, deadline: Instant, demand: Demand, lease: Duration) -> Result<(), StoreError> {
    let server = link.run(deadline, |connection| ask(connection, demand)).await?.map_err(StoreError::Unfit)?;
    server.is_new_enough()?;
    server.is_a_primary()?;
    server.drops_nothing()?;
    match demand.level {
        Some(Level::Single) => server.has_it_on_disk()?,
        Some(Level::Replicated) => server.counts_all_followers().and_then(|()| server.stops_when_cut_off(lease))?,
        Some(Level::Volatile) | None => {}
    }
    server.warn();
    Ok(())
}

async fn ask(mut connection: MultiplexedConnection, demand: Demand) -> RedisResult<Result<Server, String>> {
    let mut both = ::redis::pipe();
    both.ignore_errors().cmd("INFO").arg(&["server", "replication"]).cmd("CONFIG").arg("GET").arg(&[POLICY, FOLLOWERS, LAG]);
    both.arg(ON_DISK.map(|(name, _)| name).as_slice());
    let (info, settings): (RedisResult<Value>, RedisResult<Value>) = both.query_async(&mut connection).await?;
    let info = match info {
        Err(error) if fault::is_forbidden(&error) => {
            return Ok(Err(format!("Redis does not tell keyward's user which node it is: give that user the right +info ({error})")));
        }
        info => from_redis_value(info?)?,
    };
    let settings = match settings {
        Err(error) if fault::is_forbidden(&error) => HashMap::new(),
        settings => from_redis_value(settings?)?,
    };
    Ok(Ok(Server { info, settings, demand }))
}

impl Server {
    fn is_new_enough(&self) -> Result<(), StoreError> {
        let version = Info(&self.info).field("redis_version").unwrap_or("of no known version");
        match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
            Some(major) if major >= OLDEST => Ok(()),
            _ => unfit(format!("Redis is {version}: keyward needs {OLDEST}.0 or newer")),
        }
    }

    fn is_a_primary(&self) -> Result<(), StoreError> {
        let field = |name| Info(&self.info).field(name).unwrap_or("?");
        match field("role") {
            "master" => Ok(()),
            _ => Err(StoreError::Unavailable(format!(
                "Redis is a replica of {}:{} and takes no writes: give the address of the primary, unless this one is about to be promoted",
                field("master_host"),
                field("master_port")
            ))),
        }
    }

    /// A server with an eviction policy forgets revocations and windows when its memory is full.
    fn drops_nothing(&self) -> Result<(), StoreError> {
        match self.setting(POLICY) {
            None | Some("noeviction") => Ok(()),
            Some(other) => {
                unfit(format!("Redis may drop keys and limits when its memory is full ({POLICY} is {other}): set {POLICY} to noeviction"))
            }
        }
    }

    fn has_it_on_disk(&self) -> Result<(), StoreError> {
        let Some((name, fit)) = unlike_on_disk(&self.settings) else { return Ok(()) };
        let is = self.setting(name).unwrap_or_default();
        unfit(format!(
            "Redis may acknowledge a write that is not on its disk ({name} is {is}): set {name} to {fit}, or store.redis.level to volatile"
        ))
    }

    /// A node that nobody counts may be promoted without what was promised.
    fn counts_all_followers(&self) -> Result<(), StoreError> {
        let (follow, counted) = (Info(&self.info).followers(), self.demand.replicas);
        if counted > 0 && follow <= counted {
            return Ok(());
        }
        unfit(format!("{follow} nodes follow Redis, and store.redis.replicas is {counted}: set it to how many there are"))
    }

    /// Else a primary that nobody follows any more goes on granting leases.
    fn stops_when_cut_off(&self, lease: Duration) -> Result<(), StoreError> {
        let number = |name| self.setting(name).and_then(|number| number.parse::<u64>().ok());
        if number(FOLLOWERS) == Some(0) {
            return unfit(format!("Redis takes writes when it is cut off from all who follow it ({FOLLOWERS} is 0): set {FOLLOWERS} to 1"));
        }
        let lasts = lease.as_secs_f64();
        match number(LAG) {
            Some(lag) if lag == 0 || Duration::from_secs(lag) >= lease => unfit(format!(
                "Redis takes writes for too long when it is cut off ({LAG} is {lag}): set {LAG} to less than a lease lasts, which is {lasts} s"
            )),
            _ => Ok(()),
        }
    }

    /// What is no reason to refuse it.
    fn warn(&self) {
        let (follow, demand) = (Info(&self.info).followers(), self.demand);
        if self.settings.is_empty() {
            warn!(
                "Redis does not tell its settings: see to it that {POLICY} is noeviction, and that {ON_DISK:?} are so if that is demanded"
            );
        }
        if demand.is_of_all() && follow < demand.replicas {
            warn!("{follow} of {} nodes follow Redis: no change reaches level replicated until all do", demand.replicas);
        }
        if demand.is_of_all() && self.setting("appendonly") == Some("no") {
            warn!("Redis keeps no log on its disk: a primary that is back before another is promoted comes back empty (appendonly is no)");
        }
        if !demand.is_of_all() && follow > 0 {
            warn!(
                "{follow} nodes follow Redis and are not waited for: one that is promoted may lack changes (store.redis.replicas, level)"
            );
        }
        match (demand.level, unlike_on_disk(&self.settings)) {
            (None, Some((name, fit))) if !demand.is_of_all() => {
                warn!("a power loss may forget changes that were acknowledged, revocations too: set {name} to {fit}");
            }
            (Some(Level::Volatile), None) if !self.settings.is_empty() => {
                warn!("store.redis.level is volatile, and Redis has every acknowledged write on its disk: it could be single");
            }
            _ => {}
        }
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }
}

fn unfit(why: String) -> Result<(), StoreError> {
    Err(StoreError::Unfit(why))
}
