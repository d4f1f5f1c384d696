//! The audit log, played: what every key and every owner must be, if what it tells is true and all that there was to tell.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keyward::domain::audit::Entry;
use keyward::domain::owner::Owner;
use keyward::domain::record::{Cause, Record};
use keyward::domain::time::StoreTime;

use super::judge::{Judgement, Kind};
use super::state::State;

/// What is known of a thing from what was told of it.
#[derive(Debug, Clone, Default)]
pub struct Thing {
    pub revision: u64,
    fields: BTreeMap<String, Told>,
    /// What a field is that was never told.
    rest: Told,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Is(String),
    /// It was made or changed together with others, and nothing was told of it.
    Anything,
    /// It was set with others: to something.
    Something,
}

impl Default for Told {
    fn default() -> Self {
        Self::Is(String::new())
    }
}

impl Told {
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Is(told) => told == value,
            Self::Anything => true,
            Self::Something => !value.is_empty(),
        }
    }
}

impl Thing {
    fn told(&self, field: &str) -> &Told {
        self.fields.get(field).unwrap_or(&self.rest)
    }

    fn set(&mut self, field: &str, told: Told) {
        self.fields.insert(field.to_owned(), told);
    }
}

/// The things by their resource names.
pub type Things = BTreeMap<String, Thing>;

/// Plays all entries, and finds those that do not follow from what was there, or tell of other things than the log of changes does.
pub fn played(state: &State, entries: &[Entry], judgement: &mut Judgement) -> Things {
    let (mut things, mut cursor) = (Things::new(), 0);
    for entry in entries.iter().filter(|entry| entry.position > 0) {
        let touched = touched(state, entry, cursor, judgement);
        let sequence = entry.place.sequence;
        if entry.position <= cursor {
            judgement.find(Kind::Undone, format!("entry {sequence} tells of a change at {}, where another one was", entry.position));
        }
        cursor = cursor.max(entry.position);
        // the bootstrap makes the owner of its token, and names the token
        let is_told = |name: &String| entry.subjects.contains(name) || (entry.action == "Bootstrap" && name.contains("/owners/"));
        for name in touched.iter().filter(|name| !is_told(name)) {
            judgement.find(Kind::Untold, format!("entry {sequence} does not tell that {name:?} was changed in its step"));
        }
        for name in entry.subjects.iter().filter(|name| !touched.contains(name)) {
            judgement.find(Kind::Undone, format!("entry {sequence} tells of {name}, which was not changed in its step"));
        }
        for name in &touched {
            play(&mut things, entry, name, touched.len() == 1, judgement);
        }
    }
    if cursor != state.head {
        judgement.find(Kind::Untold, format!("the entries tell of changes up to {cursor}, and there are {}", state.head));
    }
    things
}

/// The names of all that was changed in an entry's step, by the log of changes. Of keys that are new that has nothing but their digests: they
/// are those that the entry names and nothing else of the step is.
fn touched(state: &State, entry: &Entry, cursor: u64, judgement: &mut Judgement) -> Vec<String> {
    let (mut names, mut new_keys) = (Vec::new(), 0);
    for position in cursor + 1..=entry.position {
        match state.log.get(&position).map(|of| (of.kind.as_str(), of)) {
            Some(("key" | "owner", of)) => names.push(format!("realms/{}/{}s/{}", of.realm, of.kind, of.id)),
            Some(("new owners", of)) => names.extend(of.ids.iter().map(|id| format!("realms/{}/owners/{id}", of.realm))),
            Some(("new keys", of)) => new_keys += of.digests.len(),
            other => judgement
                .find(Kind::Untold, format!("entry {} tells of a change at {position}, and there is {other:?}", entry.place.sequence)),
        }
    }
    let rest: Vec<String> = entry.subjects.iter().filter(|name| name.contains("/keys/") && !names.contains(name)).cloned().collect();
    if new_keys > 0 {
        if rest.len() != new_keys {
            let sequence = entry.place.sequence;
            judgement
                .find(Kind::Undone, format!("entry {sequence} tells of {} new keys, and {new_keys} were made in its step", rest.len()));
        }
        names.extend(rest);
    }
    names
}

fn play(things: &mut Things, entry: &Entry, name: &str, alone: bool, judgement: &mut Judgement) {
    let sequence = entry.place.sequence;
    let rest = if alone { Told::default() } else { Told::Anything };
    let thing = things.entry(name.to_owned()).or_insert(Thing { rest, ..Thing::default() });
    thing.revision += 1;
    for changed in &entry.changed {
        if !thing.told(&changed.field).fits(&changed.before) {
            let was = thing.told(&changed.field);
            judgement.find(
                Kind::Untold,
                format!("entry {sequence}: {} of {name} was {:?}, and by what was told {was:?}", changed.field, changed.before),
            );
        }
        thing.set(&changed.field, Told::Is(changed.after.clone()));
    }
    match entry.action.as_str() {
        "DeleteKey" | "ForgetKeys" => drop(things.remove(name)),
        "RevokeKeys" if !alone => thing.set("revoke_time", Told::Something),
        _ => {}
    }
}

/// Holds what is there against what was told.
pub fn compare(state: &State, things: &Things, judgement: &mut Judgement) {
    let keys = state.keys.iter().map(|((realm, id), key)| (format!("realms/{realm}/keys/{id}"), writes(key.revision), of_key(key)));
    let owners = state.owners.iter().map(|((realm, id), owner)| (format!("realms/{realm}/owners/{id}"), owner.revision, of_owner(owner)));
    let mut there = 0;
    for (name, revision, fields) in keys.chain(owners) {
        let Some(thing) = things.get(&name) else {
            judgement.find(Kind::Untold, format!("{name} is there, and nobody told that it was made"));
            continue;
        };
        there += 1;
        if thing.revision != revision {
            let kind = if thing.revision < revision { Kind::Untold } else { Kind::Undone };
            judgement.find(kind, format!("{name} was written {revision} times, and {} times by what was told", thing.revision));
        }
        for (field, value) in fields {
            if !thing.told(field).fits(&value) {
                judgement.find(Kind::Untold, format!("{field} of {name} is {value:?}, and by what was told {:?}", thing.told(field)));
            }
        }
    }
    if there != things.len() {
        let is_there = |name: &str| {
            let mut parts = name.split('/').skip(1).step_by(2).map(ToOwned::to_owned);
            let place = (parts.next().unwrap(), parts.next().unwrap());
            if name.contains("/keys/") { state.keys.contains_key(&place) } else { state.owners.contains_key(&place) }
        };
        for name in things.keys().filter(|name| !is_there(name)) {
            judgement.find(Kind::Undone, format!("it was told that {name} was made, and it is not there"));
        }
    }
}

/// What the audit log would tell of it: written anew from what operators are told, so that not one rendering judges itself.
fn of_key(key: &Record) -> Vec<(&'static str, String)> {
    let secret = |kept: &keyward::domain::record::KeptSecret| {
        let until = kept.ends.map(|ends| format!(" until {}", time(Some(ends)))).unwrap_or_default();
        format!("{} {}...{} pepper {}{until}", kept.number, kept.prefix, kept.last_four, kept.pepper)
    };
    vec![
        ("owner", key.owner.to_string()),
        ("label", key.label.clone()),
        ("scopes", joined(key.scopes.iter())),
        ("expire_time", time(key.expires)),
        ("revoke_time", time(key.revoked)),
        ("revoke_cause", if key.cause == Cause::Leaked { "leaked".into() } else { String::new() }),
        ("secrets", joined(key.secrets.iter().map(secret))),
    ]
}

fn of_owner(owner: &Owner) -> Vec<(&'static str, String)> {
    vec![("display_name", owner.name.clone()), ("disable_time", time(owner.disabled))]
}

fn joined(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn time(at: Option<StoreTime>) -> String {
    at.map(|at| Timestamp::from_millisecond(at.0).unwrap().to_string()).unwrap_or_default()
}

/// The revisions of an imported key begin at the time, and count in the last ten bits.
fn writes(revision: u64) -> u64 {
    if revision < 1 << 40 { revision } else { revision & 1023 }
}
