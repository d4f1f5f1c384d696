//! Where Redis is, who asks it, and what is demanded of it. URLs and passwords may be in files of their own; no problem shows either.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::document::{At, Read};
use super::duration::duration;
use super::map::Map;
use super::paths::path;
use crate::revocation::Level;

/// How to reach Redis, and what is demanded of it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    pub place: RedisPlace,
    /// Who checks; `None`: whom the URL names.
    pub user: Option<RedisUser>,
    /// Who changes records; `None`: who checks.
    pub admin: Option<RedisUser>,
    pub tls: Option<RedisTls>,
    pub connect_timeout: Duration,
    /// For one call.
    pub timeout: Duration,
    /// What a change must reach before it counts as made; `None`: what it reaches is shown.
    pub level: Option<Level>,
    /// Nodes, besides the primary, that may become the primary.
    pub replicas: u32,
}

/// Where its primary is to be found.
#[derive(Clone, PartialEq, Eq)]
pub enum RedisPlace {
    /// `redis://[user:password@]host:port[/db]`, `rediss://…`, `unix:///path`.
    Single { url: String },
    /// Where these Sentinels say that the primary of this name is.
    Sentinel { urls: Vec<String>, master: String },
    /// In the Cluster that these nodes are of.
    Cluster { urls: Vec<String> },
}

/// A user of Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUser {
    pub name: String,
    pub password: String,
}

/// What is shown and trusted over TLS, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisTls {
    /// Who vouches for Redis; `None`: whom this machine trusts.
    pub authority: Option<Vec<u8>>,
    /// A certificate and its key.
    pub own: Option<(Vec<u8>, Vec<u8>)>,
}

const LEVELS: [(&str, Level); 3] = [("volatile", Level::Volatile), ("single", Level::Single), ("replicated", Level::Replicated)];
/// Of one Redis.
const ANYWHERE: (&[&str], &str) =
    (&["redis://", "rediss://", "unix://", "redis+unix://"], "must give a URL that begins with redis://, rediss:// or unix://");
/// Of Sentinels and of a Cluster.
const AT_A_HOST: (&[&str], &str) = (&["redis://", "rediss://"], "must give URLs that begin with redis:// or rediss://");

/// `base`: the folder that paths are relative to.
pub(super) fn redis(at: &At<'_>, base: &Path) -> Read<RedisConfig> {
    let mut map = at.map()?;
    let place = place(&mut map, base);
    let checker = map.optional("user", |at| user(at, base));
    let admin = map.optional("admin", |at| user(at, base));
    let tls = map.optional("tls", |at| tls(at, base));
    let ms = Duration::from_millis;
    let timeout = map.or("timeout", ms(50), |at| duration(at, &(ms(5)..=ms(5_000))));
    let connect_timeout = map.or("connect_timeout", ms(1000), |at| duration(at, &(ms(10)..=ms(60_000))));
    let stands = stands(&mut map, place.as_ref().ok());
    let agreed = agree(&map, place.as_ref().ok(), tls.as_ref().is_ok_and(Option::is_some));
    map.finish().and(agreed)?;
    let ((level, replicas), place) = (stands?, place?);
    let (connect_timeout, timeout) = (connect_timeout?, timeout?);
    Ok(RedisConfig { place, user: checker?, admin: admin?, tls: tls?, connect_timeout, timeout, level, replicas })
}

fn place(map: &mut Map<'_>, base: &Path) -> Read<RedisPlace> {
    let url = |url| Ok(RedisPlace::Single { url });
    match map.one_of(&["url", "url_file", "sentinel", "cluster"])? {
        "url" => map.required("url", |at| fitting(at, at.secret_text()?.to_owned(), ANYWHERE)).and_then(url),
        "url_file" => map.required("url_file", |at| fitting(at, written_in(at, base)?, ANYWHERE)).and_then(url),
        "sentinel" => map.required("sentinel", |at| sentinel(at, base)),
        _ => map.required("cluster", |at| cluster(at, base)),
    }
}

fn sentinel(at: &At<'_>, base: &Path) -> Read<RedisPlace> {
    let mut map = at.map()?;
    let urls = urls(&mut map, base);
    let master = map.required("master", |at| match at.text()? {
        "" => at.must_be("the name that the Sentinels know the primary by"),
        master => Ok(master.to_owned()),
    });
    map.finish()?;
    Ok(RedisPlace::Sentinel { urls: urls?, master: master? })
}

fn cluster(at: &At<'_>, base: &Path) -> Read<RedisPlace> {
    let mut map = at.map()?;
    let urls = urls(&mut map, base);
    map.finish()?;
    Ok(RedisPlace::Cluster { urls: urls? })
}

/// A list, or a file with one on each line.
fn urls(map: &mut Map<'_>, base: &Path) -> Read<Vec<String>> {
    let key = map.one_of(&["urls", "urls_file"])?;
    let urls = match key {
        "urls" => map.required(key, |at| at.some()?.distinct(|at| fitting(at, at.secret_text()?.to_owned(), AT_A_HOST))),
        _ => map.required(key, |at| {
            let text = written_in(at, base)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let urls = lines.map(|url| fitting(at, url.to_owned(), AT_A_HOST)).collect::<Read<Vec<_>>>()?;
            if urls.is_empty() { at.problem("names a file that holds no URL") } else { Ok(urls) }
        }),
    }?;
    let over_tls = urls.iter().filter(|url| is_over_tls(url)).count();
    if over_tls == 0 || over_tls == urls.len() {
        return Ok(urls);
    }
    map.at(key).problem("must all begin with redis:// or all with rediss://")
}

/// A URL may hold a password: it is never shown.
fn fitting(at: &At<'_>, url: String, (schemes, says): (&[&str], &str)) -> Read<String> {
    let fits = schemes.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if fits { Ok(url) } else { at.problem(says) }
}

fn user(at: &At<'_>, base: &Path) -> Read<RedisUser> {
    let mut map = at.map()?;
    let name = map.required("name", |at| match at.text()? {
        "" => at.must_be("the name of a user of Redis"),
        name => Ok(name.to_owned()),
    });
    let password = match map.one_of(&["password", "password_file"]) {
        Ok("password") => map.required("password", |at| present(at, at.secret_text()?.to_owned())),
        Ok(_) => map.required("password_file", |at| present(at, written_in(at, base)?)),
        Err(reported) => Err(reported),
    };
    map.finish()?;
    Ok(RedisUser { name: name?, password: password? })
}

fn present(at: &At<'_>, password: String) -> Read<String> {
    if password.is_empty() { at.problem("is empty") } else { Ok(password) }
}

fn tls(at: &At<'_>, base: &Path) -> Read<RedisTls> {
    let mut map = at.map()?;
    let authority = map.optional("ca", |at| pem(at, base));
    let certificate = map.optional("certificate", |at| pem(at, base));
    let key = map.optional("key", |at| pem(at, base));
    let own = match (certificate, key) {
        (Ok(Some(certificate)), Ok(Some(key))) => Ok(Some((certificate, key))),
        (Ok(Some(_)), Ok(None)) => map.at("key").problem("is missing: `certificate` needs it"),
        (Ok(None), Ok(Some(_))) => map.at("certificate").problem("is missing: `key` needs it"),
        (certificate, key) => certificate.and(key).map(|_| None),
    };
    map.finish()?;
    Ok(RedisTls { authority: authority?, own: own? })
}

fn pem(at: &At<'_>, base: &Path) -> Read<Vec<u8>> {
    let text = written_in(at, base)?;
    if text.contains("-----BEGIN ") { Ok(text.into()) } else { at.problem("names a file that is not PEM") }
}

/// The level demanded, and how many nodes must have a change for the highest one. Who sets up several nodes wants changes to survive one.
fn stands(map: &mut Map<'_>, place: Option<&RedisPlace>) -> Read<(Option<Level>, u32)> {
    let level = map.optional("level", |at| at.one_of(&LEVELS));
    let replicas = map.optional("replicas", |at| at.number(0..=100));
    let usual = match place {
        Some(RedisPlace::Sentinel { .. } | RedisPlace::Cluster { .. }) => Some(Level::Replicated),
        Some(RedisPlace::Single { .. }) | None => None,
    };
    match (level?.or(usual), replicas?) {
        (Some(Level::Replicated), None | Some(0)) => map.at("replicas").problem(
            "must say how many nodes, besides the primary, may become the primary: at level `replicated` a change counts when all have it",
        ),
        (level, replicas) => Ok((level, replicas.unwrap_or(0))),
    }
}

/// Certificates are of no use without TLS; whoever gives some means to have it.
fn agree(map: &Map<'_>, place: Option<&RedisPlace>, has_tls: bool) -> Read<()> {
    let over_tls = match place {
        None => return Ok(()),
        Some(RedisPlace::Single { url }) => is_over_tls(url),
        Some(RedisPlace::Sentinel { urls, .. } | RedisPlace::Cluster { urls }) => urls.iter().all(|url| is_over_tls(url)),
    };
    if has_tls && !over_tls { map.at("tls").problem("is of use only where URLs begin with rediss://") } else { Ok(()) }
}

fn is_over_tls(url: &str) -> bool {
    url.starts_with("rediss://")
}

fn written_in(at: &At<'_>, base: &Path) -> Read<String> {
    let path = path(at, base)?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        // whoever writes the secret itself in its place does not find it in the problem
        Err(error) => at.problem(format_args!("names a file that cannot be read: {error}")),
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisConfig(..)")
    }
}
