//! Two replicas behind Envoy are restarted in turn while it asks them without a pause: no request fails.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{key, realms};
use crate::support::campaign::{figure, share};
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;
use crate::support::upstream::Upstream;

/// The address of a replica in Envoy's eyes: each process of it has a port of its own.
struct Address {
    at: SocketAddr,
    to: watch::Sender<Option<SocketAddr>>,
    _relaying: AbortOnDropHandle<()>,
}

impl Address {
    async fn of(replica: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (to, towards) = watch::channel(Some(replica));
        let relaying = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let Some(to) = *towards.borrow() else { continue };
                tokio::spawn(async move {
                    client.set_nodelay(true)?;
                    let mut server = TcpStream::connect(to).await?;
                    server.set_nodelay(true)?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { at, to, _relaying: AbortOnDropHandle::new(relaying) }
    }
}

/// One who asks through Envoy, request after request on one connection, until it is told to stop; its statuses are lines in a file.
struct Asking(Child, std::path::PathBuf);

impl Asking {
    fn begin(folder: &Path, nth: usize, envoy: &Envoy, secret: &str) -> Self {
        let file = folder.join(format!("statuses{nth}"));
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{http_code}\n", "--cacert"]);
        curl.arg(&envoy.authority).args([
            "--connect-to",
            &format!("api.otesse.com:443:{}", envoy.tls),
            "-H",
            &format!("x-api-key: {secret}"),
        ]);
        curl.arg("https://api.otesse.com/[1-100000000]").stdin(Stdio::null()).stdout(fs::File::create(&file).unwrap());
        Self(curl.spawn().unwrap(), file)
    }

    fn statuses(&self) -> Vec<String> {
        fs::read_to_string(&self.1).unwrap().lines().map(ToOwned::to_owned).collect()
    }

    fn end(mut self) -> Vec<String> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap();
        let mut all = self.statuses();
        // it was in the midst of this one
        all.pop();
        all
    }
}

/// With `leave` as short as this, Envoy has not learned in time that it is to ask nobody there any more.
async fn failures(leave: &'static str, restarts: usize) -> (usize, usize) {
    let redis = RedisServer::start();
    let (url, folder) = (redis.url(), tempfile::tempdir().unwrap());
    let start = || {
        let (url, realms) = (url.clone(), realms());
        let edit = move |config: String| {
            let leave = format!("leave: {leave}");
            config.replace("leave: 0s", &leave).replace("redis: {url", "redis: {timeout: 1s, url") + "check_deadline: 5s\n"
        };
        tokio::task::spawn_blocking(move || Keyward::without_token(realms.path(), &Store::Redis(&url), edit))
    };
    let mut replicas = [start().await.unwrap().bootstrapped(&Store::Redis(&url)), start().await.unwrap()];
    let secret = key(&replicas[0]);
    let addresses = [Address::of(replicas[0].envoy).await, Address::of(replicas[1].envoy).await];
    let upstream = Upstream::start();
    let endpoint =
        |port: u16| format!("        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}\n");
    let one = endpoint(addresses[0].at.port());
    let both = one.clone() + &endpoint(addresses[1].at.port());
    let envoy = Envoy::start_edited(addresses[0].at, upstream.address, |bootstrap| {
        assert!(bootstrap.contains(&one));
        bootstrap.replace(&one, &both).replace("timeout: 0.25s", "timeout: 10s")
    });
    let asking: Vec<Asking> = (0..2).map(|nth| Asking::begin(folder.path(), nth, &envoy, &secret)).collect();
    let answered = |more: usize| {
        let now: Vec<usize> = asking.iter().map(|asking| asking.statuses().len()).collect();
        eventually("more answers", || asking.iter().zip(&now).all(|(asking, now)| asking.statuses().len() > now + more).then_some(()));
    };
    answered(20);
    for nth in 0..restarts {
        let turn = nth % 2;
        let mut leaving = std::mem::replace(&mut replicas[turn], start().await.unwrap());
        let left = Mutex::new(None);
        std::thread::scope(|scope| {
            scope.spawn(|| *left.lock().unwrap() = leaving.stop());
        });
        assert_eq!(left.into_inner().unwrap(), Some(0), "{}", leaving.said());
        addresses[turn].to.send_replace(Some(replicas[turn].envoy));
        // Envoy finds the new one well and asks it, before the other leaves
        eventually("the new one is asked", || {
            let checks = replicas[turn].metric(r#"keyward_checks_total{realm="plain",verdict="grant",reason="none"}"#);
            (checks > 5).then_some(())
        });
    }
    answered(20);
    let statuses: Vec<String> = asking.into_iter().flat_map(Asking::end).collect();
    (statuses.len(), statuses.iter().filter(|status| *status != "200").count())
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_in_turn_fail_no_request() {
    let restarts = share(3, 100);
    let (asked, failed) = failures("10s", restarts).await;
    figure("T16", "rolling restarts, requests through Envoy, of them failed", &format!("{restarts}, {asked}, {failed}"));
    assert!(asked > 100 * restarts && failed == 0, "{failed} of {asked} failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_time_to_leave_some_fail() {
    let (asked, failed) = failures("0s", 3).await;
    assert!(failed > 0, "none of {asked} failed: then the time to leave is of no use");
}
