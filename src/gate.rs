//! Use case 1: a request in, a grant or a refusal out. Read it from the top: each rung of the ladder is a `?`. [`explained`] walks the same
//! rungs, and spends nothing.

pub mod explained;
mod sight;
mod walk;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::bearer::{Asked, Bearer};
use crate::domain::credential::Presented;
use crate::domain::foreign;
use crate::domain::key::Peppers;
use crate::domain::path::Target;
use crate::domain::realm::{LimitStance, Realm, RecordStance};
use crate::domain::realms::Realms;
use crate::domain::reason::Reason;
use crate::domain::request::Request;
use crate::domain::route::Route;
use crate::domain::time::StoreTime;
use crate::domain::usage::{Counter, LastUse};
use crate::domain::verdict::{Counted, Grant, Refusal};
use crate::replica::presented::Digests;
use crate::replica::records::{Records, Unfound};
use crate::replica::tokens::{Order, Receipt, Spent, TicketIds, Tokens};
use crate::store::{Generations, StoreError};
use crate::usage::Meter;

/// The gate of one replica.
pub struct Gate {
    realms: Arc<Realms>,
    peppers: Arc<Peppers>,
    records: Records,
    tokens: Tokens,
    tickets: TicketIds,
    meter: Arc<Meter>,
}

/// A request that may pass, and what it was charged: dropped before the answer is on its way, that goes back.
#[derive(Debug)]
pub struct Admission {
    pub grant: Grant,
    pub charge: Option<Receipt>,
}

/// Why there is no grant.
enum Undecided {
    Refused(Refusal),
    /// The key or its limits changed while it was looked at.
    Stale {
        bearer: Arc<Bearer>,
        generations: Generations,
    },
}

/// So often a check begins again when what it looks at changes.
const ATTEMPTS: usize = 4;

impl Gate {
    pub fn new(
        (realms, peppers): (Arc<Realms>, Arc<Peppers>),
        records: Records,
        (tokens, tickets): (Tokens, TicketIds),
        meter: Arc<Meter>,
    ) -> Self {
        Self { realms, peppers, records, tokens, tickets, meter }
    }

    /// The realms that requests may be in.
    #[must_use]
    pub fn realms(&self) -> &Realms {
        &self.realms
    }

    /// Decides by `deadline`: a store that has not answered by then is away. Each of its two calls has its own stance.
    pub async fn decide(&self, request: &Request<'_>, deadline: Instant) -> Result<Admission, Refusal> {
        let realm = self.realms.of(request)?;
        let (mut generations, mut whose) = (Generations::Heard, None);
        for _ in 0..ATTEMPTS {
            match self.decide_in(realm, request, generations, deadline).await {
                Ok(admission) => return Ok(admission),
                Err(Undecided::Refused(refusal)) => return Err(Refusal { realm: Some(realm.clone()), ..refusal }),
                Err(Undecided::Stale { bearer, generations: next }) => (generations, whose) = (next, Some(bearer)),
            }
        }
        Err(Refusal { realm: Some(realm.clone()), bearer: whose, ..Reason::Unavailable.into() })
    }

    async fn decide_in(
        &self,
        realm: &Arc<Realm>,
        request: &Request<'_>,
        generations: Generations,
        deadline: Instant,
    ) -> Result<Admission, Undecided> {
        let target = Target::parse(request.path).map_err(|_| Reason::Malformed)?;
        realm.transport_of(request)?;
        let route = realm.route(request, &target);
        let Some(presented) = realm.credential(route, request, &target)? else {
            anonymous(route)?;
            realm.address(request)?;
            let grant = Grant::new(realm.clone(), None, realm.onward(request, &target, None));
            return Ok(Admission { grant, charge: None });
        };
        let format = realm.format(&presented)?;
        let tenant = realm.tenant(request)?;
        let address = realm.address(request)?;
        let begun = self.tokens.begin();
        let (bearer, now) = self.find(realm, &presented, address, deadline).await?;
        let asked = Asked { now, demands: route.map(|route| &route.demands), tenant, address };
        let count = |counter| self.meter.decided(&bearer, counter, LastUse { at: now, address });
        let whose = |refusal: Refusal| {
            count(Counter::Refused(refusal.reason));
            Refusal { bearer: Some(bearer.clone()), ..refusal }
        };
        bearer.opens(&asked).map_err(|reason| whose(reason.into()))?;
        let cost = route.map_or(1, |route| route.cost.get());
        let order = Order { realm, bearer: &bearer, format, cost, begun, generations };
        let charged = self.charge(&order, deadline).await.map_err(|undecided| undecided.with(whose))?;
        count(Counter::Allowed);
        let onward = realm.onward(request, &target, Some(&realm.who(&bearer, format)));
        Ok(self.admit(Grant { cost, ..Grant::new(realm.clone(), Some(bearer), onward) }, charged))
    }

    /// Whose key was presented, and the store's time.
    async fn find(
        &self,
        realm: &Realm,
        presented: &Presented<'_>,
        address: Option<IpAddr>,
        deadline: Instant,
    ) -> Result<(Arc<Bearer>, StoreTime), Refusal> {
        let own = self.peppers.digests(&realm.id, &presented.0);
        let foreign = || foreign::digests(&realm.imported, &self.peppers, &realm.id, &presented.0);
        let digests = Digests { own: &own, foreign: (!realm.imported.is_empty()).then_some(&foreign) };
        let found = self.records.find(realm, digests, address, deadline).await;
        found.inspect_err(|unfound| told(realm, unfound)).map_err(|unfound| refused(realm, &unfound))
    }

    /// Takes what the request costs from every limit of the key and its owner.
    async fn charge(&self, order: &Order<'_>, deadline: Instant) -> Result<Charged, Undecided> {
        match self.tokens.spend(order, deadline).await {
            Ok(Spent::Charged(receipt)) => Ok(Charged::By(receipt)),
            Ok(Spent::Unlimited) => Ok(Charged::Nothing),
            Ok(Spent::Stale(generations)) => Err(Undecided::Stale { bearer: order.bearer.clone(), generations }),
            Ok(Spent::Exhausted(full)) => {
                let refusal = Refusal { retry_after: full.retry_in(), allowances: full.allowances(), ..Reason::Limited.into() };
                Err(refusal.into())
            }
            Err(error) => {
                // an overload is counted, and not told of each check of a flood
                if error != StoreError::Overloaded {
                    tracing::warn!(realm = %order.realm.id, %error, "limits could not be counted");
                }
                Ok(uncounted(order.realm, &error)?)
            }
        }
    }

    /// A charge that can be settled has its ticket; one whose request may pass whatever becomes of the answer is kept at once.
    fn admit(&self, grant: Grant, charged: Charged) -> Admission {
        match charged {
            Charged::Nothing => Admission { grant, charge: None },
            Charged::Unknown => Admission { grant: Grant { counted: Counted::NotAtAll, ..grant }, charge: None },
            Charged::By(receipt) => {
                let ticket = receipt.ticket(|| self.tickets.next()).map(|ticket| ticket.seal(&self.peppers));
                let told = grant.realm.tells_of_limits() || receipt.is_over_a_shadow();
                let allowances = if told { receipt.allowances() } else { Vec::new() };
                let grant = Grant { allowances, ticket, ..grant };
                if grant.realm.when_away.records == RecordStance::Defer {
                    receipt.keep();
                    return Admission { grant, charge: None };
                }
                Admission { grant, charge: Some(receipt) }
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate(..)")
    }
}

/// What a request was charged.
enum Charged {
    By(Receipt),
    /// Nothing limits it.
    Nothing,
    /// The limits could not be counted, and the realm lets such requests pass.
    Unknown,
}

impl<T: Into<Refusal>> From<T> for Undecided {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

impl Undecided {
    fn with(self, more: impl FnOnce(Refusal) -> Refusal) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(more(refusal)),
            stale @ Self::Stale { .. } => stale,
        }
    }
}

/// A request without a credential passes where its route lets it, from an address that the realm lets in.
fn anonymous(route: Option<&Route>) -> Result<(), Reason> {
    route.is_some_and(|route| route.anonymous).then_some(()).ok_or(Reason::Missing)
}

/// No record was found. The realm's stance is for a store that is away, and for nothing else that goes wrong.
fn refused(realm: &Realm, unfound: &Unfound) -> Refusal {
    match unfound {
        Unfound::Unknown => Reason::Unknown.into(),
        Unfound::Throttled { retry_in } => Refusal { retry_after: Some(*retry_in), ..Reason::Throttled.into() },
        Unfound::Store(error) => unread(realm, error),
    }
}

fn told(realm: &Realm, unfound: &Unfound) {
    if let Unfound::Store(error) = unfound {
        tracing::warn!(realm = %realm.id, %error, "a record could not be read");
    }
}

fn unread(realm: &Realm, error: &StoreError) -> Refusal {
    match error {
        StoreError::Unavailable(_) => Refusal { stance: realm.when_away.records, ..Reason::Unavailable.into() },
        StoreError::Overloaded => Reason::Unavailable.into(),
        _ => Reason::Internal.into(),
    }
}

/// The limits could not be counted. The stance is for a store that is away, as above; the record is known under a lease.
fn uncounted(realm: &Realm, error: &StoreError) -> Result<Charged, Refusal> {
    match (error, realm.when_away.limits) {
        (StoreError::Unavailable(_), LimitStance::Allow) => Ok(Charged::Unknown),
        (StoreError::Unavailable(_), LimitStance::Deny) | (StoreError::Overloaded, _) => Err(Reason::Unavailable.into()),
        _ => Err(Reason::Internal.into()),
    }
}
