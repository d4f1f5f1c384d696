//! Records, as a check asks for them: from memory under a lease, or read from the store, once for everyone who waits, and judged.

mod glance;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

pub use self::glance::{Glance, Whence};
use super::flights::{Aboard, Flight, Flights, Landed};
use super::memory::{Known, Memory};
use super::presented::{Digests, Foreigns};
use super::rehash::{Rehash, Stale};
use super::session::Session;
use super::sources::{Counted, Sources};
use super::tally::Tally;
use crate::clock::SharedClock;
use crate::domain::bearer::Bearer;
use crate::domain::key::Digest;
use crate::domain::name::RealmId;
use crate::domain::realm::Realm;
use crate::domain::time::{BootTime, StoreTime};
use crate::revocation::{At, Fill, Read};
use crate::store::{Finding, SharedStore, StoreError};

/// Look-ups at one time.
const MOST_FLIGHTS: usize = 4096;

/// The records of one replica.
pub struct Records(Arc<Shared>);

/// What the records are made of.
pub struct Parts {
    pub store: SharedStore,
    pub clock: SharedClock,
    pub session: Arc<Session>,
    /// That of the session.
    pub memory: Arc<Memory>,
    /// A look-up is given up after this time, whoever waits for it.
    pub patience: Duration,
}

struct Shared {
    parts: Parts,
    flights: Arc<Flights>,
    foreigns: Foreigns,
    sources: Sources,
    tally: Arc<Tally>,
    rehash: Option<Arc<Rehash>>,
}

/// Why no key was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfound {
    #[error("no key has it")]
    Unknown,
    /// It was not looked for: its source presents too much that no key has.
    #[error("it was not looked up, because its source fails too often")]
    Throttled { retry_in: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is looked up, and for whom.
struct Sought {
    realm: RealmId,
    /// The first is the secret's own under the newest pepper: a key that has another of them has an older one, or a foreign one.
    digests: Vec<Digest>,
    source: Option<Counted>,
}

impl Records {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self::of(parts, None)
    }

    /// The same, and what is found under another pepper than the one in use gets another digest.
    #[must_use]
    pub fn rehashing(parts: Parts, rehash: Arc<Rehash>) -> Self {
        Self::of(parts, Some(rehash))
    }

    fn of(parts: Parts, rehash: Option<Arc<Rehash>>) -> Self {
        let (flights, foreigns) = (Flights::new(MOST_FLIGHTS), Foreigns::new());
        Self(Arc::new(Shared { parts, flights, foreigns, sources: Sources::new(), tally: Arc::default(), rehash }))
    }

    /// Whose key these are the digests of, with the store's time. Without a lease nothing is known, whatever is remembered.
    pub async fn find<'a>(
        &self,
        realm: &Realm,
        digests: impl Into<Digests<'a>> + Send,
        address: Option<IpAddr>,
        deadline: Instant,
    ) -> Result<(Arc<Bearer>, StoreTime), Unfound> {
        let shared = &self.0;
        shared.lease()?;
        let now = shared.parts.session.now();
        let digests = digests.into();
        // that nobody has its own digests says nothing of the foreign ones
        let known = shared.parts.memory.find(&realm.id, digests.own, now);
        if let Some(known) = known.filter(|known| digests.foreign.is_none() || matches!(known, Known::Of(_))) {
            return Ok((shared.remembered(known)?, now));
        }
        let digests = &shared.foreigns.all(digests)[..];
        if let Some(known) = shared.parts.memory.find(&realm.id, digests, now) {
            return Ok((shared.remembered(known)?, now));
        }
        let source = shared.source(realm, digests, address);
        shared.admit(source.as_ref())?;
        let sought = Sought { realm: realm.id.clone(), digests: digests.to_vec(), source };
        let landed = timeout_at(deadline, shared.look_up(sought)).await.unwrap_or_else(|_| Err(too_late().into()));
        shared.lease()?;
        let found = landed.or_else(|error| shared.aged(realm, digests, error))?;
        Ok((found, shared.parts.session.now()))
    }

    /// What became of everyone who asked.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        self.0.tally.clone()
    }
}

impl Shared {
    /// To be asked before the memory is looked at: what was remembered a moment before a lease began may be what that lease's log had forgotten.
    fn lease(&self) -> Result<(), Unfound> {
        if self.parts.session.admits() {
            return Ok(());
        }
        self.tally.unleased.count();
        Err(no_lease().into())
    }

    fn remembered(&self, known: Known) -> Result<Arc<Bearer>, Unfound> {
        match known {
            Known::Of(bearer) => {
                self.tally.remembered.count();
                Ok(bearer)
            }
            Known::Nobody => {
                self.tally.unknown.count();
                Err(Unfound::Unknown)
            }
        }
    }

    /// A record that was only too old is as good as under its lease, where it cannot be read anew: what the log did not
    /// tell of has not changed. To be asked under a lease, as above.
    fn aged(&self, realm: &Realm, digests: &[Digest], error: Unfound) -> Result<Arc<Bearer>, Unfound> {
        let known = || self.parts.memory.of_any_age(&realm.id, digests);
        let Unfound::Store(StoreError::Unavailable(_) | StoreError::Overloaded) = error else { return Err(error) };
        known().ok_or(error)
    }

    /// Whom a look-up is counted for if it finds nothing. A key that was one a while ago is read anew, and not held against whoever else its
    /// source presents.
    fn source(&self, realm: &Realm, digests: &[Digest], address: Option<IpAddr>) -> Option<Counted> {
        let rate = realm.failing_sources?;
        let address = address.filter(|_| !self.parts.memory.knew(&realm.id, digests))?;
        Some(Counted::new(&realm.id, address.into(), rate))
    }

    fn admit(&self, source: Option<&Counted>) -> Result<(), Unfound> {
        let Some(source) = source else { return Ok(()) };
        self.sources.may(source, self.parts.clock.boot()).map_err(|retry_in| {
            self.tally.throttled.count();
            Unfound::Throttled { retry_in }
        })
    }

    /// Joins the look-up that is on its way, or begins it. It goes on when nobody waits for it any more: who began it may be gone while others
    /// still wait.
    async fn look_up(self: &Arc<Self>, sought: Sought) -> Result<Arc<Bearer>, Unfound> {
        let first = sought.digests.first().copied().unwrap_or(Digest([0; 32]));
        loop {
            self.lease()?;
            let known = || self.parts.memory.find(&sought.realm, &sought.digests, self.parts.session.now());
            match self.flights.board(first, known).ok_or(StoreError::Overloaded)? {
                Aboard::Known(known) => return self.remembered(known),
                Aboard::Missed(seat) => _ = seat.landed().await,
                Aboard::Joined(seat) => {
                    self.tally.joined.count();
                    return seat.landed().await?.ok_or(Unfound::Unknown);
                }
                Aboard::Begun(flight, seat) => {
                    self.tally.looked_up.count();
                    tokio::spawn(self.clone().fly(flight, sought));
                    return seat.landed().await?.ok_or(Unfound::Unknown);
                }
            }
        }
    }

    async fn fly(self: Arc<Self>, flight: Flight, sought: Sought) {
        let landed = timeout(self.parts.patience, self.read(&sought, &flight)).await.unwrap_or_else(|_| Err(too_late()));
        if let (Ok(None), Some(source)) = (&landed, &sought.source) {
            self.sources.failed(source, self.parts.clock.boot());
        }
        flight.land(landed);
    }

    /// Reads until what was read is sound. It is closed to newcomers only when the log has been applied so far that it can be judged, and before
    /// it is: until then whoever comes is judged with the others.
    async fn read(&self, sought: &Sought, flight: &Flight) -> Landed {
        let Parts { session, memory, .. } = &self.parts;
        loop {
            let found = self.ask(sought).await?;
            while session.judge(&found.read(sought), || ()) == Fill::Ahead {
                session.catch_up(found.at.position).await;
            }
            flight.close();
            let keep = || match &found.bearer {
                Some(bearer) => memory.keep(&found.hit, bearer, session.now()),
                None => memory.keep_nobodys(&sought.digests, session.now()),
            };
            if session.judge(&found.read(sought), keep) == Fill::Sound {
                if let (Some(rehash), Some(stale)) = (&self.rehash, found.stale) {
                    rehash.add(stale);
                }
                return Ok(found.bearer);
            }
            session.move_on().await;
        }
    }

    async fn ask(&self, sought: &Sought) -> Result<Found, StoreError> {
        let Parts { store, clock, memory, .. } = &self.parts;
        let asked = clock.boot();
        let Finding { holder, at, .. } = store.find(&sought.realm, &sought.digests).await?;
        let own: Vec<Digest> = holder.iter().flat_map(|holder| &holder.record.secrets).map(|kept| kept.digest).collect();
        let hit = sought.digests.iter().copied().filter(|digest| own.contains(digest)).collect();
        let digests = sought.digests.iter().copied().chain(own).collect();
        let stale = self.rehash.as_ref().zip(holder.as_ref()).and_then(|(rehash, holder)| rehash.stale(&sought.digests, &holder.record));
        Ok(Found { asked, at, digests, hit, stale, bearer: holder.and_then(|holder| memory.condense(&sought.digests, holder)) })
    }
}

/// What the store said.
struct Found {
    asked: BootTime,
    at: At,
    /// Those that were looked up, and those of the key.
    digests: Vec<Digest>,
    /// Those of the key that were looked up.
    hit: Vec<Digest>,
    /// What is to become of the secret that was presented.
    stale: Option<Stale>,
    bearer: Option<Arc<Bearer>>,
}

impl Found {
    fn read<'a>(&'a self, sought: &'a Sought) -> Read<'a> {
        let owner = self.bearer.as_ref().map(|bearer| &bearer.owner.id);
        Read { at: self.at, asked: self.asked, realm: &sought.realm, digests: &self.digests, owner }
    }
}

fn no_lease() -> StoreError {
    StoreError::Unavailable("this replica holds no lease on what it knows of keys".into())
}

fn too_late() -> StoreError {
    StoreError::Unavailable("it did not answer within the check's deadline".into())
}
