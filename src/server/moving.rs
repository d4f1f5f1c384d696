//! What is done to a store while nobody serves from it: it is copied into another, or into a folder, or it is told that it was restored.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::{build, first_start};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{self, Config, StoreConfig};
use crate::domain::audit::{Head, Link, Who};
use crate::domain::key::Peppers;
use crate::revocation::{At, Holder, Mark, Renewal, Terms};
use crate::store::embedded::{Embedded, Timeouts};
use crate::store::redis::RedisStore;
use crate::store::{AuditNote, PepperClaim, SharedStore, Store};

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    pub keys: u64,
    pub owners: u64,
    pub audit: u64,
}

/// What a store that was restored still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// All that the anchor vouches for, and what came after, up to here.
    Whole(Head),
    /// Not what the anchor vouches for: nobody is admitted until an operator says so.
    Lacks(Head),
}

/// So many records go over at once.
const LOT: usize = 500;

/// Copies a whole store from one engine to another: from the embedded one into an empty Redis.
pub async fn copy(from: &Config, to: &Config) -> anyhow::Result<Copied> {
    let (StoreConfig::Embedded { folder }, StoreConfig::Redis(redis)) = (&from.store, &to.store) else {
        bail!("a copy goes from an embedded store to a Redis: --from must have the first as its store, --to the second");
    };
    if !Embedded::is_in(folder) {
        bail!("there is no store in {}", folder.display());
    }
    let peppers = Arc::new(config::peppers(&first_start::files(to)?.peppers)?);
    let source = Embedded::open(folder, clock()).with_context(|| format!("the store in {} cannot be opened", folder.display()))?;
    let patient = Timeouts { check: std::time::Duration::from_mins(1), admin: std::time::Duration::from_mins(1) };
    let source = source.with_timeouts(patient);
    source
        .claim_peppers(&claims(&peppers))
        .await
        .context("the pepper file of --to must be that of --from: without it every key is lost")?;
    let rest = source.rest().await?;
    if rest.rolled_back {
        bail!("the log of --from is rolled back: resume it first, as docs/operations.md tells");
    }
    let target = RedisStore::connect(&build::settings(redis, to.replica.lease)).context("store.redis")?;
    target.begin_copy().await?;
    let unfinished = "the copy is not finished: empty the Redis and begin anew";
    let copied = pour(&source, &target).await.context(unfinished)?;
    target.end_copy(&rest).await.context(unfinished)?;
    target.note(&note("CopyStore", peppers)).await?;
    Ok(copied)
}

async fn pour(source: &Embedded, target: &RedisStore) -> anyhow::Result<Copied> {
    let mut copied = Copied::default();
    let mut after = None;
    loop {
        let owners = source.every_owner(after.take(), LOT).await?;
        let Some(last) = owners.last() else { break };
        after = Some((last.realm.clone(), last.id.clone()));
        copied.owners += owners.len() as u64;
        target.copy_owners(&owners).await?;
    }
    let mut after = None;
    loop {
        let keys = source.every_key(after.take(), LOT).await?;
        let Some(last) = keys.last() else { break };
        after = Some((last.realm.clone(), last.id.clone()));
        copied.keys += keys.len() as u64;
        target.copy_keys(&keys).await?;
    }
    let mut last = 0;
    loop {
        let entries = source.audit(last, LOT).await?;
        let Some(sealed) = entries.last() else { break };
        last = crate::store::audit::read(sealed)?.sequence;
        copied.audit += entries.len() as u64;
        target.copy_audit(&entries).await?;
    }
    Ok(copied)
}

/// Copies the file of an embedded store that nobody uses into another folder.
pub fn backup(config: &Config, to: &Path) -> anyhow::Result<()> {
    let StoreConfig::Embedded { folder } = &config.store else {
        bail!("a Redis is backed up with its own means: its append-only files, or BGSAVE");
    };
    if !Embedded::is_in(folder) {
        bail!("there is no store in {}", folder.display());
    }
    Ok(Embedded::copy_file(folder, to, &clock())?)
}

/// Looks whether a store that was restored has what the anchor vouches for. If it does not, nobody is admitted until somebody has made the
/// revocations anew that are lost, and resumes.
pub async fn restored(config: &Config, anchor: Head) -> anyhow::Result<Restored> {
    let store: SharedStore = match &config.store {
        StoreConfig::Embedded { folder } if !Embedded::is_in(folder) => bail!("there is no store in {}", folder.display()),
        StoreConfig::Embedded { folder } => Arc::new(Embedded::open(folder, clock())?),
        StoreConfig::Redis(redis) => Arc::new(RedisStore::connect(&build::settings(redis, config.replica.lease))?),
    };
    let ends = store.audit_head().await?;
    let vouched = store.audit(anchor.sequence.saturating_sub(1), 1).await?;
    let is_there = |sealed: &crate::domain::audit::Sealed| Link::of(&sealed.entry) == anchor.link;
    if anchor == Head::default() || vouched.first().is_some_and(is_there) {
        return Ok(Restored::Whole(ends));
    }
    let begins = vouched.first().map(crate::store::audit::read).transpose()?.map(|first| first.sequence);
    if let Some(begins) = begins.filter(|begins| *begins > anchor.sequence) {
        bail!(
            "the audit log begins with entry {begins}: what the anchor tells of, entry {}, was dropped for its age, so that nothing can be \
             said by it; take a newer anchor",
            anchor.sequence
        );
    }
    miss(&*store, config).await?;
    Ok(Restored::Lacks(ends))
}

/// Asks for a lease as somebody would who was promised what the store does not have.
async fn miss(store: &dyn Store, config: &Config) -> anyhow::Result<()> {
    let random = || getrandom::u64().context("the operating system gives no randomness");
    let holder = Holder { replica: "restored".into(), incarnation: random()? };
    let secured = At { position: u64::from(u32::MAX) << 16, mark: Mark(random()?) };
    let renewal = Renewal { holder: holder.clone(), number: 1, terms: Terms { lease: config.replica.lease }, applied: None, secured };
    store.renew(&renewal).await?;
    Ok(store.dismiss(&holder, 1).await?)
}

fn note(action: &'static str, peppers: Arc<Peppers>) -> AuditNote {
    AuditNote { who: Who::Keyward, from: None, action, subjects: Vec::new(), refused: None, peppers }
}

fn claims(peppers: &Peppers) -> Vec<PepperClaim> {
    peppers.iter().map(|pepper| PepperClaim { version: pepper.version.clone(), check_value: pepper.check_value() }).collect()
}

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}
