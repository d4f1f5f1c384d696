//! How the limits of a key and its owner stand, for people who ask: nothing is taken, and nothing is remembered.

use std::sync::Arc;
use std::time::Duration;

use super::Tokens;
use super::receipt::untouched;
use super::terms::Terms;
use crate::domain::allowance::Allowance;
use crate::domain::bearer::Bearer;
use crate::domain::format::Format;
use crate::domain::realm::Realm;
use crate::domain::time::StoreTime;
use crate::store::{Charge, Generations, Return, Store, StoreError, Taken};

/// How every limit stands for a check of some cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Each limit with its name, number and window, what the store has left of it, and when there is more. Empty: nothing limits the key.
    pub allowances: Vec<Allowance>,
    /// How many tokens this replica holds in advance, which one check could spend: counted already.
    pub held: u32,
    pub room: Room,
}

/// Whether the check fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// `None`: it never fits.
    Full {
        retry_in: Option<Duration>,
    },
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub realm: &'a Realm,
    pub bearer: &'a Arc<Bearer>,
    /// That of the secret which is presented, or the newest one that the key has.
    pub format: &'a Format,
    /// Of the check that would be made; 0 where nobody thinks of any.
    pub cost: u32,
    /// The store's time.
    pub now: StoreTime,
}

/// How the limits of a key stand in the store. A key that has changed since its record was read is [`StoreError::Conflict`].
pub async fn standing(store: &dyn Store, asked: &Question<'_>) -> Result<Standing, StoreError> {
    match asked.terms() {
        Some(terms) => under(store, &terms, asked.cost, Vec::new()).await,
        None => Ok(Standing::UNLIMITED),
    }
}

impl Tokens {
    /// How the limits of a check stand here: a replica spends what it holds, and remembers for a moment what was refused.
    pub async fn standing(&self, asked: &Question<'_>) -> Result<Standing, StoreError> {
        let (shared, cost) = (&self.0, asked.cost);
        let Some(terms) = asked.terms() else { return Ok(Standing::UNLIMITED) };
        let name = shared.name(&asked.bearer.owner.realm, &asked.bearer.key, asked.format.plan.as_ref());
        let held = shared.glance(&name, &terms, cost);
        if held.most >= cost {
            let of_store = under(&*shared.store, &terms, cost, held.returns).await;
            let allowances = of_store.map_or_else(|_| Vec::new(), |standing| standing.allowances);
            return Ok(Standing { allowances, held: held.most, room: Room::Enough });
        }
        if let Some(full) = held.refusal {
            return Ok(Standing { allowances: full.allowances(), held: held.most, room: Room::Full { retry_in: full.retry_in() } });
        }
        let of_store = under(&*shared.store, &terms, cost, held.returns).await?;
        Ok(Standing { held: held.most, ..of_store })
    }
}

impl Standing {
    const UNLIMITED: Self = Self { allowances: Vec::new(), held: 0, room: Room::Enough };
}

impl Question<'_> {
    fn terms(&self) -> Option<Terms> {
        Terms::of(self.realm, self.bearer, self.format, self.now)
    }
}

/// What the store says.
async fn under(store: &dyn Store, terms: &Terms, cost: u32, returns: Vec<Return>) -> Result<Standing, StoreError> {
    let charge = Charge {
        subjects: terms.subjects.clone(),
        want: 0,
        cost,
        ttl: Duration::ZERO,
        share: 1,
        generations: Generations::Confirmed,
        returns,
    };
    let stands = |windows: &[_], room| Standing { allowances: untouched(terms, windows, Duration::ZERO, cost), held: 0, room };
    match store.peek(&[charge]).await?.pop() {
        Some(Taken::Granted { windows, .. }) => Ok(stands(&windows, Room::Enough)),
        Some(Taken::Refused { retry_in, windows }) => Ok(stands(&windows, Room::Full { retry_in })),
        Some(Taken::Failed(error)) => Err(error),
        Some(Taken::Stale | Taken::Behind) | None => Err(StoreError::Conflict),
    }
}
