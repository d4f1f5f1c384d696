//! What the script that commits is to look at and to write: as few calls of Redis as there are tables, each with all that is meant for it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use ::redis::Cmd;

use super::table::Table;

/// So many arguments a script can hand on at once, with room to spare: Lua holds 8000.
pub(super) const MOST: usize = 4_000;

/// Arguments by what they are handed to. `K`: what tells calls apart on one table; those of the least come first.
#[derive(Debug)]
pub(super) struct Groups<'a, K> {
    groups: Vec<Group<'a, K>>,
    places: HashMap<(K, Table<'a>), usize>,
}

#[derive(Debug)]
struct Group<'a, K> {
    kind: K,
    table: String,
    items: Vec<Cow<'a, [u8]>>,
}

/// What is written to a table; its word is the command's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Write {
    /// Fields of a hash.
    Drop,
    /// Fields of a hash, each with its value.
    Set,
    /// Members of a sorted set.
    Leave,
    /// Members of a sorted set, each behind its score.
    Join,
}

impl Write {
    fn command(self) -> &'static str {
        match self {
            Self::Drop => "HDEL",
            Self::Set => "HSET",
            Self::Leave => "ZREM",
            Self::Join => "ZADD",
        }
    }
}

impl<'a, K: Ord + Copy + Hash> Groups<'a, K> {
    /// Adds what belongs together: a field and its value, a member and its score.
    pub(super) fn add<const N: usize>(&mut self, kind: K, table: Table<'a>, items: [Cow<'a, [u8]>; N]) {
        let place = *self.places.entry((kind, table)).or_insert_with(|| {
            self.groups.push(Group { kind, table: table.name(), items: Vec::new() });
            self.groups.len() - 1
        });
        self.groups[place].items.extend(items);
    }

    /// The tables, one for each call.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.calls().map(|(_, table, _)| table)
    }

    fn calls(&self) -> impl Iterator<Item = (K, &str, &[Cow<'a, [u8]>])> {
        let mut groups: Vec<&Group<'_, K>> = self.groups.iter().collect();
        groups.sort_by_key(|group| group.kind);
        groups.into_iter().flat_map(|Group { kind, table, items }| items.chunks(MOST).map(move |call| (*kind, table.as_str(), call)))
    }
}

impl<K> Default for Groups<'_, K> {
    fn default() -> Self {
        Self { groups: Vec::new(), places: HashMap::new() }
    }
}

impl Groups<'_, ()> {
    /// How many calls, and for each how many arguments, and them.
    pub(super) fn write(&self, to: &mut Cmd) {
        to.arg(self.calls().count());
        for ((), _, call) in self.calls() {
            write(call, to);
        }
    }
}

impl Groups<'_, Write> {
    /// How many calls, and for each its command, how many arguments, and them.
    pub(super) fn write(&self, to: &mut Cmd) {
        to.arg(self.calls().count());
        for (kind, _, call) in self.calls() {
            write(call, to.arg(kind.command()));
        }
    }
}

fn write(call: &[Cow<'_, [u8]>], to: &mut Cmd) {
    to.arg(call.len());
    for item in call {
        to.arg(item.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_no_more_arguments_than_a_script_can_hand_on_and_what_belongs_together_stays_so() {
        let mut groups = Groups::default();
        for number in 0..5_000 {
            groups.add(Write::Set, Table::Revoked, [number.to_string().into_bytes().into(), b"value".into()]);
        }
        groups.add(Write::Drop, Table::Revoked, [b"other".into()]);
        assert_eq!(groups.names().collect::<Vec<_>>(), [Table::Revoked.name().as_str(); 4]);
        let lengths: Vec<_> = groups.calls().map(|(kind, _, call)| (kind, call.len())).collect();
        assert_eq!(lengths, [(Write::Drop, 1), (Write::Set, 4_000), (Write::Set, 4_000), (Write::Set, 2_000)]);
    }
}
