//! Many checks at once over a few connections to each of several replicas, asked without end; of each key and replica it is kept when the last
//! check was sent that was admitted, and the last that was refused. All times are of one clock, this process's `CLOCK_MONOTONIC`: a
//! check that was admitted and sent after a call had returned is seen by comparing two numbers.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::check::{self, Checks};

/// How it asks.
#[derive(Clone)]
pub struct Terms {
    /// Of the requests.
    pub host: &'static str,
    /// By the number of the key; it goes into `x-api-key`.
    pub secret: fn(usize) -> String,
    pub keys: usize,
    /// Checks a second that are offered to all replicas together, if they can be answered.
    pub rate: u32,
    pub connections: usize,
    /// A connection.
    pub in_flight: usize,
}

/// Runs until dropped.
pub struct Load {
    pub seen: Arc<Seen>,
    replicas: Vec<watch::Sender<Option<SocketAddr>>>,
    _asking: JoinSet<()>,
}

/// What became of all checks.
pub struct Seen {
    begun: Instant,
    /// Which keys are asked for now, from and to.
    aim: (AtomicUsize, AtomicUsize),
    replicas: Vec<OfReplica>,
}

#[derive(Default)]
struct OfReplica {
    keys: Vec<OfKey>,
    asking: AtomicUsize,
    admitted: AtomicU64,
    unavailable: AtomicU64,
    refused: AtomicU64,
    errors: AtomicU64,
    first_error: Mutex<Option<String>>,
}

/// When the last check was sent that ended so.
#[derive(Default)]
struct OfKey {
    admitted: AtomicU64,
    refused: AtomicU64,
}

/// An instant of the load's clock, in nanoseconds; 0: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp(pub u64);

/// How many checks ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub admitted: u64,
    /// In band, with 503.
    pub unavailable: u64,
    /// In band, otherwise.
    pub refused: u64,
    /// Of gRPC: Envoy's failure mode would decide.
    pub errors: u64,
}

impl Load {
    /// Begins to ask these replicas for the first key.
    pub fn start(terms: &Terms, replicas: &[SocketAddr]) -> Self {
        let of_replica = || OfReplica { keys: (0..terms.keys).map(|_| OfKey::default()).collect(), ..OfReplica::default() };
        let all = replicas.iter().map(|_| of_replica()).collect();
        let seen = Arc::new(Seen { begun: Instant::now(), aim: (0.into(), 1.into()), replicas: all });
        let mut asking = JoinSet::new();
        let allowed = Arc::new(Semaphore::new(0));
        asking.spawn(allow(allowed.clone(), terms.rate));
        let replicas: Vec<_> = replicas.iter().map(|address| watch::Sender::new(Some(*address))).collect();
        for (nth, replica) in replicas.iter().enumerate() {
            for _ in 0..terms.connections {
                let asker = Asker { terms: terms.clone(), seen: seen.clone(), nth, address: replica.subscribe(), allowed: allowed.clone() };
                asking.spawn(asker.ask());
            }
        }
        Self { seen, replicas, _asking: asking }
    }

    /// Asks for these keys from now on, each as often, and for the first key with every fourth check whatever these are.
    pub fn aim(&self, keys: Range<usize>) {
        self.seen.aim.0.store(keys.start, Ordering::SeqCst);
        self.seen.aim.1.store(keys.end, Ordering::SeqCst);
    }

    /// Asks this replica nothing more, and comes back when all that it was asked has ended.
    pub async fn leave(&self, replica: usize) {
        self.replicas[replica].send_replace(None);
        while self.seen.replicas[replica].asking.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Asks this replica where it is now.
    pub fn join(&self, replica: usize, address: SocketAddr) {
        self.replicas[replica].send_replace(Some(address));
    }
}

impl Seen {
    /// This instant.
    pub fn now(&self) -> Stamp {
        Stamp(u64::try_from(self.begun.elapsed().as_nanos()).unwrap() + 1)
    }

    /// When the last check for this key was sent to this replica that was admitted.
    pub fn admitted(&self, replica: usize, key: usize) -> Stamp {
        Stamp(self.replicas[replica].keys[key].admitted.load(Ordering::SeqCst))
    }

    /// The same, of those that were refused.
    pub fn refused(&self, replica: usize, key: usize) -> Stamp {
        Stamp(self.replicas[replica].keys[key].refused.load(Ordering::SeqCst))
    }

    /// The last over all replicas.
    pub fn last_admitted(&self, key: usize) -> Stamp {
        (0..self.replicas.len()).map(|replica| self.admitted(replica, key)).max().unwrap()
    }

    pub fn tally(&self, replica: usize) -> Tally {
        let of = &self.replicas[replica];
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Tally { admitted: read(&of.admitted), unavailable: read(&of.unavailable), refused: read(&of.refused), errors: read(&of.errors) }
    }

    /// Of all replicas together.
    pub fn total(&self) -> Tally {
        (0..self.replicas.len()).map(|replica| self.tally(replica)).sum()
    }

    /// Checks answered a second so far.
    #[allow(clippy::cast_precision_loss, reason = "printed")]
    pub fn rate(&self) -> f64 {
        self.total().all() as f64 / self.begun.elapsed().as_secs_f64()
    }

    /// What gRPC said first, by replica.
    pub fn first_error(&self, replica: usize) -> Option<String> {
        self.replicas[replica].first_error.lock().unwrap().clone()
    }

    /// Every fourth is the first key.
    fn next(&self, turn: usize) -> usize {
        if turn.is_multiple_of(4) {
            return 0;
        }
        let turn = turn - turn / 4;
        let (from, to) = (self.aim.0.load(Ordering::Relaxed), self.aim.1.load(Ordering::Relaxed));
        from + turn % to.saturating_sub(from).max(1)
    }
}

impl Tally {
    pub fn all(self) -> u64 {
        self.admitted + self.unavailable + self.refused + self.errors
    }

    /// What came since an earlier one.
    pub fn since(self, before: Self) -> Self {
        Self {
            admitted: self.admitted - before.admitted,
            unavailable: self.unavailable - before.unavailable,
            refused: self.refused - before.refused,
            errors: self.errors - before.errors,
        }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            admitted: sum.admitted + tally.admitted,
            unavailable: sum.unavailable + tally.unavailable,
            refused: sum.refused + tally.refused,
            errors: sum.errors + tally.errors,
        })
    }
}

/// Lets so many checks a second begin; what was not used within a fifth of a second is gone.
async fn allow(allowed: Arc<Semaphore>, rate: u32) {
    let (begun, mut given) = (Instant::now(), 0);
    loop {
        let due = u64::try_from(begun.elapsed().as_micros()).unwrap() * u64::from(rate) / 1_000_000;
        let room = (rate as usize / 5).saturating_sub(allowed.available_permits());
        allowed.add_permits(usize::try_from(due - given).unwrap().min(room));
        given = due;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Who asks one replica over one connection.
struct Asker {
    terms: Terms,
    seen: Arc<Seen>,
    nth: usize,
    address: watch::Receiver<Option<SocketAddr>>,
    allowed: Arc<Semaphore>,
}

impl Asker {
    async fn ask(mut self) {
        loop {
            let Ok(Some(address)) = self.address.wait_for(Option::is_some).await.map(|address| *address) else { return };
            let checks = check::lazily(address);
            let streams = (0..self.terms.in_flight).map(|stream| self.stream(stream, checks.clone(), address));
            futures_util::future::join_all(streams).await;
        }
    }

    /// Asks one check after another until the replica is not to be asked there any more.
    async fn stream(&self, stream: usize, mut checks: Checks, address: SocketAddr) {
        let of = &self.seen.replicas[self.nth];
        // each begins elsewhere, so that together they come to every key soon
        let mut turn = stream + getrandom::u32().unwrap() as usize;
        loop {
            self.allowed.acquire().await.unwrap().forget();
            of.asking.fetch_add(1, Ordering::SeqCst);
            let wanted = *self.address.borrow() == Some(address);
            if wanted {
                turn += 1;
                self.check(&mut checks, turn, of).await;
            }
            of.asking.fetch_sub(1, Ordering::SeqCst);
            if !wanted {
                return;
            }
        }
    }

    async fn check(&self, checks: &mut Checks, turn: usize, of: &OfReplica) {
        let key = self.seen.next(turn);
        let secret = (self.terms.secret)(key);
        let request = check::request("GET", self.terms.host, "/", &[("x-api-key", &secret)]);
        let sent = self.seen.now().0;
        match checks.check(request).await {
            Ok(response) if check::admits(response.get_ref()) => {
                of.keys[key].admitted.fetch_max(sent, Ordering::SeqCst);
                of.admitted.fetch_add(1, Ordering::SeqCst);
            }
            Ok(response) => {
                of.keys[key].refused.fetch_max(sent, Ordering::SeqCst);
                let away = check::denied_status(response.get_ref()) == Some(503);
                if away { &of.unavailable } else { &of.refused }.fetch_add(1, Ordering::SeqCst);
            }
            Err(status) => {
                of.errors.fetch_add(1, Ordering::SeqCst);
                of.first_error.lock().unwrap().get_or_insert_with(|| format!("{status:?}"));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
