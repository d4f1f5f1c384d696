//! What a look-up would find, without a trace: nothing is remembered of it, no failure is counted, and nobody waits for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::super::memory::Known;
use super::{Counted, Parts, Records, Shared, Unfound, no_lease, too_late};
use crate::domain::bearer::Bearer;
use crate::domain::key::Digest;
use crate::domain::realm::Realm;
use crate::domain::time::StoreTime;
use crate::revocation::{Fill, Read};
use crate::store::{Finding, StoreError};

/// What [`Records::find`] would say.
#[derive(Debug)]
pub struct Glance {
    /// How long the source has to wait; then what is found is what it would not be told.
    pub throttled: Option<Duration>,
    /// Whose key it is, the store's time, and who knows.
    pub found: Result<(Arc<Bearer>, StoreTime, Whence), Unfound>,
}

/// Who knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// This replica remembers it.
    Memory,
    Store,
    /// This replica remembers it; it is too old, and could not be read anew.
    Aged,
}

impl Records {
    /// What a look-up by `deadline` would find.
    pub async fn glance(&self, realm: &Realm, digests: &[Digest], address: Option<IpAddr>, deadline: Instant) -> Glance {
        let shared = &self.0;
        let Parts { session, memory, clock, .. } = &shared.parts;
        let known = |found| Glance { throttled: None, found };
        if !session.admits() {
            return known(Err(no_lease().into()));
        }
        let now = session.now();
        match memory.glance(&realm.id, digests, now) {
            Some(Known::Of(bearer)) => return known(Ok((bearer, now, Whence::Memory))),
            Some(Known::Nobody) => return known(Err(Unfound::Unknown)),
            None => {}
        }
        let waits = |source: &Counted| shared.sources.may(source, clock.boot()).err();
        let throttled = shared.source(realm, digests, address).as_ref().and_then(waits);
        let read = timeout_at(deadline, shared.read_unnoticed(realm, digests)).await.unwrap_or_else(|_| Err(too_late()));
        let found = match read {
            Ok(Some(bearer)) => Ok((bearer, session.now(), Whence::Store)),
            Ok(None) => Err(Unfound::Unknown),
            Err(error) => shared.aged(realm, digests, error.into()).map(|bearer| (bearer, session.now(), Whence::Aged)),
        };
        Glance { throttled, found }
    }
}

impl Shared {
    async fn read_unnoticed(&self, realm: &Realm, digests: &[Digest]) -> Result<Option<Arc<Bearer>>, StoreError> {
        let Parts { store, clock, session, .. } = &self.parts;
        loop {
            let asked = clock.boot();
            let Finding { holder, at, .. } = store.find(&realm.id, digests).await?;
            let own = holder.iter().flat_map(|holder| &holder.record.secrets).map(|kept| kept.digest);
            let all: Vec<Digest> = digests.iter().copied().chain(own).collect();
            let owner = holder.as_ref().map(|holder| &holder.record.owner);
            let read = Read { at, asked, realm: &realm.id, digests: &all, owner };
            let judged = loop {
                match session.judge(&read, || ()) {
                    Fill::Ahead => session.catch_up(at.position).await,
                    judged => break judged,
                }
            };
            if judged == Fill::Sound {
                return Ok(holder.and_then(|holder| Bearer::presenting(digests, holder)).map(Arc::new));
            }
            session.move_on().await;
        }
    }
}
