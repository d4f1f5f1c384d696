//! Changing what exists: read, change, write where nothing came between. Where something did, the caller's terms say whether to begin again.

use super::guarantee::{Guarantee, Promise};
use super::kept::Kept;
use super::terms::{Target, Terms};
use super::{Caller, Keyring, KeyringError};
use crate::domain::time::{BootTime, StoreTime};
use crate::revocation::Standing;
use crate::store::commit::is_restricting;
use crate::store::{Commit, Committed, Expect, Needs, StoreError};

/// How often a change is begun again when others come between.
pub(super) const ATTEMPTS: usize = 16;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<T> {
    /// As it is now.
    pub now: T,
    /// Where the change stands in the store's log; `None`: nothing had to change.
    pub position: Option<u64>,
    /// Why it holds; `None`: it restricts nobody, or somebody has taken it back since.
    pub guarantee: Option<Guarantee>,
}

/// A change to one thing: who, to what, which.
pub(super) struct Edit<'a, T: Kept> {
    pub(super) caller: &'a Caller,
    /// The RPC's name.
    pub(super) action: &'static str,
    pub(super) effect: Effect,
    pub(super) target: &'a Target<T::Id>,
    /// Told the store's time. Done twice it is as done once.
    pub(super) change: &'a (dyn Fn(&mut T, StoreTime) + Send + Sync),
}

/// What a verb is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is guaranteed, even where it changes nothing: the call before it may have gone without an answer.
    Restricts,
    /// It is guaranteed if it restricts, and where it changes nothing, for the same reason.
    MayRestrict,
    /// It is guaranteed only if it restricts all the same.
    Loosens,
}

impl Keyring {
    /// Makes a change, or finds that there is nothing to change. With a request id it is written all the same: a late repetition must not
    /// become a change after somebody made another one.
    pub(super) async fn edit<T: Kept>(&self, edit: Edit<'_, T>, terms: &Terms) -> Result<Changed<T>, KeyringError> {
        self.realm_to_change(edit.caller, &edit.target.realm)?;
        for _ in 0..ATTEMPTS {
            let before: T = self.read(edit.caller, edit.target).await?;
            T::is_open_to(edit.caller)?;
            let seen = terms.seen.unwrap_or_else(|| before.revision());
            let after = edit.made_of(&before, self.store.now().await?);
            if after == before && seen == before.revision() && terms.once.is_none() {
                match self.unchanged(&edit, before).await? {
                    Some(unchanged) => return Ok(unchanged),
                    None => continue,
                }
            }
            may_be_tried(seen, before.revision(), terms)?;
            let (after, begun) = (after.under(seen + 1), self.guard.clock.boot());
            match self.store.commit(&edit.commit(self, after.clone(), seen, terms)).await {
                Ok(committed) if committed.replayed.is_some() => {
                    if let Some(repeated) = self.repeated(&edit, &committed).await? {
                        return Ok(repeated);
                    }
                }
                Ok(committed) => return self.made(&edit, Made { before, after, committed, begun }).await,
                Err(StoreError::Conflict) if terms.seen.is_some() => return Err(KeyringError::EtagOld),
                Err(StoreError::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(KeyringError::Busy)
    }

    /// The change was made. What it was made of is told, not what can be read by now: that may come from a node that lacks it.
    async fn made<T: Kept>(&self, edit: &Edit<'_, T>, made: Made<T>) -> Result<Changed<T>, KeyringError> {
        let Made { before, after, committed, begun } = made;
        let change = |thing: &T| thing.clone().written(Expect::Revision(before.revision()));
        let restricts = match edit.effect {
            Effect::Restricts => true,
            Effect::MayRestrict if edit.is_done(&before) => true,
            Effect::MayRestrict | Effect::Loosens => is_restricting(Some(&change(&before)), &change(&after)),
        };
        let guarantee = if restricts { Some(self.promised(edit, committed.position, &committed.standing, begun).await?) } else { None };
        Ok(Changed { now: after, position: Some(committed.position), guarantee })
    }

    /// Nothing had to change, as far as was read. Where that is to be guaranteed it is looked at once more, at a node and at a time that what
    /// is seen there stands; `None`: there is something to change after all.
    async fn unchanged<T: Kept>(&self, edit: &Edit<'_, T>, before: T) -> Result<Option<Changed<T>>, KeyringError> {
        if edit.effect == Effect::Loosens {
            return Ok(Some(Changed { now: before, position: None, guarantee: None }));
        }
        let begun = self.guard.clock.boot();
        let (now, standing) = self.secured::<T>(edit.caller, edit.target).await?;
        if !edit.is_done(&now) {
            return Ok(None);
        }
        let guarantee = self.promised(edit, standing.at.position, &standing, begun).await?;
        Ok(Some(Changed { now, position: None, guarantee: Some(guarantee) }))
    }

    /// The request was done before, and what it did is looked at where it stands. It may have been taken back since; `None`: what tells so is
    /// another node than the one that knows the request, and may lack it.
    async fn repeated<T: Kept>(&self, edit: &Edit<'_, T>, committed: &Committed) -> Result<Option<Changed<T>>, KeyringError> {
        let position = Some(committed.position);
        if edit.effect == Effect::Loosens {
            return Ok(Some(Changed { now: self.read(edit.caller, edit.target).await?, position, guarantee: None }));
        }
        let begun = self.guard.clock.boot();
        let (now, standing) = self.secured::<T>(edit.caller, edit.target).await?;
        if edit.is_done(&now) {
            let guarantee = self.promised(edit, committed.position, &standing, begun).await?;
            return Ok(Some(Changed { now, position, guarantee: Some(guarantee) }));
        }
        let same = standing.footing.primary == committed.standing.footing.primary;
        Ok(same.then_some(Changed { now, position, guarantee: None }))
    }

    async fn promised<T: Kept>(
        &self,
        edit: &Edit<'_, T>,
        position: u64,
        standing: &Standing,
        begun: BootTime,
    ) -> Result<Guarantee, KeyringError> {
        self.guaranteed(Promise { rpc: edit.action, name: T::name(edit.target), position, standing, begun }).await
    }
}

/// A change that was committed.
struct Made<T> {
    before: T,
    after: T,
    committed: Committed,
    begun: BootTime,
}

impl<T: Kept> Edit<'_, T> {
    fn made_of(&self, before: &T, now: StoreTime) -> T {
        let mut after = before.clone();
        (self.change)(&mut after, now);
        after.succeeding(before)
    }

    /// Whether there is nothing left to change.
    fn is_done(&self, thing: &T) -> bool {
        self.made_of(thing, StoreTime::default()) == *thing
    }

    fn commit(&self, keyring: &Keyring, after: T, seen: u64, terms: &Terms) -> Commit {
        Commit {
            changes: vec![after.written(Expect::Revision(seen))],
            audit: keyring.note(self.caller, self.action, T::name(self.target)),
            request: terms.once.as_ref().map(|once| once.of(self.caller, None)),
            once: None,
            needs: Needs::default(),
        }
    }
}

/// An old etag ends it here, but where a request id says that this may be a repetition: then the store knows. It cannot write over what
/// came between, for revisions only grow; one from the future could, one day.
fn may_be_tried(seen: u64, revision: u64, terms: &Terms) -> Result<(), KeyringError> {
    if seen == revision || (seen < revision && terms.once.is_some()) { Ok(()) } else { Err(KeyringError::EtagOld) }
}
