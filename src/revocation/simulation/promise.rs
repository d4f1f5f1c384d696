//! The checker: what was promised, and whether an admit breaks it.

use super::names::{Change, DIGESTS, OWNERS, key_of, owner_of};

/// Since when each digest must not be admitted any more: by a change of its key, or of its owner.
#[derive(Debug, Clone)]
pub(super) struct Promises {
    of_key: [Option<u64>; DIGESTS],
    of_owner: [Option<u64>; DIGESTS],
    /// When each owner was enabled last.
    enabled: [u64; OWNERS],
    /// Since when nobody at all may be admitted: a log that went backwards was told of, and every lease from before has ended.
    nobody: Option<u64>,
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
        Self { of_key: [None; DIGESTS], of_owner: [None; DIGESTS], enabled: [0; OWNERS], nobody: None }
    }

    /// A change that was asked for at `begun` has returned OK.
    pub(super) fn made(&mut self, change: Change, begun: u64, now: u64) {
        let kept = match change {
            Change::Disable(owner) if self.enabled[owner] >= begun => return,
            Change::Disable(_) => &mut self.of_owner,
            _ => &mut self.of_key,
        };
        for digest in change.ends() {
            kept[digest].get_or_insert(now);
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
    }

    pub(super) fn since(&self, digest: usize) -> Option<u64> {
        let both = [self.of_key[digest], self.of_owner[digest]];
        both.into_iter().flatten().min()
    }

    /// A backup was restored: what it does not hold is promised no longer. Nobody could know yet.
    pub(super) fn void(&mut self) -> u64 {
        let voided = (0..DIGESTS).filter(|digest| self.since(*digest).is_some()).count() as u64;
        (self.of_key, self.of_owner) = ([None; DIGESTS], [None; DIGESTS]);
        voided
    }

    pub(super) fn nobody_from(&mut self, when: Option<u64>) {
        self.nobody = when;
    }

    /// Looks at an admit.
    pub(super) fn admitted(&self, digest: usize, arrived: u64, now: u64) -> Result<(), Violation> {
        let broken = self.since(digest).or(self.nobody).filter(|promised| arrived > *promised);
        let nobody = self.nobody.filter(|promised| arrived > *promised);
        match broken.or(nobody) {
            Some(promised) => Err(Violation { digest, promised, arrived, admitted: now }),
            None => Ok(()),
        }
    }
}
