//! Which store, and how to reach it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{At, Read};
use super::duration::duration;
use super::map::Map;
use super::paths::path;
use crate::revocation::Level;

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// One node, on disk, in this folder.
    Embedded {
        folder: PathBuf,
    },
    Redis(RedisConfig),
}

/// How to reach Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/db]`, `rediss://…`, `unix:///path`.
    pub url: String,
    pub connect_timeout: Duration,
    /// For one call.
    pub timeout: Duration,
    /// What a change must reach before it counts as made; `None`: what it reaches is shown.
    pub level: Option<Level>,
    /// Nodes, besides the primary, that may become the primary.
    pub replicas: u32,
}

const LEVELS: [(&str, Level); 3] = [("volatile", Level::Volatile), ("single", Level::Single), ("replicated", Level::Replicated)];
const SCHEMES: [&str; 4] = ["redis://", "rediss://", "unix://", "redis+unix://"];

/// `{embedded: …}` or `{redis: …}`. `base`: the folder that paths are relative to.
pub(super) fn store(at: &At<'_>, base: &Path) -> Read<StoreConfig> {
    let mut map = at.map()?;
    let store = match map.one_of(&["embedded", "redis"])? {
        "embedded" => map.required("embedded", |at| embedded(at, base)),
        _ => map.required("redis", |at| redis(at, base)).map(StoreConfig::Redis),
    };
    map.finish().and(store)
}

fn embedded(at: &At<'_>, base: &Path) -> Read<StoreConfig> {
    let mut map = at.map()?;
    let folder = map.required("folder", |at| path(at, base));
    map.finish()?;
    Ok(StoreConfig::Embedded { folder: folder? })
}

fn redis(at: &At<'_>, base: &Path) -> Read<RedisConfig> {
    let mut map = at.map()?;
    let url = url(&mut map, base);
    let ms = Duration::from_millis;
    let timeout = map.or("timeout", ms(50), |at| duration(at, &(ms(5)..=ms(5_000))));
    let connect_timeout = map.or("connect_timeout", ms(1000), |at| duration(at, &(ms(10)..=ms(60_000))));
    let stands = stands(&mut map);
    map.finish()?;
    let (level, replicas) = stands?;
    Ok(RedisConfig { url: url?, connect_timeout: connect_timeout?, timeout: timeout?, level, replicas })
}

/// The level demanded, and how many nodes must have a change for the highest one.
fn stands(map: &mut Map<'_>) -> Read<(Option<Level>, u32)> {
    let level = map.optional("level", |at| at.one_of(&LEVELS));
    let replicas = map.optional("replicas", |at| at.number(0..=100));
    match (level?, replicas?) {
        (Some(Level::Replicated), None | Some(0)) => map.at("replicas").problem(
            "must say how many nodes, besides the primary, may become the primary: at level `replicated` a change counts when all have it",
        ),
        (level, replicas) => Ok((level, replicas.unwrap_or(0))),
    }
}

/// The URL as given, or from a file of its own. It may hold a password: no problem shows it.
fn url(map: &mut Map<'_>, base: &Path) -> Read<String> {
    let (key, url) = match map.one_of(&["url", "url_file"])? {
        "url" => ("url", map.required("url", |at| at.text().map(str::to_owned))),
        _ => ("url_file", map.required("url_file", |at| written_in(at, base))),
    };
    let url = url?;
    let fits = SCHEMES.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if fits { Ok(url) } else { map.at(key).problem("must give a URL that begins with redis://, rediss:// or unix://") }
}

fn written_in(at: &At<'_>, base: &Path) -> Read<String> {
    let path = path(at, base)?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => at.problem(format_args!("{} cannot be read: {error}", path.display())),
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisConfig(..)")
    }
}
