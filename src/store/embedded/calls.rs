//! The calls: what reads goes to a thread that may wait for the disk, what writes to the writer.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::glance;
use super::log::{self, Stands};
use super::writer::Job;
use super::{Embedded, audit, away, drawn, peppers, read, usage};
use crate::domain::audit::Sealed;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::domain::usage::LastUse;
use crate::revocation::{At, Footing, Mark, Pushed, Registration, Renewal, Renewed, Standing};
use crate::store::{
    AuditHead, AuditNote, Charge, Commit, Committed, Due, DueKey, Finding, Kept, Knows, LeaseHolder, Line, Page, PepperClaim, PepperUse,
    Settled, Settlement, Store, StoreError, SubjectName, Taken, Usage, UsagePiece, UsageRange, What,
};

#[async_trait]
impl Store for Embedded {
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let (realm, digests) = (realm.clone(), digests.to_vec());
        self.read(self.timeouts.check, move |txn, clock| read::find(txn, &realm, &digests, clock)).await
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.ask(self.timeouts.check, |reply| Job::Take(charges.to_vec(), reply)).await
    }

    async fn peek(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        let charges = charges.to_vec();
        self.read(self.timeouts.admin, move |txn, clock| glance::peek(txn, &charges, clock)).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::Settle(settlements.to_vec(), reply)).await
    }

    async fn add_usage(&self, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::AddUsage(pieces.to_vec(), reply)).await?;
        Ok(vec![Ok(()); pieces.len()])
    }

    async fn usage(&self, of: &SubjectName, range: &UsageRange) -> Result<Usage, StoreError> {
        let (of, range) = (of.clone(), *range);
        self.read(self.timeouts.admin, move |txn, _| usage::usage(txn, &of, &range)).await
    }

    async fn last_used(&self, realm: &RealmId, keys: &[(KeyId, OwnerId)]) -> Result<Vec<Option<LastUse>>, StoreError> {
        let (realm, keys) = (realm.clone(), keys.to_vec());
        self.read(self.timeouts.admin, move |txn, _| usage::last_used(txn, &realm, &keys)).await
    }

    /// The writer takes what waits into one transaction anyway: nothing is foreseen.
    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        if line.leave() {
            return Err(StoreError::Late);
        }
        let mark = Mark(drawn()?);
        let made = self.ask(self.timeouts.admin, |reply| Job::Commit(Box::new(commit.clone()), mark, reply)).await?;
        // asked for after the commit is durable: whoever renews from now on is brought its entries
        let standing = self.shared.leases.standing(self.shared.leases.head());
        Ok(Committed { position: made.position, standing, replayed: made.replayed, audit: made.audit })
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        let (realm, id) = (realm.clone(), id.clone());
        self.read(self.timeouts.admin, move |txn, _| read::key(txn, &realm, &id)).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        let (realm, id) = (realm.clone(), id.clone());
        self.read(self.timeouts.admin, move |txn, _| read::owner(txn, &realm, &id)).await
    }

    async fn owners_of(&self, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, StoreError> {
        let (realm, ids) = (realm.clone(), ids.to_vec());
        self.read(self.timeouts.admin, move |txn, _| read::owners_of(txn, &realm, &ids)).await
    }

    async fn keys_of(&self, realm: &RealmId, ids: &[KeyId], digests: &[Digest]) -> Result<Vec<Record>, StoreError> {
        let (realm, ids, digests) = (realm.clone(), ids.to_vec(), digests.to_vec());
        self.read(self.timeouts.admin, move |txn, _| read::some_keys(txn, &realm, &ids, &digests)).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        let (realm, owner, page) = (realm.clone(), owner.cloned(), page.clone());
        self.read(self.timeouts.admin, move |txn, _| read::keys(txn, &realm, owner.as_ref(), &page)).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        let (realm, page) = (realm.clone(), page.clone());
        self.read(self.timeouts.admin, move |txn, _| read::owners(txn, &realm, &page)).await
    }

    async fn realms(&self) -> Result<Vec<RealmId>, StoreError> {
        self.read(self.timeouts.admin, |txn, _| read::realms(txn)).await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::ClaimPeppers(claims.to_vec(), reply)).await
    }

    async fn agree_on_pepper(&self, knows: &Knows) -> Result<Word, StoreError> {
        let everyones = self.shared.leases.know(knows);
        let agreed = self.ask(self.timeouts.admin, |reply| Job::AgreeOnPepper(Box::new(knows.clone()), everyones, reply)).await;
        if let Err(StoreError::PepperMissing(_) | StoreError::PepperWithdrawn(_)) = agreed {
            self.shared.leases.dismiss(&knows.replica, 0);
        }
        agreed
    }

    async fn withdraw_pepper(&self, version: &Word, audit: &AuditNote) -> Result<(), StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::WithdrawPepper(version.clone(), Box::new(audit.clone()), reply)).await
    }

    async fn peppers(&self) -> Result<Vec<PepperUse>, StoreError> {
        self.read(self.timeouts.admin, move |txn, _| peppers::all(txn)).await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        Ok(self.shared.clock.now())
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let leases = &self.shared.leases;
        // before anything is read: a commit that this reading misses must not miss the holder
        leases.renew(renewal);
        let asked = renewal.clone();
        let found = self.read(self.timeouts.admin, move |txn, _| log::renewed(txn, &asked)).await?;
        if let Some(place) = found.missed {
            self.ask(self.timeouts.admin, |reply| Job::Miss(place, reply)).await?;
        }
        if found.applied.is_some() {
            leases.acknowledge(&renewal.holder, renewal.acknowledges());
        }
        Ok(Renewed {
            log: found.log,
            // a transaction reads nothing that is not on the disk
            secured: found.head,
            now: self.shared.clock.now(),
            holders: leases.holders(),
            footing: leases.footing(),
            longest: leases.longest(),
        })
    }

    async fn follow(&self, after: At, patience: Duration) -> Result<Pushed, StoreError> {
        let mut head = self.shared.leases.watch();
        let over = sleep(patience);
        tokio::pin!(over);
        loop {
            head.mark_unchanged();
            let pushed = self.read(self.timeouts.admin, move |txn, _| log::after(txn, after)).await?;
            if !pushed.entries.is_empty() {
                return Ok(pushed);
            }
            tokio::select! {
                () = &mut over => return Ok(pushed),
                changed = head.changed() => changed.map_err(|_| away("it is being closed"))?,
            }
        }
    }

    async fn acknowledge(&self, holder: &LeaseHolder, applied: At) -> Result<(), StoreError> {
        let at_head = applied == self.shared.leases.head();
        if at_head || self.read(self.timeouts.admin, move |txn, _| log::place(txn, applied)).await? == Stands::Here {
            self.shared.leases.acknowledge(holder, applied.position);
        }
        Ok(())
    }

    async fn holders(&self) -> Result<Vec<(LeaseHolder, Registration)>, StoreError> {
        Ok(self.shared.leases.holders())
    }

    async fn dismiss(&self, holder: &LeaseHolder, renewals: u64) -> Result<(), StoreError> {
        self.shared.leases.dismiss(holder, renewals);
        Ok(())
    }

    /// Whatever is told of this process's store is vouched for from the start.
    async fn vouch(&self, _: &Footing) -> Result<(), StoreError> {
        Ok(())
    }

    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        let what = what.clone();
        let (kept, at) = self.read(self.timeouts.admin, move |txn, _| read::kept(txn, &what)).await?;
        Ok((kept, self.shared.leases.standing(at)))
    }

    async fn resume(&self, audit: &AuditNote) -> Result<(), StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::Resume(Box::new(audit.clone()), reply)).await
    }

    async fn note(&self, audit: &AuditNote) -> Result<AuditHead, StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::Note(Box::new(audit.clone()), reply)).await
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        self.read(self.timeouts.admin, move |txn, _| audit::entries(txn, after, count)).await
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        self.read(self.timeouts.admin, move |txn, _| audit::ends(txn)).await
    }

    async fn drop_audit(&self, through: u64, audit: &AuditNote) -> Result<(), StoreError> {
        self.ask(self.timeouts.admin, |reply| Job::DropAudit(through, Box::new(audit.clone()), reply)).await
    }

    async fn due(&self, what: Due, before: StoreTime, after: Option<&DueKey>, count: usize) -> Result<Vec<DueKey>, StoreError> {
        let after = after.cloned();
        self.read(self.timeouts.admin, move |txn, _| read::due(txn, (what, before), (after.as_ref(), count))).await
    }
}
