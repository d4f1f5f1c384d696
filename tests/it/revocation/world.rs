//! What the campaigns have in common: replicas on one Redis, keys in it, a load on all of them and an operator.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use keyward::domain::time::BootTime;
use keyward::proto::keyward::admin::v1::{Guarantee, RevokeKeyResponse};
use keyward::revocation::Terms;
use keyward::store::Store;
use tempfile::TempDir;
use tonic::{Code, Status};

pub use crate::support::campaign::{figure, is_full, share};
use crate::support::load::{self, Load, Stamp};
use crate::support::member::{Plan, Replica};
use crate::support::operator::Operator;
use crate::support::{seed, until};

pub const REALM: &str = "rev";
/// Keys have no plan, and no limits, unless they are given one.
pub const REALM_FILE: &str = "
realm: rev
hosts: [rev.test]
credentials: [{header: x-api-key}]
keys: [{prefix: rev_, alphabet: hex, length: 32}]
routes: [{prefix: /}]
plans:
  wide:
    - {limit: hour, per: key, most: 1000000, window: 1h}
    - {limit: together, per: owner, most: 1000000, window: 1h}
  small:
    - {limit: hour, per: key, most: 800, window: 1h}
    - {limit: together, per: owner, most: 600, window: 1h}
  wide-for-keys:
    - {limit: hour, per: key, most: 1000000, window: 1h}
  small-for-keys:
    - {limit: hour, per: key, most: 400, window: 1h}
";

/// The number of the key that is never revoked, and is asked for all the time.
pub const STEADY: usize = 0;

/// Replicas on one store. They are numbered as they were started.
pub struct World {
    pub replicas: Vec<Replica>,
    pub operator: Operator,
    pub keys: usize,
    _realms: TempDir,
}

/// A revocation that was made under load.
pub struct Revoked {
    pub key: usize,
    /// When the call had returned.
    pub returned: Stamp,
    pub took: Duration,
    pub answer: RevokeKeyResponse,
}

pub fn secret(number: usize) -> String {
    format!("rev_{number:032x}")
}

/// What the longest call may take, when a holder keeps silent: L(1+2ρ), and a fifth of a second.
pub fn longest(lease: Duration) -> Duration {
    Terms { lease }.waited() + Duration::from_millis(200)
}

impl World {
    /// On a store with the steady key and as many others, all of one owner.
    pub async fn prepare(store: &dyn Store, keys: usize) -> (TempDir, usize) {
        let realms = tempfile::tempdir().unwrap();
        std::fs::write(realms.path().join("rev.yaml"), REALM_FILE).unwrap();
        seed::many_keys(store, REALM, "acme", 0..keys + 1, secret).await;
        (realms, keys + 1)
    }

    /// Replicas of these plans, all of them ready.
    pub async fn start((realms, keys): (TempDir, usize), plans: impl FnOnce(&Path) -> Vec<Plan>) -> Self {
        let replicas: Vec<Replica> = plans(realms.path()).into_iter().map(Replica::start).collect();
        let replicas: Vec<Replica> = replicas.into_iter().map(Replica::ready).collect();
        let operator = Operator::first(REALM, replicas[0].admin).await;
        Self { replicas, operator, keys, _realms: realms }
    }

    /// Everyone is asked, at this rate in all.
    pub fn load(&self, rate: u32) -> Load {
        let addresses: Vec<_> = self.replicas.iter().map(|replica| replica.envoy).collect();
        self.load_on(rate, &addresses)
    }

    /// These are.
    pub fn load_on(&self, rate: u32, replicas: &[SocketAddr]) -> Load {
        let terms = load::Terms { host: "rev.test", secret, keys: self.keys, rate, connections: 2, in_flight: 12 };
        Load::start(&terms, replicas)
    }
}

/// Has every replica of these admit the keys, so that it remembers them.
pub async fn warm(load: &Load, replicas: &[usize], keys: std::ops::Range<usize>) {
    load.aim(keys.clone());
    let known = |replica: usize| keys.clone().all(|key| load.seen.admitted(replica, key) > Stamp::default());
    until("every replica admits the keys", || replicas.iter().all(|replica| known(*replica))).await;
}

/// Revokes a key, whatever comes of it.
pub async fn try_revoke(load: &Load, operator: &Operator, key: usize) -> (Stamp, Duration, Result<RevokeKeyResponse, Status>) {
    let begun = Instant::now();
    let answer = operator.revoke(&seed::id(key)).await;
    let returned = load.seen.now();
    (returned, begun.elapsed(), answer)
}

/// Revokes a key, again where a busy machine's Redis was taken for one that is away.
pub async fn revoke(load: &Load, operator: &Operator, key: usize) -> Revoked {
    for _ in 0..20 {
        match try_revoke(load, operator, key).await {
            (returned, took, Ok(answer)) => return Revoked { key, returned, took, answer },
            (.., Err(status)) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
    }
    panic!("key {key} is not revoked, however often that is asked");
}

impl Revoked {
    pub fn guarantee(&self) -> &Guarantee {
        self.answer.guarantee.as_ref().unwrap()
    }

    /// Whether somebody was admitted with it whose check was sent after the return.
    pub fn broken(&self, load: &Load) -> bool {
        load.seen.last_admitted(self.key) > self.returned
    }

    /// Waits until each of these replicas has refused a check that was sent after the return.
    pub async fn refused(&self, load: &Load, replicas: &[usize]) {
        let refused = |replica: usize| load.seen.refused(replica, self.key) > self.returned;
        until("every replica refuses the key", || replicas.iter().all(|replica| refused(*replica))).await;
    }
}

/// Waits until this replica admits the steady key for a check that was sent from now on.
pub async fn serves(load: &Load, replica: usize) {
    let now = load.seen.now();
    until("a replica admits the key that nobody revoked", || load.seen.admitted(replica, STEADY) > now).await;
}

/// Waits until this replica refuses the steady key for a check that was sent from now on.
pub async fn refuses_all(load: &Load, replica: usize) {
    let now = load.seen.now();
    until("a replica admits nobody", || load.seen.refused(replica, STEADY) > now).await;
}

/// Milliseconds at a share (in percent) of what was measured.
pub fn at(share: usize, took: &mut [Duration]) -> String {
    took.sort_unstable();
    let of = took.get((took.len().saturating_sub(1)) * share / 100).copied().unwrap_or_default();
    format!("{:.2} ms", of.as_secs_f64() * 1000.0)
}

/// The boot clock of this machine, for those that stand still.
pub const STANDING: BootTime = BootTime(Duration::ZERO);
