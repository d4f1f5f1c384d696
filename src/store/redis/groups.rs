//! What the script that commits is to look at and to write: as few calls of Redis as there are tables, each with all that is meant for it.

use std::collections::BTreeMap;

use ::redis::Cmd;

/// So many arguments a script can hand on at once, with room to spare: Lua holds 8000.
const MOST: usize = 4_000;

/// Arguments by what they are handed to. `K`: what tells calls apart on one table.
#[derive(Debug)]
pub(super) struct Groups<K>(BTreeMap<(K, String), Vec<Vec<u8>>>);

/// What is written to a table; its word is the command's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

impl<K: Ord + Copy> Groups<K> {
    /// Adds what belongs together: a field and its value, a member and its score.
    pub(super) fn add<const N: usize>(&mut self, kind: K, table: &str, items: [&[u8]; N]) {
        let group = self.0.entry((kind, table.to_owned())).or_default();
        group.extend(items.map(<[u8]>::to_vec));
    }

    /// The tables, one for each call.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|((_, table), items)| items.chunks(MOST).map(|_| table.as_str()))
    }

    fn calls(&self) -> impl Iterator<Item = (K, &[Vec<u8>])> {
        self.0.iter().flat_map(|((kind, _), items)| items.chunks(MOST).map(move |call| (*kind, call)))
    }
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl Groups<()> {
    /// How many calls, and for each how many arguments, and them.
    pub(super) fn write(&self, to: &mut Cmd) {
        to.arg(self.calls().count());
        for ((), call) in self.calls() {
            to.arg(call.len()).arg(call);
        }
    }
}

impl Groups<Write> {
    /// How many calls, and for each its command, how many arguments, and them.
    pub(super) fn write(&self, to: &mut Cmd) {
        to.arg(self.calls().count());
        for (kind, call) in self.calls() {
            to.arg(kind.command()).arg(call.len()).arg(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_no_more_arguments_than_a_script_can_hand_on_and_what_belongs_together_stays_so() {
        let mut groups = Groups::default();
        for number in 0..5_000 {
            groups.add(Write::Set, "a", [number.to_string().as_bytes(), b"value"]);
        }
        groups.add(Write::Drop, "a", [b"other"]);
        assert_eq!(groups.names().collect::<Vec<_>>(), ["a"; 4]);
        let lengths: Vec<_> = groups.calls().map(|(kind, call)| (kind, call.len())).collect();
        assert_eq!(lengths, [(Write::Drop, 1), (Write::Set, 4_000), (Write::Set, 4_000), (Write::Set, 2_000)]);
    }
}
