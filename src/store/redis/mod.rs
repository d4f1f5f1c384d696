//! The store in Redis. The checks of a thread share a pipelined connection ([`links`]), everything else borrows one from a pool ([`pool`]); what must happen
//! at one instant is a script. Redis may be away at any time, at the start too: then every call says so in time, and the next one tries again.
//!
//! What users need: deploy/redis/users.acl. One user that does everything needs what both have.

mod ask;
mod attempts;
mod audit;
mod calls;
mod cluster;
mod commit;
mod copy;
mod deadlines;
mod door;
mod due;
mod entries;
mod fault;
mod find;
mod footing;
mod groups;
pub mod lease;
mod link;
mod links;
mod list;
mod names;
mod new_keys;
mod peppers;
mod pool;
mod script;
mod secure;
mod sentinel;
mod settings;
pub mod settle;
mod spread;
mod step;
mod stored;
mod table;
pub mod take;
mod terms;
#[cfg(test)]
mod told_tests;
mod turn;
mod usage;
mod way;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use self::calls::Ways;
use self::footing::Demand;
use self::links::Links;
use self::pool::Pool;
pub use self::settings::{Certificates, Place, Settings, User};
use self::spread::Spread;
use self::way::Way;
use super::{
    AuditHead, AuditNote, Charge, Commit, Committed, Due, DueKey, Finding, Kept, Knows, LeaseHolder, Line, Page, PepperClaim, PepperUse,
    Settled, Settlement, Store, StoreError, SubjectName, Taken, Usage, UsagePiece, UsageRange, What,
};
use crate::domain::audit::Sealed;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::domain::usage::LastUse;
use crate::revocation::{At, Footing, Pushed, Registration, Renewal, Renewed, Standing};

/// How much longer a grant is waited for than it can be spent: what comes late is known, and can be returned.
const LATE: Duration = Duration::from_secs(2);

/// A store in Redis.
pub struct RedisStore {
    checks: Links,
    /// Where windows are on several nodes.
    spread: Option<Spread>,
    admin: Pool,
    /// For leases: they are not to wait behind commits that wait.
    leases: Pool,
    /// For following the log: its calls wait.
    feed: Pool,
    demand: Demand,
    lease: Duration,
    timeout: Duration,
    connect_timeout: Duration,
    /// Set once the server's settings were seen to be fit.
    fit: OnceCell<()>,
    /// The latest instant that was told: Redis's clock may be set back, the store's time does not go back.
    latest: AtomicI64,
}

impl RedisStore {
    /// Prepares the connections and makes none: Redis may be away. To be called inside a Tokio runtime.
    pub fn connect(settings: &Settings) -> Result<Self, StoreError> {
        let way = |user: Option<&User>| Way::new(settings, user).map_err(|error| fault::unusable(&error));
        let checks = way(settings.user.as_ref())?;
        checks.watch();
        let admin = match &settings.admin {
            Some(admin) => way(Some(admin))?,
            None => checks.clone(),
        };
        if settings.admin.is_some() {
            admin.watch();
        }
        Ok(Self {
            spread: checks.is_spread().then(|| Spread::new(checks.clone(), settings)),
            admin: Pool::new(admin, settings, Duration::ZERO),
            leases: Pool::new(checks.clone(), settings, Duration::ZERO),
            feed: Pool::new(checks.clone(), settings, lease::BLOCKED),
            checks: Links::new(checks, settings),
            demand: Demand::of(settings),
            lease: settings.lease,
            timeout: settings.timeout,
            connect_timeout: settings.connect_timeout,
            fit: OnceCell::new(),
            latest: AtomicI64::new(0),
        })
    }

    /// Refuses a server that may forget what it holds. Done before the first call, too; here to be done at the start.
    pub async fn check_settings(&self) -> Result<(), StoreError> {
        self.fitting(self.for_a_check()).await
    }

    /// When a call for admins must have ended, of a server that is fit.
    async fn ready(&self) -> Result<Instant, StoreError> {
        let deadline = self.for_admin();
        self.fitting(deadline).await?;
        Ok(deadline)
    }

    async fn fitting(&self, deadline: Instant) -> Result<(), StoreError> {
        if self.fit.initialized() {
            return Ok(());
        }
        // Callers queue for the first answer: each of them only until its own deadline.
        let link = self.checks.here();
        let check = self.fit.get_or_try_init(|| terms::check(&link, deadline, self.demand, self.lease));
        tokio::time::timeout_at(deadline, check).await.map_err(|_| fault::no_answer())?.copied()
    }

    fn windows(&self) -> Ways<'_> {
        Ways { links: &self.checks, spread: self.spread.as_ref() }
    }

    fn told(&self, now: StoreTime) -> StoreTime {
        StoreTime(self.latest.fetch_max(now.0, Ordering::Relaxed).max(now.0))
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let deadline = self.for_a_check();
        self.fitting(deadline).await?;
        let found = find::find(&self.checks.here(), deadline, realm, digests).await?;
        Ok(Finding { now: self.told(found.now), ..found })
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.fitting(self.for_a_check()).await?;
        let deadline = self.for_a_check() + LATE;
        take::take(self.windows(), deadline, charges).await
    }

    async fn peek(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        take::peek(self.windows(), self.ready().await?, charges).await
    }

    fn part(&self, owner: &SubjectName) -> u64 {
        self.spread.as_ref().map_or(0, |spread| spread.part(owner))
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        settle::settle(self.windows(), self.ready().await?, settlements).await
    }

    async fn add_usage(&self, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        usage::add(self.windows(), self.ready().await?, pieces).await
    }

    async fn usage(&self, of: &SubjectName, range: &UsageRange) -> Result<Usage, StoreError> {
        usage::usage(self.windows(), self.ready().await?, of, range).await
    }

    async fn last_used(&self, realm: &RealmId, keys: &[(KeyId, OwnerId)]) -> Result<Vec<Option<LastUse>>, StoreError> {
        usage::last_used(self.windows(), self.ready().await?, realm, keys).await
    }

    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        commit::commit(&self.admin, self.ready().await?, self.demand, (commit, line)).await
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        list::key(&self.admin, self.ready().await?, realm, id).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        list::owner(&self.admin, self.ready().await?, realm, id).await
    }

    async fn owners_of(&self, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, StoreError> {
        list::owners_of(&self.admin, self.ready().await?, realm, ids).await
    }

    async fn keys_of(&self, realm: &RealmId, ids: &[KeyId], digests: &[Digest]) -> Result<Vec<Record>, StoreError> {
        list::keys_of(&self.admin, self.ready().await?, realm, (ids, digests)).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        list::keys(&self.admin, self.ready().await?, (realm, owner), page).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        list::owners(&self.admin, self.ready().await?, realm, page).await
    }

    async fn realms(&self) -> Result<Vec<RealmId>, StoreError> {
        list::realms(&self.admin, self.ready().await?).await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        peppers::claim(&self.admin, self.ready().await?, claims).await
    }

    async fn agree_on_pepper(&self, knows: &Knows) -> Result<Word, StoreError> {
        peppers::agree(&self.admin, self.ready().await?, knows).await
    }

    async fn withdraw_pepper(&self, version: &Word, audit: &AuditNote) -> Result<(), StoreError> {
        peppers::withdraw(&self.admin, self.ready().await?, version, audit).await
    }

    async fn peppers(&self) -> Result<Vec<PepperUse>, StoreError> {
        peppers::all(&self.admin, self.ready().await?).await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        let deadline = self.ready().await?;
        find::now(&self.checks.here(), deadline).await.map(|now| self.told(now))
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let renewed = lease::renew(&self.leases, self.ready().await?, self.demand, renewal).await?;
        Ok(Renewed { now: self.told(renewed.now), ..renewed })
    }

    async fn follow(&self, after: At, patience: Duration) -> Result<Pushed, StoreError> {
        self.fitting(self.for_admin()).await?;
        lease::follow(&self.feed, self.connect_timeout + self.timeout, after, patience).await
    }

    async fn acknowledge(&self, holder: &LeaseHolder, applied: At) -> Result<(), StoreError> {
        lease::acknowledge(&self.leases, self.ready().await?, holder, applied).await
    }

    async fn holders(&self) -> Result<Vec<(LeaseHolder, Registration)>, StoreError> {
        lease::registered(&self.admin, self.ready().await?).await
    }

    async fn dismiss(&self, holder: &LeaseHolder, renewals: u64) -> Result<(), StoreError> {
        lease::dismiss(&self.leases, self.ready().await?, holder, renewals).await
    }

    async fn vouch(&self, footing: &Footing) -> Result<(), StoreError> {
        lease::vouch(&self.leases, self.ready().await?, footing).await
    }

    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        secure::secure(&self.admin, self.ready().await?, self.demand, what).await
    }

    async fn resume(&self, audit: &AuditNote) -> Result<(), StoreError> {
        audit::resume(&self.admin, self.ready().await?, audit).await
    }

    async fn note(&self, audit: &AuditNote) -> Result<AuditHead, StoreError> {
        audit::note(&self.admin, self.ready().await?, audit, None).await
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        audit::entries(&self.admin, self.ready().await?, after, count).await
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        audit::head(&self.admin, self.ready().await?).await
    }

    async fn drop_audit(&self, through: u64, audit: &AuditNote) -> Result<(), StoreError> {
        audit::drop(&self.admin, self.ready().await?, through, audit).await
    }

    async fn due(&self, what: Due, before: StoreTime, after: Option<&DueKey>, count: usize) -> Result<Vec<DueKey>, StoreError> {
        due::due(&self.admin, self.ready().await?, (what, before), (after, count)).await
    }
}
