//! The admin API as its clients meet it: real services on a loopback port, on every store.

pub mod certified;
pub mod faults;
pub mod later;
pub mod presented;
pub mod world;

/// Runs each test on every store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::admin::world::World::embedded().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::admin::world::World::redis().await).await;
            })*
        }
    };
}

mod audit_entries;
mod audit_log;
mod audit_readers;
mod between;
mod bootstrap;
mod bound;
mod errors;
mod etags;
mod explain;
mod fields;
mod filters;
mod guarantee;
mod keys;
mod lasting;
mod leaks;
mod leases;
mod levels;
pub mod life;
mod lifecycle;
mod lifecycle_many;
mod matrix;
mod owners;
mod pages;
mod peppers;
mod refused_calls;
mod request_ids;
mod roles;
mod updates;
mod upkeep;
mod usage;
