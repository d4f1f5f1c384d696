//! One check too many is refused at once and in band; those that have a place are answered, and afterwards all is as before.

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{patient, server};
use crate::support::check;
use crate::support::keyward::{Keyward, Store};
use crate::support::proxy::{Fault, Proxy, Server, Way};
use crate::support::redis::RedisServer;

const PLACES: usize = 8;
const ASKED: usize = 3 * PLACES;

/// A replica, and what is between it and its Redis.
struct Stage {
    keyward: Keyward,
    secret: String,
    proxy: Proxy,
    _redis: RedisServer,
}

impl Stage {
    async fn set(more: &str) -> Self {
        let redis = RedisServer::start();
        let proxy = Proxy::before(Server::Unix(redis.socket())).await;
        let (url, more) = (proxy.url(), more.to_owned());
        let made = tokio::task::spawn_blocking(move || server(&Store::Redis(&url), |config| patient(&config, &more)));
        let (keyward, secret) = made.await.unwrap();
        Self { keyward, secret, proxy, _redis: redis }
    }

    /// So many checks at once of a key that has to be looked up, over connections of their own.
    fn ask(&self, many: usize) -> JoinSet<CheckResponse> {
        let ask = |_| {
            let (address, request) = (self.keyward.envoy, check::request("GET", "plain.test", "/", &[("x-api-key", &self.secret)]));
            async move { check::connect(address).await.check(request).await.unwrap().into_inner() }
        };
        (0..many).map(ask).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_times_as_many_checks_as_there_are_places_are_refused_beyond_them_while_the_others_still_wait() {
    let stage = Stage::set(&format!("checks_at_once: {PLACES}\n")).await;
    stage.proxy.set(Fault::Held(Way::Replies));
    let mut asked = stage.ask(ASKED);
    for _ in PLACES..ASKED {
        let refused = asked.join_next().await.unwrap().unwrap();
        assert_eq!(check::denied_status(&refused), Some(503));
        assert_eq!(check::metadata(&refused, "reason").as_deref(), Some("unavailable"));
        assert_eq!(check::metadata(&refused, "cause").as_deref(), Some("overload"), "{refused:?} {}", stage.keyward.said());
        assert!(check::header(&refused, "retry-after").is_some());
    }
    assert_eq!(asked.len(), PLACES, "the others wait for the store");
    assert_eq!(health(&stage.keyward).await, ServingStatus::Serving as i32);

    stage.proxy.set(Fault::None);
    for admitted in asked.join_all().await {
        assert!(check::admits(&admitted), "{admitted:?}");
    }
    assert!(stage.ask(ASKED).join_all().await.iter().all(check::admits), "afterwards it is as before");
    let refused = u64::try_from(ASKED - PLACES).unwrap();
    let of_keyward = |metric: &str| stage.keyward.metric(metric);
    assert_eq!(of_keyward(r#"keyward_shed_checks_total{cause="overload"}"#), refused);
    assert_eq!(of_keyward(r#"keyward_checks_total{realm="none",verdict="refusal",reason="unavailable"}"#), refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_bound_as_many_wait_as_ask() {
    let stage = Stage::set("").await;
    stage.proxy.set(Fault::Held(Way::Replies));
    let mut asked = stage.ask(ASKED);
    let brief = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(brief, asked.join_next()).await.is_err(), "nobody is answered");
    stage.proxy.set(Fault::None);
    assert!(asked.join_all().await.iter().all(check::admits));
    assert_eq!(stage.keyward.metric(r#"keyward_shed_checks_total{cause="overload"}"#), 0);
}

async fn health(keyward: &Keyward) -> i32 {
    let channel = Channel::from_shared(format!("http://{}", keyward.envoy)).unwrap().connect().await.unwrap();
    let service = "envoy.service.auth.v3.Authorization".to_owned();
    HealthClient::new(channel).check(HealthCheckRequest { service }).await.unwrap().into_inner().status
}
