//! Peppers as a store knows them: which there are, which one new digests are under, which are withdrawn.

use std::time::Duration;

use super::Change;
use crate::domain::name::Word;
use crate::domain::record::KeptSecret;
use crate::domain::time::StoreTime;
use crate::revocation::Holder;

/// A pepper, as replicas compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PepperClaim {
    pub version: Word,
    pub check_value: [u8; 32],
}

/// A replica, and which peppers it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knows {
    pub replica: Holder,
    /// How long its lease lasts.
    pub lease: Duration,
    /// Newest first, as in its file.
    pub versions: Vec<Word>,
}

/// A pepper that some replica has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PepperUse {
    pub version: Word,
    /// Since when new digests could be under it; `None`: never, as far as is known.
    pub used: Option<StoreTime>,
    /// Since when none can.
    pub withdrawn: Option<StoreTime>,
}

impl PepperUse {
    /// Whether secrets may be under it that are to be found.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.used.is_some() && self.withdrawn.is_none()
    }
}

/// The pepper that new digests are under: of those in use the one that came last.
#[must_use]
pub fn newest(uses: &[PepperUse]) -> Option<&PepperUse> {
    uses.iter().filter(|one| one.is_live()).max_by_key(|one| one.used)
}

/// Under what a change puts secrets that were not there before.
pub fn fresh<'a>(before: Option<&'a Change>, after: &'a Change) -> impl Iterator<Item = &'a Word> {
    let secrets = |change: &'a Change| if let Change::Key { record, .. } = change { &record.secrets[..] } else { &[] };
    let had: &[KeptSecret] = before.map_or(&[], secrets);
    secrets(after).iter().filter(|kept| had.iter().all(|old| old.digest != kept.digest)).map(|kept| &kept.pepper)
}
