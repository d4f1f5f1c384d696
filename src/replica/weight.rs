//! How much of memory a remembered key takes, counted so that it is never more than that: the bound must hold whatever comes.

use std::mem::size_of;

use ipnet::IpNet;

use crate::domain::bearer::{Bearer, Special};
use crate::domain::limit::Override;
use crate::domain::name::Scope;
use crate::domain::owner::Owner;

/// Its place in the table, its share of what the table keeps free to grow into, and what an evicted one leaves behind.
const PLACE: usize = 128;
/// The two counters of an `Arc`.
const COUNTERS: usize = 16;

/// All that goes when it is forgotten. Its owner is counted in full: it may be the only one left that holds it.
pub(super) fn of(bearer: &Bearer) -> usize {
    let tenant = bearer.tenant.as_ref().map_or(0, |tenant| piece(tenant.len()));
    let scopes = piece(COUNTERS + bearer.scopes.len() * size_of::<Scope>());
    let special = bearer.special.as_ref().map_or(0, |special| {
        piece(size_of::<Special>()) + piece(special.addresses.0.capacity() * size_of::<IpNet>()) + numbers(&special.limits)
    });
    let key = piece(COUNTERS + size_of::<Bearer>()) + piece(COUNTERS + bearer.key.as_str().len());
    PLACE + key + tenant + scopes + special + of_owner(&bearer.owner)
}

fn of_owner(owner: &Owner) -> usize {
    piece(COUNTERS + size_of::<Owner>()) + piece(COUNTERS + owner.id.as_str().len()) + numbers(&owner.limits)
}

/// Their names are counted in full as well.
fn numbers(numbers: &[Override]) -> usize {
    piece(size_of_val(numbers)) + numbers.iter().map(|number| piece(COUNTERS + number.limit.as_str().len())).sum::<usize>()
}

/// A piece of memory as the allocator gives it out: in eight sizes between a power of two and the next.
fn piece(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_small() {
        assert_eq!(COUNTERS + size_of::<Bearer>(), 160);
    }

    #[test]
    fn a_piece_is_of_the_next_size_that_there_is() {
        for (bytes, size) in [(0, 0), (1, 8), (30, 32), (46, 48), (64, 64), (65, 80), (128, 128), (160, 160), (161, 192), (300, 320)] {
            assert_eq!(piece(bytes), size);
        }
    }
}
