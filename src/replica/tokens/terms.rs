//! What a check of one key is charged with: made of the key's record and its realm, and used until either says something else.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::bearer::Bearer;
use crate::domain::format::Format;
use crate::domain::limit::{InForce, Limit, Per};
use crate::domain::outcome::Counts;
use crate::domain::realm::Realm;
use crate::domain::time::StoreTime;
use crate::domain::window::{Force, Span, Spec, Told};
use crate::store::{Subject, SubjectName};

/// Who is charged, and by what.
#[derive(Debug)]
pub struct Terms {
    bearer: Arc<Bearer>,
    pub subjects: Vec<Subject>,
    /// One for each window, in the order of the subjects and their windows.
    pub limits: Vec<(Limit, u32)>,
    /// The periods that the windows name are over then.
    until: Option<StoreTime>,
    /// How long tokens may be held in advance, where there is plenty and where they are scarce; zero: not at all.
    pub ahead: Ahead,
    /// How long a refusal is remembered at most.
    pub refusal: Duration,
}

/// How long tokens may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    pub plenty: Duration,
    pub scarce: Duration,
}

/// Tokens are never held longer than this.
const LONGEST_AHEAD: Ahead = Ahead { plenty: Duration::from_secs(1), scarce: Duration::from_millis(500) };
/// And neither is a refusal.
const LONGEST_REFUSAL: Duration = Duration::from_secs(1);

/// A replica may take the store's time for later than it is, by as much as a renewal took. A charge that names the former period and the
/// current one is right for both: the store picks.
const BEHIND: Duration = Duration::from_mins(1);

impl Terms {
    /// The terms of this key; `None` where nothing limits it.
    #[must_use]
    pub fn of(realm: &Realm, bearer: &Arc<Bearer>, format: &Format, now: StoreTime) -> Option<Self> {
        Self::under(&realm.limits(bearer, format), bearer, now)
    }

    /// The terms of a key that these limits are in force for.
    pub(super) fn under(limits: &[InForce<'_>], bearer: &Arc<Bearer>, now: StoreTime) -> Option<Self> {
        let now = surely_begun(now);
        let specs: Vec<_> = limits.iter().filter_map(|in_force| Some((in_force, in_force.spec(now)?))).collect();
        let owner = &bearer.owner;
        let subject = |per, key, generation| {
            let windows: Vec<_> = specs.iter().filter(|(in_force, _)| in_force.limit.per == per).map(|(_, spec)| *spec).collect();
            let name = SubjectName { realm: owner.realm.clone(), owner: owner.id.clone(), key };
            (!windows.is_empty()).then_some(Subject { name, generation, windows })
        };
        let of_key = subject(Per::Key, Some(bearer.key.clone()), bearer.generation);
        let of_owner = subject(Per::Owner, None, owner.generation);
        let subjects: Vec<Subject> = of_key.into_iter().chain(of_owner).collect();
        let until = specs.iter().filter_map(|(_, spec)| if let Span::Calendar(period) = spec.span { Some(period.until) } else { None });
        let until = until.min();
        let of = |per| specs.iter().filter(move |(in_force, _)| in_force.limit.per == per).map(|(in_force, _)| owned(in_force));
        (!subjects.is_empty()).then(|| Self {
            bearer: bearer.clone(),
            limits: of(Per::Key).chain(of(Per::Owner)).collect(),
            ahead: ahead(&subjects),
            refusal: refusal(&subjects),
            subjects,
            until,
        })
    }

    /// Whether they are those of this key at this time, as far as can be told without making them.
    #[must_use]
    pub fn are_of(&self, bearer: &Arc<Bearer>, now: impl FnOnce() -> StoreTime) -> bool {
        Arc::ptr_eq(&self.bearer, bearer) && self.last(now)
    }

    /// Whether the periods that the windows name are still the ones to name.
    pub(super) fn last(&self, now: impl FnOnce() -> StoreTime) -> bool {
        self.until.is_none_or(|until| surely_begun(now()) < until)
    }

    /// Whether the outcome decides about some of what is charged.
    #[must_use]
    pub fn depend_on_the_outcome(&self) -> bool {
        self.limits.iter().any(|(limit, _)| limit.counts != Counts::All)
    }

    /// Whether each of the windows that may refuse has three quarters of its limit left and more.
    #[must_use]
    pub fn have_plenty(&self, told: &[Told]) -> bool {
        let mut windows = self.limits.iter().zip(told);
        windows.all(|((limit, most), told)| limit.force == Force::Shadow || told.left >= most - most / 4)
    }

    #[must_use]
    pub fn bearer(&self) -> &Arc<Bearer> {
        &self.bearer
    }
}

/// Of what is left one call takes one in so many, where there are so many replicas: the last tokens are not to be held by whoever asked first.
pub(super) fn share(replicas: u32) -> u32 {
    4 * replicas
}

/// The instant whose period is named, with the one after it.
fn surely_begun(now: StoreTime) -> StoreTime {
    StoreTime(now.0.saturating_sub(i64::try_from(BEHIND.as_millis()).unwrap_or(0)))
}

fn owned(in_force: &InForce<'_>) -> (Limit, u32) {
    (in_force.limit.clone(), in_force.most)
}

/// A window forgets as much later as its tokens may be held. Where they are scarce that is a quarter of the time that the smallest slot takes
/// grants; where there is plenty nobody waits for what is forgotten, and it is all of it: a quarter of the calls. A window that is an exact
/// log has no slots to hide it in. A shadow is as sharp as the others let it be: it is not to make the key dearer.
fn ahead(subjects: &[Subject]) -> Ahead {
    let slots = enforced(subjects).map(|spec| match spec.span {
        Span::Sliding { slot_ms, .. } => Duration::from_millis(slot_ms.into()),
        Span::Calendar(_) => Duration::MAX,
    });
    let slot = slots.min().unwrap_or(Duration::MAX);
    Ahead { plenty: slot.min(LONGEST_AHEAD.plenty), scarce: (slot / 4).min(LONGEST_AHEAD.scarce) }
}

/// As long as a slot would be, whether there are slots or not: until one more of them is over, there is only what others give back.
fn refusal(subjects: &[Subject]) -> Duration {
    let slots = enforced(subjects).map(|spec| match spec.span {
        Span::Sliding { length_ms, .. } => Duration::from_millis(length_ms.into()) / 16,
        Span::Calendar(_) => LONGEST_REFUSAL,
    });
    slots.min().unwrap_or(LONGEST_REFUSAL).min(LONGEST_REFUSAL)
}

/// The windows that may refuse.
fn enforced(subjects: &[Subject]) -> impl Iterator<Item = &Spec> {
    subjects.iter().flat_map(|subject| &subject.windows).filter(|spec| spec.force == Force::Enforced)
}
