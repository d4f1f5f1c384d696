//! Lists of a document.

use super::document::At;
use super::yaml::Value;

impl<'a> At<'a> {
    /// Itself, unless it is an empty list.
    pub(super) fn some(&self) -> Option<&Self> {
        match self.value() {
            Value::List([]) => self.problem("is empty: name at least one, or leave the key out where it may be left out"),
            _ => Some(self),
        }
    }

    /// Every item; `None` where one of them is wrong.
    pub(super) fn list<T>(&self, mut reader: impl FnMut(&At<'a>) -> Option<T>) -> Option<Vec<T>> {
        self.list_in_order(|at, _| reader(at))
    }

    /// Every item, none of them twice.
    pub(super) fn distinct<T: PartialEq>(&self, mut reader: impl FnMut(&At<'a>) -> Option<T>) -> Option<Vec<T>> {
        self.list_in_order(|at, before| {
            let item = reader(at)?;
            let twice = before.iter().flatten().any(|other| *other == item);
            if twice { at.problem("stands here twice") } else { Some(item) }
        })
    }

    /// Every item, read with those before it in sight: `None` in the place of a wrong one.
    pub(super) fn list_in_order<T>(&self, mut reader: impl FnMut(&At<'a>, &[Option<T>]) -> Option<T>) -> Option<Vec<T>> {
        let Value::List(nodes) = self.value() else { return self.must_be("a list") };
        let mut items = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let item = reader(&self.sub(format!("{}[{index}]", self.key()), node), &items);
            items.push(item);
        }
        items.into_iter().collect()
    }
}
