//! A key is made: minted to its realm's format, or from a secret that another system made. The secret leaves here once.

use super::draft::KeyDraft;
use super::kept::Kept as _;
use super::mint::Origin;
use super::reach::HOW_MUCH;
use super::terms::{Once, Target};
use super::{Caller, Keyring, KeyringError, Wrong, contract};
use crate::domain::key::{Digest, Secret};
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::realm::Realm;
use crate::domain::record::{Binding, Record};
use crate::domain::time::BootTime;
use crate::revocation::Standing;
use crate::store::{Change, Commit, Committed, Expect, Needs, StoreError};

/// A key to make.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub realm: RealmId,
    pub key: KeyDraft,
    /// To be taken verbatim; `None`: one is minted.
    pub secret: Option<Secret>,
    pub once: Option<Once>,
}

/// A key that was made, now or under the same request id before.
#[derive(Debug, Clone)]
pub struct Created {
    pub record: Record,
    /// What was minted; `None` where the secret was given, or shown before.
    pub secret: Option<Secret>,
    pub replayed: bool,
}

impl Keyring {
    /// Makes a key. A repeated request id makes none, and answers with the one that was made, as it is now, without its secret.
    pub async fn create_key(&self, caller: &Caller, new: &NewKey) -> Result<Created, KeyringError> {
        let realm = self.realm_to_change(caller, &new.realm)?;
        new.is_open_to(caller)?;
        let now = self.store.now().await?;
        let draft = KeyDraft { expires: new.key.expires.or(realm.life.latest_end(now)), ..new.key.clone() };
        let format = contract::of_key(&self.realms, realm, &draft, new.secret.as_ref(), now)?;
        self.owner_is_there(caller, new).await?;
        self.bound_owner_is_there(caller, new).await?;
        let origin = Origin { realm: &new.realm, draft: &draft, format, now };
        let (record, secret) = match &new.secret {
            Some(given) => (self.recorded(&origin, given)?, None),
            None => self.minted(&origin)?,
        };
        let begun = self.guard.clock.boot();
        let free = new.secret.as_ref().map_or_else(Vec::new, |given| self.else_known_by(realm, given));
        let commit = Commit { needs: Needs { free, owners: new.owners() }, ..new.commit(self, caller, &record) };
        let committed = self.made_once(caller, new, commit).await.map_err(|error| new.refused(error))?;
        self.nobody_takes_it_for_unknown(new, &committed.standing, begun).await;
        match committed.replayed {
            None => Ok(Created { record, secret, replayed: false }),
            Some(subject) => self.made_before(caller, new, &subject).await,
        }
    }

    /// A given secret counts by its digest in what was asked, so whoever asks again is known by the pepper that was in use then: each is tried.
    async fn made_once(&self, caller: &Caller, new: &NewKey, commit: Commit) -> Result<Committed, StoreError> {
        let mut made = self.store.commit(&commit).await;
        let (Some(once), Some(given)) = (&new.once, &new.secret) else { return made };
        for digest in self.peppers.digests(&new.realm, given.expose()) {
            let request = Some(once.of(caller, Some(&digest)));
            if made == Err(StoreError::RequestIdReused) && request != commit.request {
                made = self.store.commit(&Commit { request, ..commit.clone() }).await;
            }
        }
        made
    }

    /// It may be disabled: its keys are refused then, and can be made ready.
    async fn owner_is_there(&self, caller: &Caller, new: &NewKey) -> Result<(), KeyringError> {
        match self.owner(caller, &Target { realm: new.realm.clone(), id: new.key.owner.clone() }).await {
            Err(KeyringError::NoOwner(realm, owner)) => Err(KeyringError::OwnerMissing(realm, owner)),
            found => found.map(drop),
        }
    }

    /// A token that is bound to nobody would be good for whoever gets that name one day.
    async fn bound_owner_is_there(&self, caller: &Caller, new: &NewKey) -> Result<(), KeyringError> {
        let Some(Binding { realm, owner: Some(owner) }) = new.key.binding.clone() else { return Ok(()) };
        match self.owner(caller, &Target { realm, id: owner }).await {
            Err(none @ KeyringError::NoOwner(..)) => {
                Err(KeyringError::Invalid(vec![Wrong::new("key.binding", format!("must be an owner that is there, and {none}"))]))
            }
            found => found.map(drop),
        }
    }

    /// Under what else somebody may have a given secret: older peppers, and digests of other systems.
    fn else_known_by(&self, realm: &Realm, given: &Secret) -> Vec<(RealmId, Digest)> {
        let newest = self.peppers.newest().digest(&realm.id, given.expose());
        let all = self.every_digest(realm, given).into_iter();
        all.filter(|digest| *digest != newest).map(|digest| (realm.id.clone(), digest)).collect()
    }

    /// A given secret may have been tried before it was made, and some replica remember that nobody has it: so this waits, as a restricting
    /// change does, or whoever uses the key next might be refused. A minted secret nobody can have tried. Nothing that must not pass
    /// would pass meanwhile, so a level that is not reached is no reason to say no.
    async fn nobody_takes_it_for_unknown(&self, new: &NewKey, standing: &Standing, begun: BootTime) {
        if new.secret.is_some() {
            self.settled(standing, begun).await;
        }
    }

    async fn made_before(&self, caller: &Caller, new: &NewKey, subject: &str) -> Result<Created, KeyringError> {
        let id = subject.rsplit('/').next().and_then(|id| KeyId::parse(id).ok());
        let id = id.ok_or_else(|| StoreError::Corrupt(format!("a request that made a key stands for {subject:?}, which is none")))?;
        let record = self.key(caller, &Target { realm: new.realm.clone(), id }).await?;
        Ok(Created { record, secret: None, replayed: true })
    }
}

impl NewKey {
    /// How much a key may do is not for its owner to say; nor whose tenant it speaks for, unless that is the owner itself.
    fn is_open_to(&self, caller: &Caller) -> Result<(), KeyringError> {
        let KeyDraft { owner, plan, limits, tenant, .. } = &self.key;
        let of_others = tenant.as_ref().is_some_and(|tenant| tenant != owner.as_str());
        if plan.is_some() || !limits.is_empty() || of_others { caller.is_for_more_than_its_owner(HOW_MUCH) } else { Ok(()) }
    }

    /// Those that have to be there.
    fn owners(&self) -> Vec<(RealmId, OwnerId)> {
        let bound = self.key.binding.iter().filter_map(|Binding { realm, owner }| Some((realm.clone(), owner.clone()?)));
        bound.chain([(self.realm.clone(), self.key.owner.clone())]).collect()
    }

    fn commit(&self, keyring: &Keyring, caller: &Caller, record: &Record) -> Commit {
        let target = Target { realm: record.realm.clone(), id: record.id.clone() };
        let given = self.secret.as_ref().and(record.secrets.first()).map(|kept| &kept.digest);
        Commit {
            changes: vec![Change::Key { record: record.clone(), expect: Expect::Absent }],
            audit: keyring.note(caller, "CreateKey", Record::name(&target)),
            request: self.once.as_ref().map(|once| once.of(caller, given)),
            once: None,
            needs: Needs::default(),
        }
    }

    fn refused(&self, error: StoreError) -> KeyringError {
        match error {
            StoreError::SecretTaken => KeyringError::SecretTaken(self.realm.clone()),
            other => other.into(),
        }
    }
}
