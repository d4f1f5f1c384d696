//! Requests: a check looks at the lease first, then at the memory, then asks the store. Other things happen in between.

use super::data::Found;
use super::mix::SECOND;
use super::mutant::Mutant;
use super::names;
use super::network::Message;
use super::world::{Event, World, tell};
use crate::domain::time::BootTime;
use crate::revocation::{At, Fill, Read};

/// How often a check asks the store.
const TRIES: u32 = 3;
/// How often it judges one answer while the log is on its way.
const JUDGEMENTS: u32 = 8;

pub(super) struct Check {
    pub(super) digest: usize,
    arrived: u64,
    /// Whether a lease was held when that was looked at.
    leased: bool,
    /// Whether the lease that counts for what is read anew is the one at its coming.
    looks_late: bool,
    /// What a mutant has read of the memory before.
    remembered: Option<bool>,
    attempt: u32,
    decided: bool,
    judgements: u32,
    asked: BootTime,
    read: Option<(At, Found)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Arrive,
    Memory,
    /// What a mutant does: the lease after the memory.
    LeaseAtLast,
    Judge,
}

impl World {
    /// Plans a request.
    pub(super) fn request(&mut self, life: usize, digest: usize, delay: u64) {
        let check = Check {
            digest,
            arrived: self.now + delay,
            leased: false,
            looks_late: self.dice.chance(300),
            remembered: None,
            attempt: 0,
            decided: false,
            judgements: 0,
            asked: BootTime(std::time::Duration::ZERO),
            read: None,
        };
        self.checks.push(check);
        self.soon(delay, Event::Check(life, self.checks.len() - 1, Step::Arrive));
    }

    pub(super) fn check(&mut self, life: usize, check: usize, step: Step) {
        if self.checks[check].decided {
            return;
        }
        let leased = self.lives[life].follower.admits(self.clock(life));
        let digest = self.checks[check].digest;
        let remembered = self.lives[life].memory.0[digest];
        match step {
            Step::Arrive if self.protocol.is(Mutant::LeaseAfterMemory) && remembered.is_some() => {
                self.checks[check].remembered = remembered;
                self.next(life, check, Step::LeaseAtLast);
            }
            Step::Arrive => {
                self.checks[check].leased = leased;
                self.next(life, check, Step::Memory);
            }
            Step::LeaseAtLast => {
                self.checks[check].leased = leased;
                let open = self.checks[check].remembered == Some(true);
                self.decide(life, check, open);
            }
            Step::Memory => match remembered.filter(|_| !self.dice.chance(self.mix.evicted)) {
                Some(open) => self.decide(life, check, open),
                None => self.find(life, check),
            },
            Step::Judge => self.judge(life, check),
        }
    }

    /// The next step: at once, as a rule.
    fn next(&mut self, life: usize, check: usize, step: Step) {
        if self.mix.held > 0 && self.dice.chance(self.mix.held) {
            let delay = self.dice.any_span(4 * SECOND);
            self.soon(delay, Event::Check(life, check, step));
        } else {
            self.check(life, check, step);
        }
    }

    fn find(&mut self, life: usize, check: usize) {
        let asked = self.clock(life);
        let this = &mut self.checks[check];
        (this.asked, this.judgements, this.attempt) = (asked, 0, this.attempt + 1);
        if this.attempt > TRIES {
            return self.decide(life, check, false);
        }
        let attempt = this.attempt;
        self.counts.fills += 1;
        self.send(life, Message::Find(check, attempt));
    }

    pub(super) fn found(&mut self, life: usize, check: usize, (attempt, at, found): (u32, At, Found)) {
        let leased = self.lives[life].follower.admits(self.clock(life));
        let this = &mut self.checks[check];
        if this.decided || this.attempt != attempt || this.read.is_some_and(|(before, _)| before == at) {
            return;
        }
        this.read = Some((at, found));
        if this.looks_late {
            this.leased = leased;
        }
        self.next(life, check, Step::Judge);
    }

    fn judge(&mut self, life: usize, check: usize) {
        let now = self.clock(life);
        let this = &mut self.checks[check];
        let Some((at, found)) = this.read else { return };
        this.judgements += 1;
        let key = names::key_of(this.digest);
        let digests = [names::digest(this.digest), names::digest(2 * key), names::digest(2 * key + 1)];
        let known = found != Found::Nothing;
        let fill = names::with(|names| {
            let read = Read {
                at,
                asked: this.asked,
                realm: &names.realm,
                digests: if known { &digests } else { &digests[..1] },
                owner: known.then_some(&names.owners[names::owner_of(key)]),
            };
            self.lives[life].follower.judge(&read, now)
        });
        tell!(self, "{life} judges {found:?} of {} at {at}: {fill:?}", this.digest);
        match fill {
            Fill::Sound => {
                self.counts.sound += 1;
                let open = found == Found::Open;
                self.lives[life].memory.0[this.digest] = Some(open);
                self.decide(life, check, open);
            }
            Fill::Ahead if this.judgements < JUDGEMENTS => {
                self.counts.ahead += 1;
                self.renew_now(life);
                let delay = self.dice.between(500, 20_000);
                self.soon(delay, Event::Check(life, check, Step::Judge));
            }
            Fill::Ahead => self.decide(life, check, false),
            Fill::Stale => {
                self.counts.stale += 1;
                this.read = None;
                self.find(life, check);
            }
        }
    }

    fn decide(&mut self, life: usize, check: usize, open: bool) {
        let Check { digest, arrived, leased, .. } = self.checks[check];
        let promised = self.promises.since(digest).is_some_and(|promised| arrived > promised);
        self.counts.judged_after_return += u64::from(promised);
        self.checks[check].decided = true;
        match (leased, open) {
            (false, _) => self.counts.no_lease += 1,
            (_, false) => {
                self.counts.refusals += 1;
                self.counts.refused_after_return += u64::from(promised);
            }
            _ => {
                self.counts.admits += 1;
                tell!(self, "{life} admits {digest}, which arrived at {arrived}");
                if let Err(violation) = self.promises.admitted(life, digest, arrived, self.now) {
                    self.violation = Some(violation);
                }
            }
        }
    }
}
