//! Lists of keys and owners, page by page, of what is there for a caller.

use super::filter::{KeyFilter, OwnerFilter, is_unused};
use super::seen::Seen;
use super::walk::{Takes, Walk};
use super::{Caller, Keyring, KeyringError, Wrong};
use crate::domain::name::{OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::store::usage::LAST_KEPT;
use crate::store::{Order, Page, by_owner};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// Fewer than were asked for, even none, where a filter takes few.
    pub items: Vec<T>,
    /// After which the next part begins, as a page says it; `None`: there is none.
    pub next: Option<String>,
}

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysOf {
    pub realm: RealmId,
    /// `None`: of every owner.
    pub owner: Option<OwnerId>,
    pub filter: KeyFilter,
}

impl Keyring {
    /// Keys of a realm, or of one of its owners: by their owners, and each one's by their ids.
    pub async fn keys(
        &self,
        caller: &Caller,
        KeysOf { realm, owner, filter }: &KeysOf,
        page: &Page,
    ) -> Result<Listing<Seen>, KeyringError> {
        self.realm(caller, realm)?;
        let owner = owner.as_ref().or(caller.only_owner());
        if owner.is_some_and(|owner| !caller.sees(realm, owner)) {
            return Ok(Listing { items: Vec::new(), next: None });
        }
        let now = self.store.now().await?;
        may_be_known(filter.unused_since, now)?;
        let takes = if filter.takes_all() { Takes::All } else { Takes::Some };
        let mut walk = Walk::new(page, takes, |seen: &Seen| place(&seen.record));
        loop {
            let part = self.store.keys(realm, owner, &walk.ask()).await?;
            let (read, last) = (part.len(), part.last().map(place));
            // a page begins where its token says, and anybody may have written that
            let is_open = |record: &Record| caller.sees(realm, &record.owner) && filter.may_take(record);
            let open = part.into_iter().filter(is_open).collect();
            let mut kept = self.all_seen(realm, open, now).await?;
            kept.retain(|seen| filter.takes(seen, now));
            if let Some(since) = filter.unused_since {
                kept = self.unused(realm, kept, since).await?;
            }
            if let Some(listing) = walk.got(read, last, kept) {
                return Ok(listing);
            }
        }
    }

    /// Owners of a realm by their ids.
    pub async fn owners(&self, caller: &Caller, realm: &RealmId, filter: OwnerFilter, page: &Page) -> Result<Listing<Owner>, KeyringError> {
        self.realm(caller, realm)?;
        if let Some(only) = caller.only_owner() {
            return self.only(realm, only, filter, page).await;
        }
        let takes = if filter == OwnerFilter::Any { Takes::All } else { Takes::Some };
        let mut walk = Walk::new(page, takes, |owner: &Owner| owner.id.to_string());
        loop {
            let mut part = self.store.owners(realm, &walk.ask()).await?;
            let (read, last) = (part.len(), part.last().map(|owner| owner.id.to_string()));
            part.retain(|owner| filter.takes(owner));
            if let Some(listing) = walk.got(read, last, part) {
                return Ok(listing);
            }
        }
    }

    /// Those that nobody has presented since.
    async fn unused(&self, realm: &RealmId, seen: Vec<Seen>, since: StoreTime) -> Result<Vec<Seen>, KeyringError> {
        if seen.is_empty() {
            return Ok(seen);
        }
        let keys: Vec<_> = seen.iter().map(|seen| (seen.record.id.clone(), seen.record.owner.clone())).collect();
        let last = self.store.last_used(realm, &keys).await?;
        let unused = seen.into_iter().zip(last).filter(|(_, last)| is_unused(*last, since));
        Ok(unused.map(|(seen, _)| seen).collect())
    }

    /// The list of one owner, which is there for its caller.
    async fn only(&self, realm: &RealmId, only: &OwnerId, filter: OwnerFilter, page: &Page) -> Result<Listing<Owner>, KeyringError> {
        let is_left = page.after.as_deref().is_none_or(|after| match page.order {
            Order::Ascending => only.as_str() > after,
            Order::Descending => only.as_str() < after,
        });
        let found = if is_left { self.store.owner(realm, only).await? } else { None };
        Ok(Listing { items: found.into_iter().filter(|owner| filter.takes(owner)).collect(), next: None })
    }
}

/// Where a key stands among others.
fn place(key: &Record) -> String {
    by_owner(&key.owner, &key.id)
}

/// What was before uses are kept nobody knows: a key that was used in between would look as if it had not been.
fn may_be_known(since: Option<StoreTime>, now: StoreTime) -> Result<(), KeyringError> {
    if since.is_none_or(|since| since.until(now) < LAST_KEPT) {
        return Ok(());
    }
    let says = format!("must be within the last {} days: of uses before nothing is kept", LAST_KEPT.as_secs() / 86_400);
    Err(KeyringError::Invalid(vec![Wrong::new("unused_since", says)]))
}
