//! Use case 1: a request in, a grant or a refusal out. Read it from the top: each rung of the ladder is a `?`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::domain::bearer::{Asked, Bearer};
use crate::domain::credential::Presented;
use crate::domain::format::Format;
use crate::domain::key::Peppers;
use crate::domain::limit::Per;
use crate::domain::path::Target;
use crate::domain::realm::{LimitStance, Realm};
use crate::domain::realms::Realms;
use crate::domain::reason::Reason;
use crate::domain::request::Request;
use crate::domain::route::Route;
use crate::domain::time::StoreTime;
use crate::domain::verdict::{Counted, Grant, Refusal};
use crate::domain::window::Spec;
use crate::replica::records::{Records, Unfound};
use crate::replica::tokens::{Spent, Tokens};
use crate::store::{Charge, StoreError, Subject, SubjectName};

/// The gate of one replica.
pub struct Gate {
    realms: Arc<Realms>,
    peppers: Arc<Peppers>,
    records: Records,
    tokens: Tokens,
}

impl Gate {
    pub fn new(realms: Arc<Realms>, peppers: Arc<Peppers>, records: Records, tokens: Tokens) -> Self {
        Self { realms, peppers, records, tokens }
    }

    /// Decides by `deadline`: a store that has not answered by then is away. Each of its two calls has its own stance.
    pub async fn decide(&self, request: &Request<'_>, deadline: Instant) -> Result<Grant, Refusal> {
        let realm = self.realms.of(request)?;
        let verdict = self.decide_in(realm, request, deadline).await;
        verdict.map_err(|refusal| Refusal { realm: Some(realm.clone()), ..refusal })
    }

    async fn decide_in(&self, realm: &Arc<Realm>, request: &Request<'_>, deadline: Instant) -> Result<Grant, Refusal> {
        let target = Target::parse(request.path).map_err(|_| Reason::Malformed)?;
        realm.transport_of(request)?;
        let route = realm.route(request, &target);
        let Some(presented) = realm.credential(route, request, &target)? else {
            anonymous(realm, route, request)?;
            let onward = realm.onward(request, &target, None);
            return Ok(Grant { realm: realm.clone(), bearer: None, onward, counted: Counted::Whole });
        };
        let format = realm.format(&presented)?;
        let tenant = realm.tenant(request)?;
        let address = realm.address(request)?;
        let (bearer, now) = self.find(realm, &presented, address, deadline).await?;
        let asked = Asked { now, demands: route.map(|route| &route.demands), tenant, address };
        let counted = async {
            bearer.opens(&asked)?;
            let Some(charge) = charge(realm, &bearer, format, route) else { return Ok(Counted::Whole) };
            self.count(realm, charge, deadline).await
        };
        let counted = counted.await.map_err(|refusal: Refusal| Refusal { bearer: Some(bearer.clone()), ..refusal })?;
        let onward = realm.onward(request, &target, Some(&realm.who(&bearer, format)));
        Ok(Grant { realm: realm.clone(), bearer: Some(bearer), onward, counted })
    }

    /// Whose key was presented, and the store's time.
    async fn find(
        &self,
        realm: &Realm,
        presented: &Presented<'_>,
        address: Option<IpAddr>,
        deadline: Instant,
    ) -> Result<(Arc<Bearer>, StoreTime), Refusal> {
        let digests = self.peppers.digests(&realm.id, &presented.0);
        self.records.find(realm, &digests, address, deadline).await.map_err(|unfound| refused(realm, &unfound))
    }

    /// Takes what the request costs from every limit of the key and its owner.
    async fn count(&self, realm: &Realm, charge: Charge, deadline: Instant) -> Result<Counted, Refusal> {
        match by(deadline, self.tokens.spend(charge)).await {
            Ok(Spent::Spent { .. }) => Ok(Counted::Whole),
            Ok(Spent::Exhausted { retry_in }) => Err(Refusal { retry_after: retry_in, ..Reason::Limited.into() }),
            Err(error) => uncounted(realm, &error),
        }
    }
}

async fn by<T>(deadline: Instant, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout_at(deadline, answer)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("it did not answer within the check's deadline".into())))
}

/// A request without a credential passes where its route lets it, from an address that the realm lets in.
fn anonymous(realm: &Realm, route: Option<&Route>, request: &Request<'_>) -> Result<(), Reason> {
    if route.is_none_or(|route| !route.anonymous) {
        return Err(Reason::Missing);
    }
    realm.address(request).map(|_| ())
}

/// The charge on every window of the key and its owner; `None` where nothing limits them.
fn charge(realm: &Realm, bearer: &Bearer, format: &Format, route: Option<&Route>) -> Option<Charge> {
    let cost = route.map_or(1, |route| route.cost.get());
    let limits = realm.limits(bearer, format);
    let windows = |per| limits.iter().filter(|limit| limit.per == per).map(|limit| Spec::from(*limit)).collect::<Vec<_>>();
    let owner = &bearer.owner;
    let subject = |key, generation, windows: Vec<Spec>| {
        let name = SubjectName { realm: owner.realm.clone(), owner: owner.id.clone(), key };
        (!windows.is_empty()).then_some(Subject { name, generation, windows })
    };
    let of_key = subject(Some(bearer.key.clone()), bearer.generation, windows(Per::Key));
    let of_owner = subject(None, owner.generation, windows(Per::Owner));
    let subjects: Vec<Subject> = of_key.into_iter().chain(of_owner).collect();
    (!subjects.is_empty()).then_some(Charge { subjects, want: cost, cost, ttl: Duration::ZERO, share: 1, returns: Vec::new() })
}

/// No record was found. The realm's stance is for a store that is away, and for nothing else that goes wrong.
fn refused(realm: &Realm, unfound: &Unfound) -> Refusal {
    match unfound {
        Unfound::Unknown => Reason::Unknown.into(),
        Unfound::Throttled { retry_in } => Refusal { retry_after: Some(*retry_in), ..Reason::Throttled.into() },
        Unfound::Store(error) => {
            tracing::warn!(realm = %realm.id, %error, "a record could not be read");
            unread(realm, error)
        }
    }
}

fn unread(realm: &Realm, error: &StoreError) -> Refusal {
    match error {
        StoreError::Unavailable(_) => Refusal { stance: realm.when_away.records, ..Reason::Unavailable.into() },
        _ => Reason::Internal.into(),
    }
}

/// The limits could not be counted. The stance is for a store that is away, as above; the record is known under a lease.
fn uncounted(realm: &Realm, error: &StoreError) -> Result<Counted, Refusal> {
    tracing::warn!(realm = %realm.id, %error, "limits could not be counted");
    match (error, realm.when_away.limits) {
        (StoreError::Unavailable(_), LimitStance::Allow) => Ok(Counted::NotAtAll),
        (StoreError::Unavailable(_), LimitStance::Deny) => Err(Reason::Unavailable.into()),
        _ => Err(Reason::Internal.into()),
    }
}
