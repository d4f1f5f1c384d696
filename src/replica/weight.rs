//! How much of memory a remembered key takes, counted so that it is never more than that: the bound must hold whatever comes.

use std::mem::size_of;

use ipnet::IpNet;

use crate::domain::address::AddressList;
use crate::domain::bearer::Bearer;
use crate::domain::name::Scope;
use crate::domain::owner::Owner;

/// Its place in the table, with as much again for a table that has just grown, and what an evicted one leaves behind.
const PLACE: usize = 176;
/// The two counters of an `Arc`.
const COUNTERS: usize = 16;

/// All that goes when it is forgotten. Its owner is counted in full: it may be the only one left that holds it.
pub(super) fn of(bearer: &Bearer) -> usize {
    let tenant = bearer.tenant.as_ref().map_or(0, |tenant| piece(tenant.len()));
    let scopes = piece(bearer.scopes.len() * size_of::<Scope>());
    let addresses = bearer.addresses.as_ref();
    let addresses = addresses.map_or(0, |list| piece(size_of::<AddressList>()) + piece(list.0.capacity() * size_of::<IpNet>()));
    let key = piece(COUNTERS + size_of::<Bearer>()) + piece(COUNTERS + bearer.key.as_str().len());
    PLACE + key + tenant + scopes + addresses + of_owner(&bearer.owner)
}

fn of_owner(owner: &Owner) -> usize {
    piece(COUNTERS + size_of::<Owner>()) + piece(COUNTERS + owner.id.as_str().len())
}

/// A piece of memory as the allocator gives it out: at most an eighth more than was asked for, in steps of 16.
fn piece(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + bytes / 8).next_multiple_of(16) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_small() {
        assert_eq!(COUNTERS + size_of::<Bearer>(), 160);
    }
}
