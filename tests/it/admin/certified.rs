//! Certificates as an admin port in this process is told of them: in a header of the request, for what reads them off a connection is in
//! `tests/it/server/certificates.rs`.

use keyward::domain::actor::{Certified, San};
use keyward::domain::name::Scope;
use keyward::domain::record::Binding;
use keyward::grpc::peer::Peer;
use tonic::body::Body;
use tonic::codegen::http;

/// The names in the certificate that a test's request is sent under, separated by spaces.
pub const HEADER: &str = "x-test-certificate";

/// What a certificate of the tests is bound to, and how its name says so.
pub const BINDINGS: [(&str, &str); 5] = [
    ("none", ""),
    ("own-realm", "realms/otesse"),
    ("other-realm", "realms/ocus"),
    ("own-owner", "realms/otesse/owners/acme"),
    ("other-owner", "realms/otesse/owners/globex"),
];

/// One for each role and binding.
pub fn all() -> Vec<Certified> {
    let roles = ["viewer", "issuer", "revoker", "admin"];
    roles.iter().flat_map(|role| BINDINGS.iter().map(move |(name, binding)| certified(role, name, binding))).collect()
}

/// The name of the certificate with this role, and bound so.
pub fn name(role: &str, binding: &str) -> String {
    format!("spiffe://test/{role}/{binding}")
}

/// Puts the other end of the connection beside the request, as the server does.
pub fn connected(mut request: http::Request<Body>) -> http::Request<Body> {
    let names = request.headers().get(HEADER).map_or("", |names| names.to_str().unwrap());
    let names = names.split_whitespace().map(|name| San::parse(name).unwrap()).collect();
    request.extensions_mut().insert(Peer { address: "192.0.2.7".parse().unwrap(), names });
    request
}

fn certified(role: &str, named: &str, binding: &str) -> Certified {
    let binding = (!binding.is_empty()).then(|| Binding::parse(binding).unwrap());
    Certified { san: San::parse(&name(role, named)).unwrap(), scopes: vec![Scope::parse(role).unwrap()], binding }
}
