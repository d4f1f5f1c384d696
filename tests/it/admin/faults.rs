//! A store round a store, which a test may make lie: about how durable a change is, about where it stands, about what it finds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keyward::domain::key::Digest;
use keyward::domain::name::RealmId;
use keyward::revocation::{Firmness, Footing, Holder, Level, Registration, Renewal, Renewed, Standing};
use keyward::store::{Commit, Committed, Finding, Kept, Line, Round, SharedStore, Store, StoreError, What};

/// The store inside, until something else is said.
pub struct Faults {
    store: SharedStore,
    asked: AtomicUsize,
    level: Mutex<Option<Level>>,
    /// Of what was changed, and of renewals.
    primaries: [Mutex<Option<Box<str>>>; 2],
    no_renewals: AtomicBool,
    no_marks: AtomicBool,
    findings: Mutex<Option<HashMap<Vec<[u8; 32]>, Finding>>>,
}

impl Faults {
    pub fn new(store: SharedStore) -> Self {
        let (asked, no_renewals, no_marks) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Self { store, asked, level: Mutex::default(), primaries: Default::default(), no_renewals, no_marks, findings: Mutex::default() }
    }

    /// How often it was asked who holds a lease.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// From now on every change is said to have reached this level.
    pub fn reaches(&self, level: Level) {
        *lock(&self.level) = Some(level);
    }

    /// From now on changes are said to be made on this primary.
    pub fn commits_on(&self, primary: &str) {
        *lock(&self.primaries[0]) = Some(primary.into());
    }

    /// From now on renewals are said to be answered by this primary.
    pub fn renews_on(&self, primary: &str) {
        *lock(&self.primaries[1]) = Some(primary.into());
    }

    /// Commits are made without the mark that makes them the only ones.
    pub fn forgets_marks(&self) {
        self.no_marks.store(true, Ordering::SeqCst);
    }

    /// No renewal comes through.
    pub fn renewals_fail(&self) {
        self.no_renewals.store(true, Ordering::SeqCst);
    }

    /// They come through again.
    pub fn renewals_succeed(&self) {
        self.no_renewals.store(false, Ordering::SeqCst);
    }

    /// Whatever is looked for is found from now on as it was when it was first looked for since, as on a node that lags.
    pub fn lags(&self) {
        *lock(&self.findings) = Some(HashMap::new());
    }

    fn told(&self, standing: Standing) -> Standing {
        let level = lock(&self.level).unwrap_or(standing.level);
        Standing { level, footing: on(&self.primaries[0], standing.footing), ..standing }
    }
}

#[async_trait]
impl Round for Faults {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let found = self.store.find(realm, digests).await?;
        let asked = digests.iter().map(|digest| digest.0).collect();
        let mut findings = lock(&self.findings);
        Ok(match &mut *findings {
            Some(findings) => findings.entry(asked).or_insert(found).clone(),
            None => found,
        })
    }

    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        let once = commit.once.filter(|_| !self.no_marks.load(Ordering::SeqCst));
        let committed = self.store.commit_in_line(&Commit { once, ..commit.clone() }, line).await?;
        Ok(Committed { standing: self.told(committed.standing), ..committed })
    }

    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        let (kept, standing) = self.store.secure(what).await?;
        Ok((kept, self.told(standing)))
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        if self.no_renewals.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("so the test says".into()));
        }
        let renewed = self.store.renew(renewal).await?;
        Ok(Renewed { footing: on(&self.primaries[1], renewed.footing), ..renewed })
    }

    async fn holders(&self) -> Result<Vec<(Holder, Registration)>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.store.holders().await
    }
}

/// Another primary is one that nobody has vouched for.
fn on(primary: &Mutex<Option<Box<str>>>, footing: Footing) -> Footing {
    match lock(primary).clone() {
        Some(primary) => Footing { primary, vouched: Firmness::Shifting, ..footing },
        None => footing,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
