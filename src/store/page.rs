//! Parts of lists. A page begins after an item, whatever was listed before, so the last one costs what the first one does.

use crate::domain::name::{KeyId, OwnerId};

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Where the page before ended: an owner's id, or what [`by_owner`] says of a key; `None`: from the start.
    pub after: Option<String>,
    /// At most this many.
    pub count: usize,
    pub order: Order,
}

/// Where a key stands in lists: behind all keys of the owners before its own, among which it stands by its id.
#[must_use]
pub fn by_owner(owner: &OwnerId, id: &KeyId) -> String {
    [owner.as_str(), BETWEEN, id.as_str()].concat()
}

/// Between an owner and a key's id: it comes before whatever ids hold, or the keys of `a-b` would stand before those of `a`.
pub(super) const BETWEEN: &str = " ";

/// How a list goes through its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Of ids that keyward makes: oldest first.
    #[default]
    Ascending,
    Descending,
}
