//! Trap 8: an Envoy that ends takes the entries with it that it has buffered. What they stand for stays counted.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::keyward::{Keyward, NewKey, Store};
use crate::support::redis::RedisServer;
use crate::support::shell::Shell;
use crate::support::upstream::Upstream;
use crate::support::windows::{Of, counted};

const REQUESTS: u32 = 20;

#[test]
fn trap_8_an_envoy_that_is_killed_with_a_full_buffer_errs_towards_counting() {
    let hoarding = |bootstrap: String| {
        let slow = bootstrap.replace("buffer_flush_interval: 0.25s", "buffer_flush_interval: 3600s");
        slow.replace("buffer_size_bytes: 16384", "buffer_size_bytes: 1048576")
    };
    let scene = Scene::start(hoarding);
    scene.unauthorized();
    let Scene { redis, mut envoy, .. } = scene;
    envoy.kill();
    assert_eq!(counted_on_the_hour(&redis), REQUESTS, "their entries are lost: all of them count");
}

#[test]
fn control_with_the_shipped_buffer_the_same_requests_count_on_nothing_before_envoy_is_killed() {
    let mut scene = Scene::start(|bootstrap| bootstrap);
    scene.unauthorized();
    let settled = || scene.keyward.metric(r#"keyward_tickets_total{fate="settled"}"#);
    eventually("what the upstream answered is settled", || (settled() == u64::from(REQUESTS)).then_some(()));
    scene.envoy.kill();
    assert_eq!(counted_on_the_hour(&scene.redis), 0);
}

/// Ocote's hour once nothing is held in advance any more.
fn counted_on_the_hour(redis: &RedisServer) -> u32 {
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(async { redis.store() });
    let of = Of { realm: "ocote", owner: "company", key: None };
    let now = || runtime.block_on(counted(&*store, &of, &[(Duration::from_hours(1), 1000)]))[0];
    // what a replica holds goes back half a second after it was granted
    let mut before = now();
    eventually("nothing more goes back", || {
        std::thread::sleep(Duration::from_millis(1500));
        let after = now();
        let still = after == before;
        before = after;
        still.then_some(after)
    })
}

struct Scene {
    redis: RedisServer,
    keyward: Keyward,
    envoy: Envoy,
    shell: Shell,
    secret: String,
    _upstream: Upstream,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn start(edit: impl FnOnce(String) -> String) -> Self {
        let redis = RedisServer::start();
        let url = redis.url();
        let realms = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms");
        let patient = |config: String| config.replace(r#"redis: {url: "#, "redis: {timeout: 1s, url: ") + "check_deadline: 3s\n";
        let keyward = Keyward::start_edited(&realms, &Store::Redis(&url), patient);
        keyward.create_owner("ocote", "company", None);
        let key = NewKey { owner: "company", label: "trap", ..NewKey::default() };
        let secret = keyward.create_key("ocote", &key).secret;
        let upstream = Upstream::start();
        let patient = |bootstrap: String| bootstrap.replace("timeout: 0.25s", "timeout: 10s");
        let envoy = Envoy::start_edited(keyward.envoy, upstream.address, |bootstrap| edit(patient(bootstrap)));
        let folder = tempfile::tempdir().unwrap();
        let shell = Shell::new(folder.path(), &envoy);
        Self { redis, keyward, envoy, shell, secret, _upstream: upstream, _folder: folder }
    }

    /// Requests that the upstream answers with 401.
    fn unauthorized(&self) {
        let line = format!(
            "curl 'https://ocote.io/api/connect/status/[1-{REQUESTS}]' -H 'Authorization: Bearer {}' -H 'x-want-status: 401'",
            self.secret
        );
        let brought = self.shell.run(&line);
        let unauthorized = brought.answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!((brought.complaint.as_deref(), unauthorized), (None, 20));
    }
}
