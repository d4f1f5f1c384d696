//! How much of memory a remembered record takes, counted so that it is never more than that: the bound must hold whatever comes.

use std::mem::size_of;

use ipnet::IpNet;

use crate::domain::name::Scope;
use crate::domain::owner::Owner;
use crate::domain::record::{Holder, Record};

/// Its place in the table, with as much again for a table that has just grown, and what an evicted one leaves behind.
const PLACE: usize = 176;
/// The two counters of an `Arc`.
const COUNTERS: usize = 16;

/// All that goes when it is forgotten. Its owner is counted in full: it may be the only one left that holds it.
pub(super) fn of(holder: &Holder) -> usize {
    let record = &holder.record;
    let tenant = record.tenant.as_ref().map_or(0, |tenant| piece(tenant.capacity()));
    let lists = piece(record.scopes.capacity() * size_of::<Scope>()) + piece(record.addresses.0.capacity() * size_of::<IpNet>());
    PLACE + piece(COUNTERS + size_of::<Holder>()) + name(record) + tenant + lists + of_owner(&holder.owner)
}

fn name(record: &Record) -> usize {
    piece(COUNTERS + record.id.as_str().len())
}

fn of_owner(owner: &Owner) -> usize {
    piece(COUNTERS + size_of::<Owner>()) + piece(COUNTERS + owner.id.as_str().len())
}

/// A piece of memory as the allocator gives it out: at most an eighth more than was asked for, in steps of 16.
fn piece(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + bytes / 8).next_multiple_of(16) }
}
