//! Who asks: an admin token is a key of the realm `keyward`, and its scopes are its roles; a client certificate has those that the
//! configuration gives its name.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::{Keyring, KeyringError};
use crate::domain::actor::{Actor, San};
use crate::domain::bearer::{Asked, Bearer};
use crate::domain::credential::Presented;
use crate::domain::key::Digest;
use crate::domain::name::{RealmId, Scope};
use crate::domain::record::Binding;
use crate::domain::route::Demands;
use crate::domain::time::{BootTime, StoreTime};
use crate::replica::session::Leased;
use crate::revocation::{Fill, Read};
use crate::store::{Finding, StoreError};

/// How often a token is looked for before the store is taken to be away, or what it says to be old.
const SEARCHES: usize = 3;

/// How long the log is waited for, where a token was read ahead of it.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// What a token must be seen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// A replica that holds a lease: a token that was revoked is refused, whatever the replica is cut off from.
    Leased,
    /// The same, but while the log is rolled back and nobody holds a lease, the store as it is. For what is needed to get out of that, and
    /// gives nobody anything.
    EvenRolledBack,
}

/// What an admin token may do. None implies another, but admin implies all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads keys and owners.
    Viewer,
    /// Makes keys and owners.
    Issuer,
    /// Revokes keys and disables owners.
    Revoker,
    /// Does everything, and alone changes what is in the realm of the admin tokens.
    Admin,
}

/// Whoever has shown an admin token that was valid a moment ago, or a certificate that is let in. What it may touch is in
/// [`reach`](super::reach).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who, for the audit log.
    pub actor: Actor,
    /// Where its connection comes from; `None`: that is not known.
    pub from: Option<IpAddr>,
    pub(super) roles: Vec<Role>,
    /// All that it may touch; `None`: everything.
    pub(super) binding: Option<Binding>,
    pub(super) shown: Shown,
}

/// What a caller has shown, as far as it takes to judge it again. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// A token with these digests.
    Token(Vec<Digest>),
    /// A certificate with this name, which is let in.
    Certificate(San),
    /// Something that is good for one call.
    Once,
}

/// What somebody shows who comes to the admin API.
#[derive(Debug, Clone, Copy, Default)]
pub struct Visitor<'a> {
    pub token: Option<&'a [u8]>,
    /// The names in its client certificate, which an authority of the configuration has signed.
    pub names: &'a [San],
    /// Where its connection comes from.
    pub from: Option<IpAddr>,
}

impl Keyring {
    /// Who comes. Where a token is shown it alone counts, so that nobody has more rights by it than it gives; without one the certificate does.
    /// Unknown, revoked, expired and disabled look the same.
    pub async fn caller(&self, visitor: &Visitor<'_>, sight: Sight) -> Result<Caller, KeyringError> {
        match visitor.token {
            Some(token) => self.bearer(self.token(token)?, visitor.from, sight).await,
            None => self.certified(visitor.names, visitor.from, sight),
        }
    }

    /// The digests of what looks like a token.
    fn token(&self, token: &[u8]) -> Result<Vec<Digest>, KeyringError> {
        let realm = self.tokens()?;
        realm.format(&Presented(Cow::Borrowed(token))).map_err(|_| KeyringError::TokenRefused)?;
        Ok(self.peppers.digests(&realm.id, token))
    }

    /// Who holds the token with these digests.
    pub(super) async fn bearer(&self, digests: Vec<Digest>, from: Option<IpAddr>, sight: Sight) -> Result<Caller, KeyringError> {
        let realm = self.tokens()?;
        let finding = self.found(&realm.id, &digests, self.view(sight)?).await?;
        let holder = finding.holder.ok_or(KeyringError::TokenRefused)?;
        let binding = holder.record.binding.clone();
        let stale = self.rehash.as_ref().and_then(|rehash| Some((rehash, rehash.stale(&digests, &holder.record)?)));
        let bearer = Bearer::presenting(&digests, holder).ok_or(KeyringError::TokenRefused)?;
        opens(&bearer, finding.now)?;
        if let Some((rehash, stale)) = stale {
            rehash.add(stale);
        }
        Ok(Caller { roles: Role::of(&bearer.scopes), actor: bearer.key.into(), from, binding, shown: Shown::Token(digests) })
    }

    /// A certificate of which two names are let in is nobody's: whoever made the configuration cannot have meant both.
    pub(super) fn certified(&self, names: &[San], from: Option<IpAddr>, sight: Sight) -> Result<Caller, KeyringError> {
        let mut known = self.certified.iter().filter(|known| names.contains(&known.san));
        let Some(one) = known.next().filter(|_| known.next().is_none()) else { return Err(KeyringError::TokenRefused) };
        self.view(sight)?;
        let (actor, shown) = (Actor::Certificate(one.san.clone()), Shown::Certificate(one.san.clone()));
        Ok(Caller { actor, from, roles: Role::of(&one.scopes), binding: one.binding.clone(), shown })
    }

    /// The lease, before anything is read.
    pub(super) fn view(&self, sight: Sight) -> Result<View, KeyringError> {
        if self.guard.session.admits() {
            return Ok(View::Judged);
        }
        match (self.guard.session.status().lease, sight) {
            (Leased::RolledBack, Sight::EvenRolledBack) => Ok(View::AsItIs),
            (Leased::RolledBack, Sight::Leased) => Err(KeyringError::RolledBack),
            _ => Err(KeyringError::NoLease),
        }
    }

    /// A store gives a search up as early as a check must be answered. Whoever calls here has more time than that.
    pub(super) async fn found(&self, realm: &RealmId, digests: &[Digest], view: View) -> Result<Finding, KeyringError> {
        let mut why = KeyringError::NoLease;
        for _ in 0..SEARCHES {
            let asked = self.guard.clock.boot();
            match self.store.find(realm, digests).await {
                Ok(finding) if view == View::AsItIs || self.stands(realm, digests, &finding, asked).await => return Ok(finding),
                Ok(_) => why = KeyringError::NoLease,
                Err(error @ StoreError::Unavailable(_)) => why = error.into(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(why)
    }

    /// Whether what was found is what the log says: it may come from a node that lags.
    async fn stands(&self, realm: &RealmId, digests: &[Digest], finding: &Finding, asked: BootTime) -> bool {
        let holder = finding.holder.as_ref();
        let own = holder.into_iter().flat_map(|holder| holder.record.secrets.iter().map(|secret| secret.digest));
        let digests: Vec<Digest> = digests.iter().copied().chain(own).collect();
        let read = Read { at: finding.at, asked, realm, digests: &digests, owner: holder.map(|holder| &holder.record.owner) };
        let session = &self.guard.session;
        let judged = async {
            loop {
                match session.judge(&read, || ()) {
                    Fill::Sound => return true,
                    Fill::Stale => return false,
                    Fill::Ahead => session.catch_up(read.at.position).await,
                }
            }
        };
        timeout(LOG_PATIENCE, judged).await.unwrap_or(false)
    }
}

/// How what is read is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Judged,
    AsItIs,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Issuer, Self::Revoker, Self::Admin];

    /// The scope of the realm `keyward` that gives it.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Issuer => "issuer",
            Self::Revoker => "revoker",
            Self::Admin => "admin",
        }
    }

    fn of(scopes: &[Scope]) -> Vec<Self> {
        Self::ALL.into_iter().filter(|role| scopes.iter().any(|scope| scope.as_str() == role.scope())).collect()
    }
}

/// The RPCs have no routes, tenants or address lists: the token's own state alone decides.
fn opens(bearer: &Bearer, now: StoreTime) -> Result<(), KeyringError> {
    let asked = Asked { now, demands: Some(&Demands::default()), tenant: None, address: None };
    bearer.opens(&asked).map_err(|_| KeyringError::TokenRefused)
}
