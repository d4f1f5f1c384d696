//! The server's file, and with it the realm files that it names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Config;
use super::certified::{Beside, admin};
use super::document::{At, Read, Reported, read};
use super::duration::{duration, show};
use super::listen::listen;
use super::map::Map;
use super::paths::path;
use super::problem::{Problem, Problems};
use super::realms::realms;
use super::replica::{ReplicaConfig, outlasts, replica};
use super::retention::retention;
use super::store::{StoreConfig, store};
use super::yaml::Value;
use crate::domain::realms::Realms;

const CHECK_DEADLINE: Duration = Duration::from_millis(150);
/// On one core a check that waits for nothing takes some 5 µs: these are answered long before anybody's deadline.
const CHECKS_AT_ONCE: usize = 4096;
/// Longer than two of the health checks of deploy/envoy.
const LEAVE: Duration = Duration::from_secs(5);

/// Reads the server's file and the realm files that it names, or reports the problems of all of them.
pub fn load(file: &Path) -> Result<Config, Problems> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| Problem::of_file(&name, format_args!("cannot be read: {error}")))?;
    let base = file.parent().unwrap_or(Path::new(""));
    let mut of_realms = Vec::new();
    let config = read(&name, &text, |at| whole(at, base, &mut of_realms));
    config.map_err(|Problems(of_file)| Problems([of_file, of_realms].concat()))
}

/// The problems of realm files are not this file's: they go to `of_realms`.
fn whole(at: &At<'_>, base: &Path, of_realms: &mut Vec<Problem>) -> Read<Config> {
    let mut map = at.map()?;
    let realms = map.required("realms", |at| all_realms(at, base, of_realms));
    let store = map.required("store", |at| store(at, base));
    let pepper_file = map.optional("pepper_file", |at| path(at, base));
    let bootstrap_file = map.optional("bootstrap_file", |at| path(at, base));
    let replica = replica(&mut map);
    let listen = map.or_default("listen", |at| listen(at, base));
    let beside = Beside { realms: realms.as_ref().ok(), listen: listen.as_ref().ok() };
    let certified = map.or_default("admin", |at| admin(at, &beside));
    let check_deadline = map.or("check_deadline", CHECK_DEADLINE, deadline);
    let checks_at_once = map.or("checks_at_once", CHECKS_AT_ONCE, |at| at.number(1..=1_000_000_u32).map(|most| most as usize));
    let leave = map.or("leave", LEAVE, |at| duration(at, &(Duration::ZERO..=Duration::from_mins(1))));
    let retention = map.or_default("retention", retention);
    let otlp_endpoint = map.optional("otlp_endpoint", endpoint);
    let agreed = agree(&map, &store, &pepper_file, check_deadline).and(lasts(&map, &store, &replica));
    map.finish().and(agreed)?;
    Ok(Config {
        realms: realms?,
        store: store?,
        pepper_file: pepper_file?,
        bootstrap_file: bootstrap_file?,
        replica: replica?,
        listen: listen?,
        certified: certified?,
        check_deadline: check_deadline?,
        checks_at_once: checks_at_once?,
        leave: leave?,
        retention: retention?,
        otlp_endpoint: otlp_endpoint?,
    })
}

/// What must hold beside a store that replicas share.
fn agree(map: &Map<'_>, store: &Read<StoreConfig>, pepper_file: &Read<Option<PathBuf>>, check_deadline: Read<Duration>) -> Read<()> {
    let Ok(StoreConfig::Redis(redis)) = store else { return Ok(()) };
    let pepper = match pepper_file {
        Ok(None) => map.at("pepper_file").problem("is missing: with redis every replica reads the same one"),
        _ => Ok(()),
    };
    if check_deadline? > 2 * redis.timeout {
        return pepper;
    }
    let timeout = show(redis.timeout);
    map.at("check_deadline").problem(format_args!(
        "must be above twice the timeout of redis, which is {timeout}: a check asks it for the key, and then for its limits"
    ))
}

fn lasts(map: &Map<'_>, store: &Read<StoreConfig>, replica: &Read<ReplicaConfig>) -> Read<()> {
    match (store, replica) {
        (Ok(StoreConfig::Redis(redis)), Ok(replica)) => outlasts(&map.at("lease"), replica.lease, redis.timeout),
        _ => Ok(()),
    }
}

/// A file or a folder, or a list of them.
fn all_realms(at: &At<'_>, base: &Path, of_realms: &mut Vec<Problem>) -> Read<Realms> {
    let paths = match at.value() {
        Value::List(_) => at.some()?.distinct(|at| path(at, base))?,
        _ => vec![path(at, base)?],
    };
    realms(&paths).map_err(|Problems(mut problems)| {
        of_realms.append(&mut problems);
        Reported
    })
}

fn deadline(at: &At<'_>) -> Read<Duration> {
    duration(at, &(Duration::from_millis(10)..=Duration::from_secs(10)))
}

fn endpoint(at: &At<'_>) -> Read<String> {
    let text = at.secret_text()?;
    let fits = ["http://", "https://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    // a password would be of no use, and is not shown
    if fits && !text.contains('@') {
        Ok(text.into())
    } else {
        at.problem("must be a URL that begins with http:// or https://, without user and password")
    }
}
