//! A store that is filled from another: whatever that kept is written as commits would have left it. Until the end nobody gets a lease.

use std::collections::BTreeSet;

use ::redis::{Pipeline, cmd};
use tokio::time::Instant;

use super::pool::Pool;
use super::{RedisStore, find, names, stored};
use crate::domain::audit::Sealed;
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::revocation::{At, Mark};
use crate::store::audit::{End, encode};
use crate::store::copy::{KeptAnswer, Rest};
use crate::store::{PepperUse, StoreError, by_owner};

/// Stands among the places that were found lost as long as not everything is here.
const UNFINISHED: &str = "1/0000000000000000";

/// What any state of keyward has one of.
const SIGNS: [&str; 7] = [names::POSITION, names::LOG, names::AUDIT, names::AUDIT_HEAD, names::ONCE, names::PEPPERS, names::ROLLED_BACK];

impl RedisStore {
    /// Begins a copy, in a Redis that holds nothing of keyward's.
    pub async fn begin_copy(&self) -> Result<(), StoreError> {
        self.fitting(self.until()).await?;
        let there = |mut connection| async move { cmd("EXISTS").arg(&SIGNS).query_async::<u64>(&mut connection).await };
        if self.pool().run(self.until(), there).await? > 0 {
            return Err(StoreError::Exists("a store of keyward's in this Redis: it must be empty".into()));
        }
        let mut all = ::redis::pipe();
        all.cmd("SADD").arg(names::ROLLED_BACK).arg(UNFINISHED);
        self.send(all).await
    }

    /// Writes keys, with all that leads to them.
    pub async fn copy_keys(&self, keys: &[Record]) -> Result<(), StoreError> {
        let mut all = ::redis::pipe();
        for key in keys {
            let (id, by_owner) = (key.id.as_str(), by_owner(&key.owner, &key.id));
            all.cmd("HSET").arg(names::keys(&key.realm)).arg(id).arg(stored::key(key));
            for secret in &key.secrets {
                all.cmd("HSET").arg(names::digests(&key.realm)).arg(&secret.digest.0[..]).arg(&by_owner);
            }
            all.cmd("ZADD").arg(names::keys_by_owner(&key.realm)).arg(0).arg(&by_owner);
            for (due, when) in [(names::SECRET_ENDS, key.secret_ends()), (names::REVOKED, key.revoked)] {
                if let Some(when) = when {
                    all.cmd("ZADD").arg(due).arg(when.0).arg(format!("{}/{id}", key.realm));
                }
            }
        }
        self.send(all).await
    }

    /// Writes owners.
    pub async fn copy_owners(&self, owners: &[Owner]) -> Result<(), StoreError> {
        let mut all = ::redis::pipe();
        let realms: BTreeSet<&str> = owners.iter().map(|owner| owner.realm.as_str()).collect();
        for realm in realms {
            all.cmd("ZADD").arg(names::REALMS).arg(0).arg(realm);
        }
        for owner in owners {
            all.cmd("HSET").arg(names::owners(&owner.realm)).arg(owner.id.as_str()).arg(stored::owner(owner));
            all.cmd("ZADD").arg(names::owner_ids(&owner.realm)).arg(0).arg(owner.id.as_str());
        }
        self.send(all).await
    }

    /// Writes entries of the audit log, byte by byte as they were sealed, after those that were written before.
    pub async fn copy_audit(&self, entries: &[Sealed]) -> Result<(), StoreError> {
        let mut all = ::redis::pipe();
        let mut last = None;
        for sealed in entries {
            let end = End::of(sealed)?;
            all.cmd("XADD").arg(names::AUDIT).arg(format!("{}-0", end.head.sequence)).arg("entry").arg(encode(sealed));
            last = Some(end);
        }
        if let Some(end) = last {
            all.cmd("SET").arg(names::AUDIT_HEAD).arg(end.kept);
        }
        self.send(all).await
    }

    /// Ends a copy: the log that replicas follow goes on above where it was.
    pub async fn end_copy(&self, rest: &Rest) -> Result<(), StoreError> {
        let mark = getrandom::u64().map(Mark).map_err(|error| StoreError::Unavailable(format!("no random number: {error}")))?;
        let now = find::now(&self.checks.here(), self.until()).await?;
        let mut all = ::redis::pipe();
        for pepper in &rest.peppers {
            all.cmd("HSET").arg(names::PEPPERS).arg(pepper.version.as_str()).arg(&pepper.check_value[..]);
        }
        for PepperUse { version, used, withdrawn } in &rest.pepper_uses {
            let [used, withdrawn] = [used, withdrawn].map(|at| at.map_or(0, |at| at.0));
            all.cmd("HSET").arg(names::PEPPER_USES).arg(version.as_str()).arg(format!("{used}/{withdrawn}"));
        }
        for once in &rest.marks {
            all.cmd("SADD").arg(names::ONCE).arg(&once[..]);
        }
        for KeptAnswer { caller, id, until, fingerprint, subject, position } in rest.answers.iter().filter(|answer| answer.until > now) {
            let name = names::request_of(caller, id);
            all.cmd("HSET").arg(&name).arg("fingerprint").arg(&fingerprint[..]).arg("position").arg(position).arg("subject").arg(subject);
            all.cmd("PEXPIREAT").arg(&name).arg(until.0);
        }
        all.cmd("SET").arg(names::POSITION).arg(At { position: rest.head.position + 1, mark }.to_string());
        self.send(all).await?;
        let mut last = ::redis::pipe();
        last.cmd("SREM").arg(names::ROLLED_BACK).arg(UNFINISHED);
        self.send(last).await
    }

    async fn send(&self, all: Pipeline) -> Result<(), StoreError> {
        if all.is_empty() {
            return Ok(());
        }
        self.pool().run(self.until(), |mut connection| async move { all.exec_async(&mut connection).await }).await
    }

    fn pool(&self) -> &Pool {
        &self.admin
    }

    /// Some hundreds of writes take longer than one.
    fn until(&self) -> Instant {
        self.for_admin() + std::time::Duration::from_secs(10)
    }
}
