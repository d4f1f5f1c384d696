//! T2 with a broken cable: Redis and one replica are in network namespaces of their own, and the bridge between them lets nothing through. The
//! kernel's TCP is what it is: nobody is told, and what was sent is sent again later.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use keyward::store::redis::RedisStore;

use super::healthy::rate;
use super::world::{World, figure, refuses_all, revoke, serves, share, warm};
use crate::support::member::{Launch, Plan};
use crate::support::namespaces::{Port, Room, Segment};
use crate::support::process::Process;
use crate::support::redis::settings;

const LEASE: Duration = Duration::from_secs(1);
const BOTH: [usize; 2] = [0, 1];
/// The replica behind the cable.
const CUT: usize = 1;
const AT_ONCE: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_after_the_return_by_a_replica_whose_cable_is_broken() {
    let Some(segment) = Segment::try_new() else { return };
    let trials = share(1, 50);
    let (of_redis, of_replica) = (segment.room(1, Port::Isolated), segment.room(2, Port::Open));
    let folder = tempfile::tempdir().unwrap();
    let _redis = redis(&of_redis, folder.path());
    let store = RedisStore::connect(&settings(format!("unix://{}", socket(folder.path())))).unwrap();
    let prepared = World::prepare(&store, trials * AT_ONCE).await;
    let plans = |realms: &Path| {
        let near = Plan::new(realms, &format!("redis://{}:6379", of_redis.address), LEASE);
        vec![near.clone(), Plan { host: of_replica.address, launch: Launch::After(of_replica.prefix()), ..near }]
    };
    let world = World::start(prepared, plans).await;
    let load = world.load(rate());
    let (mut broken, mut expired) = (0, 0);
    for trial in 0..trials {
        let first = 1 + trial * AT_ONCE;
        let keys = first..first + AT_ONCE;
        warm(&load, &BOTH, keys.clone()).await;
        of_replica.set(Port::Isolated);
        let all = join_all(keys.map(|key| revoke(&load, &world.operator, key))).await;
        join_all(all.iter().map(|revoked| revoked.refused(&load, &BOTH))).await;
        refuses_all(&load, CUT).await;
        of_replica.set(Port::Open);
        serves(&load, CUT).await;
        broken += all.iter().filter(|revoked| revoked.broken(&load)).count();
        expired += all.iter().filter(|revoked| revoked.guarantee().holders_expired == 1).count();
    }
    let keys = trials * AT_ONCE;
    figure("T2", "a cable broken, in network namespaces: trials, revocations, admits after", &format!("{trials}, {keys}, {broken}"));
    assert_eq!(broken, 0);
    assert_eq!(load.seen.total().errors, 0, "{:?}", load.seen.first_error(CUT));
    assert!(expired > 0, "nobody was cut off: the campaign shows nothing");
}

/// A Redis in a room: its port is nobody else's, and its socket is in the file system that all share.
fn redis(room: &Room, folder: &Path) -> Process {
    let mut command: Command = room.command("redis-server");
    command.args(["--bind", &room.address.to_string(), "--port", "6379", "--protected-mode", "no", "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(folder).args(["--unixsocket", &socket(folder)]);
    let mut process = Process::start("redis-server", &mut command, &folder.join("log"));
    process.wait_for("its socket", || std::os::unix::net::UnixStream::connect(socket(folder)).ok());
    process
}

fn socket(folder: &Path) -> String {
    folder.join("redis.sock").display().to_string()
}
