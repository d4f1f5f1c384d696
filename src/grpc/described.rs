//! A request as somebody tells of it who is no Envoy: its credential and its tenant may be told apart, and are put where the realm looks for
//! them. From there on it is a request like any other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::domain::credential::Place;
use crate::domain::path::Target;
use crate::domain::realms::Realms;
use crate::domain::request::{Headers, Request};

/// What was told. By default nothing: not even a method.
#[derive(Default)]
pub(super) struct Described {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) host: String,
    pub(super) scheme: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) peer: Option<IpAddr>,
    pub(super) context: BTreeMap<String, String>,
}

impl Described {
    /// As the gate sees it.
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            method: self.method.as_bytes(),
            path: self.path.as_bytes(),
            host: self.host.as_bytes(),
            scheme: self.scheme.as_bytes(),
            headers: Headers(self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()),
            peer: self.peer,
            context: self.context.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect(),
        }
    }

    /// The proxy's word on the realm.
    pub(super) fn of_realm(&mut self, realm: &str) {
        if !realm.is_empty() {
            self.context.insert("realm".into(), realm.into());
        }
    }

    /// Presents a credential in the first place where its route, or else its realm, looks for one. A request of no realm, or whose path cannot
    /// be read, is refused whatever it presents.
    pub(super) fn present(&mut self, credential: &str, realms: &Realms) {
        if credential.is_empty() {
            return;
        }
        let place = {
            let request = self.request();
            let (Ok(realm), Ok(target)) = (realms.of(&request), Target::parse(request.path)) else { return };
            realm.places_on(realm.route(&request, &target)).first().cloned()
        };
        match place {
            Some(Place::Header { name, scheme: None }) => self.headers.push((name.into(), credential.into())),
            Some(Place::Header { name, scheme: Some(scheme) }) => self.headers.push((name.into(), format!("{scheme} {credential}"))),
            Some(Place::Cookie { name }) => self.headers.push(("cookie".into(), format!("{name}={credential}"))),
            Some(Place::Query { name, .. }) => {
                let separator = if self.path.contains('?') { '&' } else { '?' };
                self.path = format!("{}{separator}{name}={}", self.path, escaped(credential));
            }
            None => {}
        }
    }

    /// Names a tenant, where the realm has a header for it.
    pub(super) fn name_tenant(&mut self, tenant: &str, realms: &Realms) {
        if tenant.is_empty() {
            return;
        }
        let header = realms.of(&self.request()).ok().and_then(|realm| realm.tenant.as_ref().map(|tenant| tenant.name.to_string()));
        self.headers.extend(header.map(|name| (name, tenant.to_owned())));
    }
}

/// As a query parameter's value.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // into a string that cannot fail
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
