//! The digests of one presented secret: its own, one for each live pepper, and those that it may have been imported with. The second are made where the
//! first are not remembered, and a secret's are remembered by its own newest one: they are what they are, so nothing ever makes them old.

use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::memory::ByDigest;
use crate::domain::key::Digest;

/// The digests of a presented secret.
#[derive(Clone, Copy)]
pub struct Digests<'a> {
    /// Under every live pepper, newest first.
    pub own: &'a [Digest],
    /// Makes the others; `None`: the realm has none.
    pub foreign: Option<&'a (dyn Fn() -> Vec<Digest> + Sync)>,
}

impl<'a> From<&'a [Digest]> for Digests<'a> {
    fn from(own: &'a [Digest]) -> Self {
        Self { own, foreign: None }
    }
}

impl<'a, const N: usize> From<&'a [Digest; N]> for Digests<'a> {
    fn from(own: &'a [Digest; N]) -> Self {
        Self::from(&own[..])
    }
}

/// So many secrets' foreign digests are remembered.
const MOST: usize = 16_384;

/// What was made of secrets that are still known by a foreign digest, so that a hot check hashes no more than another.
pub(super) struct Foreigns(Cache<Digest, Arc<[Digest]>, UnitWeighter, ByDigest>);

impl Foreigns {
    pub(super) fn new() -> Self {
        Self(Cache::with(MOST, MOST as u64, UnitWeighter, ByDigest::default(), DefaultLifecycle::default()))
    }

    /// All digests of a secret: its own first, the newest before all others.
    pub(super) fn all(&self, digests: Digests<'_>) -> Vec<Digest> {
        let (Some(make), Some(newest)) = (digests.foreign, digests.own.first()) else { return digests.own.to_vec() };
        let foreign = self.0.get(newest).unwrap_or_else(|| {
            let foreign: Arc<[Digest]> = make().into();
            self.0.insert(*newest, foreign.clone());
            foreign
        });
        digests.own.iter().chain(&*foreign).copied().collect()
    }
}
