//! The audit log is followed, entry by entry, for as long as whoever reads it would be let in anew.

use std::collections::VecDeque;
use std::sync::Arc;

use super::audit::WHAT;
use super::lasting::Lasting;
use super::readers::{Place, Stride};
use super::{Called, Keyring, KeyringError, Noted, Sought};

/// Somebody who reads the log upwards.
#[derive(Debug)]
pub struct Reading {
    keyring: Arc<Keyring>,
    lasting: Lasting,
    _place: Place,
    stride: Stride,
    sought: Sought,
    /// Everything up to this number was looked at.
    after: u64,
    /// Found, and not told yet.
    found: VecDeque<Noted>,
}

impl Keyring {
    /// Entries above a number, or those that come from now on.
    pub async fn audit_watch(self: &Arc<Self>, called: Called, sought: Sought, after: Option<u64>) -> Result<Reading, KeyringError> {
        called.caller.is_for_more_than_its_owner(WHAT)?;
        let after = match after {
            Some(after) => after,
            None => self.audit_ends().await?.sequence,
        };
        self.reading(called, sought, after)
    }

    /// All entries above a number, to be kept elsewhere.
    pub fn audit_export(self: &Arc<Self>, called: Called, after: u64) -> Result<Reading, KeyringError> {
        called.caller.is_unbound(WHAT)?;
        self.reading(called, Sought::default(), after)
    }

    fn reading(self: &Arc<Self>, called: Called, sought: Sought, after: u64) -> Result<Reading, KeyringError> {
        let place = self.readers.place(&called.caller.actor)?;
        let (keyring, lasting) = (self.clone(), self.lasting(called));
        Ok(Reading { keyring, lasting, _place: place, stride: Stride::default(), sought, after, found: VecDeque::new() })
    }
}

impl Reading {
    /// The next entry that is sought; `None`: there is none yet. A caller that would be let in no more gets the error that it would then get,
    /// and no entry that it was not judged for within the last second.
    pub async fn next(&mut self) -> Result<Option<Noted>, KeyringError> {
        while self.found.is_empty() && self.read().await? {
            self.lasting.was_let_in_lately(&self.keyring).await?;
        }
        self.lasting.was_let_in_lately(&self.keyring).await?;
        Ok(self.found.pop_front())
    }

    /// Looks at some entries more, and whether there were any. Whoever is to be told of them is judged once they were read: an entry may be that
    /// of its own end.
    async fn read(&mut self) -> Result<bool, KeyringError> {
        let (found, last) = self.keyring.audit_after(self.lasting.caller(), &self.sought, (self.after, &mut self.stride)).await?;
        if !found.is_empty() {
            self.lasting.is_let_in(&self.keyring).await?;
        }
        let is_more = last > self.after;
        (self.found, self.after) = (found.into(), last);
        Ok(is_more)
    }
}
