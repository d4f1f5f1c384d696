//! The one writer: a thread that puts everything that waits into one transaction, makes it durable, and answers then.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use redb::Database;
use tokio::sync::oneshot;
use tracing::{error, info};

use super::Shared;
use super::disk::{Opener, Stop};
use super::mutate::Made;
use super::tables::{self, Tables};
use super::turn::{Effects, Turn};
use super::windows::Cursor;
use super::{audit, log, mutate, peppers, take, usage, windows};
use crate::domain::audit::Head;
use crate::domain::name::Word;
use crate::domain::time::BootTime;
use crate::revocation::{At, Mark};
use crate::store::audit::Told;
use crate::store::{AuditNote, Charge, Commit, Knows, PepperClaim, Settled, Settlement, StoreError, Taken, UsagePiece};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is asked of the writer.
pub(super) enum Job {
    /// With the mark that was drawn for it.
    Commit(Box<Commit>, Mark, Reply<Made>),
    Take(Vec<Charge>, Reply<Vec<Taken>>),
    Settle(Vec<Settlement>, Reply<Vec<Settled>>),
    AddUsage(Vec<UsagePiece>, Reply<()>),
    ClaimPeppers(Vec<PepperClaim>, Reply<()>),
    /// With those of its peppers that everyone has.
    AgreeOnPepper(Box<Knows>, Vec<Word>, Reply<Word>),
    WithdrawPepper(Word, Box<AuditNote>, Reply<()>),
    /// A place that was promised to somebody is not in the log.
    Miss(At, Reply<()>),
    Resume(Box<AuditNote>, Reply<()>),
    Note(Box<AuditNote>, Reply<Head>),
    DropAudit(u64, Box<AuditNote>, Reply<()>),
    /// A reader met a failed disk: open the database anew.
    Open,
}

/// How many jobs go into one transaction.
const MOST: usize = 1024;
/// How many windows a turn looks at, those that it wrote apart, to drop what is over.
const SWEPT: usize = 16;
/// How often the time is persisted when nothing else is.
const TICK: Duration = Duration::from_mins(1);

/// The writer's own state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    opener: Opener,
    cursor: Cursor,
    /// Of last uses.
    used: Cursor,
    /// When the time was persisted last.
    persisted: BootTime,
    /// Dropped when the writer has ended.
    _ended: SyncSender<()>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, opener: Opener, ended: SyncSender<()>) -> Self {
        let persisted = shared.clock.boot();
        Self { shared, opener, cursor: None, used: None, persisted, _ended: ended }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(TICK) {
                Ok(first) => self.turn(std::iter::once(first).chain(jobs.try_iter()).take(MOST).collect()),
                Err(RecvTimeoutError::Timeout) => self.turn(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
        }
    }

    fn turn(&mut self, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter().filter(Job::is_awaited);
        let mut effects = Effects::default();
        let done = self.database().and_then(|database| self.transact(&database, &mut jobs, &mut effects));
        let fate = self.tell(done, &effects);
        for answer in effects.waiting {
            answer(fate.clone());
        }
        if let Err(why) = fate {
            jobs.for_each(|job| job.fail(&why));
        }
    }

    fn transact(&mut self, database: &Database, jobs: &mut dyn Iterator<Item = Job>, effects: &mut Effects) -> Result<(), Stop> {
        let txn = tables::begin(database)?;
        // after the last job has come, so that no caller's deadline is later than one counted from here
        let at = self.shared.clock.moment();
        let mut turn = Turn { tables: Tables::open(&txn)?, at, effects };
        for job in jobs {
            job.work(&mut turn)?;
        }
        turn.effects.dirty |= at.boot.0.saturating_sub(self.persisted.0) >= TICK;
        if !turn.effects.dirty {
            drop(turn);
            return Ok(txn.abort()?);
        }
        windows::sweep(&mut turn.tables, at.now, &mut self.cursor, turn.effects.windows + SWEPT)?;
        usage::sweep(&mut turn.tables, at.now, &mut self.used, SWEPT)?;
        windows::forget_settled(&mut turn.tables, at.now, MOST)?;
        turn.tables.set_time(at.now)?;
        drop(turn);
        txn.commit()?;
        self.persisted = at.boot;
        Ok(())
    }

    /// Makes what the turn did known.
    fn tell(&mut self, done: Result<(), Stop>, effects: &Effects) -> Result<(), StoreError> {
        done.map_err(|stop| self.fail(stop))?;
        effects.head.into_iter().for_each(|head| self.shared.leases.reached(head));
        Ok(())
    }

    /// The database, opened anew if it failed before.
    fn database(&self) -> Result<Arc<Database>, Stop> {
        if let Some(database) = self.shared.database.load_full() {
            return Ok(database);
        }
        let database = Arc::new((self.opener)().map_err(Stop::Disk)?);
        let persisted = tables::prepare(&database)?;
        self.shared.clock.not_before(persisted.time);
        // a commit that failed may stand all the same
        self.shared.leases.reached(persisted.head);
        self.shared.database.store(Some(database.clone()));
        info!("the embedded store is open again");
        Ok(database)
    }

    /// Closes a database that failed: the next turn opens it anew.
    fn fail(&self, stop: Stop) -> StoreError {
        let why = StoreError::from(stop);
        if self.shared.database.swap(None).is_some() {
            error!(%why, "the embedded store failed and will be opened again: look at its disk");
        }
        why
    }

    /// Keeps the time, so that the next start goes on from it.
    fn close(self) {
        let closed = self.database().and_then(|database| {
            let txn = tables::begin(&database)?;
            Tables::open(&txn)?.set_time(self.shared.clock.now())?;
            Ok(txn.commit()?)
        });
        if let Err(stop) = closed {
            error!(why = %StoreError::from(stop), "the embedded store could not be closed in order");
        }
        self.shared.database.store(None);
    }
}

impl Job {
    /// Whether anybody still waits for the answer. What was not begun is not begun for nobody.
    fn is_awaited(&self) -> bool {
        match self {
            Self::Commit(.., reply) => !reply.is_closed(),
            Self::Take(_, reply) => !reply.is_closed(),
            Self::Settle(_, reply) => !reply.is_closed(),
            Self::Note(_, reply) => !reply.is_closed(),
            Self::AgreeOnPepper(.., reply) => !reply.is_closed(),
            Self::ClaimPeppers(_, reply)
            | Self::AddUsage(_, reply)
            | Self::Miss(_, reply)
            | Self::Resume(_, reply)
            | Self::DropAudit(.., reply)
            | Self::WithdrawPepper(.., reply) => !reply.is_closed(),
            Self::Open => true,
        }
    }

    fn work(self, turn: &mut Turn<'_>) -> Result<(), Stop> {
        match self {
            Self::Commit(commit, mark, reply) => {
                let answer = mutate::commit(turn, &commit, mark);
                wait(reply, answer, turn)
            }
            Self::Take(charges, reply) => {
                let answer = take::take(turn, &charges);
                wait(reply, answer, turn)
            }
            Self::Settle(settlements, reply) => {
                let answer = take::settle(turn, &settlements);
                wait(reply, answer, turn)
            }
            Self::AddUsage(pieces, reply) => {
                let answer = usage::add(turn, &pieces);
                wait(reply, answer, turn)
            }
            Self::ClaimPeppers(claims, reply) => {
                let answer = peppers::claim(turn, &claims);
                wait(reply, answer, turn)
            }
            Self::AgreeOnPepper(knows, everyones, reply) => {
                let answer = peppers::agree(turn, &knows, &everyones);
                wait(reply, answer, turn)
            }
            Self::WithdrawPepper(version, note, reply) => {
                let answer = peppers::withdraw(turn, &version, &note);
                wait(reply, answer, turn)
            }
            Self::Miss(place, reply) => {
                let answer = log::miss(turn, place);
                wait(reply, answer, turn)
            }
            Self::Resume(by, reply) => {
                let answer = mutate::resume(turn, &by);
                wait(reply, answer, turn)
            }
            Self::Note(note, reply) => {
                let answer = audit::append(turn, &note, Told::default());
                wait(reply, answer, turn)
            }
            Self::DropAudit(through, note, reply) => {
                let answer = audit::drop(turn, through, &note);
                wait(reply, answer, turn)
            }
            Self::Open => Ok(()),
        }
    }

    fn fail(self, why: &StoreError) {
        // whoever does not wait any more needs no answer
        match self {
            Self::Commit(.., reply) => drop(reply.send(Err(why.clone()))),
            Self::Take(_, reply) => drop(reply.send(Err(why.clone()))),
            Self::Settle(_, reply) => drop(reply.send(Err(why.clone()))),
            Self::Note(_, reply) => drop(reply.send(Err(why.clone()))),
            Self::AgreeOnPepper(.., reply) => drop(reply.send(Err(why.clone()))),
            Self::ClaimPeppers(_, reply)
            | Self::AddUsage(_, reply)
            | Self::Miss(_, reply)
            | Self::Resume(_, reply)
            | Self::DropAudit(.., reply)
            | Self::WithdrawPepper(.., reply) => {
                drop(reply.send(Err(why.clone())));
            }
            Self::Open => {}
        }
    }
}

/// Holds an answer until the transaction's fate is known. A failed disk ends the turn.
fn wait<T: 'static>(reply: Reply<T>, answer: Result<T, Stop>, turn: &mut Turn<'_>) -> Result<(), Stop> {
    let (answer, outcome) = match answer {
        Ok(answer) => (Ok(answer), Ok(())),
        Err(Stop::Refused(why)) => (Err(why), Ok(())),
        Err(Stop::Disk(why)) => (Err(why.clone()), Err(Stop::Disk(why))),
    };
    turn.effects.waiting.push(Box::new(move |fate| drop(reply.send(fate.and(answer)))));
    outcome
}
