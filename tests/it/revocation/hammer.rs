//! Keys that are asked for at several replicas at once, with what became of every single check and when it was sent: for what has to be
//! counted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::world::secret;
use crate::support::check::{self, Checks};

/// Runs until it is ended.
pub struct Hammer {
    seen: Arc<Seen>,
    asking: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    over: AtomicBool,
    checks: Mutex<Vec<Answered>>,
}

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    pub replica: usize,
    pub key: usize,
    pub sent: Instant,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Admitted,
    /// With 429.
    Limited,
    /// Some other way.
    Otherwise,
}

/// At once, at each replica, and how long each of them rests between two checks: so that builds for tests can answer them on two processors.
const AT_ONCE: usize = 6;
const REST: Duration = Duration::from_millis(15);

impl Hammer {
    /// Asks each replica for each of the keys in turn.
    pub fn start(replicas: &[SocketAddr], keys: &[usize]) -> Self {
        let (seen, mut asking) = (Arc::new(Seen::default()), JoinSet::new());
        for (replica, address) in replicas.iter().enumerate() {
            let checks = check::lazily(*address);
            for _ in 0..AT_ONCE {
                asking.spawn(ask(seen.clone(), checks.clone(), replica, keys.to_vec()));
            }
        }
        Self { seen, asking }
    }

    /// How many checks ended so that were sent to this replica after an instant.
    pub fn count(&self, replica: usize, how: How, after: Instant) -> usize {
        let checks = self.seen.checks.lock().unwrap();
        checks.iter().filter(|check| check.replica == replica && check.how == how && check.sent > after).count()
    }

    /// All checks, when the last of them has ended.
    pub async fn ended(mut self) -> Vec<Answered> {
        self.seen.over.store(true, Ordering::SeqCst);
        while let Some(stopped) = self.asking.join_next().await {
            stopped.unwrap();
        }
        std::mem::take(&mut *self.seen.checks.lock().unwrap())
    }
}

async fn ask(seen: Arc<Seen>, mut checks: Checks, replica: usize, keys: Vec<usize>) {
    for key in keys.iter().copied().cycle() {
        if seen.over.load(Ordering::SeqCst) {
            return;
        }
        let request = check::request("GET", "rev.test", "/", &[("x-api-key", &secret(key))]);
        let sent = Instant::now();
        let how = match checks.check(request).await.map(tonic::Response::into_inner) {
            Ok(response) if check::admits(&response) => How::Admitted,
            Ok(response) if check::denied_status(&response) == Some(429) => How::Limited,
            _ => How::Otherwise,
        };
        seen.checks.lock().unwrap().push(Answered { replica, key, sent, how });
        tokio::time::sleep(REST).await;
    }
}
