//! Lists of keys and owners, page by page, of what is there for a caller.

use super::filter::{KeyFilter, OwnerFilter};
use super::seen::Seen;
use super::walk::{Takes, Walk};
use super::{Caller, Keyring, KeyringError};
use crate::domain::name::{OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::store::{Order, Page};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// Fewer than were asked for, even none, where a filter takes few.
    pub items: Vec<T>,
    /// The id after which the next part begins; `None`: there is none.
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
    /// Keys of a realm, or of one of its owners, by their ids.
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
        let takes = if filter.takes_all() { Takes::All } else { Takes::Some };
        let mut walk = Walk::new(page, takes, |seen: &Seen| seen.record.id.as_str());
        loop {
            let part = self.store.keys(realm, owner, &walk.ask()).await?;
            let (read, last) = (part.len(), part.last().map(|record| record.id.to_string()));
            let open = part.into_iter().filter(|record| filter.may_take(record)).collect();
            let mut kept = self.all_seen(realm, open, now).await?;
            kept.retain(|seen| filter.takes(seen, now));
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
        let mut walk = Walk::new(page, takes, |owner: &Owner| owner.id.as_str());
        loop {
            let mut part = self.store.owners(realm, &walk.ask()).await?;
            let (read, last) = (part.len(), part.last().map(|owner| owner.id.to_string()));
            part.retain(|owner| filter.takes(owner));
            if let Some(listing) = walk.got(read, last, part) {
                return Ok(listing);
            }
        }
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
