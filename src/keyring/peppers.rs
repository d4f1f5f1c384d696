//! How far a rotation of peppers is, and its end: how many secrets are still under which, and the withdrawal of one with what is left under it.
//!
//! There are no counters: every key is read for it, page by page, in every realm that the store keeps any of: who serves them is other replicas'
//! affair, and a file that was taken away may come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::edit::ATTEMPTS;
use super::guarantee::Promise;
use super::kept::Kept as _;
use super::withdrawn::{Stopping, Withdrawn, opens};
use super::{ADMINS, Caller, Keyring, KeyringError, Target};
use crate::domain::key::Scheme;
use crate::domain::name::{OwnerId, RealmId, Word, admin_realm};
use crate::domain::record::Record;
use crate::domain::time::{BootTime, StoreTime};
use crate::store::{AuditNote, Change, Commit, Expect, Needs, Order, Page, PepperUse, StoreError, What, by_owner, pepper};

/// So many keys are read at once.
const PAGE: usize = 1_000;
/// So many are changed in one commit.
const TOGETHER: usize = 128;
/// A count is as good as a new one for so many times as long as it took.
const REST: u32 = 10;
/// For refusals.
const WHAT: &str = "the peppers of the server";

/// Every pepper, and every scheme under it that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PepperStatus {
    pub peppers: Vec<PepperStands>,
    /// When secrets were counted.
    pub counted: StoreTime,
}

/// One pepper, with one scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PepperStands {
    pub version: Word,
    pub scheme: Scheme,
    pub count: PepperCount,
    /// Whether this server has it.
    pub known: bool,
    /// Whether new secrets are put under it.
    pub in_use: bool,
    pub used: Option<StoreTime>,
    pub withdrawn: Option<StoreTime>,
}

/// What is under a pepper.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PepperCount {
    /// Secrets that open their key.
    pub secrets: u64,
    /// Keys that have such, by realm.
    pub keys: BTreeMap<RealmId, u64>,
    /// Secrets that open nothing any more.
    pub ended: u64,
}

/// What was counted.
pub(super) struct Counted {
    at: StoreTime,
    begun: BootTime,
    took: Duration,
    under: BTreeMap<(String, &'static str), PepperCount>,
}

impl Keyring {
    /// How many secrets are under which pepper.
    pub async fn pepper_status(&self, caller: &Caller) -> Result<PepperStatus, KeyringError> {
        caller.is_unbound(WHAT)?;
        self.flushed().await?;
        let (known, counted) = (self.store.peppers().await?, self.counted().await?);
        let mut names: Vec<(String, &str)> = known.iter().map(|one| (one.version.to_string(), Scheme::Secret.name())).collect();
        names.extend(counted.under.keys().cloned());
        names.sort();
        names.dedup();
        let told = |(version, scheme): (String, &'static str)| self.standing_of(&known, &counted, version, scheme);
        Ok(PepperStatus { peppers: names.into_iter().filter_map(told).collect(), counted: counted.at })
    }

    /// What a withdrawal would do.
    pub async fn pepper_to_withdraw(&self, caller: &Caller, version: &Word) -> Result<Withdrawn, KeyringError> {
        caller.is_unbound(WHAT)?;
        self.flushed().await?;
        self.may_be_withdrawn(version).await?;
        self.under(version).await
    }

    /// Withdraws a pepper: first nothing is put under it any more, then what is still there goes.
    pub async fn withdraw_pepper(&self, caller: &Caller, version: &Word, stopping: Stopping) -> Result<Withdrawn, KeyringError> {
        self.pepper_to_withdraw(caller, version).await?.allowed(version, stopping)?;
        self.store.withdraw_pepper(version, &self.note(caller, "WithdrawPepper", format!("peppers/{version}"))).await?;
        let (mut told, now, mut pages) = (Withdrawn::default(), self.store.now().await?, Pages::of(self).await?);
        while let Some(mut records) = pages.next(self).await? {
            records.retain(|record| is_under(record, version));
            for some in records.chunks(TOGETHER) {
                self.without(caller, version, some, (&mut told, now)).await?;
            }
        }
        *self.counted.lock().await = None;
        // all of it at once, and what an earlier call did that did not come to this
        let begun = self.guard.clock.boot();
        let (_, standing) = self.store.secure(&What::Owner(admin_realm(), OwnerId::parse(ADMINS)?)).await?;
        let (position, name) = (standing.at.position, format!("peppers/{version}"));
        let guarantee = self.guaranteed(Promise { rpc: "WithdrawPepper", name, position, standing: &standing, begun }).await?;
        Ok(Withdrawn { held: Some((position, guarantee)), ..told })
    }

    /// What is under a pepper now.
    async fn under(&self, version: &Word) -> Result<Withdrawn, KeyringError> {
        let (mut told, now, mut pages) = (Withdrawn::default(), self.store.now().await?, Pages::of(self).await?);
        while let Some(records) = pages.next(self).await? {
            for record in &records {
                told.take(record, version, now);
            }
        }
        Ok(told)
    }

    /// What was used a moment ago is on its way to the pepper in use, the caller's own token too: it is not to be taken for unused.
    async fn flushed(&self) -> Result<(), KeyringError> {
        match &self.rehash {
            Some(rehash) => Ok(rehash.flush(&self.store).await?),
            None => Ok(()),
        }
    }

    async fn may_be_withdrawn(&self, version: &Word) -> Result<(), KeyringError> {
        let known = self.store.peppers().await?;
        if known.iter().all(|one| one.version != *version) {
            return Err(StoreError::NoPepper(version.clone()).into());
        }
        // this replica may not have heard yet that another is, and what it seals is to be proven when the pepper is gone
        let is_own = self.peppers.newest().version == *version;
        if is_own || pepper::newest(&known).is_some_and(|newest| newest.version == *version) {
            return Err(StoreError::PepperInUse(version.clone()).into());
        }
        Ok(())
    }

    /// Takes the secrets under a pepper from some keys, whatever is done to them meanwhile.
    async fn without(
        &self,
        caller: &Caller,
        version: &Word,
        some: &[Record],
        (told, now): (&mut Withdrawn, StoreTime),
    ) -> Result<(), KeyringError> {
        let mut records = some.to_vec();
        for _ in 0..ATTEMPTS {
            records.retain(|record| is_under(record, version));
            if records.is_empty() {
                return Ok(());
            }
            let names = records.iter().map(name).collect();
            let audit = AuditNote { subjects: names, ..self.note(caller, "WithdrawPepper", String::new()) };
            let changes = records.iter().map(|record| without(record, version)).collect();
            match self.store.commit(&Commit { changes, audit, request: None, once: None, needs: Needs::default() }).await {
                Ok(_) => {
                    for record in &records {
                        told.take(record, version, now);
                    }
                    return Ok(());
                }
                Err(StoreError::Conflict) => records = self.read_again(&records).await?,
                Err(other) => return Err(other.into()),
            }
        }
        Err(KeyringError::Busy)
    }

    /// The same keys as they are now.
    async fn read_again(&self, records: &[Record]) -> Result<Vec<Record>, KeyringError> {
        let mut now = Vec::new();
        for record in records {
            now.extend(self.store.key(&record.realm, &record.id).await?);
        }
        Ok(now)
    }

    /// Counts anew, unless that was done a moment ago, and once for all who ask.
    async fn counted(&self) -> Result<Arc<Counted>, KeyringError> {
        let (mut last, begun) = (self.counted.lock().await, self.guard.clock.boot());
        if let Some(last) = last.as_ref().filter(|last| begun.0.saturating_sub(last.begun.0) < last.took * REST) {
            return Ok(last.clone());
        }
        let (at, mut under, mut pages) = (self.store.now().await?, BTreeMap::new(), Pages::of(self).await?);
        while let Some(records) = pages.next(self).await? {
            for record in &records {
                count(&mut under, record, at);
            }
        }
        let took = self.guard.clock.boot().0.saturating_sub(begun.0);
        let counted = Arc::new(Counted { at, begun, took, under });
        *last = Some(counted.clone());
        Ok(counted)
    }

    fn standing_of(&self, known: &[PepperUse], counted: &Counted, version: String, scheme: &'static str) -> Option<PepperStands> {
        let word = Word::parse(&version).ok()?;
        let one = known.iter().find(|one| one.version == word);
        Some(PepperStands {
            count: counted.under.get(&(version, scheme)).cloned().unwrap_or_default(),
            known: self.peppers.iter().any(|pepper| pepper.version == word),
            in_use: pepper::newest(known).is_some_and(|newest| newest.version == word),
            used: one.and_then(|one| one.used),
            withdrawn: one.and_then(|one| one.withdrawn),
            scheme: Scheme::of(scheme)?,
            version: word,
        })
    }
}

/// Every key of every realm, a page at a time.
struct Pages {
    /// The next one last.
    realms: Vec<RealmId>,
    after: Option<String>,
}

impl Pages {
    async fn of(keyring: &Keyring) -> Result<Self, KeyringError> {
        let mut realms = keyring.store.realms().await?;
        realms.reverse();
        Ok(Self { realms, after: None })
    }

    async fn next(&mut self, keyring: &Keyring) -> Result<Option<Vec<Record>>, KeyringError> {
        let Some(realm) = self.realms.last() else { return Ok(None) };
        let page = Page { after: self.after.take(), count: PAGE, order: Order::Ascending };
        let records = keyring.store.keys(realm, None, &page).await?;
        match records.last() {
            Some(last) if records.len() == PAGE => self.after = Some(by_owner(&last.owner, &last.id)),
            _ => drop(self.realms.pop()),
        }
        // a page is decoded at one go: others have their turn between two
        tokio::task::yield_now().await;
        Ok(Some(records))
    }
}

fn count(under: &mut BTreeMap<(String, &'static str), PepperCount>, record: &Record, now: StoreTime) {
    let mut counted: Vec<(String, &'static str)> = Vec::new();
    for kept in &record.secrets {
        let which = (kept.pepper.to_string(), kept.scheme.name());
        let count = under.entry(which.clone()).or_default();
        if !opens(record, kept, now) {
            count.ended += 1;
            continue;
        }
        count.secrets += 1;
        if !counted.contains(&which) {
            *count.keys.entry(record.realm.clone()).or_default() += 1;
            counted.push(which);
        }
    }
}

fn is_under(record: &Record, version: &Word) -> bool {
    record.secrets.iter().any(|kept| kept.pepper == *version)
}

fn without(record: &Record, version: &Word) -> Change {
    let secrets = record.secrets.iter().filter(|kept| kept.pepper != *version).cloned().collect();
    Change::Key { record: Record { secrets, revision: record.revision + 1, ..record.clone() }, expect: Expect::Revision(record.revision) }
}

fn name(record: &Record) -> String {
    Record::name(&Target { realm: record.realm.clone(), id: record.id.clone() })
}
