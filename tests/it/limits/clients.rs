//! Who asks: checks of any key at any replica, each written down with when it was sent, when its answer was there, and what it said. Some
//! clients go away before that, and some requests fail at the upstream, so that their tickets are settled.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use keyward::domain::outcome::Outcome;
use keyward::domain::ticket::Ticket;
use keyward::store::{Return, Settled, Settlement, SharedStore, SubjectName};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::records::{Answer, Record};
use super::table::{HOST, secret};
use crate::support::check::{self, Checks};
use crate::support::seed;

/// Clients of some replicas.
pub struct Clients {
    begun: Instant,
    replicas: Vec<RwLock<Checks>>,
    records: Mutex<Vec<Record>>,
    upstream: Upstream,
    manners: Manners,
}

/// Whether clients wait for their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    Patient,
    /// One in so many goes away before it was answered.
    Hasty(usize),
}

/// What admitted requests meet.
#[derive(Clone)]
pub enum Upstream {
    Works,
    /// It fails at half of those that have a ticket, which this store then settles.
    FailsHalf(SharedStore),
}

/// Those who ask for one owner's keys.
pub struct Attacker {
    clients: Arc<Clients>,
    until: Instant,
    asking: JoinSet<()>,
}

impl Clients {
    pub fn new(replicas: &[SocketAddr], manners: Manners, upstream: Upstream) -> Arc<Self> {
        let replicas = replicas.iter().map(|address| RwLock::new(check::lazily(*address))).collect();
        Arc::new(Self { begun: Instant::now(), replicas, records: Mutex::default(), upstream, manners })
    }

    /// This replica is there now.
    pub fn moved(&self, replica: usize, address: SocketAddr) {
        *self.replicas[replica].write().unwrap() = check::lazily(address);
    }

    /// All that was asked and has ended.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    async fn ask(&self, key: usize) {
        let replica = any(0..self.replicas.len());
        let mut checks = self.replicas[replica].read().unwrap().clone();
        let request = check::request("GET", HOST, "/", &[("x-api-key", &secret(key))]);
        let patience = match self.manners {
            Manners::Hasty(of) if any(0..of) == 0 => millis(0..60),
            _ => Duration::from_mins(1),
        };
        let sent = self.begun.elapsed();
        let answered = timeout(patience, checks.check(request)).await;
        let received = self.begun.elapsed();
        let answer = match answered {
            Err(_) => Answer::Cancelled,
            Ok(Err(_)) => Answer::Failed,
            Ok(Ok(response)) if check::admits(response.get_ref()) => self.reached(check::metadata(response.get_ref(), "ticket")).await,
            Ok(Ok(response)) if check::denied_status(response.get_ref()) == Some(429) => Answer::Limited,
            Ok(Ok(_)) => Answer::Unavailable,
        };
        self.records.lock().unwrap().push(Record { key, sent, received, answer });
    }

    /// What counts of a request that reached the upstream.
    async fn reached(&self, ticket: Option<String>) -> Answer {
        let (Some(ticket), Upstream::FailsHalf(store)) = (ticket, &self.upstream) else { return Answer::Admitted };
        if any(0..2) == 0 {
            return Answer::Admitted;
        }
        sleep(millis(0..300)).await;
        let ticket = Ticket::open(&BASE64URL_NOPAD.decode(ticket.as_bytes()).unwrap(), &seed::peppers()).unwrap();
        // where nobody knows whether it was given back, nobody may count on it
        match store.settle(&[settlement(&ticket)]).await.map(|mut settled| settled.pop()) {
            Ok(Some(Settled::Replayed | Settled::TooLate)) => Answer::Admitted,
            _ => Answer::Refunded,
        }
    }
}

fn settlement(ticket: &Ticket) -> Settlement {
    let name = |key| SubjectName { realm: ticket.realm.clone(), owner: ticket.owner.clone(), key };
    let back = ticket.uncounted(Outcome::Status(503)).map(|charged| Return {
        subject: name((charged.per == keyward::domain::limit::Per::Key).then(|| ticket.key.clone())),
        window: charged.window,
        slot: charged.slot,
        tokens: ticket.tokens,
    });
    Settlement { ticket: ticket.id, minted: ticket.minted, returns: back.collect() }
}

impl Attacker {
    pub fn new(clients: &Arc<Clients>, until: Instant) -> Self {
        Self { clients: clients.clone(), until, asking: JoinSet::new() }
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Asks nothing for so long.
    pub async fn idle(&self, length: Duration) {
        sleep_until((Instant::now() + length).min(self.until).into()).await;
    }

    /// So many checks, each of any of these keys, evenly over so long; their answers are not waited for.
    pub async fn ask(&mut self, keys: &Range<usize>, count: usize, over: Duration) {
        let begun = Instant::now();
        for nth in 0..count {
            sleep_until((begun + over * u32::try_from(nth).unwrap() / u32::try_from(count).unwrap()).into()).await;
            if self.is_over() {
                return;
            }
            let (clients, key) = (self.clients.clone(), any(keys.clone()));
            self.asking.spawn(async move { clients.ask(key).await });
            while self.asking.try_join_next().is_some_and(|asked| asked.is_ok()) {}
        }
    }

    /// Until every check has ended.
    pub async fn done(mut self) {
        while let Some(asked) = self.asking.join_next().await {
            asked.unwrap();
        }
    }
}

/// One of these.
pub fn any(range: Range<usize>) -> usize {
    range.start + getrandom::u32().unwrap() as usize % range.len()
}

pub fn millis(range: Range<usize>) -> Duration {
    Duration::from_millis(any(range) as u64)
}
