//! The built-in realm: its keys are the admin tokens. It has no hosts and no routes, and no request of a proxy is ever checked in it.

use super::denials;
use crate::domain::address::{AddressList, AddressSource};
use crate::domain::credential::Place;
use crate::domain::format::{Alphabet, Checksum, Format};
use crate::domain::life::KeyLife;
use crate::domain::name::{self, Scope};
use crate::domain::realm::{LimitStance, Realm, RecordStance, Transport, WhenAway};

/// What an admin token may be given.
const SCOPES: [&str; 4] = ["admin", "viewer", "issuer", "revoker"];

/// The realm `keyward`.
#[must_use]
pub fn admin_realm() -> Realm {
    Realm {
        id: name::admin_realm(),
        hosts: Vec::new(),
        transport: Transport::Any,
        places: vec![Place::Header { name: "authorization".into(), scheme: Some("Bearer".into()) }],
        formats: vec![token()],
        imported: Vec::new(),
        life: KeyLife::default(),
        tenant: None,
        client_address: AddressSource::Peer,
        allowed_addresses: AddressList::default(),
        denied_addresses: AddressList::default(),
        routes: Vec::new(),
        scopes: SCOPES.iter().filter_map(|scope| Scope::parse(scope).ok()).collect(),
        plans: Vec::new(),
        default_plan: None,
        limit_headers: Vec::new(),
        feed_envoy: Vec::new(),
        identity: Vec::new(),
        denials: denials::total(&denials::Said::new()),
        when_away: WhenAway { records: RecordStance::Deny, limits: LimitStance::Deny },
        failing_sources: None,
    }
}

fn token() -> Format {
    Format {
        prefix: "kwa_".into(),
        alphabet: Alphabet::Base62,
        length: 40..=40,
        minted: 40,
        checksum: Checksum::Crc32,
        environment: None,
        kind: None,
        plan: None,
    }
}
