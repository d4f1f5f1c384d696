//! A store round a store: counts and times every call but `follow`, whose time is that of waiting.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::{
    AuditHead, AuditNote, Charge, Commit, Committed, Due, DueKey, Finding, Kept, Knows, LeaseHolder, Line, Page, PepperClaim, PepperUse,
    Round, Settled, Settlement, SharedStore, Store, StoreError, SubjectName, Taken, Usage, UsagePiece, UsageRange, What,
};
use crate::domain::audit::Sealed;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::domain::usage::LastUse;
use crate::revocation::{At, Footing, Registration, Renewal, Renewed, Standing};
use crate::telemetry::metrics::Metrics;

/// The store inside, observed.
pub struct Observed {
    inner: SharedStore,
    metrics: Arc<Metrics>,
}

impl Observed {
    pub fn new(inner: SharedStore, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    /// Tells where the audit log ends, for whoever keeps logs and metrics elsewhere: what is cut off it afterwards is missed there.
    fn anchor(&self, head: AuditHead) {
        tracing::info!(%head, "the audit log goes on");
        self.metrics.audit_ends(head);
    }

    async fn observe<T>(&self, call: &'static str, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let start = Instant::now();
        let answer = answer.await;
        self.metrics.store_called(call, start.elapsed(), answer.as_ref().err().map_or("ok", outcome));
        answer
    }
}

fn outcome(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Corrupt(_) => "corrupt",
        _ => "refused",
    }
}

#[async_trait]
impl Round for Observed {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.inner)
    }

    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        self.observe("find", self.inner.find(realm, digests)).await
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.observe("take", self.inner.take(charges)).await
    }

    async fn peek(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.observe("peek", self.inner.peek(charges)).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        self.observe("settle", self.inner.settle(settlements)).await
    }

    async fn add_usage(&self, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.observe("add_usage", self.inner.add_usage(pieces)).await
    }

    async fn usage(&self, of: &SubjectName, range: &UsageRange) -> Result<Usage, StoreError> {
        self.observe("usage", self.inner.usage(of, range)).await
    }

    async fn last_used(&self, realm: &RealmId, keys: &[(KeyId, OwnerId)]) -> Result<Vec<Option<LastUse>>, StoreError> {
        self.observe("last_used", self.inner.last_used(realm, keys)).await
    }

    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        let committed = self.observe("commit", self.inner.commit_in_line(commit, line)).await?;
        committed.audit.into_iter().for_each(|head| self.anchor(head));
        Ok(committed)
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        self.observe("key", self.inner.key(realm, id)).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        self.observe("owner", self.inner.owner(realm, id)).await
    }

    async fn owners_of(&self, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, StoreError> {
        self.observe("owners_of", self.inner.owners_of(realm, ids)).await
    }

    async fn keys_of(&self, realm: &RealmId, ids: &[KeyId], digests: &[Digest]) -> Result<Vec<Record>, StoreError> {
        self.observe("keys_of", self.inner.keys_of(realm, ids, digests)).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        self.observe("keys", self.inner.keys(realm, owner, page)).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        self.observe("owners", self.inner.owners(realm, page)).await
    }

    async fn realms(&self) -> Result<Vec<RealmId>, StoreError> {
        self.observe("realms", self.inner.realms()).await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        self.observe("claim_peppers", self.inner.claim_peppers(claims)).await
    }

    async fn agree_on_pepper(&self, knows: &Knows) -> Result<Word, StoreError> {
        self.observe("agree_on_pepper", self.inner.agree_on_pepper(knows)).await
    }

    async fn withdraw_pepper(&self, version: &Word, audit: &AuditNote) -> Result<(), StoreError> {
        self.observe("withdraw_pepper", self.inner.withdraw_pepper(version, audit)).await
    }

    async fn peppers(&self) -> Result<Vec<PepperUse>, StoreError> {
        self.observe("peppers", self.inner.peppers()).await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        self.observe("now", self.inner.now()).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        self.observe("renew", self.inner.renew(renewal)).await
    }

    async fn acknowledge(&self, holder: &LeaseHolder, applied: At) -> Result<(), StoreError> {
        self.observe("acknowledge", self.inner.acknowledge(holder, applied)).await
    }

    async fn holders(&self) -> Result<Vec<(LeaseHolder, Registration)>, StoreError> {
        self.observe("holders", self.inner.holders()).await
    }

    async fn dismiss(&self, holder: &LeaseHolder, renewals: u64) -> Result<(), StoreError> {
        self.observe("dismiss", self.inner.dismiss(holder, renewals)).await
    }

    async fn vouch(&self, footing: &Footing) -> Result<(), StoreError> {
        self.observe("vouch", self.inner.vouch(footing)).await
    }

    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        self.observe("secure", self.inner.secure(what)).await
    }

    async fn resume(&self, audit: &AuditNote) -> Result<(), StoreError> {
        self.observe("resume", self.inner.resume(audit)).await
    }

    async fn note(&self, audit: &AuditNote) -> Result<AuditHead, StoreError> {
        self.observe("note", self.inner.note(audit)).await.inspect(|head| self.anchor(*head))
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        self.observe("audit", self.inner.audit(after, count)).await
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        self.observe("audit_head", self.inner.audit_head()).await
    }

    async fn drop_audit(&self, through: u64, audit: &AuditNote) -> Result<(), StoreError> {
        self.observe("drop_audit", self.inner.drop_audit(through, audit)).await
    }

    async fn due(&self, what: Due, before: StoreTime, after: Option<&DueKey>, count: usize) -> Result<Vec<DueKey>, StoreError> {
        self.observe("due", self.inner.due(what, before, after, count)).await
    }
}
