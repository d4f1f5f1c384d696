//! A replica's session with the store: it renews the lease, applies the log, acknowledges what it has applied, and so keeps what the replica
//! remembers of records honest. The rules are those of [`Follower`]; here are the clock, the network and the locks.
//!
//! Two loops: renewals, every fifth of a lease, which alone extend it; and the log as it is pushed, so that a change is applied at once. Pushes
//! may be lost: a renewal brings what they did not.

mod following;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::lease::{Lease, Next};
use super::remembered::Forgetting;
pub use super::remembered::Remembered;
pub use super::status::{Leased, Status};
use super::store_clock::StoreClock;
use crate::clock::SharedClock;
use crate::domain::time::{BootTime, StoreTime};
use crate::revocation::{Asked, At, Fill, Firmness, Follower, Footing, Ground, Holder, Keeps, Log, Read, Renewed, Terms};
use crate::store::{SharedStore, StoreError};

/// Between two renewals, whoever is in a hurry.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

/// One replica's session.
pub struct Session {
    store: SharedStore,
    clock: SharedClock,
    terms: Terms,
    holder: Holder,
    memory: Arc<dyn Remembered>,
    follower: Mutex<Follower>,
    ground: Mutex<Ground>,
    /// The follower's lease, to be read without its lock; written under it, after the log was applied.
    lease: Lease,
    time: StoreClock,
    /// Goes up when the log was applied further, or a renewal came.
    progress: watch::Sender<u64>,
    hurry: Notify,
    at_head: watch::Sender<Option<BootTime>>,
    last: Mutex<Option<Renewed>>,
    leased: watch::Sender<bool>,
    rolled_back: AtomicBool,
    replicas: AtomicU32,
}

impl Session {
    #[must_use]
    pub fn new(store: SharedStore, clock: SharedClock, terms: Terms, holder: Holder, memory: Arc<dyn Remembered>) -> Arc<Self> {
        let follower = Follower::new(Keeps::ALL, terms, holder.clone());
        Arc::new(Self {
            store,
            clock,
            terms,
            holder,
            memory,
            follower: Mutex::new(follower),
            ground: Mutex::new(Ground::new(Keeps::ALL)),
            lease: Lease::default(),
            time: StoreClock::default(),
            progress: watch::Sender::new(0),
            hurry: Notify::new(),
            at_head: watch::Sender::new(None),
            last: Mutex::default(),
            leased: watch::Sender::new(false),
            rolled_back: AtomicBool::new(false),
            replicas: AtomicU32::new(1),
        })
    }

    /// Renews and follows, for ever.
    pub async fn run(&self) {
        tokio::join!(self.keep_renewing(), self.keep_following());
    }

    /// Whether a lease is held now. To be asked before anything that is remembered is looked at: a lease that is held now was extended after
    /// all of the log before it had been applied, which what was looked at earlier may not show.
    pub fn admits(&self) -> bool {
        self.lease.lasts(self.clock.boot())
    }

    /// The store's time, as far as it can be told without asking: never too early, and never going back.
    pub fn now(&self) -> StoreTime {
        self.time.at(self.clock.boot())
    }

    /// Judges what was read from the store and, if it is sound, remembers it before anything more of the log is applied.
    pub fn judge(&self, read: &Read<'_>, remember: impl FnOnce()) -> Fill {
        let follower = self.follower();
        let fill = follower.judge(read, self.clock.boot());
        if fill == Fill::Sound {
            remember();
        }
        fill
    }

    /// Has the log applied up to a position: renews at once, and ends when that has come or pushes have brought as much.
    pub async fn catch_up(&self, position: u64) {
        let mut progress = self.progress.subscribe();
        if self.follower().applied().is_some_and(|applied| applied.position >= position) {
            return;
        }
        self.hurry.notify_one();
        // the sender lives as long as the session
        let _ = progress.changed().await;
    }

    /// The longest lease that anybody may hold, where the store tells of one so long.
    pub fn longest(&self, told: Duration) -> Terms {
        self.follower().longest(told)
    }

    /// What the store's registry is worth in an answer on this footing that was asked for at `asked`; `longest`: the longest lease there is.
    pub fn firmness(&self, footing: &Footing, asked: BootTime, longest: Terms) -> Firmness {
        self.ground().under(footing, asked, longest)
    }

    /// How many replicas there are, as far as is known; this one at least.
    pub fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed).max(1)
    }

    /// How it stands now.
    pub fn status(&self) -> Status {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lease = match (self.rolled_back.load(Ordering::Relaxed), self.admits(), *self.leased.borrow()) {
            (true, ..) => Leased::RolledBack,
            (_, true, _) => Leased::Held,
            (_, _, true) => Leased::Over,
            _ => Leased::Never,
        };
        Status { lease, applied: self.follower().applied(), last }
    }

    /// Ends once a lease has been held for the first time.
    pub async fn leased(&self) {
        let _ = self.leased.subscribe().wait_for(|leased| *leased).await;
    }

    /// What was read may be of a place that the log does not have: has it renewed, so that the next reading can be judged.
    pub async fn move_on(&self) {
        let mut progress = self.progress.subscribe();
        self.hurry.notify_one();
        let _ = progress.changed().await;
    }

    /// Ends once a renewal that is sent from now on has ended at the log's head.
    pub async fn catch_up_with_now(&self) {
        let (mut at_head, now) = (self.at_head.subscribe(), self.clock.boot());
        self.hurry.notify_one();
        let _ = at_head.wait_for(|sent| sent.is_some_and(|sent| sent >= now)).await;
    }

    /// Gives the lease up, when nothing is asked any more: revocations need not wait for it to end. To be called when `run` has ended.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let (holder, renewals) = {
            let mut follower = self.follower();
            self.lease.is_until(None);
            follower.leave()
        };
        self.store.dismiss(&holder, renewals).await
    }

    /// A place was promised to somebody: if the store loses it, this replica knows.
    pub fn promised(&self, place: At) {
        self.follower().promised(place);
    }

    async fn keep_renewing(&self) {
        loop {
            let pause = match self.renew().await {
                Ok(Next::Now) => LEAST_PAUSE,
                Ok(Next::Later) => self.terms.renewal(),
                Err(error) => {
                    tracing::debug!(%error, "the lease could not be renewed");
                    self.terms.renewal() / 4
                }
            };
            sleep(LEAST_PAUSE).await;
            tokio::select! {
                () = sleep(pause) => {}
                () = self.hurry.notified() => {}
            }
        }
    }

    async fn renew(&self) -> Result<Next, StoreError> {
        let asked = self.follower().ask(self.clock.boot());
        // however long the store's own calls may take: one that hangs must not take the lease with it
        let answer = timeout(self.terms.renewal(), self.store.renew(&asked.renewal)).await.map_err(|_| too_slow())??;
        let now = self.clock.boot();
        self.time.told(answer.now, asked.sent(), now);
        self.ground().observe(&answer.footing, now);
        self.replicas.store(u32::try_from(answer.holders.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
        // before the lease is lost for it: nobody is to take the one for the other
        self.tell(&answer.log);
        let (applied, overdue) = self.apply(&asked, &answer, now);
        let acknowledged = self.follower().acknowledges();
        let next = Next::after(&answer.log, applied);
        self.at_head.send_modify(|sent| *sent = next.ended_at_head(applied).then(|| asked.sent()).or(*sent));
        let firm = self.is_news_that_it_is_firm(&answer, asked.sent()).then(|| answer.footing.clone());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.progress.send_modify(|number| *number += 1);
        let news = acknowledged.filter(|place| place.position > asked.renewal.acknowledges());
        if let Err(error) = self.tell_the_store(news, overdue, firm).await {
            tracing::debug!(%error, "the lease was renewed, but the store could not be told what came of it");
        }
        Ok(next)
    }

    /// What it can do without: revocations wait longer then.
    async fn tell_the_store(&self, news: Option<At>, overdue: Vec<(Holder, u64)>, firm: Option<Footing>) -> Result<(), StoreError> {
        if let Some(place) = news {
            self.store.acknowledge(&self.holder, place).await?;
        }
        for (holder, renewals) in overdue {
            tracing::info!(%holder, "dismissed: its lease has ended");
            self.store.dismiss(&holder, renewals).await?;
        }
        match firm {
            Some(footing) => self.store.vouch(&footing).await,
            None => Ok(()),
        }
    }

    fn apply(&self, asked: &Asked, answer: &Renewed, now: BootTime) -> (Option<At>, Vec<(Holder, u64)>) {
        let mut follower = self.follower();
        follower.renewed(asked, answer, now, &mut Forgetting(&*self.memory));
        self.lease.is_until(follower.lease_until());
        if follower.lease_until().is_some() {
            self.leased.send_if_modified(|leased| !std::mem::replace(leased, true));
        }
        (follower.applied(), follower.overdue(now))
    }

    /// Whether the others can be spared the wait for what this replica has seen for long enough.
    fn is_news_that_it_is_firm(&self, answer: &Renewed, asked: BootTime) -> bool {
        let longest = self.longest(answer.longest);
        answer.footing.vouched == Firmness::Shifting && self.ground().under(&answer.footing, asked, longest) == Firmness::Firm
    }

    /// Says what an operator has to know of the log.
    fn tell(&self, log: &Log) {
        let rolled_back = matches!(log, Log::RolledBack { .. });
        match (log, self.rolled_back.swap(rolled_back, Ordering::Relaxed)) {
            (Log::RolledBack { head }, false) => tracing::error!(
                position = head.position,
                "the store's log is older than what was promised on it, as after a restored backup: nobody is admitted until \
                 the lost revocations are made again and `keyward revocation resume` is called"
            ),
            (Log::Lost { head }, _) => {
                tracing::warn!(position = head.position, "the store has lost changes that nobody was promised: everything is read anew");
            }
            _ => {}
        }
    }

    fn follower(&self) -> MutexGuard<'_, Follower> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ground(&self) -> MutexGuard<'_, Ground> {
        self.ground.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_slow() -> StoreError {
    StoreError::Unavailable("a renewal took longer than a fifth of the lease".into())
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.holder)
    }
}
