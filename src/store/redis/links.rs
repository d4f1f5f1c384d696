//! Links for checks, one for each runtime that asks: an answer arrives on the thread that waits for it, and no other is woken.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::runtime::{Handle, Id};

use super::Settings;
use super::attempts::Attempts;
use super::link::Link;
use super::way::Way;

/// To one node.
pub(super) struct Links {
    way: Arc<Way>,
    settings: Settings,
    attempts: Arc<Attempts>,
    by_runtime: RwLock<HashMap<Id, Link>>,
}

impl Links {
    pub(super) fn new(way: Arc<Way>, settings: &Settings) -> Self {
        Self { way, settings: settings.clone(), attempts: Arc::default(), by_runtime: RwLock::default() }
    }

    /// That of the runtime in which this is called.
    pub(super) fn here(&self) -> Link {
        let here = Handle::current();
        let known = self.by_runtime.read().unwrap_or_else(PoisonError::into_inner).get(&here.id()).cloned();
        known.unwrap_or_else(|| {
            let mut links = self.by_runtime.write().unwrap_or_else(PoisonError::into_inner);
            let link = || Link::new(self.way.clone(), &self.settings, here.clone(), self.attempts.clone());
            links.entry(here.id()).or_insert_with(link).clone()
        })
    }
}
