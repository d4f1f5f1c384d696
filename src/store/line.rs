//! Commits that follow one another: each is made ready while the one before it is being made, and is made right behind it or not at all.

use tokio::sync::watch;
use tokio::time::Instant;

use super::audit::End;
use crate::domain::time::StoreTime;

/// A commit's place in a line of them. By default it stands alone, and nobody behind it.
#[derive(Debug, Default)]
pub struct Line {
    /// Tells where the one before it will stand, anew whenever that one is sent anew; `None`: there is none, or none that tells.
    after: Option<watch::Receiver<Option<Foreseen>>>,
    /// Told where this one will stand; `None`: it is not known any more.
    next: Option<watch::Sender<Option<Foreseen>>>,
    /// Whether it was sent behind one that did not come: it waits until that one is made, then, and is not sent in vain again and again.
    was_late: bool,
}

impl Line {
    /// The place behind this one.
    #[must_use]
    pub fn behind(&mut self) -> Self {
        let (next, after) = watch::channel(None);
        self.next = Some(next);
        Self { after: Some(after), ..Self::default() }
    }

    /// Nobody comes behind this place.
    pub fn end(&mut self) {
        self.next = None;
    }

    /// Whether nobody is before it.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.after.is_none()
    }

    /// From now on nobody is before it. Whether somebody was.
    pub fn leave(&mut self) -> bool {
        self.after.take().is_some()
    }

    /// Waits for where the one before it will stand, if that has not been told yet; `None`: it is alone, or it is from now on.
    pub(super) async fn foreseen(&mut self) -> Option<Foreseen> {
        let after = self.after.as_mut()?;
        while after.changed().await.is_ok() {
            let told = after.borrow_and_update().clone();
            if told.as_ref().is_some_and(|told| told.is_made || !self.was_late) {
                return told;
            }
        }
        self.after = None;
        None
    }

    /// It did not come where it was to come, and the one behind it would come in vain.
    pub(super) fn late(&mut self) {
        self.was_late = true;
        if let Some(next) = &self.next {
            next.send_replace(None);
        }
    }

    /// Tells the one behind it where this one will stand, or stands.
    pub(super) fn tell(&self, foreseen: Foreseen) {
        if let Some(next) = &self.next {
            next.send_replace(Some(foreseen));
        }
    }
}

/// Where a commit will stand, if it is made as it was sent: what the next one is made from. Whatever comes between changes where the audit log
/// ends, so that the next one finds itself late.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// Of the audit log.
    pub(super) end: End,
    /// In the log that replicas follow.
    pub(super) position: u64,
    /// How many nodes followed.
    pub(super) followers: u32,
    /// What time it was, and when that was asked.
    pub(super) at: (StoreTime, Instant),
    /// Whether it stands there now.
    pub(super) is_made: bool,
}
