//! Files that cannot be read: what is said of them never shows a secret that stands there, be it in the right place or in a wrong one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::BASE64;

use crate::support::marks::{BASE62, Mark, Search, random};

const REALM: &str = "realm: plain\nhosts: [plain.test]\ncredentials: [{header: x-api-key}]\nkeys: [{prefix: pl_, alphabet: hex, length: 40}]\nroutes: [{prefix: /}]\n";
const ANY: &str = r#"address: "127.0.0.1:0""#;

/// Each is the server's file, with `MARK` for the secret.
const SERVERS: &[&str] = &[
    "store: {redis: {url: MARK}}",
    "store: {redis: {url: \"http://user:MARK@127.0.0.1:1\"}}",
    "store: {redis: {url: \"redis://user:MARK@127.0.0.1:1:x/y\"}}",
    "store: {redis: {url: \"redis://user:MARK@no host\"}}",
    "store: {redis: {url: \"redis://user:MARK@127.0.0.1:1/seven\"}}",
    "store: {redis: {url: \"redis://:MARK@127.0.0.1:1\", tls: {ca: MARK}}}",
    "store: {redis: {url: [MARK]}}",
    "store: {redis: {url: {MARK: MARK}}}",
    "store: {redis: {uri: \"redis://:MARK@127.0.0.1:1\"}}",
    "store: {redis: {url_file: MARK}}",
    "store: {redis: {url_file: holds}}",
    "store: {redis: {sentinel: {urls: [\"redis://:MARK@127.0.0.1:1\", \"rediss://:MARK@127.0.0.1:1\"], master: m}}}",
    "store: {redis: {sentinel: {urls: [\"redis://:MARK@127.0.0.1:1\", \"redis://:MARK@127.0.0.1:1\"], master: m}}}",
    "store: {redis: {cluster: {urls_file: holds}}}",
    "store: {redis: {url: \"redis://127.0.0.1:1\", user: {name: a, password: [MARK]}}}",
    "store: {redis: {url: \"redis://127.0.0.1:1\", user: {name: a, password: {a: MARK}}}}",
    "store: {redis: {url: \"redis://127.0.0.1:1\", user: {name: a, password_file: MARK}}}",
    "store: {redis: {url: \"redis://127.0.0.1:1\", user: {name: a, passwort: MARK}}}",
    "store: {redis: {url: \"redis://127.0.0.1:1\", user: MARK}}",
    "store: {redis: {url: \"redis://127.0.0.1:1\", user: \"a:MARK\"}}",
    "store: {embedded: {folder: data}}\npepper_file: MARK",
    "store: {embedded: {folder: data}}\npepper_file: \"1:MARK\"",
    "store: {embedded: {folder: data}}\npepper_file: [MARK]",
    "store: {redis: {url: \"redis://127.0.0.1:1\"}}\npepper_file: \"1:MARK\"",
    "store: {redis: {url: \"redis://127.0.0.1:1\"}}\npepper_file: holds\nbootstrap_file: MARK",
    "store: {embedded: {folder: data}}\npepper: MARK",
    "store: {embedded: {folder: data}}\npepper_file: holds",
    "store: {embedded: {folder: data}}\nbootstrap_file: MARK",
    "store: {embedded: {folder: data}}\nbootstrap_file: {secret: MARK}",
    "store: {embedded: {folder: data}}\nbootstrap: MARK",
    "store: {embedded: {folder: data}}\nlisten: {envoy: {ANY, secret_file: MARK}, admin: {ANY}, http: {ANY}}",
    "store: {embedded: {folder: data}}\nlisten: {envoy: {ANY, secret_file: [MARK]}, admin: {ANY}, http: {ANY}}",
    "store: {embedded: {folder: data}}\nlisten: {envoy: {ANY, secret: MARK}, admin: {ANY}, http: {ANY}}",
    "store: {embedded: {folder: data}}\nlisten: {admin: {ANY, tls: {certificate: holds, key: MARK}}, envoy: {ANY}, http: {ANY}}",
    "store: {embedded: {folder: data}}\nlisten: {admin: {ANY, tls: {certificate: holds, key: holds}}, envoy: {ANY}, http: {ANY}}",
    "store: {embedded: {folder: data}}\nlisten: {admin: {ANY, tls: {certificate: holds, key: [MARK]}}, envoy: {ANY}, http: {ANY}}",
    "store: {embedded: {folder: data}}\notlp_endpoint: \"http://user:MARK@127.0.0.1:1:2\"",
    "store: {embedded: {folder: data}}\notlp_endpoint: \"ftp://user:MARK@127.0.0.1\"",
    "store: {embedded: {folder: data}}\notlp_endpoint: \"http://user:MARK@no host\"",
    "store: {embedded: {folder: data}\npepper_file: MARK: x",
    "store: {embedded: {folder: data}}\npepper_file: \"MARK",
    "store: {embedded: {folder: data}}\npepper_file: MARK\npepper_file: MARK",
    "store: {embedded: {folder: data}}\npepper_file: &MARK a\nbootstrap_file: *xMARK",
    "store: {embedded: {folder: data}}\npepper_file: !MARK a",
    "store: {redis: {url: \"redis://127.0.0.1:1\", user: {name: a, password: DIGITS}}}",
    "store: {redis: {url: DIGITS}}",
    "MARK",
];

/// The same of a realm's file: only the key of another system's digests is a secret there.
const REALMS: &[&str] = &[
    "imported_digests: [{hmac-sha-256: {secret_file: MARK}}]",
    "imported_digests: [{hmac-sha-256: {secret_file: [MARK]}}]",
    "imported_digests: [{hmac-sha-256: {secret: MARK}}]",
    "imported_digests: [{hmac-sha-256: MARK}]",
    "imported_digests: [{hmac-sha-256: {secret_file: folder}}]",
    "imported_digests: [\"hmac-sha-256:MARK\"]",
    "imported_digests: {hmac-sha-256: MARK}",
];

/// What a pepper file may be by mistake, and a file of another secret.
const FILES: &[&str] = &[
    "MARK",
    "MARK:MARK",
    "1:MARK",
    "MARK:lost",
    "1:BASE64",
    "1 BASE64",
    "BASE64",
    "BASE64:1",
    "1:BASE64BASE64\n1:BASE64BASE64",
    "-----BEGIN PRIVATE KEY-----\nMARK\n-----END PRIVATE KEY-----",
];

/// The server's file, more of the realm's, and a file that either names.
#[derive(Debug, Clone, Copy)]
struct Case(&'static str, &'static str, &'static str);

#[test]
fn what_is_said_of_wrong_files_shows_no_secret() {
    let fine = "store: {embedded: {folder: data}}";
    let servers = SERVERS.iter().map(|server| Case(server, "", FILES[0]));
    let realms = REALMS.iter().map(|realm| Case(fine, realm, FILES[0]));
    let holders = SERVERS.iter().filter(|server| server.contains("holds"));
    let named = holders.flat_map(|server| FILES.iter().map(|file| Case(server, "", file)));
    let cases: Vec<Case> = servers.chain(realms).chain(named).collect();
    // most of them wait for what is not there
    let found: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = cases
            .chunks(cases.len().div_ceil(6))
            .map(|part| scope.spawn(|| part.iter().flat_map(Case::told).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{} leaks of {} files: {found:#?}", found.len(), cases.len());
}

impl Case {
    /// What of its secrets is said.
    fn told(&self) -> Vec<String> {
        let Self(server, realm, file) = self;
        let (secret, digits) = (random(BASE62, 24), format!("1{}", random(b"0123456789", 17)));
        let search = Search::new(&[Mark::new("a secret", "", &secret), Mark::new("digits", "", &digits)]);
        let encoded = BASE64.encode(secret.as_bytes());
        let filled = |text: &str| {
            let text = text.replace("DIGITS", &digits).replace("BASE64", &encoded);
            text.replace("MARK", &secret).replace("ANY", ANY)
        };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let listen = if server.contains("listen:") { "" } else { "listen: {envoy: {ANY}, admin: {ANY}, http: {ANY}}" };
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("holds"), filled(file)).unwrap();
        fs::write(at("plain.yaml"), format!("{REALM}{}\n", filled(realm))).unwrap();
        fs::write(at("keyward.yaml"), filled(&format!("realms: plain.yaml\n{server}\n{listen}\n"))).unwrap();
        let mut found = Vec::new();
        for line in [&["check-config", "--config", "keyward.yaml"][..], &["serve", "--config", "keyward.yaml"]] {
            let said = refused(line, folder.path());
            assert!(!said.is_empty(), "nothing is said of {self:?}");
            found.extend(search.find(&said).into_iter().map(|found| format!("`{}` of {self:?}: {found:?}", line.join(" "))));
        }
        found
    }
}

/// All that is said until it ends. A server whose file is right after all is told to end.
fn refused(line: &[&str], folder: &Path) -> Vec<u8> {
    let mut command = Command::new("timeout");
    command.args(["-s", "TERM", "1", env!("CARGO_BIN_EXE_keyward")]).args(line).current_dir(folder);
    let output = command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").stdin(Stdio::null()).output().unwrap();
    [output.stdout, output.stderr].concat()
}
