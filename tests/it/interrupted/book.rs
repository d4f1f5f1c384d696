//! What operators asked for and were told, held against what the audit log tells.

use std::collections::{BTreeMap, BTreeSet};

use keyward::domain::audit::Entry;
use keyward::domain::key::Peppers;
use keyward::domain::name::RealmId;

use super::calls::{Asked, Call, Done, Fate, REALM, Shown, key_name, owner_name, secret_of};
use super::judge::{Judgement, Kind};
use super::state::State;

/// A call, and all that was told of it, however often it was made.
#[derive(Debug, Clone)]
pub struct Written {
    pub call: Call,
    pub done: Vec<Done>,
    pub refused: Vec<String>,
    pub unknown: usize,
}

impl Written {
    pub fn new(call: Call) -> Self {
        Self { call, done: Vec::new(), refused: Vec::new(), unknown: 0 }
    }

    pub fn note(&mut self, fate: &Fate) {
        match fate {
            Fate::Done(done) => self.done.push(done.clone()),
            Fate::Refused(_, reason) => self.refused.push(reason.clone()),
            Fate::Unknown => self.unknown += 1,
            Fate::Away => {}
        }
    }

    /// Whether nobody knows what became of it.
    pub fn is_open(&self) -> bool {
        self.done.is_empty() && self.refused.is_empty() && self.unknown > 0
    }

    pub fn shown(&self) -> impl Iterator<Item = &Shown> {
        self.done.iter().filter_map(|done| done.shown.as_ref())
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Book {
    pub written: Vec<Written>,
}

impl Book {
    /// Holds every call against the entries, and every entry against the calls.
    pub fn judge(&self, entries: &[Entry], judgement: &mut Judgement) {
        let done: Vec<&Entry> = entries.iter().filter(|entry| entry.refused.is_empty()).collect();
        let by_id: BTreeMap<&str, &&Entry> = done.iter().map(|entry| (entry.request_id.as_str(), entry)).collect();
        let mut explained = BTreeSet::new();
        for written in &self.written {
            match written.call.asked {
                Asked::RevokeKeys { .. } | Asked::ImportKeys { .. } => explained.extend(many(written, &done, judgement)),
                _ => explained.extend(one(written, by_id.get(written.call.id.as_str()).copied().copied(), judgement)),
            }
        }
        for entry in &done {
            let by_itself = matches!(entry.action.as_str(), "Bootstrap" | "EndSecret" | "EndSecretInUse");
            if !by_itself && !explained.contains(&entry.place.sequence) {
                judgement.find(Kind::Undone, format!("nobody asked for what entry {} tells: {entry:?}", entry.place.sequence));
            }
        }
    }

    /// Every secret that was shown has its digest in its key, if the key still has a secret of its number.
    pub fn judge_secrets(&self, state: &State, peppers: &Peppers, judgement: &mut Judgement) {
        let realm = RealmId::parse(REALM).unwrap();
        for (key, number, secret) in self.secrets() {
            let digest = peppers.newest().digest(&realm, secret.as_bytes());
            let record = state.keys.get(&(REALM.to_owned(), key.clone()));
            let kept = record.and_then(|record| record.secrets.iter().find(|kept| kept.number == number));
            if kept.is_some_and(|kept| kept.digest != digest) {
                judgement.find(Kind::Told, format!("secret {number} of {key} is not the one that was shown"));
            }
            let holder = state.digests.get(&(REALM.to_owned(), digest.0.to_vec()));
            if holder.is_some() != kept.is_some() {
                judgement.find(Kind::Digest, format!("secret {number} of {key} leads to {holder:?}, and its record has {kept:?}"));
            }
        }
    }

    /// All secrets that are known: the key's id, the number, and the secret.
    pub fn secrets(&self) -> impl Iterator<Item = (String, u32, String)> {
        let shown = self.written.iter().flat_map(Written::shown).map(|shown| (shown.key.clone(), shown.number, shown.secret.clone()));
        let given = self.written.iter().filter_map(|written| match &written.call.asked {
            Asked::ImportKeys { keys, .. } => Some(keys.iter().map(|key| (key.clone(), 1, secret_of(key)))),
            _ => None,
        });
        shown.chain(given.flatten())
    }

    /// How many calls there were, those whose fate was unknown at first, those that were made again, and those that stay unknown.
    pub fn figures(&self) -> [usize; 4] {
        let count = |of: fn(&Written) -> bool| self.written.iter().filter(|written| of(written)).count();
        [
            count(|_| true),
            count(|written| written.unknown > 0),
            count(|written| written.unknown > 0 && written.unknown + written.done.len() + written.refused.len() > 1),
            count(Written::is_open),
        ]
    }
}

/// A call with a request id: the number of its entry.
fn one(written: &Written, entry: Option<&Entry>, judgement: &mut Judgement) -> Option<u64> {
    let Some(entry) = entry else {
        if !written.done.is_empty() {
            judgement.find(Kind::Told, format!("it was answered OK, and no entry tells of it: {written:?}"));
        }
        return None;
    };
    let sequence = entry.place.sequence;
    if written.done.is_empty() && written.unknown == 0 {
        judgement.find(Kind::Told, format!("entry {sequence} tells that it was done, and its caller that it was not: {written:?}"));
    }
    let subject = match &written.call.asked {
        Asked::CreateKey { .. } => written.done.first().map_or_else(|| entry.subjects[0].clone(), |done| done.subjects[0].clone()),
        Asked::UpdateKey { key, .. }
        | Asked::RotateKey { key, .. }
        | Asked::RetireSecrets { key }
        | Asked::RevokeKey { key }
        | Asked::EnableKey { key }
        | Asked::DeleteKey { key } => key_name(key),
        Asked::CreateOwner { owner, .. }
        | Asked::UpdateOwner { owner, .. }
        | Asked::DisableOwner { owner }
        | Asked::EnableOwner { owner } => owner_name(owner),
        Asked::RevokeKeys { .. } | Asked::ImportKeys { .. } => unreachable!(),
    };
    if entry.action != written.call.action() || entry.subjects != [subject] {
        judgement.find(Kind::Told, format!("entry {sequence} tells of something else than {written:?}: {entry:?}"));
    }
    for done in &written.done {
        if done.position != 0 && done.position != entry.position {
            judgement.find(Kind::Told, format!("entry {sequence} is at {}, and the caller was told {}", entry.position, done.position));
        }
    }
    if let Some((field, wanted)) = wanted(written)
        && !entry.changed.iter().any(|changed| changed.field == field && changed.after.contains(&wanted))
    {
        judgement.find(Kind::Told, format!("entry {sequence} does not tell that {field} has {wanted}: {entry:?}"));
    }
    Some(sequence)
}

/// What its entry must tell.
fn wanted(written: &Written) -> Option<(&'static str, String)> {
    match &written.call.asked {
        Asked::CreateKey { label, .. } | Asked::UpdateKey { label, .. } => Some(("label", label.clone())),
        Asked::CreateOwner { name, .. } | Asked::UpdateOwner { name, .. } => Some(("display_name", name.clone())),
        Asked::RotateKey { .. } => {
            let shown = written.shown().next()?;
            Some(("secrets", format!("{} otesse_live_sk_...{} pepper", shown.number, &shown.secret[shown.secret.len() - 4..])))
        }
        _ => None,
    }
}

/// A call without one: an import is one entry that names all that it made; of a revocation of many each entry names some of them.
fn many(written: &Written, entries: &[&Entry], judgement: &mut Judgement) -> Vec<u64> {
    let all: BTreeSet<String> = match &written.call.asked {
        Asked::RevokeKeys { keys } => keys.iter().map(|key| key_name(key)).collect(),
        Asked::ImportKeys { keys, owner, .. } => keys.iter().map(|key| key_name(key)).chain([owner_name(owner)]).collect(),
        _ => unreachable!(),
    };
    let of_it = |entry: &&&Entry| entry.action == written.call.action() && entry.subjects.iter().all(|subject| all.contains(subject));
    let found: Vec<&&Entry> = entries.iter().filter(of_it).collect();
    let is_import = matches!(written.call.asked, Asked::ImportKeys { .. });
    if is_import {
        let is_whole = |entry: &Entry| all.iter().filter(|name| name.contains("/keys/")).all(|key| entry.subjects.contains(key));
        let made = found.len() == 1 && is_whole(found[0]);
        let may_be_none = found.is_empty() && written.done.is_empty();
        if !made && !may_be_none {
            judgement.find(Kind::Told, format!("an import is no one entry: {written:?}: {found:?}"));
        }
    }
    for done in written.done.iter().filter(|done| done.position > 0) {
        let told = found.iter().any(|entry| entry.position == done.position && entry.subjects == done.subjects);
        if !told {
            judgement.find(Kind::Told, format!("no entry tells of {done:?}: {found:?}"));
        }
    }
    if is_import && !found.is_empty() && written.done.is_empty() && written.unknown == 0 {
        judgement.find(Kind::Told, format!("it was done, and its caller was told that it was not: {written:?}"));
    }
    found.iter().map(|entry| entry.place.sequence).collect()
}
