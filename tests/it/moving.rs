//! A store is copied into another, backed up and restored, by the command line, with real servers before and after.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use futures_util::future::join_all;
use keyward::proto::keyward::admin::v1::audit_service_client::AuditServiceClient;
use keyward::proto::keyward::admin::v1::{VerifyAuditRequest, VerifyAuditResponse};
use serde_json::Value;
use tempfile::TempDir;
use tonic::Request;
use tonic::transport::Endpoint;

use crate::support::check::{self, Checks};
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;
use crate::support::until;

/// Checks that are asked at once.
const AT_ONCE: usize = 64;

fn keys() -> usize {
    if std::env::var_os("KEYWARD_SOAK").is_some() { 100_000 } else { 1_200 }
}

/// The realm `plain`, whose secrets are 24 characters, and a realm beside it.
fn realms() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (realm, more) in [("plain", "imported_digests: [sha-256]\n"), ("beside", "")] {
        let text = format!(
            "realm: {realm}\nhosts: [{realm}.test]\nhttps: any\ncredentials: [{{header: x-api-key}}]\n\
             keys: [{{alphabet: base62, length: 24}}]\nroutes: [{{prefix: /}}]\n{more}"
        );
        fs::write(folder.path().join(format!("{realm}.yaml")), text).unwrap();
    }
    folder
}

fn secret(number: usize) -> String {
    format!("movedSecretNumber{number:07}")
}

#[allow(clippy::needless_pass_by_value, reason = "what edits a configuration is given it")]
fn patient(config: String) -> String {
    config.replace("redis: {url", "redis: {timeout: 400ms, url") + "check_deadline: 10s\nlease: 2s\n"
}

fn import(server: &Keyward, realm: &str, numbers: std::ops::Range<usize>) {
    let mut csv = "id,owner,secret\n".to_owned();
    numbers.for_each(|number| writeln!(csv, "moved_{number},owner_{},{}", number % 7, secret(number)).unwrap());
    let done = server.run(&["keys", "import", "-", "--realm", realm, "--create-owners"], &csv);
    assert!(done.status.success(), "{}", said(&done.stderr));
}

async fn admits(checks: &mut Checks, realm: &str, number: usize) -> bool {
    let request = check::request("GET", &format!("{realm}.test"), "/", &[("x-api-key", &secret(number))]);
    check::admits(&checks.check(request).await.unwrap().into_inner())
}

/// What the audit log is found to be, against an anchor.
async fn verified(server: &Keyward, anchor: &str) -> VerifyAuditResponse {
    let channel = Endpoint::from_shared(format!("http://{}", server.admin)).unwrap().connect().await.unwrap();
    let mut request = Request::new(VerifyAuditRequest { anchor: anchor.into() });
    let token = fs::read_to_string(server.at("token")).unwrap();
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    AuditServiceClient::new(channel).verify_audit(request).await.unwrap().into_inner()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn exported(server: &Keyward) -> String {
    let output = server.run(&["keys", "export", "--realm", "plain", "--realm", "beside"], "");
    assert!(output.status.success(), "{}", said(&output.stderr));
    said(&output.stdout)
}

/// The file of a server on this Redis, with the pepper of the embedded store beside it.
fn to(server: &Keyward, realms: &Path, redis: &RedisServer) {
    let text = format!("realms: {}\nstore: {{redis: {{url: {:?}}}}}\npepper_file: data/pepper\n", realms.display(), redis.url());
    fs::write(server.at("to.yaml"), patient(text)).unwrap();
}

/// Its control: without the two rights that only a copy needs (`-srem -pexpireat`) it ends with an error, and says that it is not finished.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_by_the_users_that_are_shipped() {
    let realms = realms();
    let mut old = Keyward::start_edited(realms.path(), &Store::Embedded, patient);
    import(&old, "plain", 0..3);
    old.create_owner("plain", "asked", None);
    old.stop();
    for (without, succeeds) in [("", true), ("-srem -pexpireat", false)] {
        let folder = tempfile::tempdir().unwrap();
        let file = crate::support::redis::users(folder.path());
        let redis = RedisServer::shipped("single.conf", &["--aclfile", file.to_str().unwrap()]);
        redis.ask::<()>(&format!("ACL SETUSER keyward-admin {without}"));
        to(&old, realms.path(), &redis);
        let who = |name: &str| format!("{{name: {name}, password: {name}}}");
        let users = format!("redis: {{user: {}, admin: {}, ", who("keyward-check"), who("keyward-admin"));
        let text = fs::read_to_string(old.at("to.yaml")).unwrap().replace("redis: {", &users);
        fs::write(old.at("to.yaml"), text).unwrap();
        let copied = old.run(&COPY, "");
        assert_eq!(copied.status.success(), succeeds, "{}", said(&copied.stderr));
        assert!(succeeds || said(&copied.stderr).contains("empty the Redis"), "{}", said(&copied.stderr));
    }
}

const COPY: [&str; 6] = ["store", "copy", "--from", "keyward.yaml", "--to", "to.yaml"];

#[tokio::test(flavor = "multi_thread")]
async fn after_a_copy_into_redis_every_key_works_and_ids_and_audit_log_are_what_they_were() {
    let (realms, redis, keys) = (realms(), RedisServer::start(), keys());
    let mut old = Keyward::start_edited(realms.path(), &Store::Embedded, patient);
    import(&old, "plain", 0..keys);
    import(&old, "beside", 0..10);
    let digest = "id,owner,digest,scheme\nforeign,acme,dbb9e6880241f21b3f9e78eb3c3c37dc2fe595148761ac84dc2f3906f6fb53d3,sha-256\n";
    assert!(old.run(&["keys", "import", "-", "--realm", "plain", "--create-owners"], digest).status.success());
    old.revoke_key("plain", "moved_1");
    old.disable_owner("plain", "owner_3");
    let (before, anchor) = (exported(&old), verified(&old, "").await.anchor);
    to(&old, realms.path(), &redis);
    let busy = old.run(&COPY, "");
    assert!(!busy.status.success() && said(&busy.stderr).contains("in use by another process"), "{}", said(&busy.stderr));
    old.stop();
    let copied = old.run(&COPY, "");
    assert!(copied.status.success(), "{}", said(&copied.stderr));
    // the first admin token is a key too
    assert!(said(&copied.stdout).starts_with(&format!("copied {} keys, ", keys + 12)), "{}", said(&copied.stdout));
    let again = old.run(&COPY, "");
    assert!(said(&again.stderr).contains("it must be empty"), "{}", said(&again.stderr));

    let pepper = format!("pepper_file: {}", old.at("data/pepper").display());
    let new = Keyward::without_token(realms.path(), &Store::Redis(&redis.url()), |config| {
        patient(config).replace("pepper_file: pepper", &pepper)
    });
    fs::copy(old.at("token"), new.at("token")).unwrap();
    assert_eq!(exported(&new), before, "ids and all that is known of keys");
    let realms: Vec<String> = redis.ask("ZRANGE kw:1:{kw}:realms 0 -1");
    assert_eq!(realms, ["beside", "keyward", "plain"], "a pepper is withdrawn from what is named here");
    let mut checks = check::connect(new.envoy).await;
    for first in (0..keys).step_by(AT_ONCE) {
        let numbers = first..keys.min(first + AT_ONCE);
        let admitted = join_all(numbers.clone().map(|number| {
            let mut checks = checks.clone();
            async move { admits(&mut checks, "plain", number).await }
        }));
        for (number, is_admitted) in numbers.zip(admitted.await) {
            let is_shut = number == 1 || number % 7 == 3;
            assert_eq!(is_admitted, !is_shut, "{number}");
        }
    }
    for number in 0..11 {
        assert_eq!(admits(&mut checks, "beside", number).await, number < 10);
    }
    let audit = verified(&new, &anchor).await;
    assert!(audit.intact, "{audit:?}");
    let foreign = check::request("GET", "plain.test", "/", &[("x-api-key", "movedForeignSecretOfMine")]);
    assert!(check::admits(&checks.check(foreign).await.unwrap().into_inner()), "what a digest is of is copied with it");
    new.enable_owner("plain", "owner_3");
    until("the log goes on and replicas follow it", || {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(admits(&mut checks, "plain", 3)))
    })
    .await;
    new.revoke_key("plain", "moved_3");
    assert!(!admits(&mut checks, "plain", 3).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_under_another_pepper_is_refused_before_anything_is_written() {
    let (realms, redis) = (realms(), RedisServer::start());
    let mut old = Keyward::start_edited(realms.path(), &Store::Embedded, patient);
    import(&old, "plain", 0..3);
    old.stop();
    to(&old, realms.path(), &redis);
    fs::write(old.at("other"), format!("1:{}\n", data_encoding::BASE64.encode(&[9; 32]))).unwrap();
    let text = fs::read_to_string(old.at("to.yaml")).unwrap();
    fs::write(old.at("to.yaml"), text.replace("data/pepper", "other")).unwrap();
    let refused = old.run(&COPY, "");
    assert!(said(&refused.stderr).contains("the pepper file of --to must be that of --from"), "{}", said(&refused.stderr));
    assert_eq!(redis.ask::<u64>("DBSIZE"), 0);
}

/// Makes a key, keeps a copy of the store as it is then, and revokes the key. Gives the audit log's end.
async fn revoked_after(server: &Keyward, mut backup: impl FnMut()) -> String {
    import(server, "plain", 0..2);
    backup();
    server.revoke_key("plain", "moved_0");
    verified(server, "").await.anchor
}

/// What an operator does after a restored backup lacks what was known: the steps of docs/operations.md.
async fn nobody_is_admitted_until_an_operator_says_so(server: &mut Keyward) {
    let mut checks = check::connect(server.envoy).await;
    let is_told = || server.cli(&["revocation", "status", "--output", "json"])["rolled_back"] == Value::Bool(true);
    until("the server was told that its log is rolled back", is_told).await;
    for number in 0..2 {
        assert!(!admits(&mut checks, "plain", number).await);
    }
    assert!(server.get_key("plain", "moved_0")["key"]["revoke_time"].is_null(), "the older state has the key as it was");
    server.run(&["keys", "revoke", "--realm", "plain", "moved_0"], "");
    let resumed = server.run(&["revocation", "resume"], "");
    assert!(resumed.status.success(), "{}", said(&resumed.stderr));
    until("the other key is admitted", || {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(admits(&mut checks, "plain", 1)))
    })
    .await;
    assert!(!admits(&mut checks, "plain", 0).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_file_of_an_embedded_store_is_found_by_the_anchor_and_admits_nobody() {
    let realms = realms();
    let mut server = Keyward::start_edited(realms.path(), &Store::Embedded, patient);
    import(&server, "plain", 0..2);
    server.stop();
    let backup = |to: &str| server.run(&["store", "backup", "--config", "keyward.yaml", to], "");
    assert!(backup("copy").status.success());
    assert!(said(&backup("copy").stderr).contains("already"), "no copy is overwritten");
    server.again();
    server.revoke_key("plain", "moved_0");
    let anchor = verified(&server, "").await.anchor;
    server.stop();
    let restored = |server: &Keyward| server.run(&["store", "restored", "--config", "keyward.yaml", "--anchor", &anchor], "");
    let whole = restored(&server);
    assert!(whole.status.success() && said(&whole.stdout).starts_with("nothing is lost"), "the control: {}", said(&whole.stderr));
    fs::copy(server.at("copy/keyward.redb"), server.at("data/keyward.redb")).unwrap();

    server.again();
    let mut checks = check::connect(server.envoy).await;
    assert!(admits(&mut checks, "plain", 0).await, "the control: without the step the backup is taken as it is");
    let found = verified(&server, &anchor).await;
    assert!(!found.intact && !found.problem.is_empty(), "but the anchor shows it: {found:?}");
    server.stop();

    let lacks = restored(&server);
    assert_eq!(lacks.status.code(), Some(1));
    assert!(said(&lacks.stderr).contains("the store lacks entry") && said(&lacks.stderr).contains("hint: nobody is admitted now"));
    server.again_unready();
    nobody_is_admitted_until_an_operator_says_so(&mut server).await;
}

/// The log says itself that what came before was dropped; a store that lacks its end has no later entries. The control is the test below.
#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_that_is_older_than_the_log_says_nothing_and_stops_nobody() {
    let (realms, redis) = (realms(), RedisServer::start());
    let mut server = Keyward::start_edited(realms.path(), &Store::Redis(&redis.url()), patient);
    import(&server, "plain", 0..2);
    let anchor = verified(&server, "").await.anchor;
    server.revoke_key("plain", "moved_0");
    server.stop();
    let trimmed = anchor.split('/').next().unwrap().parse::<u64>().unwrap() + 1;
    let _: u64 = redis.ask(&format!("XTRIM kw:1:{{kw}}:audit MINID {trimmed}-0"));
    let older = server.run(&["store", "restored", "--config", "keyward.yaml", "--anchor", &anchor], "");
    assert!(older.status.code() == Some(1) && said(&older.stderr).contains("take a newer anchor"), "{}", said(&older.stderr));
    server.again();
    let mut checks = check::connect(server.envoy).await;
    assert!(admits(&mut checks, "plain", 1).await && !admits(&mut checks, "plain", 0).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_redis_is_found_by_the_anchor_where_no_replica_ran_that_could_have_seen_it() {
    let (realms, mut redis) = (realms(), RedisServer::start());
    let mut server = Keyward::start_edited(realms.path(), &Store::Redis(&redis.url()), patient);
    let kept = tempfile::tempdir().unwrap();
    let dump = redis.folder().join("dump.rdb");
    let anchor = revoked_after(&server, || {
        redis.ask::<()>("SAVE");
        fs::copy(&dump, kept.path().join("dump.rdb")).unwrap();
    })
    .await;
    server.stop();
    redis.kill();
    fs::copy(kept.path().join("dump.rdb"), &dump).unwrap();
    redis.restart();
    let lacks = server.run(&["store", "restored", "--config", "keyward.yaml", "--anchor", &anchor], "");
    assert_eq!(lacks.status.code(), Some(1), "{}", said(&lacks.stderr));
    server.again_unready();
    nobody_is_admitted_until_an_operator_says_so(&mut server).await;
}
