//! Whoever holds a secret may end it: who finds one where it should not be has no time to find out who may.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::caller::Shown;
use super::edit::{Edit, Effect};
use super::kept::Kept as _;
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

/// A key that has the secret.
struct Exposed {
    target: Target<KeyId>,
    /// Which of its secrets it is.
    number: u32,
    is_publishable: bool,
}

impl Keyring {
    /// Ends the secret that is shown, and with it its key, unless a newer secret of the key has taken over. More than one key may have it, in several
    /// realms, or by digests of another system: it is ended wherever it is, and the first of them is told.
    pub async fn report_leak(
        &self,
        realm: Option<&RealmId>,
        secret: &Secret,
        from: Option<IpAddr>,
    ) -> Result<(Ended, Changed<Record>), KeyringError> {
        self.may_report(from)?;
        let exposed = self.exposed(realm, secret).await?;
        if let (true, Some(from)) = (exposed.is_empty(), from) {
            self.reporters.failed(&reporter(from), self.guard.clock.boot());
        }
        let mut told = None;
        let nothing = if exposed.is_empty() { KeyringError::NoSuchSecret } else { KeyringError::Publishable };
        // a publishable one is left as it is, and says nothing of the others
        for exposed in exposed.iter().filter(|exposed| !exposed.is_publishable) {
            let ended = self.end_exposed(exposed, from).await?;
            told.get_or_insert(ended);
        }
        told.ok_or(nothing)
    }

    async fn end_exposed(&self, exposed: &Exposed, from: Option<IpAddr>) -> Result<(Ended, Changed<Record>), KeyringError> {
        let by = finder(&exposed.target, from);
        let is_over = |record: &Record| newest(record).is_some_and(|newest| newest > exposed.number);
        let change = |record: &mut Record, now: StoreTime| {
            if is_over(record) {
                record.secrets.retain(|kept| kept.number != exposed.number);
            } else {
                super::revoke::end(record, Cause::Leaked, now);
            }
        };
        let edit = Edit { caller: &by, action: "ReportLeak", effect: Effect::Restricts, target: &exposed.target, change: &change };
        let changed = self.edit(edit, &Terms::default()).await?;
        let ended = if changed.now.cause == Cause::Leaked { Ended::Key } else { Ended::Secret };
        Ok((ended, changed))
    }

    /// Whose secret it is. It is looked for in every realm that could have made it, or in the one that is named, by each of its digests.
    async fn exposed(&self, realm: Option<&RealmId>, secret: &Secret) -> Result<Vec<Exposed>, KeyringError> {
        let presented = Presented(Cow::Borrowed(secret.expose()));
        let is_meant = |candidate: &&Arc<Realm>| realm.is_none_or(|realm| candidate.id == *realm) && candidate.format(&presented).is_ok();
        let mut all: Vec<Exposed> = Vec::new();
        for candidate in self.realms.iter().filter(is_meant) {
            for digest in self.every_digest(candidate, secret) {
                let finding = self.found(&candidate.id, &[digest], self.view(Sight::EvenRolledBack)?).await?;
                let Some(Holder { record, .. }) = finding.holder else { continue };
                let Some(kept) = record.secrets.iter().find(|kept| kept.digest == digest) else { continue };
                all.push(Exposed {
                    target: Target { realm: candidate.id.clone(), id: record.id.clone() },
                    number: kept.number,
                    is_publishable: record.kind.as_ref().is_some_and(|kind| kind.as_str() == PUBLISHABLE),
                });
            }
        }
        Ok(all)
    }

    /// Who keeps showing what no key has is told to wait, or this would be a place to guess secrets at.
    fn may_report(&self, from: Option<IpAddr>) -> Result<(), KeyringError> {
        let Some(from) = from else { return Ok(()) };
        self.reporters.may(&reporter(from), self.guard.clock.boot()).map_err(|retry_in| {
            let what = "secrets that no key has";
            KeyringError::Throttled { what, retry_in }
        })
    }
}

fn reporter(from: IpAddr) -> Counted {
    Counted::new(&admin_realm(), Source::from(from), FailureRate::default())
}

/// The key itself, as it were: who holds its secret may end it, and does nothing else. Its id alone would name an admin token that has the same one.
fn finder(target: &Target<KeyId>, from: Option<IpAddr>) -> Caller {
    let actor = if target.realm == admin_realm() { Actor::Key(target.id.clone()) } else { Actor::Holder(Record::name(target).into()) };
    Caller { actor, from, roles: vec![Role::Admin], binding: None, shown: Shown::Once }
}
