//! What the agreement on a pepper is for, and that nobody gets round it: the control is a replica that made a key without.

use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::{RealmId, Word};
use keyward::domain::record::Record;
use keyward::store::{Change, Expect};
use rustix::process::Signal;

use super::server::Server;
use super::{asked, file};
use crate::support::redis::RedisServer;
use crate::support::seed;
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_control_a_key_that_was_made_under_a_pepper_that_not_everyone_has_is_refused() {
    let redis = RedisServer::start();
    let url = redis.url();
    let a = Server::start(Some(&url), &file(&["1"])).bootstrapped();
    let b = Server::start(Some(&url), &file(&["1"])).with_token_of(&a);
    a.cli(&["owners", "create", "--realm", "pep", "acme"]);
    let a = a.restarted(&file(&["2", "1"]));
    let (_, asked_first) = a.key();
    assert_eq!((asked(&a, &asked_first).await, asked(&b, &asked_first).await), (200, 200));
    let rash = format!("pep_{}", "5".repeat(32));
    seed::commit(&*redis.store(), vec![rashly_made(&rash)]).await;
    assert_eq!((asked(&a, &rash).await, asked(&b, &rash).await), (200, 401), "without asking who has the pepper");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_was_away_while_the_others_went_on_to_another_pepper_ends_and_refuses_no_key_of_theirs() {
    let redis = RedisServer::start();
    let url = redis.url();
    let a = Server::start(Some(&url), &file(&["1"])).bootstrapped();
    let mut b = Server::start(Some(&url), &file(&["1"])).with_token_of(&a);
    a.cli(&["owners", "create", "--realm", "pep", "acme"]);
    let (_, old) = a.key();
    assert_eq!((asked(&a, &old).await, asked(&b, &old).await), (200, 200));
    b.signal(Signal::STOP);
    let a = a.restarted(&file(&["2", "1"]));
    until("b's lease is over, and the new pepper in use", || a.in_use() == "2").await;
    let (_, secret) = a.key();
    let at_b = b.envoy;
    let asking = tokio::spawn(async move {
        let mut statuses = Vec::new();
        let mut checks = crate::support::check::lazily(at_b);
        loop {
            let request = crate::support::check::request("GET", "pep.test", "/", &[("x-api-key", &secret)]);
            match checks.check(request).await {
                Ok(answer) => statuses.push(crate::support::check::denied_status(answer.get_ref())),
                Err(_) => return statuses,
            }
        }
    });
    b.signal(Signal::CONT);
    assert!(b.ended().is_some_and(|code| code != 0));
    assert!(b.said().contains("secrets may be under the pepper version 2"), "{}", b.said());
    let statuses = asking.await.unwrap();
    assert!(statuses.iter().all(|status| *status == Some(503)), "it could not know, and said so: {statuses:?}");
}

/// A key under the second pepper.
fn rashly_made(secret: &str) -> Change {
    let version = Word::parse("2").unwrap();
    let pepper = Pepper::new(version.clone(), vec![b'2'; 32]).unwrap();
    let digest = Peppers::new(vec![pepper]).unwrap().newest().digest(&RealmId::parse("pep").unwrap(), secret.as_bytes());
    let Change::Key { mut record, .. } = seed::key("pep", "acme", "key_rash", secret) else { unreachable!() };
    (record.secrets[0].digest, record.secrets[0].pepper) = (digest, version);
    Change::Key { record: Record { ..record }, expect: Expect::Absent }
}
