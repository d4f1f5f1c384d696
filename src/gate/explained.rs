//! The gate explained: the rungs of its ladder, each by the function that the gate itself calls, and none of them left out because another
//! one refused before. Nothing is charged, remembered or counted for it.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::walk::{Found, OF_KEYS, Presents, Walk, Way};
use super::{Charged, Gate, refused, sight, uncounted};
use crate::domain::allowance::State;
use crate::domain::bearer::{Asked, Bearer};
use crate::domain::credential::Presented;
use crate::domain::foreign;
use crate::domain::name::{OwnerId, RealmId};
use crate::domain::realm::Realm;
use crate::domain::reason::Reason;
use crate::domain::record::Holder;
use crate::domain::request::Request;
use crate::domain::rung::{Rung, Seen};
use crate::domain::time::StoreTime;
use crate::domain::verdict::{Counted, Grant, Refusal};
use crate::replica::records::Unfound;
use crate::replica::tokens::standing::Question;
use crate::store::StoreError;

/// Whether whoever asks hears of an owner: of any other its keys are nobody's.
pub type Hears<'a> = &'a (dyn Fn(&RealmId, &OwnerId) -> bool + Sync);

/// Whose request it is.
pub enum Given<'a> {
    /// Of whoever has the secret that it presents.
    Presented(Hears<'a>),
    /// Of this key, whatever it presents: as the store has it, at this time.
    Key(Box<Holder>, StoreTime),
}

/// Why a request is answered as it would be.
#[derive(Debug)]
pub struct Explanation {
    /// In the order of the ladder.
    pub rungs: Vec<Seen>,
    /// What the gate would say. A grant of it is one of nothing: it has no ticket.
    pub verdict: Result<Grant, Refusal>,
}

/// Who wants to know, and of whose request.
struct Asker<'a> {
    hears: Hears<'a>,
    address: Option<IpAddr>,
    deadline: Instant,
}

impl Gate {
    /// What the gate would say of a request, and why, by `deadline`.
    pub async fn explain(&self, request: &Request<'_>, given: Given<'_>, deadline: Instant) -> Explanation {
        let mut walk = Walk::default();
        let Some(realm) = walk.step(Rung::Realm, self.realms.of(request), || sight::realm(&self.realms, request)) else {
            let rest =
                [Rung::Path, Rung::Transport, Rung::Route, Rung::Credential, Rung::Format, Rung::Tenant, Rung::Address, Rung::LookUp];
            walk.unreached(rest.into_iter().chain(OF_KEYS).chain([Rung::Limit]), "there is no realm to say what it must be");
            return walk.end(None, None);
        };
        let way = walk.way(realm, request);
        let hears = if let Given::Presented(hears) = given { hears } else { &everybody };
        let presents = walk.presents(&way, given);
        let tenant = walk.tenant(&way, &presents);
        let address = walk.step(Rung::Address, realm.address(request), || sight::address(realm, request)).flatten();
        let after = [Rung::LookUp].into_iter().chain(OF_KEYS).chain([Rung::Limit]);
        let found = match presents {
            Presents::Nobody => {
                walk.skip(after, "nobody's key is presented, and none is needed");
                None
            }
            Presents::Nothing => {
                walk.unreached(after, "there is nothing to look up");
                None
            }
            Presents::Key(holder, now) => walk.given(realm, *holder, now),
            Presents::Secret(presented, format) => {
                let found = self.look_up(&mut walk, realm, &presented, &Asker { hears, address, deadline }).await;
                found.map(|(bearer, now)| Found { bearer, now, format: Some(format) })
            }
        };
        let Some(found) = found else { return walk.end(Some(&way), None) };
        let asked = Asked { now: found.now, demands: way.route.map(|route| &route.demands), tenant, address };
        walk.rules(&found.bearer, &asked);
        let grant = self.limits(&mut walk, &way, &found).await;
        walk.end(Some(&way), grant)
    }

    async fn look_up(
        &self,
        walk: &mut Walk,
        realm: &Realm,
        presented: &Presented<'_>,
        asker: &Asker<'_>,
    ) -> Option<(Arc<Bearer>, StoreTime)> {
        let digests = foreign::every(&realm.imported, &self.peppers, &realm.id, &presented.0);
        let glance = self.records.glance(realm, &digests, asker.address, asker.deadline).await;
        if let Some(retry_in) = glance.throttled {
            let refusal = Refusal { retry_after: Some(retry_in), ..Reason::Throttled.into() };
            walk.step(Rung::LookUp, Err::<(), _>(refusal), || sight::throttled(retry_in));
        }
        let heard_of = |(bearer, ..): &(Arc<Bearer>, _, _)| (asker.hears)(&bearer.owner.realm, &bearer.owner.id);
        match glance.found.and_then(|found| if heard_of(&found) { Ok(found) } else { Err(Unfound::Unknown) }) {
            Ok((bearer, now, whence)) => {
                walk.step(Rung::LookUp, Ok::<_, Reason>(()), || sight::found(&bearer, whence));
                Some((bearer, now))
            }
            Err(unfound) => {
                walk.step(Rung::LookUp, Err::<(), _>(refused(realm, &unfound)), || sight::unfound(&unfound));
                walk.unreached(OF_KEYS.into_iter().chain([Rung::Limit]), "no key is known");
                None
            }
        }
    }

    /// The grant, as far as limits go.
    async fn limits(&self, walk: &mut Walk, way: &Way<'_>, found: &Found<'_>) -> Option<Grant> {
        let (realm, bearer) = (way.realm, &found.bearer);
        let Some(format) = found.format else {
            walk.unreached([Rung::Limit], "the realm has no format, so its keys have no plan");
            return None;
        };
        let cost = way.route.map_or(1, |route| route.cost.get());
        let standing = self.tokens.standing(&Question { realm, bearer, format, cost, now: found.now }).await.map_err(|error| match error {
            StoreError::Conflict => StoreError::Unavailable("the key changed while it was looked at".into()),
            error => error,
        });
        let (counted, allowances) = match standing {
            Ok(standing) => (Counted::Whole, walk.windows(bearer, &standing, cost)),
            Err(error) => {
                let stance = uncounted(realm, &error).map_err(|refusal| Refusal { bearer: Some(bearer.clone()), ..refusal });
                let counted = if let Ok(Charged::Unknown) = stance { Counted::NotAtAll } else { Counted::Whole };
                walk.step(Rung::Limit, stance, || sight::uncounted(&error));
                (counted, Vec::new())
            }
        };
        let told = realm.tells_of_limits() || allowances.iter().any(|allowance| allowance.state == State::WouldRefuse);
        let allowances = if told { allowances } else { Vec::new() };
        let onward = realm.onward(way.request, way.target.as_ref()?, Some(&realm.who(bearer, format)));
        Some(Grant { counted, allowances, cost, ..Grant::new(realm.clone(), Some(bearer.clone()), onward) })
    }
}

/// Who names a key hears of it, or has been told that it is not there.
fn everybody(_: &RealmId, _: &OwnerId) -> bool {
    true
}
