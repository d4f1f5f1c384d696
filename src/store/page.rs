//! Parts of lists. A page begins after an id, whatever was listed before, so the last one costs what the first one does.

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The last id of the page before; `None`: from the start.
    pub after: Option<String>,
    /// At most this many.
    pub count: usize,
    pub order: Order,
}

/// How a list goes through its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Ids that keyward makes: oldest first.
    #[default]
    Ascending,
    Descending,
}
