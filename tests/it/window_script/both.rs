//! One charge, or one ticket, answered by the rule and by the script.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use keyward::domain::ticket::TicketId;
use keyward::domain::time::StoreTime;
use keyward::domain::window::{self, Answer, Ask, Spec, Windows};
use keyward::store::redis::{settle, take};
use keyward::store::{Charge, Generations, Return, Settled, Settlement, SubjectName, TICKETS_LIVE, Taken};
use redis::{Connection, Value};

use crate::support::redis::RedisServer;

/// Time is the test's, expiry is Redis's own: strings are kept for longer, or one that ends in the next millisecond would be gone
/// before the test's time goes on.
pub(super) const KEPT_LONGER: i64 = 3_600_000;
const EXPIRY: (&str, &str) = ("over - clock)", "over - clock + 3600000)");
/// Tickets end at an instant, and that is the server's.
const TICKETS_EXPIRY: (&str, &str) = ("'PEXPIREAT', KEYS[1], over", "'PERSIST', KEYS[1]");

/// The rule, with what a store keeps of it, and the script.
pub(super) struct Both {
    connection: Connection,
    scripts: Scripts,
    kept: HashMap<SubjectName, Kept>,
    settled: HashSet<TicketId>,
}

/// That take, and that settle.
#[derive(Clone)]
pub(super) struct Scripts {
    pub take: String,
    pub settle: String,
}

/// What is kept of a subject, until nothing of it counts.
#[derive(Clone, Default)]
struct Kept {
    generation: u64,
    windows: Windows,
}

impl Both {
    pub(super) fn new(server: &RedisServer, scripts: &Scripts) -> Self {
        let edited = |script: &str, (whole, other): (&str, &str)| {
            assert_eq!(script.matches(whole).count(), 1, "{whole}");
            script.replace(whole, other)
        };
        let (take, settle) = (edited(&scripts.take, EXPIRY), edited(&scripts.settle, EXPIRY));
        let scripts = Scripts { take, settle: edited(&settle, TICKETS_EXPIRY) };
        let mut both = Self { connection: server.connection(), scripts, kept: HashMap::new(), settled: HashSet::new() };
        both.forget();
        both
    }

    /// Begins anew.
    pub(super) fn forget(&mut self) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).unwrap();
        self.kept.clear();
        self.settled.clear();
    }

    /// The one answer that both give, or how they differ.
    pub(super) fn take(&mut self, now: i64, charge: &Charge) -> Result<Taken, String> {
        let by_script = self.by_script(now, charge)?;
        let by_rule = self.by_rule(now, charge);
        if by_script == by_rule {
            Ok(by_rule)
        } else {
            Err(format!("at {now} the rule says {by_rule:?}, the script {by_script:?}, to {charge:?}"))
        }
    }

    fn by_script(&mut self, now: i64, charge: &Charge) -> Result<Taken, String> {
        let mut call = redis::cmd("EVAL");
        call.arg(&self.scripts.take);
        take::write(&mut call, charge, Some(StoreTime(now)));
        let answer: Value = call.query(&mut self.connection).map_err(|error| error.to_string())?;
        take::read(answer).map_err(|error| error.to_string())
    }

    /// The one answer that both give to a ticket, or how they differ.
    pub(super) fn settle(&mut self, now: i64, settlement: &Settlement) -> Result<Settled, String> {
        let mut call = redis::cmd("EVAL");
        call.arg(&self.scripts.settle);
        settle::write(&mut call, settlement, &settlement.returns[0].subject, Some(StoreTime(now)));
        let answer: Value = call.query(&mut self.connection).map_err(|error| error.to_string())?;
        let by_script = settle::read(answer).map_err(|error| error.to_string())?;
        let by_rule = self.settle_by_rule(now, settlement);
        if by_script == by_rule {
            Ok(by_rule)
        } else {
            Err(format!("at {now} the rule says {by_rule:?}, the script {by_script:?}, to {settlement:?}"))
        }
    }

    fn settle_by_rule(&mut self, clock: i64, settlement: &Settlement) -> Settled {
        let names = settlement.returns.iter().map(|back| &back.subject);
        let now = names.filter_map(|name| self.kept.get(name)).map(|kept| kept.windows.latest.0).fold(clock, i64::max);
        if settlement.minted.until(StoreTime(now)) >= TICKETS_LIVE {
            return Settled::TooLate;
        }
        if !self.settled.insert(settlement.ticket) {
            return Settled::Replayed;
        }
        for name in self.give_back(&settlement.returns) {
            self.keep(name, now);
        }
        Settled::Done
    }

    /// As a store applies the rule: returns come first and are kept, and so are newer limits; else only a grant leaves a trace.
    fn by_rule(&mut self, clock: i64, charge: &Charge) -> Taken {
        let mut touched = self.give_back(&charge.returns);
        let names = charge.subjects.iter().map(|subject| &subject.name);
        let now = names.clone().filter_map(|name| self.kept.get(name)).map(|kept| kept.windows.latest.0).fold(clock, i64::max);
        let mut stale = false;
        for subject in &charge.subjects {
            let kept = self.of(&subject.name);
            let heard_of = if charge.generations == Generations::Confirmed { 0 } else { kept.generation };
            stale |= heard_of > subject.generation;
            let newest = heard_of.max(subject.generation);
            if newest != kept.generation {
                kept.generation = newest;
                touched.push(&subject.name);
            }
        }
        let answer = if stale { Taken::Stale } else { self.decide(now, clock, charge) };
        if matches!(answer, Taken::Granted { tokens: 1.., .. }) {
            touched.extend(names);
        }
        for name in touched {
            self.keep(name, now);
        }
        answer
    }

    /// Whose slots hold less now.
    fn give_back<'a>(&mut self, returns: &'a [Return]) -> Vec<&'a SubjectName> {
        let mut touched = Vec::new();
        for back in returns {
            let windows = &mut self.of(&back.subject).windows;
            let before = windows.clone();
            windows.give_back(back.window, back.slot, back.tokens);
            if *windows != before {
                touched.push(&back.subject);
            }
        }
        touched
    }

    fn decide(&mut self, now: i64, clock: i64, charge: &Charge) -> Taken {
        let mut windows: Vec<Windows> = charge.subjects.iter().map(|subject| self.of(&subject.name).windows.clone()).collect();
        let ttl_ms = u32::try_from(charge.ttl.as_millis()).unwrap();
        let ask = Ask { now: StoreTime(now), want: charge.want, cost: charge.cost, ttl_ms, share: charge.share };
        let specs = charge.subjects.iter().map(|subject| &subject.windows[..]);
        let mut asked: Vec<(&mut Windows, &[Spec])> = windows.iter_mut().zip(specs).collect();
        match window::take(&mut asked, &ask) {
            Answer::Granted { tokens, ttl_ms, windows: told } => {
                if tokens > 0 {
                    for (subject, windows) in charge.subjects.iter().zip(windows) {
                        self.of(&subject.name).windows = windows;
                    }
                }
                Taken::Granted { tokens, ttl: Duration::from_millis(ttl_ms.into()), windows: told }
            }
            Answer::Refused { retry_at, windows } => Taken::Refused { retry_in: retry_at.map(|at| StoreTime(clock).until(at)), windows },
            Answer::Behind => Taken::Behind,
        }
    }

    fn of(&mut self, name: &SubjectName) -> &mut Kept {
        self.kept.entry(name.clone()).or_default()
    }

    /// A subject as it stands after a write at `now`, or nothing where nothing of it counts.
    fn keep(&mut self, name: &SubjectName, now: i64) {
        let kept = self.of(name);
        let now = now.max(kept.windows.latest.0);
        kept.windows.latest = StoreTime(now);
        for window in &mut kept.windows.windows {
            let length = if window.id.is_calendar() { 0 } else { i64::from(window.id.0) };
            window.slots.retain(|slot| slot.count > 0 && slot.last > now - length);
        }
        kept.windows.windows.retain(|window| !window.slots.is_empty());
        if kept.windows.windows.is_empty() {
            self.kept.remove(name);
        }
    }
}
