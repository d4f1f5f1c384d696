//! The control of all cases: behind an Envoy that asks nobody, each of the things that a case observes is seen to go wrong. A harness
//! that could not see them would pass everything.

use std::net::SocketAddr;

use super::told::Told;
use crate::support::envoy::Envoy;
use crate::support::shell::Shell;
use crate::support::upstream::Upstream;

const KEY: &str = "odt_f57b5eabebb5ee8698d54c5c9427a991f6254150e819d04b2f56a490";

#[test]
fn without_the_gate_every_kind_of_case_is_seen_to_fail() {
    let upstream = Upstream::start();
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1)); // no server of anybody's has this port by chance
    let envoy = Envoy::start_edited(nobody, upstream.address, |bootstrap| ask_nobody(&bootstrap));
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path(), &envoy);
    let secrets = [KEY.to_owned()];
    let told = Told { identity: "x-ocote-", shown: &[], body: b"sent", secrets: &secrets };
    let got = |line: &str| {
        let brought = shell.run(line);
        told.all(&brought, &upstream.take())
    };
    for (name, line, expected) in [
        ("a missing key", "curl https://ocote.io/api/connect/x", "200 GET /api/connect/x"),
        (
            "a credential in a header",
            &format!("curl https://ocote.io/api/connect/x -H 'Authorization: Bearer {KEY}'"),
            "200 GET /api/connect/x CREDENTIAL AT THE UPSTREAM",
        ),
        (
            "a credential in the query",
            &format!("curl 'https://ocote.io/api/connect/file/D1?type=ticket&key={KEY}'"),
            &format!("200 GET /api/connect/file/D1?type=ticket&key={KEY} CREDENTIAL AT THE UPSTREAM"),
        ),
        (
            "a spoofed identity",
            "curl https://ocote.io/api/connect/x -H 'X-Ocote-Company: company-b'",
            "200 GET /api/connect/x x-ocote-company=company-b",
        ),
        ("plain HTTP", "curl http://ocote.io/api/connect/x", "200 GET /api/connect/x"),
        ("another body", "curl https://ocote.io/api/connect/x -d other", "200 POST /api/connect/x another body of 5 bytes"),
        ("no limit", "curl 'https://ocote.io/api/connect/[1-70]'", "70 x 200; the upstream saw 70"),
    ] {
        assert_eq!(got(line), expected, "{name}");
    }
}

/// No authorizer answers at its address, and its failures let pass; identity headers of clients are left in.
fn ask_nobody(bootstrap: &str) -> String {
    let bootstrap = bootstrap.replace("failure_mode_allow: false", "failure_mode_allow: true");
    bootstrap.replace("- remove: x-ocote-company", "- remove: x-nothing")
}
