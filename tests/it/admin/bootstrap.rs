//! The first admin token, and the way back from a lock-out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyward::keyring::{Keyring, KeyringError};
use keyward::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::{BootstrapRequest, BootstrapResponse, DisableOwnerRequest, ListKeysRequest};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::world::{BOOTSTRAP, World, peppers, reason, with};
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

/// As many as race for one secret.
const RACERS: usize = 1000;

on_every_store![
    the_first_token_may_do_everything_for_thirty_days,
    a_secret_is_redeemed_once_and_a_new_one_once_more,
    of_a_thousand_racers_one_gets_the_token,
    only_the_servers_own_secret_is_redeemed,
    a_short_or_missing_secret_switches_it_off,
    wrong_secrets_are_in_the_audit_log_and_whoever_keeps_showing_them_has_to_wait,
    it_lets_locked_out_admins_in_again,
    without_the_mark_that_a_secret_leaves_several_racers_get_a_token,
];

async fn the_first_token_may_do_everything_for_thirty_days(world: World) {
    let list = || ListKeysRequest { parent: "realms/keyward".into(), ..Default::default() };
    let keys = world.keys().list_keys(world.ask(list())).await.unwrap().into_inner().keys;
    let [key] = &keys[..] else { panic!("{keys:?}") };
    assert_eq!((key.owner.as_str(), &key.scopes[..]), ("realms/keyward/owners/admins", &["admin".to_owned()][..]));
    assert_eq!(key.expire_time.unwrap().seconds - key.create_time.unwrap().seconds, 30 * 24 * 60 * 60);
    world.time.pass(Duration::from_hours(30 * 24 - 1));
    world.keys().list_keys(world.ask(list())).await.unwrap();
    world.time.pass(Duration::from_hours(1));
    assert_eq!(world.keys().list_keys(world.ask(list())).await.unwrap_err().code(), Code::Unauthenticated);
}

async fn a_secret_is_redeemed_once_and_a_new_one_once_more(world: World) {
    let refused = redeem(&world, BOOTSTRAP).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "BOOTSTRAP_DONE".into()));
    assert!(refused.message().contains("put a new one into the server's bootstrap file"), "it says what to do");
    std::fs::write(&world.bootstrap_file, "another secret of this test").unwrap();
    redeem(&world, " another secret of this test\n").await.unwrap();
    assert_eq!(reason(&redeem(&world, "another secret of this test").await.unwrap_err()).1, "BOOTSTRAP_DONE");
    std::fs::write(&world.bootstrap_file, BOOTSTRAP).unwrap();
    assert_eq!(reason(&redeem(&world, BOOTSTRAP).await.unwrap_err()).1, "BOOTSTRAP_DONE", "an old one does not become new again");
}

async fn of_a_thousand_racers_one_gets_the_token(world: World) {
    std::fs::write(&world.bootstrap_file, "another secret of this test").unwrap();
    let answers = futures_util::future::join_all((0..RACERS).map(|_| redeem(&world, "another secret of this test"))).await;
    assert_eq!(won(&answers), 1);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|status| reason(status).1 == "BOOTSTRAP_DONE"));
}

/// The control of both races.
async fn without_the_mark_that_a_secret_leaves_several_racers_get_a_token(world: World) {
    world.faults.forgets_marks();
    std::fs::write(&world.bootstrap_file, "another secret of this test").unwrap();
    let answers = futures_util::future::join_all((0..RACERS).map(|_| redeem(&world, "another secret of this test"))).await;
    assert!(won(&answers) > 1, "{}", won(&answers));
}

/// Two servers of one Redis have the same secret, and each has half of the racers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_racers_at_two_servers_of_one_redis_one_gets_the_token() {
    let redis = RedisServer::start();
    let realms = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms");
    // nobody is to be told that the store is away, however long a thousand have to wait for it
    let patient = |config: String| config.replacen("}}\n", ", timeout: 4s}}\ncheck_deadline: 10s\nlease: 20s\n", 1);
    let servers = [(); 2].map(|()| Keyward::without_token(&realms, &Store::Redis(&redis.url()), patient));
    let mut channels = Vec::new();
    for server in &servers {
        channels.push(Channel::from_shared(format!("http://{}", server.admin)).unwrap().connect().await.unwrap());
    }
    let secret = std::fs::read_to_string(servers[0].folder().join("bootstrap")).unwrap();
    let race = |racer: usize| {
        let mut client = BootstrapServiceClient::new(channels[racer % 2].clone());
        let request = BootstrapRequest { secret: secret.clone() };
        async move { client.bootstrap(request).await.map(tonic::Response::into_inner) }
    };
    let answers = futures_util::future::join_all((0..RACERS).map(race)).await;
    assert_eq!(won(&answers), 1);
    let mut lost: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).map(|status| reason(status).1).collect();
    lost.dedup();
    assert_eq!(lost, ["BOOTSTRAP_DONE"]);
    let token = answers.into_iter().find_map(Result::ok).unwrap().token;
    for channel in channels {
        let list = ListKeysRequest { parent: "realms/keyward".into(), ..Default::default() };
        let keys = KeyServiceClient::new(channel).list_keys(with(&token, list)).await.unwrap().into_inner().keys;
        assert_eq!(keys.len(), 1, "and both servers know it, and no other");
    }
}

/// The making of the token's owner is raced for too.
async fn of_a_thousand_racers_for_the_very_first_token_one_gets_it(world: World) {
    let answers = futures_util::future::join_all((0..RACERS).map(|_| redeem(&world, BOOTSTRAP))).await;
    assert_eq!(won(&answers), 1);
    let token = answers.into_iter().find_map(Result::ok).unwrap().token;
    let list = ListKeysRequest { parent: "realms/keyward".into(), ..Default::default() };
    assert_eq!(world.keys().list_keys(with(&token, list)).await.unwrap().into_inner().keys.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_racers_for_the_very_first_token_one_gets_it_on_the_embedded_store() {
    of_a_thousand_racers_for_the_very_first_token_one_gets_it(World::empty_embedded().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_racers_for_the_very_first_token_one_gets_it_on_redis() {
    of_a_thousand_racers_for_the_very_first_token_one_gets_it(World::empty_redis().await).await;
}

async fn only_the_servers_own_secret_is_redeemed(world: World) {
    for wrong in ["", "a one-time secret of this test alon", "a one-time secret of this test alone!", "another secret altogether"] {
        assert_eq!(reason(&redeem(&world, wrong).await.unwrap_err()), (Code::Unauthenticated, "BOOTSTRAP_REFUSED".into()), "{wrong}");
    }
}

/// Where refusals of this call are not noted there are no such entries, and where it is not throttled the eleventh is another wrong one.
async fn wrong_secrets_are_in_the_audit_log_and_whoever_keeps_showing_them_has_to_wait(world: World) {
    std::fs::write(&world.bootstrap_file, "another secret of this test").unwrap();
    for guess in 0..10 {
        let refused = redeem(&world, &format!("a guess of this test {guess}")).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Unauthenticated, "BOOTSTRAP_REFUSED".into()));
    }
    for guess in ["another guess of this test", "another secret of this test"] {
        let told_to_wait = redeem(&world, guess).await.unwrap_err();
        assert_eq!(reason(&told_to_wait), (Code::ResourceExhausted, "THROTTLED".into()), "the right one is not told apart");
        assert!(told_to_wait.message().contains("wrong one-time secrets") && told_to_wait.get_details_retry_info().is_some());
    }
    for entry in world.refusals("Bootstrap", 10).await {
        assert_eq!((&*entry.actor, &*entry.address, &*entry.refused), ("unknown", "192.0.2.7", "UNAUTHENTICATED"));
    }
    world.pass(Duration::from_mins(1)).await;
    assert_eq!(redeem(&world, "a guess of this test").await.unwrap_err().code(), Code::Unauthenticated);
    let noted = world.refusals("Bootstrap", 11).await;
    assert_eq!(
        noted.len() as u64 + noted.iter().map(|entry| entry.refused_untold).sum::<u64>(),
        13,
        "ten a minute, the others by their number"
    );
    redeem(&world, "another secret of this test").await.expect("the control: who has waited may");
    assert_eq!(reason(&redeem(&world, "another secret of this test").await.unwrap_err()).1, "BOOTSTRAP_DONE");
    assert_eq!(world.refusals("Bootstrap", 12).await.last().unwrap().refused, "FAILED_PRECONDITION");
}

async fn a_short_or_missing_secret_switches_it_off(world: World) {
    std::fs::write(&world.bootstrap_file, "fifteen bytes..\n\n").unwrap();
    assert_eq!(reason(&redeem(&world, "fifteen bytes..").await.unwrap_err()), (Code::FailedPrecondition, "BOOTSTRAP_OFF".into()));
    std::fs::remove_file(&world.bootstrap_file).unwrap();
    assert_eq!(reason(&redeem(&world, "").await.unwrap_err()).1, "BOOTSTRAP_OFF");
    let without = Arc::new(Keyring::new(world.store.clone(), world.realms.clone(), peppers(&["1"]), None, world.guard.clone()));
    assert_eq!(without.bootstrap(BOOTSTRAP.as_bytes(), None).await.unwrap_err(), KeyringError::BootstrapOff);
}

async fn it_lets_locked_out_admins_in_again(world: World) {
    let name = "realms/keyward/owners/admins".to_owned();
    world.owners().disable_owner(world.ask(DisableOwnerRequest { name: name.clone(), ..Default::default() })).await.unwrap();
    let list = || ListKeysRequest { parent: "realms/keyward".into(), ..Default::default() };
    assert_eq!(world.keys().list_keys(world.ask(list())).await.unwrap_err().code(), Code::Unauthenticated);
    std::fs::write(&world.bootstrap_file, "another secret of this test").unwrap();
    let token = redeem(&world, "another secret of this test").await.unwrap().token;
    assert_eq!(world.keys().list_keys(with(&token, list())).await.unwrap().into_inner().keys.len(), 2);
}

async fn redeem(world: &World, secret: &str) -> Result<BootstrapResponse, Status> {
    world.bootstrap().bootstrap(BootstrapRequest { secret: secret.into() }).await.map(tonic::Response::into_inner)
}

fn won(answers: &[Result<BootstrapResponse, Status>]) -> usize {
    answers.iter().filter(|answer| answer.is_ok()).count()
}
