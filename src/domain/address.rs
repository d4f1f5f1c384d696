//! Where the client's address comes from: only where the realm says, never guessed. Absent or odd is no address, and no address is in no
//! list.

use std::net::IpAddr;

use ipnet::IpNet;

use super::request::{Occurs, Request};

/// A realm's word on where the client's address is to be read.
/// See <https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-for>.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AddressSource {
    /// The connection's remote address: right where no proxy stands before Envoy, or one that speaks the PROXY protocol.
    #[default]
    Peer,
    /// `x-envoy-external-address`, which Envoy sets under `use_remote_address: true`; absent for clients that it holds internal: then
    /// the peer.
    ExternalAddress,
    /// The entry of `x-forwarded-for` that stands this many places from the right, 1 being the last.
    ForwardedFor { from_right: usize },
    /// A header that a trusted proxy overwrites, holding one bare address.
    Header(Box<str>),
}

impl AddressSource {
    /// The client's address, if it can be told.
    #[must_use]
    pub fn read(&self, request: &Request<'_>) -> Option<IpAddr> {
        let address = match self {
            Self::Peer => request.peer,
            Self::ExternalAddress => match request.headers.one("x-envoy-external-address") {
                Occurs::Never => request.peer,
                Occurs::Once(value) => bare(value),
                Occurs::Often => None,
            },
            Self::ForwardedFor { from_right } => {
                let entries: Vec<&[u8]> =
                    request.headers.all("x-forwarded-for").flat_map(|value| value.split(|byte| *byte == b',')).collect();
                entries.len().checked_sub(*from_right).and_then(|at| entries.get(at)).and_then(|entry| forwarded(entry))
            }
            Self::Header(name) => match request.headers.one(name) {
                Occurs::Once(value) => bare(value),
                Occurs::Never | Occurs::Often => None,
            },
        };
        address.map(|address| address.to_canonical())
    }
}

/// A list of blocks of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressList(pub Vec<IpNet>);

impl AddressList {
    /// Whether the address stands in one of the blocks. No address never does.
    #[must_use]
    pub fn holds(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| self.0.iter().any(|block| block.contains(&address)))
    }
}

/// Who is taken for one client where failures are counted: an IPv4 address, or the 64 bits of an IPv6 network, of which one client has as
/// many addresses as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
            IpAddr::V4(v4) => IpAddr::V4(v4),
        })
    }
}

fn bare(value: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// An entry of `x-forwarded-for`: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; an IPv6 zone (`%eth0`)
/// is dropped. Anything else is no address.
fn forwarded(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None if text.matches(':').count() == 1 => text.split_at(text.find(':')?),
        None => (text, ""),
    };
    let is_port = |port: &str| port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    if !port.is_empty() && !is_port(port) {
        return None;
    }
    match host.split_once('%') {
        None => host.parse().ok(),
        Some((host, zone)) => host.parse().ok().filter(|address: &IpAddr| address.is_ipv6() && !zone.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::Headers;

    fn request<'a>(headers: &[(&'a str, &'a str)]) -> Request<'a> {
        Request {
            method: b"GET",
            path: b"/",
            host: b"h",
            scheme: b"https",
            headers: Headers(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()),
            peer: "192.0.2.9".parse().ok(),
            context: Vec::new(),
        }
    }

    fn text(source: &AddressSource, headers: &[(&str, &str)]) -> Option<String> {
        source.read(&request(headers)).map(|address| address.to_string())
    }

    #[test]
    fn forwarded_for_is_counted_from_the_right_over_joined_and_separate_headers() {
        let second = AddressSource::ForwardedFor { from_right: 2 };
        assert_eq!(text(&second, &[("x-forwarded-for", "198.51.100.1, 203.0.113.7,192.0.2.2")]).unwrap(), "203.0.113.7");
        assert_eq!(text(&second, &[("x-forwarded-for", "203.0.113.7"), ("X-Forwarded-For", "192.0.2.2")]).unwrap(), "203.0.113.7");
        assert_eq!(text(&second, &[("x-forwarded-for", "192.0.2.2")]), None);
        assert_eq!(text(&second, &[]), None);
    }

    #[test]
    fn forwarded_for_reads_every_form_of_an_address_and_nothing_else() {
        let last = AddressSource::ForwardedFor { from_right: 1 };
        for (entry, address) in [
            ("203.0.113.7:443", "203.0.113.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(text(&last, &[("x-forwarded-for", entry)]).as_deref(), Some(address), "{entry}");
        }
        for entry in
            ["unknown", "", "_hidden", "203.0.113", "203.0.113.7, ", "\"203.0.113.7\"", "203.0.113.7:port", "203.0.113.7%eth0", "[::1]80"]
        {
            assert_eq!(text(&last, &[("x-forwarded-for", entry)]), None, "{entry}");
        }
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_network_of_64_bits() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }

    #[test]
    fn a_header_that_came_twice_is_no_address() {
        let twice = [("x-envoy-external-address", "203.0.113.7"), ("x-envoy-external-address", "203.0.113.8")];
        assert_eq!(text(&AddressSource::ExternalAddress, &twice), None);
        assert_eq!(text(&AddressSource::ExternalAddress, &[]).unwrap(), "192.0.2.9");
        assert_eq!(text(&AddressSource::Header("x-real-ip".into()), &[]), None);
    }
}
