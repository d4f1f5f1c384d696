//! What is due without anybody asking: secrets whose grace is over are dropped, and keys and audit entries that are old enough are forgotten.
//! Every replica does it; where two do the same, one of them finds it done.

use std::time::Duration;

use super::edit::ATTEMPTS;
use super::kept::Kept as _;
use super::readers::Stride;
use super::{Keyring, KeyringError, Target};
use crate::domain::audit::Who;
use crate::domain::name::{KeyId, RealmId};
use crate::domain::record::{KeptSecret, Record};
use crate::domain::retention::Retention;
use crate::domain::time::StoreTime;
use crate::store::{Change, Commit, Due, DueKey, Expect, Needs, StoreError, audit};

/// How many keys are looked at in one go.
const TOGETHER: usize = 100;

/// A secret that was used so lately was still in use when it ended.
const LATELY: Duration = Duration::from_hours(24);

/// So long after its end a secret is dropped: by then every replica has told of its last uses, which they do each ten seconds.
const SETTLED: Duration = Duration::from_secs(30);

/// How many secrets ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndedSecrets {
    pub unused: u64,
    /// Whoever used these is refused now.
    pub in_use: u64,
}

impl Keyring {
    /// Drops secrets whose grace is over, a key's last as any other; no check has admitted them since. A replica without a lease leaves that to
    /// others. The list is walked once: what is still due behind a key is reached, whatever became of that key.
    pub async fn end_secrets(&self) -> Result<EndedSecrets, KeyringError> {
        let (mut ended, mut after) = (EndedSecrets::default(), None);
        let now = StoreTime(self.store.now().await?.0 - millis(SETTLED));
        while self.guard.session.admits() {
            let due = self.store.due(Due::SecretEnds, now, after.as_ref(), TOGETHER).await?;
            for DueKey { realm, id, .. } in &due {
                let Some((kept, use_of_it)) = self.end_secrets_of(realm, id, now).await? else { continue };
                match use_of_it {
                    InUse::No => ended.unused += kept,
                    InUse::Yes => ended.in_use += kept,
                }
            }
            if due.len() < TOGETHER {
                break;
            }
            after = due.into_iter().next_back();
        }
        Ok(ended)
    }

    /// How many secrets of one key ended; `None`: somebody else was there before.
    async fn end_secrets_of(&self, realm: &RealmId, id: &KeyId, now: StoreTime) -> Result<Option<(u64, InUse)>, KeyringError> {
        let Some(before) = self.store.key(realm, id).await? else { return Ok(None) };
        let is_over = |kept: &KeptSecret| kept.ends.is_some_and(|ends| ends < now);
        let over: Vec<&KeptSecret> = before.secrets.iter().filter(|kept| is_over(kept)).collect();
        if over.is_empty() {
            return Ok(None);
        }
        let uses = self.last_uses(&before).await?;
        let was_used = |kept: &&KeptSecret| {
            let end = kept.ends.unwrap_or(now);
            uses.get(&kept.number).is_some_and(|last| last.at.0 >= end.0 - millis(LATELY))
        };
        let in_use = if over.iter().any(was_used) { InUse::Yes } else { InUse::No };
        let count = over.len() as u64;
        let secrets = before.secrets.iter().filter(|kept| !is_over(kept)).cloned().collect();
        let after = Record { secrets, revision: before.revision + 1, ..before.clone() };
        let target = Target { realm: realm.clone(), id: id.clone() };
        let audit = self.noted(Who::Keyward, in_use.action(), vec![Record::name(&target)]);
        let changes = vec![Change::Key { record: after, expect: Expect::Revision(before.revision) }];
        match self.store.commit(&Commit { changes, audit, request: None, once: None, needs: Needs::default() }).await {
            Ok(_) => Ok(Some((count, in_use))),
            Err(StoreError::Conflict) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// Forgets what is older than it is to be kept.
    pub async fn forget(&self, retention: &Retention) -> Result<(), KeyringError> {
        if let Some(kept) = retention.revoked_keys {
            self.forget_keys(kept).await?;
        }
        if let Some(kept) = retention.audit {
            self.forget_entries(kept).await?;
        }
        Ok(())
    }

    async fn forget_keys(&self, kept: Duration) -> Result<(), KeyringError> {
        let (mut after, before) = (None, StoreTime(self.store.now().await?.0 - millis(kept)));
        while self.guard.session.admits() {
            let due = self.store.due(Due::Revoked, before, after.as_ref(), TOGETHER).await?;
            self.forget_those(&due, before).await?;
            if due.len() < TOGETHER {
                break;
            }
            after = due.into_iter().next_back();
        }
        Ok(())
    }

    /// Those of these keys that were revoked before an instant. What others change all the time is left to the next round.
    async fn forget_those(&self, due: &[DueKey], before: StoreTime) -> Result<(), KeyringError> {
        for _ in 0..ATTEMPTS {
            let (mut changes, mut subjects) = (Vec::new(), Vec::new());
            for DueKey { realm, id, .. } in due {
                let Some(record) = self.store.key(realm, id).await? else { continue };
                if record.revoked.is_some_and(|revoked| revoked < before) {
                    subjects.push(Record::name(&Target { realm: realm.clone(), id: id.clone() }));
                    let expect = Expect::Revision(record.revision);
                    changes.push(Change::Removed { realm: realm.clone(), id: id.clone(), expect });
                }
            }
            if changes.is_empty() {
                return Ok(());
            }
            let audit = self.noted(Who::Keyward, "ForgetKeys", subjects);
            match self.store.commit(&Commit { changes, audit, request: None, once: None, needs: Needs::default() }).await {
                Ok(_) => return Ok(()),
                // somebody else was there before, or one of them was changed: all are looked at again
                Err(StoreError::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    async fn forget_entries(&self, kept: Duration) -> Result<(), KeyringError> {
        let before = self.store.now().await?.0 - millis(kept);
        let (mut through, mut stride) = (0, Stride::default());
        loop {
            let page = self.entries(through, &mut stride, usize::MAX).await?;
            let entries = page.iter().map(audit::entry).collect::<Result<Vec<_>, _>>()?;
            let old = entries.iter().take_while(|entry| entry.at.0 < before).last().map(|entry| entry.place.sequence);
            through = old.unwrap_or(through);
            if old.is_none() || old != entries.last().map(|entry| entry.place.sequence) {
                break;
            }
        }
        if through > 0 && self.guard.session.admits() {
            self.store.drop_audit(through, &self.noted(Who::Keyward, "DropAudit", Vec::new())).await?;
        }
        Ok(())
    }
}

/// Whether a secret was still used when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InUse {
    No,
    Yes,
}

impl InUse {
    /// For the audit log.
    fn action(self) -> &'static str {
        match self {
            Self::No => "EndSecret",
            Self::Yes => "EndSecretInUse",
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
