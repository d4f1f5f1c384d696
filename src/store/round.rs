//! A store round a store: what is not said otherwise goes to the one inside.

use std::time::Duration;

use async_trait::async_trait;

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

/// Whoever is this is a [`Store`]. Its methods are those of the trait.
#[async_trait]
pub trait Round: Send + Sync {
    /// The store inside, or why nothing passes to it.
    fn inner(&self) -> Result<&dyn Store, StoreError>;

    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        self.inner()?.find(realm, digests).await
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.inner()?.take(charges).await
    }

    async fn peek(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.inner()?.peek(charges).await
    }

    fn part(&self, owner: &SubjectName) -> u64 {
        self.inner().map_or(0, |inner| inner.part(owner))
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        self.inner()?.settle(settlements).await
    }

    async fn add_usage(&self, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.inner()?.add_usage(pieces).await
    }

    async fn usage(&self, of: &SubjectName, range: &UsageRange) -> Result<Usage, StoreError> {
        self.inner()?.usage(of, range).await
    }

    async fn last_used(&self, realm: &RealmId, keys: &[(KeyId, OwnerId)]) -> Result<Vec<Option<LastUse>>, StoreError> {
        self.inner()?.last_used(realm, keys).await
    }

    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        self.inner()?.commit_in_line(commit, line).await
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        self.inner()?.key(realm, id).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        self.inner()?.owner(realm, id).await
    }

    async fn owners_of(&self, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, StoreError> {
        self.inner()?.owners_of(realm, ids).await
    }

    async fn keys_of(&self, realm: &RealmId, ids: &[KeyId], digests: &[Digest]) -> Result<Vec<Record>, StoreError> {
        self.inner()?.keys_of(realm, ids, digests).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        self.inner()?.keys(realm, owner, page).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        self.inner()?.owners(realm, page).await
    }

    async fn realms(&self) -> Result<Vec<RealmId>, StoreError> {
        self.inner()?.realms().await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        self.inner()?.claim_peppers(claims).await
    }

    async fn agree_on_pepper(&self, knows: &Knows) -> Result<Word, StoreError> {
        self.inner()?.agree_on_pepper(knows).await
    }

    async fn withdraw_pepper(&self, version: &Word, audit: &AuditNote) -> Result<(), StoreError> {
        self.inner()?.withdraw_pepper(version, audit).await
    }

    async fn peppers(&self) -> Result<Vec<PepperUse>, StoreError> {
        self.inner()?.peppers().await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        self.inner()?.now().await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        self.inner()?.renew(renewal).await
    }

    async fn follow(&self, after: At, patience: Duration) -> Result<Pushed, StoreError> {
        self.inner()?.follow(after, patience).await
    }

    async fn acknowledge(&self, holder: &LeaseHolder, applied: At) -> Result<(), StoreError> {
        self.inner()?.acknowledge(holder, applied).await
    }

    async fn holders(&self) -> Result<Vec<(LeaseHolder, Registration)>, StoreError> {
        self.inner()?.holders().await
    }

    async fn dismiss(&self, holder: &LeaseHolder, renewals: u64) -> Result<(), StoreError> {
        self.inner()?.dismiss(holder, renewals).await
    }

    async fn vouch(&self, footing: &Footing) -> Result<(), StoreError> {
        self.inner()?.vouch(footing).await
    }

    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        self.inner()?.secure(what).await
    }

    async fn resume(&self, audit: &AuditNote) -> Result<(), StoreError> {
        self.inner()?.resume(audit).await
    }

    async fn note(&self, audit: &AuditNote) -> Result<AuditHead, StoreError> {
        self.inner()?.note(audit).await
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        self.inner()?.audit(after, count).await
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        self.inner()?.audit_head().await
    }

    async fn drop_audit(&self, through: u64, audit: &AuditNote) -> Result<(), StoreError> {
        self.inner()?.drop_audit(through, audit).await
    }

    async fn due(&self, what: Due, before: StoreTime, after: Option<&DueKey>, count: usize) -> Result<Vec<DueKey>, StoreError> {
        self.inner()?.due(what, before, after, count).await
    }
}

#[async_trait]
impl<T: Round> Store for T {
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        Round::find(self, realm, digests).await
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        Round::take(self, charges).await
    }

    async fn peek(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        Round::peek(self, charges).await
    }

    fn part(&self, owner: &SubjectName) -> u64 {
        Round::part(self, owner)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        Round::settle(self, settlements).await
    }

    async fn add_usage(&self, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        Round::add_usage(self, pieces).await
    }

    async fn usage(&self, of: &SubjectName, range: &UsageRange) -> Result<Usage, StoreError> {
        Round::usage(self, of, range).await
    }

    async fn last_used(&self, realm: &RealmId, keys: &[(KeyId, OwnerId)]) -> Result<Vec<Option<LastUse>>, StoreError> {
        Round::last_used(self, realm, keys).await
    }

    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        Round::commit_in_line(self, commit, line).await
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        Round::key(self, realm, id).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        Round::owner(self, realm, id).await
    }

    async fn owners_of(&self, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, StoreError> {
        Round::owners_of(self, realm, ids).await
    }

    async fn keys_of(&self, realm: &RealmId, ids: &[KeyId], digests: &[Digest]) -> Result<Vec<Record>, StoreError> {
        Round::keys_of(self, realm, ids, digests).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        Round::keys(self, realm, owner, page).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        Round::owners(self, realm, page).await
    }

    async fn realms(&self) -> Result<Vec<RealmId>, StoreError> {
        Round::realms(self).await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        Round::claim_peppers(self, claims).await
    }

    async fn agree_on_pepper(&self, knows: &Knows) -> Result<Word, StoreError> {
        Round::agree_on_pepper(self, knows).await
    }

    async fn withdraw_pepper(&self, version: &Word, audit: &AuditNote) -> Result<(), StoreError> {
        Round::withdraw_pepper(self, version, audit).await
    }

    async fn peppers(&self) -> Result<Vec<PepperUse>, StoreError> {
        Round::peppers(self).await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        Round::now(self).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        Round::renew(self, renewal).await
    }

    async fn follow(&self, after: At, patience: Duration) -> Result<Pushed, StoreError> {
        Round::follow(self, after, patience).await
    }

    async fn acknowledge(&self, holder: &LeaseHolder, applied: At) -> Result<(), StoreError> {
        Round::acknowledge(self, holder, applied).await
    }

    async fn holders(&self) -> Result<Vec<(LeaseHolder, Registration)>, StoreError> {
        Round::holders(self).await
    }

    async fn dismiss(&self, holder: &LeaseHolder, renewals: u64) -> Result<(), StoreError> {
        Round::dismiss(self, holder, renewals).await
    }

    async fn vouch(&self, footing: &Footing) -> Result<(), StoreError> {
        Round::vouch(self, footing).await
    }

    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        Round::secure(self, what).await
    }

    async fn resume(&self, audit: &AuditNote) -> Result<(), StoreError> {
        Round::resume(self, audit).await
    }

    async fn note(&self, audit: &AuditNote) -> Result<AuditHead, StoreError> {
        Round::note(self, audit).await
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        Round::audit(self, after, count).await
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        Round::audit_head(self).await
    }

    async fn drop_audit(&self, through: u64, audit: &AuditNote) -> Result<(), StoreError> {
        Round::drop_audit(self, through, audit).await
    }

    async fn due(&self, what: Due, before: StoreTime, after: Option<&DueKey>, count: usize) -> Result<Vec<DueKey>, StoreError> {
        Round::due(self, what, before, after, count).await
    }
}
