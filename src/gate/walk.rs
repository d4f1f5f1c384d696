//! The rungs as they are walked: what each step saw is noted, and the first refusal is the verdict.

use std::sync::Arc;

use super::explained::{Explanation, Given};
use super::{anonymous, sight};
use crate::domain::allowance::{Allowance, State};
use crate::domain::bearer::{Asked, Bearer, Rule};
use crate::domain::credential::Presented;
use crate::domain::format::Format;
use crate::domain::path::Target;
use crate::domain::realm::Realm;
use crate::domain::reason::Reason;
use crate::domain::record::{Holder, KeptSecret};
use crate::domain::request::Request;
use crate::domain::route::Route;
use crate::domain::rung::{Outcome, Rung, Seen, Window};
use crate::domain::time::StoreTime;
use crate::domain::verdict::{Grant, Refusal};
use crate::replica::records::Whence;
use crate::replica::tokens::standing::{Room, Standing};

/// What a key that was found has to stand up to.
pub(super) const OF_KEYS: [Rung; 9] = [
    Rung::Key(Rule::Revoked),
    Rung::Key(Rule::Expired),
    Rung::Key(Rule::Owner),
    Rung::Key(Rule::Tenant),
    Rung::Key(Rule::Route),
    Rung::Key(Rule::Environment),
    Rung::Key(Rule::Kind),
    Rung::Key(Rule::Scope),
    Rung::Key(Rule::Address),
];

/// The rungs so far.
#[derive(Default)]
pub(super) struct Walk {
    seen: Vec<Seen>,
    /// The first of them.
    refusal: Option<Refusal>,
}

/// Where a request goes, as far as it can be told.
pub(super) struct Way<'a> {
    pub(super) realm: &'a Arc<Realm>,
    pub(super) request: &'a Request<'a>,
    pub(super) target: Option<Target<'a>>,
    pub(super) route: Option<&'a Route>,
}

/// Who asks, as far as the request says it.
pub(super) enum Presents<'a> {
    Secret(Presented<'a>, &'a Format),
    Key(Box<Holder>, StoreTime),
    /// Nobody, and that will do.
    Nobody,
    /// What cannot be looked up.
    Nothing,
}

/// Whose key it is.
pub(super) struct Found<'a> {
    pub(super) bearer: Arc<Bearer>,
    /// The store's time.
    pub(super) now: StoreTime,
    /// Of its secret; `None`: the realm has none.
    pub(super) format: Option<&'a Format>,
}

impl Walk {
    pub(super) fn step<T, R: Into<Refusal>>(&mut self, rung: Rung, outcome: Result<T, R>, saw: impl FnOnce() -> String) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.push(rung, Outcome::Passed, saw(), None);
                Some(value)
            }
            Err(refusal) => {
                let refusal = refusal.into();
                self.push(rung, Outcome::Refused(refusal.reason), saw(), None);
                self.refusal.get_or_insert(refusal);
                None
            }
        }
    }

    pub(super) fn skip(&mut self, rungs: impl IntoIterator<Item = Rung>, why: &str) {
        rungs.into_iter().for_each(|rung| self.push(rung, Outcome::Skipped, why.to_owned(), None));
    }

    pub(super) fn unreached(&mut self, rungs: impl IntoIterator<Item = Rung>, why: &str) {
        rungs.into_iter().for_each(|rung| self.push(rung, Outcome::NotReached, why.to_owned(), None));
    }

    fn push(&mut self, rung: Rung, outcome: Outcome, saw: String, window: Option<Window>) {
        let beyond = self.refusal.is_some();
        self.seen.push(Seen { rung, outcome, saw, beyond, window });
    }

    pub(super) fn way<'a>(&mut self, realm: &'a Arc<Realm>, request: &'a Request<'a>) -> Way<'a> {
        let target = self.step(Rung::Path, Target::parse(request.path).map_err(|_| Reason::Malformed), || sight::path(request));
        self.step(Rung::Transport, realm.transport_of(request), || sight::transport(realm, request));
        let route = target.as_ref().and_then(|target| realm.route(request, target));
        match (&target, route) {
            (None, _) => self.unreached([Rung::Route], "the path cannot be read"),
            (_, None) => self.skip([Rung::Route], &sight::no_route(realm)),
            (_, Some(route)) => self.push(Rung::Route, Outcome::Passed, sight::route(realm, route), None),
        }
        Way { realm, request, target, route }
    }

    pub(super) fn presents<'a>(&mut self, way: &Way<'a>, given: Given<'_>) -> Presents<'a> {
        if let Given::Key(holder, now) = given {
            self.skip([Rung::Credential, Rung::Format], "the key was given by its id");
            return Presents::Key(holder, now);
        }
        let Some(target) = &way.target else {
            self.unreached([Rung::Credential, Rung::Format], "the path cannot be read");
            return Presents::Nothing;
        };
        let found = way.realm.credential(way.route, way.request, target);
        let saw = || sight::credential(way.realm, way.route, way.request, target);
        let found = match found {
            Ok(None) => match self.step(Rung::Credential, anonymous(way.route), saw) {
                Some(()) => {
                    self.skip([Rung::Format], "there is no credential");
                    return Presents::Nobody;
                }
                None => None,
            },
            found => self.step(Rung::Credential, found, saw).flatten(),
        };
        let Some(presented) = found else {
            self.unreached([Rung::Format], "there is no one credential");
            return Presents::Nothing;
        };
        let format = way.realm.format(&presented);
        match self.step(Rung::Format, format, || sight::format(way.realm, format.ok())) {
            Some(format) => Presents::Secret(presented, format),
            None => Presents::Nothing,
        }
    }

    pub(super) fn tenant<'a>(&mut self, way: &Way<'a>, presents: &Presents<'_>) -> Option<&'a [u8]> {
        if matches!(presents, Presents::Nobody) || way.realm.tenant.is_none() {
            self.skip([Rung::Tenant], if way.realm.tenant.is_none() { "the realm has no tenants" } else { "nobody's key is presented" });
            return None;
        }
        self.step(Rung::Tenant, way.realm.tenant(way.request), || sight::tenant(way.realm, way.request)).flatten()
    }

    /// A key that was given by its id: as if it were presented with its newest secret.
    pub(super) fn given<'a>(&mut self, realm: &'a Realm, holder: Holder, now: StoreTime) -> Option<Found<'a>> {
        let newest = holder.record.secrets.iter().max_by_key(|secret| secret.number).cloned();
        let presenting = |newest: &KeptSecret| Bearer::presenting(&[newest.digest], holder);
        let Some(bearer) = newest.as_ref().and_then(presenting).map(Arc::new) else {
            self.step(Rung::LookUp, Err::<(), _>(Reason::Unknown), || "the key has no secret".into());
            self.unreached(OF_KEYS.into_iter().chain([Rung::Limit]), "nobody can present the key");
            return None;
        };
        let like = |format: &&Format| newest.as_ref().is_some_and(|newest| newest.prefix == *format.prefix);
        let format = realm.formats.iter().find(like).or(realm.formats.first());
        let here = bearer.owner.realm == realm.id;
        self.step(Rung::LookUp, here.then_some(()).ok_or(Reason::Unknown), || sight::given(&bearer, realm));
        Some(Found { bearer, now, format })
    }

    pub(super) fn rules(&mut self, bearer: &Arc<Bearer>, asked: &Asked<'_>) {
        // every rule is heard, whatever the one before it said
        let _ = bearer.judged(asked, |rule, outcome| {
            let outcome = outcome.map_err(|reason| Refusal { bearer: Some(bearer.clone()), ..reason.into() });
            self.step(Rung::Key(rule), outcome, || sight::rule(rule, bearer, asked));
            Ok(())
        });
    }

    /// Each limit, and how it would stand after the request.
    pub(super) fn windows(&mut self, bearer: &Arc<Bearer>, standing: &Standing, cost: u32) -> Vec<Allowance> {
        if standing.allowances.is_empty() && standing.room == Room::Enough {
            let why = if standing.held == 0 { "nothing limits the key".into() } else { sight::held(standing.held) };
            self.skip([Rung::Limit], &why);
            return Vec::new();
        }
        let full = standing.room != Room::Enough;
        // all of them are looked at together
        let beyond = self.refusal.is_some();
        for allowance in &standing.allowances {
            let exceeded = full && allowance.state == State::Exceeded;
            let window = Window { allowance: allowance.clone(), held: standing.held, cost };
            let outcome = if exceeded { Outcome::Refused(Reason::Limited) } else { Outcome::Passed };
            self.seen.push(Seen { rung: Rung::Limit, outcome, saw: sight::window(&window), beyond, window: Some(window) });
        }
        if let Room::Full { retry_in } = standing.room {
            let (bearer, allowances) = (Some(bearer.clone()), standing.allowances.clone());
            self.refusal.get_or_insert(Refusal { retry_after: retry_in, allowances, bearer, ..Reason::Limited.into() });
        }
        let after = |allowance: &Allowance| {
            if allowance.state == State::WouldRefuse {
                return allowance.clone();
            }
            let left = allowance.left.saturating_add(standing.held).saturating_sub(cost).min(allowance.most);
            Allowance { left, state: State::Counted, ..allowance.clone() }
        };
        standing.allowances.iter().map(after).collect()
    }

    /// The verdict: the first refusal, or else the grant, which is anonymous where there is no other.
    pub(super) fn end(self, way: Option<&Way<'_>>, grant: Option<Grant>) -> Explanation {
        let anonymous = || {
            let way = way?;
            let onward = way.realm.onward(way.request, way.target.as_ref()?, None);
            Some(Grant::new(way.realm.clone(), None, onward))
        };
        let realm = way.map(|way| way.realm.clone());
        let verdict = match self.refusal {
            Some(refusal) => Err(Refusal { realm, ..refusal }),
            None => grant.or_else(anonymous).ok_or_else(|| Refusal { realm, ..Reason::Internal.into() }),
        };
        Explanation { rungs: self.seen, verdict }
    }
}

/// For the sentences about keys that were found.
impl Whence {
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Memory => "remembered here under a lease",
            Self::Store => "read from the store",
            Self::Aged => "remembered here for long, and the store did not answer",
        }
    }
}
