//! What the reference reasons about: realms, owners, keys and requests as plain structs, with nothing of keyward's in them.

use std::net::IpAddr;

/// A request, as the proxy told it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) extensions: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) method: Vec<u8>,
    /// `:path`, with its query.
    pub(super) path: Vec<u8>,
    pub(super) host: Vec<u8>,
    pub(super) scheme: Vec<u8>,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The connection's other end; empty where that is no IP address.
    pub(super) peer: Vec<u8>,
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    /// The clock, which stands still: milliseconds since the epoch.
    pub(super) now: i64,
    pub(super) realms: Vec<Realm>,
    pub(super) owners: Vec<Owner>,
    pub(super) keys: Vec<Key>,
}

#[derive(Debug)]
pub(super) struct Realm {
    pub(super) name: &'static str,
    pub(super) hosts: &'static [&'static str],
    pub(super) https: Https,
    pub(super) places: Vec<Place>,
    pub(super) formats: Vec<Format>,
    pub(super) tenant: Option<Tenant>,
    pub(super) client: Client,
    pub(super) allow: Vec<Block>,
    pub(super) deny: Vec<Block>,
    pub(super) routes: Vec<Route>,
    pub(super) plans: Vec<Plan>,
    pub(super) default_plan: Option<&'static str>,
    pub(super) identity: &'static [(&'static str, &'static str)],
    /// So many look-ups of one source may fail; `None`: any number.
    pub(super) failing: Option<u64>,
    /// The statuses of denials that the realm states.
    pub(super) statuses: &'static [(&'static str, u32)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Https {
    Required,
    Forwarded,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Header(&'static str, Option<&'static str>),
    /// Removed by Envoy, which sorts the others.
    Query(&'static str),
    /// Removed from `:path`, and nothing else touched.
    ExactQuery(&'static str),
    Cookie(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) prefix: &'static str,
    pub(super) alphabet: Alphabet,
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) crc32: bool,
    pub(super) environment: Option<&'static str>,
    pub(super) kind: Option<&'static str>,
    pub(super) plan: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Hex,
    Base62,
    Base64url,
    Opaque,
}

#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) header: &'static str,
    pub(super) required: bool,
}

#[derive(Debug)]
pub(super) enum Client {
    Peer,
    External,
    ForwardedFor(usize),
    Header(&'static str),
}

/// The first `bits` of an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) address: IpAddr,
    pub(super) bits: usize,
}

#[derive(Debug)]
pub(super) struct Route {
    pub(super) paths: Paths,
    pub(super) methods: &'static [&'static str],
    pub(super) extensions: &'static [(&'static str, &'static str)],
    pub(super) scopes: &'static [&'static str],
    pub(super) kinds: &'static [&'static str],
    pub(super) environments: &'static [&'static str],
    pub(super) cost: u64,
    pub(super) anonymous: bool,
    pub(super) places: Option<Vec<Place>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Paths {
    Any,
    Whole(&'static str),
    Below(&'static str),
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) limits: Vec<Limit>,
}

#[derive(Debug)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) per_owner: bool,
    pub(super) most: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) realm: &'static str,
    pub(super) id: &'static str,
    pub(super) plan: Option<&'static str>,
    pub(super) disabled: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) realm: &'static str,
    pub(super) id: String,
    pub(super) owner: &'static str,
    pub(super) environment: Option<&'static str>,
    pub(super) kind: Option<&'static str>,
    pub(super) plan: Option<&'static str>,
    pub(super) tenant: Option<&'static str>,
    pub(super) scopes: Vec<&'static str>,
    pub(super) addresses: Vec<Block>,
    pub(super) expires: Option<i64>,
    pub(super) revoked: bool,
    pub(super) secrets: Vec<String>,
}

impl Plain {
    /// For a person to read.
    pub(super) fn shown(&self) -> String {
        let pairs = |pairs: &[(Vec<u8>, Vec<u8>)]| {
            let line = |(name, value): &(Vec<u8>, Vec<u8>)| format!("\n    {}: {}", name.escape_ascii(), value.escape_ascii());
            pairs.iter().map(line).collect::<String>()
        };
        format!(
            "  {} {}://{} {} from {}\n  extensions:{}\n  headers:{}",
            self.method.escape_ascii(),
            self.scheme.escape_ascii(),
            self.host.escape_ascii(),
            self.path.escape_ascii(),
            self.peer.escape_ascii(),
            pairs(&self.extensions),
            pairs(&self.headers),
        )
    }
}

impl World {
    pub(super) fn realm(&self, name: &[u8]) -> Option<&Realm> {
        self.realms.iter().find(|realm| realm.name.as_bytes() == name)
    }

    pub(super) fn owner_of(&self, key: &Key) -> &Owner {
        self.owners.iter().find(|owner| owner.realm == key.realm && owner.id == key.owner).expect("every key has an owner")
    }
}

impl Realm {
    /// Every place that the realm's file names anywhere.
    pub(super) fn all_places(&self) -> Vec<Place> {
        let mut all = self.places.clone();
        all.extend(self.routes.iter().flat_map(|route| route.places.iter().flatten().copied()));
        all
    }

    pub(super) fn plan(&self, name: Option<&str>) -> &[Limit] {
        self.plans.iter().find(|plan| Some(plan.name) == name).map_or(&[], |plan| plan.limits.as_slice())
    }
}

impl Block {
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        let (mine, other) = match (self.address, address) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => (mine.octets().to_vec(), other.octets().to_vec()),
            (IpAddr::V6(mine), IpAddr::V6(other)) => (mine.octets().to_vec(), other.octets().to_vec()),
            _ => return false,
        };
        let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
        (0..self.bits).all(|at| bit(&mine, at) == bit(&other, at))
    }
}

/// `192.0.2.0/24`.
pub(super) fn block(text: &str) -> Block {
    let (address, bits) = text.split_once('/').expect("a block has a length");
    Block { address: address.parse().expect("a block has an address"), bits: bits.parse().expect("a block has a length") }
}
