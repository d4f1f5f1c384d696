//! Which store, and how to reach it.

use std::path::{Path, PathBuf};

use super::document::{At, Read};
use super::paths::path;
use super::redis::{RedisConfig, redis};

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// One node, on disk, in this folder.
    Embedded {
        folder: PathBuf,
    },
    Redis(Box<RedisConfig>),
}

/// `{embedded: …}` or `{redis: …}`. `base`: the folder that paths are relative to.
pub(super) fn store(at: &At<'_>, base: &Path) -> Read<StoreConfig> {
    let mut map = at.map()?;
    let store = match map.one_of(&["embedded", "redis"])? {
        "embedded" => map.required("embedded", |at| embedded(at, base)),
        _ => map.required("redis", |at| redis(at, base)).map(|redis| StoreConfig::Redis(Box::new(redis))),
    };
    map.finish().and(store)
}

fn embedded(at: &At<'_>, base: &Path) -> Read<StoreConfig> {
    let mut map = at.map()?;
    let folder = map.required("folder", |at| path(at, base));
    map.finish()?;
    Ok(StoreConfig::Embedded { folder: folder? })
}
