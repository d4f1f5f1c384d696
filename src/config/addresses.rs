//! Where the client's address is read, and the lists that it must or must not be in.

use std::net::IpAddr;

use ipnet::IpNet;

use super::document::{At, Read};
use super::names::header_name;
use super::yaml::Value;
use crate::domain::address::{AddressList, AddressSource};

/// `peer`, `external_address`, `{forwarded_for: N}` or `{header: name}`.
pub(super) fn source(at: &At<'_>) -> Read<AddressSource> {
    let Value::Map(_) = at.value() else { return named(at) };
    let mut map = at.map()?;
    let source = match map.one_of(&["forwarded_for", "header"])? {
        "header" => map.required("header", header_name).map(AddressSource::Header),
        _ => map.required("forwarded_for", |at| at.number(1..=100)).map(|from_right| AddressSource::ForwardedFor { from_right }),
    };
    map.finish().and(source)
}

/// The lists of a realm: allowed, denied.
pub(super) fn lists(at: &At<'_>) -> Read<(AddressList, AddressList)> {
    let mut map = at.map()?;
    let allow = map.or_default("allow", |at| at.some()?.distinct(block));
    let deny = map.or_default("deny", |at| at.some()?.distinct(block));
    map.finish()?;
    Ok((AddressList(allow?), AddressList(deny?)))
}

fn named(at: &At<'_>) -> Read<AddressSource> {
    match at.value() {
        Value::Text("peer") => Ok(AddressSource::Peer),
        Value::Text("external_address") => Ok(AddressSource::ExternalAddress),
        _ => at.must_be("`peer`, `external_address`, `{forwarded_for: N}` or `{header: name}`"),
    }
}

/// A block of addresses, or one address.
fn block(at: &At<'_>) -> Read<IpNet> {
    let text = at.text()?;
    let block: Option<IpNet> = text.parse().ok().or_else(|| text.parse().ok().map(IpAddr::into));
    let Some(block) = block else { return at.must_be("an address or a block, such as 192.0.2.0/24") };
    if block != block.trunc() {
        return at.problem(format_args!("has bits behind its mask: write {}", block.trunc()));
    }
    match block {
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => at.problem("is IPv4 written as IPv6: addresses are compared as IPv4"),
        block => Ok(block),
    }
}
