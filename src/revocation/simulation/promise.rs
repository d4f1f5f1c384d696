//! The checker: what was promised, and whether an admit breaks it.

use super::names::{Change, DIGESTS, OWNERS, key_of, owner_of};

/// Since when each digest must not be admitted any more: by a change of its key, or of its owner.
#[derive(Debug, Clone)]
pub(super) struct Promises {
    of_key: [Option<u64>; DIGESTS],
    of_owner: [Option<u64>; DIGESTS],
    /// Who has acknowledged what each change of a key, or of an owner, was promised for.
    witnesses: [[Witnesses; DIGESTS]; 2],
    /// What a restored backup does not hold: those who have acknowledged it must know until an operator says to go on.
    witnessed: Vec<Witnessed>,
    /// When each owner was enabled last.
    enabled: [u64; OWNERS],
    /// Since when nobody at all may be admitted: a log that went backwards was told of, and every lease from before has ended.
    nobody: Option<u64>,
}

/// The lives that have acknowledged a change, and its place in the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Witnesses {
    pub(super) by: Vec<usize>,
    pub(super) position: u64,
}

#[derive(Debug, Clone)]
struct Witnessed {
    digest: usize,
    since: u64,
    is_of_owner: bool,
    of: Witnesses,
}

/// A request that was admitted and must not have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) digest: usize,
    pub(super) promised: u64,
    pub(super) arrived: u64,
    pub(super) admitted: u64,
}

impl Promises {
    pub(super) fn new() -> Self {
        Self {
            of_key: [None; DIGESTS],
            of_owner: [None; DIGESTS],
            witnesses: Default::default(),
            witnessed: Vec::new(),
            enabled: [0; OWNERS],
            nobody: None,
        }
    }

    /// A change that was asked for at `begun` has returned OK, when these lives had acknowledged it.
    pub(super) fn made(&mut self, change: Change, begun: u64, now: u64, witnesses: &Witnesses) {
        let [of_key, of_owner] = &mut self.witnesses;
        let (kept, known) = match change {
            Change::Disable(owner) if self.enabled[owner] >= begun => return,
            Change::Disable(_) => (&mut self.of_owner, of_owner),
            _ => (&mut self.of_key, of_key),
        };
        for digest in change.ends() {
            if kept[digest].is_none() {
                (kept[digest], known[digest]) = (Some(now), witnesses.clone());
            }
        }
    }

    /// An owner was enabled on some node: whatever was promised of it before is over.
    pub(super) fn enabled(&mut self, owner: usize, now: u64) {
        self.enabled[owner] = now;
        for (digest, promised) in self.of_owner.iter_mut().enumerate() {
            if owner_of(key_of(digest)) == owner {
                *promised = None;
            }
        }
        self.witnessed.retain(|known| !known.is_of_owner || owner_of(key_of(known.digest)) != owner);
    }

    pub(super) fn since(&self, digest: usize) -> Option<u64> {
        let both = [self.of_key[digest], self.of_owner[digest]];
        both.into_iter().flatten().min()
    }

    /// A backup was restored: what it does not hold is promised no longer, but by those who have acknowledged it. Others could not know yet.
    pub(super) fn void(&mut self) -> u64 {
        let voided = (0..DIGESTS).filter(|digest| self.since(*digest).is_some()).count() as u64;
        for (is_of_owner, (kept, known)) in [(false, (&self.of_key, &self.witnesses[0])), (true, (&self.of_owner, &self.witnesses[1]))] {
            let promised = kept.iter().zip(known).enumerate().filter_map(|(digest, (since, of))| Some((digest, (*since)?, of.clone())));
            self.witnessed.extend(promised.map(|(digest, since, of)| Witnessed { digest, since, is_of_owner, of }));
        }
        (self.of_key, self.of_owner) = ([None; DIGESTS], [None; DIGESTS]);
        voided
    }

    /// An operator has said to go on.
    pub(super) fn go_on(&mut self) {
        self.witnessed.clear();
        self.nobody_from(None);
    }

    pub(super) fn nobody_from(&mut self, when: Option<u64>) {
        self.nobody = when;
    }

    /// The log has let go of its entries up to here: that it does not hold one of those, nobody can tell.
    pub(super) fn trimmed(&mut self, floor: u64) {
        self.witnessed.retain(|known| known.of.position > floor);
    }

    /// Looks at an admit of one of the lives.
    pub(super) fn admitted(&self, life: usize, digest: usize, arrived: u64, now: u64) -> Result<(), Violation> {
        let knew = |known: &&Witnessed| known.digest == digest && known.of.by.contains(&life) && arrived > known.since;
        let witnessed = self.witnessed.iter().find(knew).map(|known| known.since);
        let broken = self.since(digest).or(self.nobody).filter(|promised| arrived > *promised);
        let nobody = self.nobody.filter(|promised| arrived > *promised);
        match broken.or(nobody).or(witnessed) {
            Some(promised) => Err(Violation { digest, promised, arrived, admitted: now }),
            None => Ok(()),
        }
    }
}
