//! Realms that other replicas of the same store serve: who is asked about a pepper tells of them, and takes it from their keys as well.

use super::server::Server;
use super::{asked_in, file};
use crate::support::redis::RedisServer;
use crate::support::until;

/// Before, nothing was told of `beside` at `a`, its key was not among those that would stop, and `b` went on admitting it after the withdrawal.
///
/// Its control: where the store does not name the realm, it is passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pepper_is_withdrawn_from_realms_that_the_asked_replica_does_not_serve() {
    let redis = RedisServer::start();
    let url = redis.url();
    let a = Server::start(Some(&url), &file(&["1"])).bootstrapped();
    let b = Server::of_realm("beside", Some(&url), &file(&["1"])).with_token_of(&a);
    a.cli(&["owners", "create", "--realm", "pep", "acme"]);
    b.cli(&["owners", "create", "--realm", "beside", "acme"]);
    let ((here, _), (there, idle), (_, used)) = (a.key(), b.key_in("beside"), b.key_in("beside"));
    let (a, b) = (a.restarted(&file(&["2", "1"])), b.restarted(&file(&["2", "1"])));
    until("the new pepper is in use", || a.in_use() == "2" && b.in_use() == "2").await;
    assert_eq!(asked_in("beside", &b, &used).await, 200);
    until("what is used is under it", || a.status("1")["secret_count"] == 2).await;
    let realms = serde_json::json!([{"realm": "realms/beside", "key_count": 1}, {"realm": "realms/pep", "key_count": 1}]);
    assert_eq!(a.status("1")["realms"], realms);

    let would_stop = || a.cli(&["pepper", "withdraw", "1", "--dry-run"])["stopped_keys"].clone();
    assert_eq!(redis.ask::<u64>("ZREM kw:1:{kw}:realms beside"), 1);
    assert_eq!(would_stop(), serde_json::json!([here]), "the control");
    redis.ask::<()>("ZADD kw:1:{kw}:realms 0 beside");
    assert_eq!(would_stop(), serde_json::json!([there, here]));
    assert_eq!(a.run(&["pepper", "withdraw", "1"]).status.code(), Some(5));
    let done = a.cli(&["pepper", "withdraw", "1", "--force"]);
    assert_eq!((&done["removed_secret_count"], &done["stopped_key_count"]), (&2.into(), &2.into()));
    assert_eq!((asked_in("beside", &b, &idle).await, asked_in("beside", &b, &used).await), (401, 200));
}

/// A file that was taken away may come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pepper_is_withdrawn_from_realms_that_nobody_serves_any_more() {
    let server = Server::start(None, &file(&["1"])).bootstrapped();
    server.cli(&["owners", "create", "--realm", "pep", "acme"]);
    let (name, secret) = server.key();
    let server = server.restarted_for("beside", &file(&["2", "1"]));
    until("the token is under the new pepper", || server.status("1")["secret_count"] == 1).await;
    assert_eq!(server.cli(&["pepper", "withdraw", "1", "--dry-run"])["stopped_keys"], serde_json::json!([name]));
    server.cli(&["pepper", "withdraw", "1", "--force"]);
    let server = server.restarted_for("pep", &file(&["2", "1"]));
    assert_eq!(asked_in("pep", &server, &secret).await, 401);
    let (_, other) = server.key();
    assert_eq!(asked_in("pep", &server, &other).await, 200, "the control");
}
