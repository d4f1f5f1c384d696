//! From the first restart with a new pepper to the file without the old one.

use keyward::proto::keyward::admin::v1::VerifyAuditRequest;
use keyward::proto::keyward::admin::v1::audit_service_client::AuditServiceClient;
use tonic::Request;
use tonic::transport::Endpoint;

use super::server::Server;
use super::{Asking, asked, file};
use crate::support::redis::RedisServer;
use crate::support::until;

/// How many keys are used, and how many are not.
const USED: usize = 24;
const IDLE: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_on_two_replicas_refuses_nobody_whose_key_is_used() {
    let redis = RedisServer::start();
    let url = redis.url();
    let a = Server::start(Some(&url), &file(&["1"])).bootstrapped();
    let b = Server::start(Some(&url), &file(&["1"])).with_token_of(&a);
    let Keys { used, idle, .. } = keys(&a);

    // one replica after the other gets the new pepper, first in its file
    let at_b = Asking::of(&b, &used).await;
    let a = a.restarted(&file(&["2", "1"]));
    let at_a = Asking::of(&a, &used).await;
    assert_eq!(a.in_use(), "1", "b does not have the new one");
    let (_, early) = a.key();
    assert_eq!((asked(&a, &early).await, asked(&b, &early).await), (200, 200), "what is made meanwhile is known everywhere");
    assert_eq!(a.run(&["pepper", "withdraw", "1"]).status.code(), Some(5), "it is in use");
    at_b.ends_without_a_refusal().await;
    let b = b.restarted(&file(&["2", "1"]));
    let at_b = Asking::of(&b, &used).await;
    until("the new pepper is in use", || a.in_use() == "2" && b.in_use() == "2").await;

    // keys that are used get their digests under it, while they are asked for at both replicas all the time
    until("all that is used is under the new pepper", || a.status("1")["secret_count"] == IDLE + 1).await;
    assert_eq!(asked(&b, &early).await, 200);
    until("the one that was used once as well", || b.status("1")["secret_count"] == IDLE).await;
    // a count is told again for a while
    until("the new one has them all, with the token", || a.status("2")["secret_count"] == USED + 2).await;
    assert!(a.metric("keyward_rehashed_secrets_total") + b.metric("keyward_rehashed_secrets_total") >= USED as u64);
    withdrawn(&a, &idle);
    for server in [&a, &b] {
        for (_, secret) in &idle {
            assert_eq!(asked(server, secret).await, 401, "when the call has returned no replica lets it pass");
        }
    }
    at_a.ends_without_a_refusal().await;

    // and the old one leaves the files
    let a = a.restarted(&file(&["2"]));
    let at_a = Asking::of(&a, &used).await;
    at_b.ends_without_a_refusal().await;
    let b = b.restarted(&file(&["2"]));
    let at_b = Asking::of(&b, &used).await;
    at_a.ends_without_a_refusal().await;
    at_b.ends_without_a_refusal().await;
    assert!(verifies(&a).await, "the older entries' pepper is gone, and what is behind them vouches for them");
    a.key();
    b.key();
    assert!(verifies(&b).await, "and for what comes next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_on_the_embedded_store_refuses_nobody_whose_key_is_used() {
    let server = Server::start(None, &file(&["1"])).bootstrapped();
    let Keys { used, idle, names } = keys(&server);
    let server = server.restarted(&file(&["2", "1"]));
    assert_eq!(server.in_use(), "2", "there is nobody to wait for");
    let asking = Asking::of(&server, &used).await;
    until("all that is used is under the new pepper", || server.status("1")["secret_count"] == IDLE).await;
    withdrawn(&server, &idle);
    assert_eq!(asked(&server, &idle[0].1).await, 401);
    let rotated = server.cli(&["keys", "rotate", &names[0], "--grace", "0s"]);
    assert_eq!(asked(&server, rotated["secret"].as_str().unwrap_or_default()).await, 200, "it can have another secret");
    asking.ends_without_a_refusal().await;
    let mut server = server.restarted(&file(&["2", "1"]));
    assert!(server.said().contains("this pepper was withdrawn"), "a line that is left over is warned of: {}", server.said());
    let refused = server.refuses(&file(&["1", "2"]));
    assert!(refused.contains("pepper version 1 was withdrawn"), "{refused}");
    let refused = server.started(&file(&["2"])).refuses(&file(&["3"]));
    assert!(refused.contains("pepper version 3 is not the one"), "{refused}");
}

/// Before, no key was said to stop: the old secret opened it still, to the end of its grace, and the fresh one was gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_whose_fresh_secret_nobody_has_used_yet_is_not_stopped_unasked() {
    let server = Server::start(None, &file(&["1"])).bootstrapped();
    server.cli(&["owners", "create", "--realm", "pep", "acme"]);
    let (name, old) = server.key();
    let fresh = server.cli(&["keys", "rotate", &name, "--grace", "1h"])["secret"].as_str().unwrap().to_owned();
    let server = server.restarted(&file(&["2", "1"]));
    assert_eq!(asked(&server, &old).await, 200);
    until("only the fresh one is under the old pepper", || server.status("1")["secret_count"] == 1).await;
    let told = server.cli(&["pepper", "withdraw", "1", "--dry-run"]);
    assert_eq!((&told["stopped_key_count"], &told["stopped_keys"]), (&1.into(), &serde_json::json!([name])));
    assert_eq!(server.run(&["pepper", "withdraw", "1"]).status.code(), Some(5));
    assert_eq!(asked(&server, &fresh).await, 200, "the control: nothing was done, and now it is used");
    until("nothing is under the old pepper", || server.status("1")["secret_count"] == 0).await;
    assert_eq!(server.cli(&["pepper", "withdraw", "1"])["stopped_key_count"], 0);
    assert_eq!((asked(&server, &old).await, asked(&server, &fresh).await), (200, 200));
}

#[test]
fn a_pepper_that_secrets_may_be_under_is_missed_until_it_is_withdrawn_or_said_to_be_lost() {
    let server = Server::start(None, &file(&["1"])).bootstrapped();
    let mut server = server.restarted(&file(&["2", "1"]));
    let refused = server.refuses(&file(&["2"]));
    assert!(refused.contains("secrets may be under the pepper version 1"), "{refused}");
    let server = server.started(&file(&["2", "1"])).restarted(&format!("{}1:lost\n", file(&["2"])));
    assert_eq!(server.run(&["pepper", "status"]).status.code(), Some(6), "nobody knows the token any more, which was under it");
}

#[test]
fn a_new_line_for_a_pepper_file_is_one_that_a_server_takes() {
    let server = Server::start(None, &file(&["1"])).bootstrapped();
    let run = |version: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"));
        command.args(["pepper", "new", version]).output().unwrap()
    };
    let (one, other) = (run("2027-01"), run("2027-01"));
    assert!(one.status.success() && one.stdout != other.stdout);
    assert_eq!(run("no version").status.code(), Some(2));
    let both = format!("{}{}", String::from_utf8(one.stdout).unwrap(), file(&["1"]));
    assert_eq!(server.restarted(&both).in_use(), "2027-01");
}

struct Keys {
    used: Vec<String>,
    /// Names and secrets of those that nobody uses.
    idle: Vec<(String, String)>,
    names: Vec<String>,
}

fn keys(server: &Server) -> Keys {
    server.cli(&["owners", "create", "--realm", "pep", "acme"]);
    let used = (0..USED).map(|_| server.key().1).collect();
    let idle: Vec<(String, String)> = (0..IDLE).map(|_| server.key()).collect();
    let names = idle.iter().map(|(name, _)| name.clone()).collect();
    Keys { used, idle, names }
}

/// Told before, done, and done again.
fn withdrawn(server: &Server, idle: &[(String, String)]) {
    let told = server.cli(&["pepper", "withdraw", "1", "--dry-run"]);
    let mut names: Vec<&str> = idle.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!((&told["stopped_key_count"], &told["stopped_keys"]), (&IDLE.into(), &serde_json::json!(names)));
    assert_eq!((&told["guarantee"], server.status("1")["secret_count"].as_u64()), (&serde_json::Value::Null, Some(IDLE as u64)));
    assert_eq!(server.run(&["pepper", "withdraw", "9"]).status.code(), Some(4));
    assert_eq!(server.run(&["pepper", "withdraw", "2"]).status.code(), Some(5), "new secrets are put under it");
    let held = server.run(&["pepper", "withdraw", "1"]);
    let says = String::from_utf8_lossy(&held.stderr).into_owned();
    assert!(held.status.code() == Some(5) && says.contains(&format!("{IDLE} keys would stop working")), "{held:?}");
    assert!(says.contains("have the newest secret of each used once") && says.contains("pepper withdraw 1 --dry-run; --force"), "{says}");
    assert!(server.status("1")["withdraw_time"].is_null(), "nothing was done");
    let done = server.cli(&["pepper", "withdraw", "1", "--force"]);
    assert_eq!((&done["removed_secret_count"], &done["stopped_key_count"]), (&IDLE.into(), &IDLE.into()));
    assert!(done["guarantee"]["level"].is_string(), "{done}");
    let again = server.cli(&["pepper", "withdraw", "1"]);
    assert_eq!(again["removed_secret_count"], 0);
    let status = server.status("1");
    assert!(status["secret_count"] == 0 && status["withdraw_time"].is_string() && status["in_use"] == false, "{status}");
}

async fn verifies(server: &Server) -> bool {
    let channel = Endpoint::from_shared(server.admin_url()).unwrap().connect().await.unwrap();
    let mut request = Request::new(VerifyAuditRequest::default());
    request.metadata_mut().insert("authorization", format!("Bearer {}", server.token()).parse().unwrap());
    let verified = AuditServiceClient::new(channel).verify_audit(request).await.unwrap().into_inner();
    assert!(verified.intact, "{}", verified.problem);
    verified.entries > 0
}
