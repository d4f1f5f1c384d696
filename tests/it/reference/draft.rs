//! A request while it is being made up.

use super::dice::Dice;
use super::plain::{Client, Place, Realm, Route, World};

/// A request before it is written to the wire.
#[derive(Debug, Clone)]
pub(super) struct Draft<'w> {
    pub(super) realm: &'w Realm,
    pub(super) route: Option<&'w Route>,
    pub(super) extensions: Vec<(String, String)>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<String>,
    pub(super) host: String,
    pub(super) scheme: String,
    /// In the order of the wire.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) peer: Peer,
    pub(super) form: Form,
    /// What it presents, where that is meant to be one thing.
    pub(super) secret: Option<String>,
}

/// The connection's other end.
#[derive(Debug, Clone)]
pub(super) enum Peer {
    Socket(String),
    Pipe,
    Internal,
    Untold,
}

/// How much of a request there is, and how its headers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A map: duplicates joined with a comma, odd bytes replaced.
    Map,
    /// Every header by itself, as bytes.
    Raw,
    /// The same, but the proxy's inline headers are joined.
    RawJoined,
    NoHttp,
    NoRequest,
    NoAttributes,
}

impl Draft<'_> {
    pub(super) fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
    }

    /// The header once, with this value.
    pub(super) fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.remove(name);
        self.add(name, value);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.headers.retain(|(other, _)| other != name);
    }

    /// The places where the rules look for this request's credential.
    pub(super) fn places(&self) -> &[Place] {
        self.route.and_then(|route| route.places.as_deref()).unwrap_or(&self.realm.places)
    }

    /// The secret stands in this place too.
    pub(super) fn present(&mut self, place: Place, secret: &str, dice: &mut Dice) {
        match place {
            Place::Header(name, None) => self.add(name, secret),
            Place::Header(name, Some(scheme)) => self.add(name, format!("{scheme} {secret}")),
            Place::Query(name) | Place::ExactQuery(name) => {
                let at = dice.below(self.query.len() + 1);
                self.query.insert(at, format!("{name}={}", escaped(secret, dice)));
            }
            Place::Cookie(name) => self.add("cookie", cookie(name, secret, dice)),
        }
    }

    /// What the rules look at as the client's address.
    pub(super) fn come_from(&mut self, address: &str, dice: &mut Dice) {
        self.peer = Peer::Socket(dice.text(&["127.0.0.1", "10.0.0.9", "::1"]));
        match self.realm.client {
            Client::Peer => self.peer = Peer::Socket(address.to_owned()),
            Client::External if dice.chance(30) => {
                self.remove("x-envoy-external-address");
                self.peer = Peer::Socket(address.to_owned());
            }
            Client::External => self.set("x-envoy-external-address", address),
            Client::ForwardedFor(from_the_right) => self.forward(address, from_the_right, dice),
            Client::Header(name) => self.set(name, address),
        }
    }

    fn forward(&mut self, address: &str, from_the_right: usize, dice: &mut Dice) {
        self.remove("x-forwarded-for");
        let mut entries: Vec<&str> =
            (0..dice.below(3)).map(|_| *dice.pick(&["6.6.6.6", "unknown", "203.0.113.66", "203.0.113.8"])).collect();
        entries.push(address);
        entries.extend((1..from_the_right).map(|_| "192.0.2.200"));
        if dice.chance(20) {
            let cut = dice.below(entries.len());
            let (first, second) = entries.split_at(cut);
            for line in [first, second].iter().filter(|line| !line.is_empty()) {
                self.add("x-forwarded-for", line.join(","));
            }
        } else {
            self.add("x-forwarded-for", entries.join(*dice.pick(&[",", ", "])));
        }
    }
}

/// As a query's value: what would end it is escaped, and now and then something that would not.
pub(super) fn escaped(secret: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    for byte in secret.bytes() {
        if matches!(byte, b'%' | b'&' | b'#' | b'+' | b'=') || dice.chance(2) {
            let escape = if dice.chance(50) { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
            out.push_str(&escape);
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

fn cookie(name: &str, secret: &str, dice: &mut Dice) -> String {
    let this = format!("{name}={secret}");
    match dice.below(4) {
        0 => this,
        1 => format!("theme=dark; {this}"),
        2 => format!("{this}; lang=es"),
        _ => format!("a=1; {this};b=2"),
    }
}

/// Addresses in and out of every list there is.
pub(super) const ADDRESSES: [&str; 16] = [
    "192.0.2.3",
    "192.0.2.77",
    "10.1.2.3",
    "10.2.0.1",
    "10.9.1.1",
    "2001:db8:10:1::5",
    "2001:db8:10:2::1",
    "203.0.113.7",
    "203.0.113.9",
    "203.0.113.66",
    "203.0.113.130",
    "2001:db8::1",
    "2001:db8:bad::1",
    "198.51.100.4",
    "198.51.101.4",
    "8.8.8.8",
];

/// Of all realms, for what one realm gets from another.
pub(super) fn any_secret<'w>(world: &'w World, dice: &mut Dice) -> &'w str {
    &dice.pick(&world.keys).secrets[0]
}
