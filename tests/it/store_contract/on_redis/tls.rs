//! `rediss://`: the server must be one that this machine's authorities vouch for.

use std::path::Path;
use std::process::Command;

use keyward::store::Store;
use keyward::store::redis::RedisStore;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::{each_answers, each_is_away};
use crate::support::redis::{RedisServer, settings};

const URL: &str = "KEYWARD_TEST_REDISS_URL";
const THE_OTHER: &str = "store_contract::on_redis::tls::a_client_that_another_test_started";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_spoken_to_over_tls_if_its_certificate_is_vouched_for() {
    let folder = tempfile::tempdir().unwrap();
    let (server, port) = over_tls(folder.path());
    let url = format!("rediss://localhost:{port}");
    let stranger = RedisStore::connect(&settings(url.clone())).unwrap();
    each_is_away(&stranger, "ertificate").await;
    assert_eq!(server.ask::<u64>("DBSIZE"), 0);

    // Authorities are the process's: another one has this server's among them.
    let exe = std::env::current_exe().unwrap();
    let client =
        Command::new(exe).args(["--exact", THE_OTHER]).env(URL, url).env("SSL_CERT_FILE", folder.path().join("certificate")).output();
    let client = client.unwrap();
    assert!(client.status.success(), "{}", String::from_utf8_lossy(&client.stdout));
    assert!(server.ask::<u64>("DBSIZE") > 0);
}

/// Does nothing unless the test above started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_another_test_started() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = RedisStore::connect(&settings(url)).unwrap();
    each_answers(&store).await;
    assert!(store.now().await.is_ok());
}

fn over_tls(folder: &Path) -> (RedisServer, u16) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (write("certificate", cert.pem()), write("key", signing_key.serialize_pem()));
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &certificate, "--tls-auth-clients", "no"];
    RedisServer::on_a_port("--tls-port", &files)
}
