//! Through a list for a page of it: how much is read of the store, and where the next page begins. A filter may take one of a million, and no
//! call may read a million for it: a page ends after so many, with what was found, and the next goes on from there.

use super::Listing;
use crate::store::Page;

/// So many are looked at for one page of a filtered list.
pub const LOOKS: usize = 5_000;

/// So many are read at once then.
const STEP: usize = 500;

/// Whether every one that is read is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    All,
    Some,
}

/// A page in the making.
pub(super) struct Walk<T> {
    page: Page,
    place: fn(&T) -> String,
    items: Vec<T>,
    /// The last that was looked at.
    after: Option<String>,
    /// How many more may be.
    left: usize,
    step: usize,
}

impl<T> Walk<T> {
    pub(super) fn new(page: &Page, takes: Takes, place: fn(&T) -> String) -> Self {
        // the one beyond the page tells whether there is a next one
        let (left, step) = match takes {
            Takes::All => (page.count + 1, page.count + 1),
            Takes::Some => (LOOKS, STEP),
        };
        Self { page: page.clone(), place, items: Vec::new(), after: page.after.clone(), left, step }
    }

    /// What to read now.
    pub(super) fn ask(&self) -> Page {
        Page { after: self.after.clone(), count: self.step.min(self.left), order: self.page.order }
    }

    /// So many were read, the last of them at this place, and those were kept. The page, when it is made.
    pub(super) fn got(&mut self, read: usize, last: Option<String>, kept: Vec<T>) -> Option<Listing<T>> {
        let is_end = read < self.ask().count;
        let beyond = self.items.len() + kept.len() > self.page.count;
        let room = self.page.count - self.items.len();
        self.items.extend(kept.into_iter().take(room));
        self.left = self.left.saturating_sub(read);
        self.after = last.or(self.after.take());
        let next = match (beyond, is_end, self.left) {
            (true, _, _) => self.items.last().map(self.place),
            (false, true, _) => None,
            (false, false, 0) => self.after.clone(),
            (false, false, _) => return None,
        };
        Some(Listing { items: std::mem::take(&mut self.items), next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of the numbers below `all` that are kept, and how many each looked at.
    fn pages(all: usize, takes: Takes, count: usize, keeps: fn(usize) -> bool) -> Vec<(Vec<usize>, usize)> {
        let ids: Vec<String> = (0..all).map(|number| format!("{number:06}")).collect();
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let mut walk = Walk::new(&Page { after: after.take(), count, ..Page::default() }, takes, String::clone);
            let mut looked = 0;
            let listing = loop {
                let ask = walk.ask();
                let from = ask.after.map_or(0, |after| ids.partition_point(|id| *id <= after));
                let part = &ids[from..all.min(from + ask.count)];
                looked += part.len();
                let kept = part.iter().filter(|id| keeps(id.parse().unwrap())).cloned().collect();
                if let Some(listing) = walk.got(part.len(), part.last().cloned(), kept) {
                    break listing;
                }
            };
            pages.push((listing.items.iter().map(|id| id.parse().unwrap()).collect(), looked));
            after = listing.next;
            if after.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn without_a_filter_a_page_reads_one_more_than_it_lists() {
        for (all, count, lengths) in [(0, 3, &[0][..]), (3, 3, &[3]), (4, 3, &[3, 1]), (6, 3, &[3, 3]), (7, 1000, &[7])] {
            let pages = pages(all, Takes::All, count, |_| true);
            assert_eq!(pages.iter().map(|(items, _)| items.len()).collect::<Vec<_>>(), lengths, "{all} in pages of {count}");
            assert!(pages.iter().all(|(_, looked)| *looked <= count + 1));
            assert!(pages.into_iter().flat_map(|(items, _)| items).eq(0..all));
        }
    }

    #[test]
    fn with_a_filter_a_page_looks_at_so_many_and_may_be_short_or_empty() {
        for all in [0, 1, 499, 500, 501, 5_000, 5_001, 12_345] {
            for keeps in
                [|number| number % 1000 == 7, |number: usize| number.is_multiple_of(2), |_| false, |_| true, |number| number == 12_344]
            {
                for count in [1, 3, 100, 1000] {
                    let pages = pages(all, Takes::Some, count, keeps);
                    assert!(pages.iter().all(|(items, looked)| items.len() <= count && *looked <= LOOKS));
                    assert!(pages.into_iter().flat_map(|(items, _)| items).eq((0..all).filter(|number| keeps(*number))), "{all} {count}");
                }
            }
        }
        let sparse = pages(12_345, Takes::Some, 9, |number| number == 12_344);
        assert_eq!(sparse.iter().map(|(items, _)| items.len()).collect::<Vec<_>>(), [0, 0, 1]);
    }
}
