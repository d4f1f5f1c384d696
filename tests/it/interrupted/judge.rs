//! The judge of a whole state: does everything in it belong to something that the audit log tells, and everything that it tells to something in it.

use std::collections::{BTreeMap, BTreeSet};

use keyward::domain::audit::{Entry, Head, Link, Verifier};
use keyward::domain::key::Peppers;
use keyward::domain::record::Record;
use keyward::proto::keyward::store::v1::Entry as Logged;
use keyward::store::{audit, by_owner};

use super::replay;
use super::state::{Engine, REVOKED, SECRET_ENDS, State, list_of};

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The audit log's chain.
    Chain,
    /// Something was changed, and no entry tells of it.
    Untold,
    /// An entry tells of what was not done.
    Undone,
    /// A key between two of its states.
    Half,
    /// A digest without its record, or the other way.
    Digest,
    /// A listing without its record, or the other way.
    List,
    /// What is due.
    Due,
    /// The log that replicas follow.
    Log,
    /// What is kept of requests that were answered.
    Answer,
    /// What an operator was told.
    Told,
}

/// What was found wrong.
#[derive(Debug, Default)]
pub struct Judgement(pub Vec<(Kind, String)>);

impl Judgement {
    pub fn find(&mut self, kind: Kind, what: String) {
        self.0.push((kind, what));
    }

    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.0.iter().map(|(kind, _)| *kind).collect()
    }
}

/// All that is wrong with a state; and what its audit log tells, and where it ends. `anchors`: where it ended before.
pub fn judge(state: &State, peppers: &Peppers, anchors: &[Head]) -> (Judgement, Vec<Entry>, Head) {
    let mut judgement = Judgement::default();
    let (entries, head) = chain(state, peppers, anchors, &mut judgement);
    let things = replay::played(state, &entries, &mut judgement);
    replay::compare(state, &things, &mut judgement);
    log(state, &mut judgement);
    answers(state, &entries, &mut judgement);
    let mut differ = |kind, what: &str, is: BTreeSet<String>, should: BTreeSet<String>| {
        is.difference(&should).for_each(|item| judgement.find(kind, format!("{what}: {item} is there and leads to nothing")));
        should.difference(&is).for_each(|item| judgement.find(kind, format!("{what}: {item} is missing")));
    };
    differ(Kind::Digest, "digests", state.digests.iter().map(|digest| format!("{digest:?}")).collect(), digests(state));
    differ(Kind::List, "lists", state.lists.iter().map(|item| format!("{item:?}")).collect(), lists(state));
    differ(Kind::Due, "due", state.due.iter().map(|due| format!("{due:?}")).collect(), due(state));
    for record in state.keys.values() {
        if let Some(wrong) = half(record) {
            judgement.find(Kind::Half, format!("{} of {}: {wrong}: {:?}", record.id, record.realm, record.secrets));
        }
    }
    (judgement, entries, head)
}

/// The chain is whole, from the first entry to the anchor and to its end.
fn chain(state: &State, peppers: &Peppers, anchors: &[Head], judgement: &mut Judgement) -> (Vec<Entry>, Head) {
    let anchor = anchors.iter().max_by_key(|head| head.sequence).copied();
    let (mut verifier, mut entries, mut head) = (Verifier::new(peppers, anchor), Vec::new(), Head::default());
    for (sequence, bytes) in &state.audit {
        let sealed = audit::decode(bytes).unwrap();
        let entry = audit::entry(&sealed).unwrap();
        if let Err(wrong) = verifier.entry(&sealed, &entry.place) {
            judgement.find(Kind::Chain, wrong.to_string());
        }
        head = Head { sequence: *sequence, link: Link::of(&sealed.entry) };
        entries.push(entry);
    }
    let kept = state.audit_head.as_ref().map_or(head, |kept| audit::End::parse(kept).unwrap().head);
    if let Err(wrong) = verifier.end(kept) {
        judgement.find(Kind::Chain, wrong.to_string());
    }
    (entries, head)
}

/// The log has no gaps, ends where it says, and its last entry of a key has all of its digests.
fn log(state: &State, judgement: &mut Judgement) {
    if !state.log.keys().copied().eq(1..=state.head) {
        judgement.find(Kind::Log, format!("it ends at {} and has {:?}", state.head, state.log.keys().next_back()));
    }
    let last: BTreeMap<_, _> =
        state.log.values().filter(|entry| entry.kind == "key").map(|entry| ((entry.realm.clone(), entry.id.clone()), entry)).collect();
    let made: Vec<&Logged> = state.log.values().filter(|entry| entry.kind == "new keys").collect();
    for (name, record) in &state.keys {
        // whoever follows applies it all: what was told when it was made, if nothing was told of it since
        let of_it = last.get(name).copied();
        let since = of_it.map_or(0, |entry| entry.position);
        let told = of_it.into_iter().chain(made.iter().copied().filter(|entry| entry.position > since));
        let has_all = |entry: &Logged| record.secrets.iter().all(|kept| entry.digests.contains(&kept.digest.0.to_vec()));
        if !told.into_iter().any(has_all) {
            judgement.find(Kind::Log, format!("the last entry of {name:?} lacks one of its digests"));
        }
    }
}

/// A request that was done is remembered with what it did, and once.
fn answers(state: &State, entries: &[Entry], judgement: &mut Judgement) {
    let mut done = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.request_id.is_empty() && entry.refused.is_empty()) {
        let by = (entry.who.clone(), entry.request_id.clone());
        if done.insert(by.clone(), (entry.subjects[0].clone(), entry.position)).is_some() {
            judgement.find(Kind::Undone, format!("the request {} was done twice", by.1));
        }
    }
    if done != state.answers {
        let odd: Vec<_> = done.iter().filter(|(by, answer)| state.answers.get(by) != Some(answer)).collect();
        let untold: Vec<_> = state.answers.keys().filter(|by| !done.contains_key(by)).collect();
        judgement.find(Kind::Answer, format!("done and not remembered so: {odd:?}; remembered and not done: {untold:?}"));
    }
}

/// Numbers go up; the newest secret ends with its key, and all others for themselves.
fn half(record: &Record) -> Option<&'static str> {
    let Some((newest, older)) = record.secrets.split_last() else { return Some("no secret opens it") };
    if !record.secrets.is_sorted_by(|one, next| one.number < next.number) {
        return Some("the numbers of its secrets do not go up");
    }
    if newest.ends.is_some() {
        return Some("its newest secret ends");
    }
    older.iter().any(|kept| kept.ends.is_none()).then_some("two secrets are its newest")
}

fn digests(state: &State) -> BTreeSet<String> {
    let holder = |record: &Record| match state.engine {
        Engine::Embedded => record.id.to_string(),
        Engine::Redis => by_owner(&record.owner, &record.id),
    };
    let of = |((realm, _), record): (&(String, String), &Record)| {
        record.secrets.iter().map(|kept| format!("{:?}", ((realm, kept.digest.0.to_vec()), holder(record)))).collect::<Vec<_>>()
    };
    state.keys.iter().flat_map(of).collect()
}

fn lists(state: &State) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for ((realm, _), record) in &state.keys {
        all.insert(format!("{:?}", (list_of(realm), by_owner(&record.owner, &record.id))));
    }
    for (realm, id) in state.owners.keys().filter(|_| state.engine == Engine::Redis) {
        all.insert(format!("{:?}", (format!("owner-ids:{realm}"), id)));
    }
    all
}

fn due(state: &State) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, record) in &state.keys {
        for (what, when) in [(SECRET_ENDS, record.secret_ends()), (REVOKED, record.revoked)] {
            all.extend(when.map(|when| format!("{:?}", (what, when.0, name))));
        }
    }
    all
}
