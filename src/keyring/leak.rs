//! Whoever holds a secret may end it: who finds one where it should not be has no time to find out who may.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::edit::{Edit, Effect};
use super::rotate::newest;
use super::{Caller, Changed, Keyring, KeyringError, Role, Sight, Target, Terms};
use crate::domain::actor::Actor;
use crate::domain::address::Source;
use crate::domain::credential::Presented;
use crate::domain::key::Secret;
use crate::domain::name::{KeyId, RealmId, admin_realm};
use crate::domain::realm::{FailureRate, Realm};
use crate::domain::record::{Cause, Holder, Record};
use crate::domain::time::StoreTime;
use crate::replica::sources::Counted;

/// Formats whose secrets are meant to be seen are of this kind.
const PUBLISHABLE: &str = "publishable";

/// What was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The key: this was its newest secret.
    Key,
    /// This secret alone: a newer one has taken over.
    Secret,
}

impl Keyring {
    /// Ends the secret that is shown, and with it its key, unless a newer secret of the key has taken over.
    pub async fn report_leak(
        &self,
        realm: Option<&RealmId>,
        secret: &Secret,
        from: Option<IpAddr>,
    ) -> Result<(Ended, Changed<Record>), KeyringError> {
        self.may_report(from)?;
        let exposed = self.exposed(realm, secret).await;
        if let (Err(KeyringError::NoSuchSecret), Some(from)) = (&exposed, from) {
            self.reporters.failed(&reporter(from), self.guard.clock.boot());
        }
        let (realm, number, holder) = exposed?;
        if holder.record.kind.as_ref().is_some_and(|kind| kind.as_str() == PUBLISHABLE) {
            return Err(KeyringError::Publishable);
        }
        let target = Target { realm, id: holder.record.id.clone() };
        let by = finder(&target.id, from);
        let is_over = |record: &Record| newest(record).is_some_and(|newest| newest > number);
        let change = |record: &mut Record, now: StoreTime| {
            if is_over(record) {
                record.secrets.retain(|kept| kept.number != number);
            } else {
                super::revoke::end(record, Cause::Leaked, now);
            }
        };
        let edit = Edit { caller: &by, action: "ReportLeak", effect: Effect::Restricts, target: &target, change: &change };
        let changed = self.edit(edit, &Terms::default()).await?;
        let ended = if changed.now.cause == Cause::Leaked { Ended::Key } else { Ended::Secret };
        Ok((ended, changed))
    }

    /// Whose secret it is. It is looked for in every realm that could have made it, or in the one that is named.
    async fn exposed(&self, realm: Option<&RealmId>, secret: &Secret) -> Result<(RealmId, u32, Holder), KeyringError> {
        let presented = Presented(Cow::Borrowed(secret.expose()));
        let is_meant = |candidate: &&Arc<Realm>| realm.is_none_or(|realm| candidate.id == *realm) && candidate.format(&presented).is_ok();
        for candidate in self.realms.iter().filter(is_meant) {
            let digests = self.every_digest(candidate, secret);
            let finding = self.found(&candidate.id, &digests, self.view(Sight::EvenRolledBack)?).await?;
            let Some(holder) = finding.holder else { continue };
            if let Some(kept) = holder.record.secrets.iter().find(|kept| digests.contains(&kept.digest)) {
                return Ok((candidate.id.clone(), kept.number, holder));
            }
        }
        Err(KeyringError::NoSuchSecret)
    }

    /// Who keeps showing what no key has is told to wait, or this would be a place to guess secrets at.
    fn may_report(&self, from: Option<IpAddr>) -> Result<(), KeyringError> {
        let Some(from) = from else { return Ok(()) };
        self.reporters.may(&reporter(from), self.guard.clock.boot()).map_err(|retry_in| KeyringError::Throttled { retry_in })
    }
}

fn reporter(from: IpAddr) -> Counted {
    Counted::new(&admin_realm(), Source::from(from), FailureRate::default())
}

/// The key itself, as it were: who holds its secret may end it, and does nothing else.
fn finder(id: &KeyId, from: Option<IpAddr>) -> Caller {
    Caller { actor: Actor::Key(id.clone()), from, roles: vec![Role::Admin], binding: None }
}
