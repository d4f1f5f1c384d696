//! The calls: what reads goes to a thread that may wait for the disk, what writes to the writer.

use std::time::Duration;

use async_trait::async_trait;
use redb::ReadTransaction;

use super::account::By;
use super::accounts::Held;
use super::clock::StoreClock;
use super::writer::Job;
use super::{Embedded, read};
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::revocation::{At, Entry, Registration, Renewal, Renewed, Standing};
use crate::store::{AuditNote, Charge, Commit, Committed, Finding, Kept, LeaseHolder, Page, PepperClaim, Store, StoreError, Taken, What};

#[async_trait]
impl Store for Embedded {
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let (realm, digests) = (realm.clone(), digests.to_vec());
        self.read(self.timeouts.check, move |txn, clock| read::find(txn, &realm, &digests, clock)).await
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        let at = self.shared.clock.moment();
        let mut answers: Vec<Held> = charges.iter().map_while(|charge| self.shared.accounts.answer(charge, at, By::Caller)).collect();
        // in the order given: what comes after one that needs the writer waits with it
        let rest = charges.get(answers.len()..).unwrap_or_default();
        if !rest.is_empty() {
            answers.extend(self.ask(self.timeouts.check, |reply| Job::Take(rest.to_vec(), reply)).await?);
        }
        Ok(answers.into_iter().map(Held::keep).collect())
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::Commit(Box::new(commit.clone()), reply)).await
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        let (realm, id) = (realm.clone(), id.clone());
        self.read(self.timeouts.admin, move |txn, _| read::key(txn, &realm, &id)).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        let (realm, id) = (realm.clone(), id.clone());
        self.read(self.timeouts.admin, move |txn, _| read::owner(txn, &realm, &id)).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        let (realm, owner, page) = (realm.clone(), owner.cloned(), page.clone());
        let reading = move |txn: &ReadTransaction, _: &StoreClock| match owner {
            Some(owner) => read::keys_of(txn, &realm, &owner, &page),
            None => read::keys(txn, &realm, &page),
        };
        self.read(self.timeouts.admin, reading).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        let (realm, page) = (realm.clone(), page.clone());
        self.read(self.timeouts.admin, move |txn, _| read::owners(txn, &realm, &page)).await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::ClaimPeppers(claims.to_vec(), reply)).await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        Ok(self.shared.clock.now())
    }

    async fn renew(&self, _: &Renewal) -> Result<Renewed, StoreError> {
        Err(StoreError::Unavailable("not built".into()))
    }

    async fn follow(&self, _: At, _: Duration) -> Result<Vec<Entry>, StoreError> {
        Err(StoreError::Unavailable("not built".into()))
    }

    async fn acknowledge(&self, _: &LeaseHolder, _: At) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not built".into()))
    }

    async fn holders(&self) -> Result<Vec<(LeaseHolder, Registration)>, StoreError> {
        Err(StoreError::Unavailable("not built".into()))
    }

    async fn dismiss(&self, _: &LeaseHolder, _: u64) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not built".into()))
    }

    async fn secure(&self, _: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        Err(StoreError::Unavailable("not built".into()))
    }

    async fn resume(&self, _: &AuditNote) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not built".into()))
    }
}
