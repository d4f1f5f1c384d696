//! Maps of a document: those with keys of ours, where a key that we do not know is refused, and those with keys of the writer's choice.

use super::document::{At, Read, Reported};
use super::hint::{hint, listed};
use super::yaml::{Value, name_of};

/// A map with keys of ours. What may stand in it is asked for before [`Map::finish`].
pub(super) struct Map<'a> {
    at: At<'a>,
    entries: Entries<'a>,
    known: Vec<&'static str>,
}

/// What stands in a map; sound where no key is odd and none stands twice.
struct Entries<'a> {
    all: Vec<Entry<'a>>,
    sound: Read<()>,
}

struct Entry<'a> {
    name: &'a str,
    key: At<'a>,
    value: At<'a>,
}

impl<'a> Map<'a> {
    /// The value of a key that must be there.
    pub(super) fn required<T>(&mut self, key: &'static str, reader: impl FnOnce(&At<'a>) -> Read<T>) -> Read<T> {
        match self.optional(key, reader)? {
            Some(value) => Ok(value),
            None => self.at(key).problem("is missing"),
        }
    }

    /// The value of a key, if it is there.
    pub(super) fn optional<T>(&mut self, key: &'static str, reader: impl FnOnce(&At<'a>) -> Read<T>) -> Read<Option<T>> {
        self.knows(key);
        match self.find(key) {
            Some(at) => reader(at).map(Some),
            None => Ok(None),
        }
    }

    /// The value of a key, or what is true where it is not there.
    pub(super) fn or<T>(&mut self, key: &'static str, otherwise: T, reader: impl FnOnce(&At<'a>) -> Read<T>) -> Read<T> {
        self.optional(key, reader).map(|value| value.unwrap_or(otherwise))
    }

    /// The value of a key, or an empty one.
    pub(super) fn or_default<T: Default>(&mut self, key: &'static str, reader: impl FnOnce(&At<'a>) -> Read<T>) -> Read<T> {
        self.or(key, T::default(), reader)
    }

    /// Which of several keys is there, if any is. Two of them are one too many.
    pub(super) fn either(&mut self, keys: &[&'static str]) -> Read<Option<&'static str>> {
        for key in keys {
            self.knows(key);
        }
        let mut there = keys.iter().copied().filter(|key| self.find(key).is_some());
        match (there.next(), there.next()) {
            (Some(_), Some(second)) => self.at(second).problem(format_args!("is one too many: there may be one of {}", listed(keys))),
            (one, _) => Ok(one),
        }
    }

    /// Which of several keys is there. One of them must be.
    pub(super) fn one_of(&mut self, keys: &[&'static str]) -> Read<&'static str> {
        match self.either(keys)? {
            Some(key) => Ok(key),
            None => self.at.problem(format_args!("must have {}", listed(keys))),
        }
    }

    /// A key of this map, to report what is wrong there. One that is not there stands where the map begins.
    pub(super) fn at(&self, key: &str) -> At<'a> {
        self.find(key).cloned().unwrap_or_else(|| self.at.absent(key))
    }

    /// Refuses every key that was not asked for.
    pub(super) fn finish(self) -> Read<()> {
        let mut sound = self.entries.sound;
        for Entry { name, key, .. } in &self.entries.all {
            if !self.known.contains(name) {
                sound = key.problem(format_args!("is no key here: {}", hint(name, &self.known)));
            }
        }
        sound
    }

    fn knows(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }

    fn find(&self, key: &str) -> Option<&At<'a>> {
        self.entries.all.iter().find(|entry| entry.name == key).map(|entry| &entry.value)
    }
}

impl<'a> At<'a> {
    /// A map with keys of ours.
    pub(super) fn map(&self) -> Read<Map<'a>> {
        Ok(Map { entries: self.entries()?, at: self.clone(), known: Vec::new() })
    }

    /// A map with keys of the writer's choice, in the order written. A value is read even where its key is wrong.
    pub(super) fn pairs<K: PartialEq, V>(
        &self,
        mut name: impl FnMut(&At<'a>) -> Read<K>,
        mut value: impl FnMut(Option<&K>, &At<'a>) -> Read<V>,
    ) -> Read<Vec<(K, V)>> {
        let entries = self.entries()?;
        let mut pairs: Vec<Read<(K, V)>> = Vec::with_capacity(entries.all.len());
        for Entry { key, value: at, .. } in &entries.all {
            let name = name(key);
            let value = value(name.as_ref().ok(), at);
            let twice = name.as_ref().is_ok_and(|name| pairs.iter().flatten().any(|(other, _)| other == name));
            let pair = if twice { key.problem("stands here twice") } else { name.and_then(|name| Ok((name, value?))) };
            pairs.push(pair);
        }
        entries.sound.and(pairs.into_iter().collect())
    }

    fn entries(&self) -> Read<Entries<'a>> {
        let nodes = match self.value() {
            Value::Map(nodes) => nodes,
            // a secret may stand in place of the map that it belongs into
            Value::Text(_) => return self.problem("must be a map, and is text"),
            _ => return self.must_be("a map"),
        };
        let mut entries = Entries { all: Vec::with_capacity(nodes.len()), sound: Ok(()) };
        for (key, value) in nodes {
            let key = self.sub(self.key().to_owned(), key);
            let Ok(name) = key.text().map(name_of) else {
                entries.sound = Err(Reported);
                continue;
            };
            let path = self.below(&name.escape_debug().take(80).collect::<String>());
            let value = self.sub(path.clone(), value).on_line_of(&key);
            entries.add(Entry { name, key: key.named(path), value });
        }
        Ok(entries)
    }
}

impl<'a> Entries<'a> {
    fn add(&mut self, entry: Entry<'a>) {
        match self.all.iter().find(|other| other.name == entry.name) {
            Some(first) => self.sound = entry.key.problem(format_args!("stands here twice, first in line {}", first.key.line())),
            None => self.all.push(entry),
        }
    }
}
