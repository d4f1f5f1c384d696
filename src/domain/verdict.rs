//! The two answers of the gate. A refusal is the error type of everything that leads to a grant, and has exactly one reason.

use std::sync::Arc;
use std::time::Duration;

use super::allowance::Allowance;
use super::bearer::Bearer;
use super::identity::Onward;
use super::realm::{Realm, RecordStance};
use super::reason::Reason;

/// The request may pass.
#[derive(Debug, Clone)]
pub struct Grant {
    pub realm: Arc<Realm>,
    /// `None`: anonymous.
    pub bearer: Option<Arc<Bearer>>,
    /// What changes in the request before the upstream sees it.
    pub onward: Onward,
    pub counted: Counted,
    /// How every limit of it stands; empty where there is none, or nobody is told of it.
    pub allowances: Vec<Allowance>,
    /// How many tokens it costs, of every limit.
    pub cost: u32,
    /// The receipt of what was charged, sealed, where the outcome decides about some of it.
    pub ticket: Option<Vec<u8>>,
}

impl Grant {
    /// Of a request that nothing is charged for.
    #[must_use]
    pub fn new(realm: Arc<Realm>, bearer: Option<Arc<Bearer>>, onward: Onward) -> Self {
        Self { realm, bearer, onward, counted: Counted::Whole, allowances: Vec::new(), cost: 0, ticket: None }
    }
}

/// Whether the request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// By every limit that it has.
    Whole,
    /// The limits could not be counted, and the realm lets such requests pass.
    NotAtAll,
}

/// The request may not pass.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub reason: Reason,
    /// `None`: it is no realm's request.
    pub realm: Option<Arc<Realm>>,
    /// Whose key it was, where that is known.
    pub bearer: Option<Arc<Bearer>>,
    /// When to come again, where that is known.
    pub retry_after: Option<Duration>,
    /// Whether the proxy's own failure mode may still let it pass.
    pub stance: RecordStance,
    /// How every limit of it stands, where one refused.
    pub allowances: Vec<Allowance>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, realm: None, bearer: None, retry_after: None, stance: RecordStance::Deny, allowances: Vec::new() }
    }
}
