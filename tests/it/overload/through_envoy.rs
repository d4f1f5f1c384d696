//! What a caller sees of it through Envoy: keyward's own answer, not that of a failed call.

use super::{patient, server};
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::keyward::Store;
use crate::support::proxy::{Fault, Proxy, Server, Way};
use crate::support::redis::RedisServer;
use crate::support::shell::Shell;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn a_check_too_many_is_denied_with_keywards_own_words_and_the_one_that_waits_is_admitted() {
    let redis = RedisServer::start();
    let proxy = Proxy::before(Server::Unix(redis.socket())).await;
    let url = proxy.url();
    let played = move || {
        let (keyward, secret) = server(&Store::Redis(&url), |config| patient(&config, "checks_at_once: 1\n"));
        let upstream = Upstream::start();
        let envoy = Envoy::start_edited(keyward.envoy, upstream.address, |bootstrap| bootstrap.replace("timeout: 0.25s", "timeout: 10s"));
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [first, second] = [0, 1].map(|nth: usize| Shell::new(folders[nth].path(), &envoy));
        let line = format!("curl https://api.otesse.com/ -H 'x-api-key: {secret}'");

        proxy.set(Fault::Held(Way::Replies));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| first.run(&line));
            eventually("the first has the only place", || (keyward.metric("keyward_waiting_checks") == 1).then_some(()));
            let refused = second.run(&line).answers.into_iter().next().unwrap();
            assert_eq!(refused.status, 503);
            assert_eq!((refused.body.as_str(), refused.header("retry-after")), ("Service unavailable", Some("1")));
            assert_eq!(keyward.metric("keyward_waiting_checks"), 1, "the first still waits");
            proxy.set(Fault::None);
            assert_eq!(waiting.join().unwrap().answers[0].status, 200);
        });
        assert!(keyward.metric(r#"keyward_shed_checks_total{cause="overload"}"#) > 0);
        eventually("as before", || (second.run(&line).answers[0].status == 200).then_some(()));
    };
    tokio::task::spawn_blocking(played).await.unwrap();
}
