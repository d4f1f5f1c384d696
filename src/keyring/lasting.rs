//! Calls that last. Whoever made one is judged again while it does, as if it called now: else a token that was revoked would go on writing and
//! reading for as long as its holder cares to keep a stream open.

use std::time::Duration;

use super::caller::Shown;
use super::{Caller, Keyring, KeyringError, Role, Sight};
use crate::domain::time::BootTime;

/// For so long a caller that reads is taken for what it was. Nothing is written on that.
const FRESH: Duration = Duration::from_secs(1);

/// Who called, and what the call asks of its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub caller: Caller,
    pub role: Role,
    pub sight: Sight,
}

/// A caller that reads for long.
#[derive(Debug)]
pub(super) struct Lasting {
    called: Called,
    judged: BootTime,
}

impl Keyring {
    /// The caller, if the call would be let in now: with the roles and the binding that it has now. Otherwise the error that a new call would get.
    pub(super) async fn still(&self, call: &Called) -> Result<Caller, KeyringError> {
        let (from, sight) = (call.caller.from, call.sight);
        let caller = match &call.caller.shown {
            Shown::Token(digests) => self.bearer(digests.clone(), from, sight).await?,
            Shown::Certificate(name) => self.certified(std::slice::from_ref(name), from, sight)?,
            Shown::Once => return Err(KeyringError::TokenRefused),
        };
        caller.has(call.role)?;
        Ok(caller)
    }

    /// A caller that was let in just now.
    pub(super) fn lasting(&self, called: Called) -> Lasting {
        Lasting { called, judged: self.guard.clock.boot() }
    }
}

impl Lasting {
    pub(super) fn caller(&self) -> &Caller {
        &self.called.caller
    }

    /// Judges it.
    pub(super) async fn is_let_in(&mut self, keyring: &Keyring) -> Result<(), KeyringError> {
        let now = keyring.guard.clock.boot();
        self.called.caller = keyring.still(&self.called).await?;
        self.judged = now;
        Ok(())
    }

    /// Judges it, if that was not done within the last second.
    pub(super) async fn was_let_in_lately(&mut self, keyring: &Keyring) -> Result<(), KeyringError> {
        if keyring.guard.clock.boot().0.saturating_sub(self.judged.0) < FRESH { Ok(()) } else { self.is_let_in(keyring).await }
    }
}
