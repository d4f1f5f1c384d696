//! The ladder of the gate, as it is explained: what was looked at, in which order, what it saw and what came of it.

use super::allowance::Allowance;
use super::bearer::Rule;
use super::reason::Reason;

/// What the gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    Realm,
    Path,
    Transport,
    Route,
    Credential,
    Format,
    Tenant,
    Address,
    LookUp,
    Key(Rule),
    Limit,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Refused(Reason),
    /// It is not for this request.
    Skipped,
    /// It cannot be looked at without what another rung did not bring.
    NotReached,
}

/// A rung that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub rung: Rung,
    pub outcome: Outcome,
    /// A sentence for the operator. It never holds a secret.
    pub saw: String,
    /// Whether the request was refused before: the gate itself would not have come here.
    pub beyond: bool,
    /// Of a limit.
    pub window: Option<Window>,
}

/// How a limit stands for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// `left` is what the store has left.
    pub allowance: Allowance,
    /// How many tokens this replica holds in advance: counted already, and not spent yet.
    pub held: u32,
    /// Of the request.
    pub cost: u32,
}

impl Rung {
    /// Its name, for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Realm => "realm",
            Self::Path => "path",
            Self::Transport => "transport",
            Self::Route => "route",
            Self::Credential => "credential",
            Self::Format => "format",
            Self::Tenant => "tenant",
            Self::Address => "address",
            Self::LookUp => "look_up",
            Self::Key(Rule::Revoked) => "key.revoked",
            Self::Key(Rule::Expired) => "key.expired",
            Self::Key(Rule::Owner) => "key.owner",
            Self::Key(Rule::Tenant) => "key.tenant",
            Self::Key(Rule::Route) => "key.route",
            Self::Key(Rule::Environment) => "key.environment",
            Self::Key(Rule::Kind) => "key.kind",
            Self::Key(Rule::Scope) => "key.scope",
            Self::Key(Rule::Address) => "key.address",
            Self::Limit => "limit",
        }
    }
}
