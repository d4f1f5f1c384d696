//! TLS with an authority of the operator's own, and a certificate that Redis asks for.

use std::path::Path;

use keyward::store::redis::{Certificates, RedisStore, Settings};
use keyward::store::{Store as _, StoreError};

use super::works;
use crate::support::certs::Authority;
use crate::support::redis::{RedisServer, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_trusted_if_the_authority_given_vouches_for_it_and_shows_what_it_asks_for() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (server, port) = over_tls(&authority, folder.path());
    let (certificate, key) = authority.issue("keyward");
    let with = |certificates| Settings { certificates, ..settings(format!("rediss://localhost:{port}")) };
    let of = |authority: &Authority, own| Some(Certificates { authority: Some(authority.certificate().into()), own });
    let own = || Some((certificate.clone().into(), key.clone().into()));
    works(&RedisStore::connect(&with(of(&authority, own()))).unwrap(), 1).await;
    let names = server.ask::<u64>("DBSIZE");

    // Controls: nobody vouches for it, somebody else does, and nothing is shown.
    for certificates in [None, of(&Authority::new(), own()), of(&authority, None)] {
        let said = RedisStore::connect(&with(certificates)).unwrap().now().await;
        assert!(matches!(said, Err(StoreError::Unavailable(_))), "{said:?}");
    }
    assert_eq!(server.ask::<u64>("DBSIZE"), names);
    let unreadable = Certificates { authority: Some(b"-----BEGIN CERTIFICATE-----\nx\n".into()), own: None };
    assert!(RedisStore::connect(&with(Some(unreadable))).is_err(), "what cannot be read is told at the start");
}

/// One that asks for certificates of the same authority.
fn over_tls(authority: &Authority, folder: &Path) -> (RedisServer, u16) {
    let (certificate, key) = authority.issue("localhost");
    let write = |name, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key, authority) = (write("certificate", certificate), write("key", key), write("authority", authority.certificate()));
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &authority, "--tls-auth-clients", "yes"];
    RedisServer::on_a_port("--tls-port", &files)
}
