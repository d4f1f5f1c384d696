//! Lists of a document.

use super::document::{At, Read};
use super::yaml::Value;

impl<'a> At<'a> {
    /// Itself, unless it is an empty list.
    pub(super) fn some(&self) -> Read<&Self> {
        match self.value() {
            Value::List([]) => self.problem("is empty: name at least one, or leave the key out where it may be left out"),
            _ => Ok(self),
        }
    }

    /// Every item, if none of them is wrong.
    pub(super) fn list<T>(&self, mut reader: impl FnMut(&At<'a>) -> Read<T>) -> Read<Vec<T>> {
        self.list_in_order(|at, _| reader(at))
    }

    /// Every item, none of them twice.
    pub(super) fn distinct<T: PartialEq>(&self, mut reader: impl FnMut(&At<'a>) -> Read<T>) -> Read<Vec<T>> {
        self.list_in_order(|at, before| {
            let item = reader(at)?;
            let twice = before.iter().flatten().any(|other| *other == item);
            if twice { at.problem("stands here twice") } else { Ok(item) }
        })
    }

    /// Every item, read with those before it in sight.
    pub(super) fn list_in_order<T>(&self, mut reader: impl FnMut(&At<'a>, &[Read<T>]) -> Read<T>) -> Read<Vec<T>> {
        let Value::List(nodes) = self.value() else { return self.must_be("a list") };
        let mut items = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let item = reader(&self.sub(format!("{}[{index}]", self.key()), node), &items);
            items.push(item);
        }
        items.into_iter().collect()
    }
}
