//! How many rows an import takes a second through the admin API, with secrets and with foreign digests; what a key takes then, and what processor time
//! a row costs the server and Redis.

use std::ops::Range;
use std::time::Instant;

use data_encoding::HEXLOWER;
use keyward::domain::foreign::Foreign;
use keyward::proto::keyward::admin::v1::imported_key::Credential;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::{ForeignDigest, ImportKeysRequest, ImportKeysResponse, ImportOptions, ImportedKey};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::keys;
use crate::process::cpu;
use crate::report::say;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

/// `KEYWARD_IMPORT_ROWS` says another number: `KEYWARD_IMPORT_ROWS=1000000 cargo bench --bench check -- import`.
const USUAL: usize = 200_000;
/// Rows in a message, and owners among them.
const TOGETHER: usize = 500;
const OWNERS: usize = 1_000;

pub(crate) fn measure(runtime: &Runtime) {
    let rows = std::env::var("KEYWARD_IMPORT_ROWS").map_or(USUAL, |rows| rows.parse().unwrap());
    let realms = keys::realm_with("imported_digests: [sha-256]\n");
    say!(
        "\n{:<44} {:>12} {:>14} {:>14} {:>14}",
        format!("an import of {rows} keys"),
        "rows/s",
        "server, µs/row",
        "Redis, µs/row",
        "bytes a key"
    );
    for (what, row) in [("secrets", secret as fn(usize) -> Credential), ("digests (sha-256)", digest)] {
        let redis = RedisServer::start();
        let keyward = Keyward::start(realms.path(), &Store::Redis(&redis.url()));
        let pid = redis.pid().as_raw_nonzero().get().unsigned_abs();
        let used = || used(&redis.ask::<String>("INFO memory"));
        let (before, spent) = (used(), cpu(pid));
        let (rate, server) = runtime.block_on(import(&keyward, rows, row));
        let (bytes, redis) = ((used() - before) / rows as f64, (cpu(pid) - spent) / rows as f64);
        say!("{:<44} {rate:>12.0} {server:>14.1} {redis:>14.1} {bytes:>14.0}", format!("Redis, {what}"));
        let keyward = Keyward::start(realms.path(), &Store::Embedded);
        let (rate, server) = runtime.block_on(import(&keyward, rows, row));
        let bytes = std::fs::metadata(keyward.at("data/keyward.redb")).unwrap().len() as f64 / rows as f64;
        say!("{:<44} {rate:>12.0} {server:>14.1} {:>14} {bytes:>14.0}", format!("embedded, {what}"), "");
    }
}

/// Rows a second, and what one costs the server.
async fn import(keyward: &Keyward, rows: usize, credential: fn(usize) -> Credential) -> (f64, f64) {
    let channel = Endpoint::from_shared(format!("http://{}", keyward.admin)).unwrap().connect().await.unwrap();
    let mut service = KeyServiceClient::new(channel);
    // a server that has just started believes its Redis when it has seen it for a lease, and the end of an import waits for that
    send(keyward, &mut service, vec![message(rows..rows + 1, credential)]).await;
    // made before the clock starts: it is the server that is measured
    let messages = (0..rows).step_by(TOGETHER).map(|first| message(first..rows.min(first + TOGETHER), credential)).collect();
    let (begun, spent) = (Instant::now(), cpu(keyward.pid()));
    send(keyward, &mut service, messages).await;
    (rows as f64 / begun.elapsed().as_secs_f64(), (cpu(keyward.pid()) - spent) / rows as f64)
}

async fn send(keyward: &Keyward, service: &mut KeyServiceClient<Channel>, messages: Vec<ImportKeysRequest>) {
    let (sender, receiver) = mpsc::channel(8);
    let mut request = Request::new(ReceiverStream::new(receiver));
    let token = std::fs::read_to_string(keyward.at("token")).unwrap();
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let count = messages.iter().map(|message| message.rows.len() as u64).sum::<u64>();
    let sending = async move {
        for message in messages {
            sender.send(message).await.unwrap();
        }
    };
    let ((), answer) = tokio::join!(sending, service.import_keys(request));
    let ImportKeysResponse { created, .. } = answer.unwrap().into_inner();
    assert_eq!(created, count);
}

fn message(rows: Range<usize>, credential: fn(usize) -> Credential) -> ImportKeysRequest {
    let row = |number: usize| ImportedKey {
        key_id: format!("imported_{number}"),
        owner_id: format!("owner_{}", number % OWNERS),
        label: "imported".into(),
        credential: Some(credential(number)),
        ..ImportedKey::default()
    };
    let options = Some(ImportOptions { create_owners: true, ..ImportOptions::default() });
    ImportKeysRequest { parent: "realms/bench".into(), options, rows: rows.map(row).collect() }
}

fn secret(number: usize) -> Credential {
    Credential::Secret(keys::secret(number))
}

fn digest(number: usize) -> Credential {
    let value = HEXLOWER.encode(&Foreign::Sha256.digest(keys::secret(number).as_bytes()));
    Credential::Digest(ForeignDigest { scheme: "sha-256".into(), value, last_four: "0000".into() })
}

/// Bytes that Redis has in use (`INFO memory`).
fn used(info: &str) -> f64 {
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}
