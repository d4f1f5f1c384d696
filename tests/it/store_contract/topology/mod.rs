//! Where Redis is: behind Sentinel, spread over a Cluster, over TLS, and with users that may not do everything.

mod cluster;
mod sentinel;
mod tls;
mod users;

use std::time::{Duration, Instant};

use keyward::domain::usage::LastUse;
use keyward::store::{Counts, Store, SubjectName, Taken, UsagePiece};

use super::samples::{DAY, charge, commit, digest, key, key_id, new_key, owner_id, realm, subject};
use crate::support::sentinel::Node;

/// A commit, a find, a take.
async fn works(store: &dyn Store, number: u16) {
    tries(store, number).await.unwrap();
}

/// Usage of ten owners, which a Cluster has on several nodes.
async fn uses(store: &dyn Store, number: u16) -> Result<(), keyward::store::StoreError> {
    let at = store.now().await?;
    let piece = |owner: u16| {
        let owner = SubjectName { owner: owner_id(&format!("owner-{owner}")), ..subject(None, &[]).name };
        let counts = Counts { key: Some(key_id("key_1")), minutes: Vec::new(), last: vec![(number.into(), LastUse { at, address: None })] };
        UsagePiece { owner, by: number.into(), number: 1, at, counts: vec![counts] }
    };
    let pieces: Vec<UsagePiece> = (0..10).map(piece).collect();
    store.add_usage(&pieces).await?.into_iter().collect::<Result<(), _>>()?;
    let keys: Vec<_> = pieces.iter().map(|piece| (key_id("key_1"), piece.owner.owner.clone())).collect();
    assert!(store.last_used(&realm("otesse"), &keys).await?.iter().all(Option::is_some));
    Ok(())
}

/// The same, if it does, and at this node.
async fn works_at(store: &dyn Store, number: u16, node: &Node) -> bool {
    let done = tries(store, number).await.is_ok();
    done && node.asks::<bool>(&format!("HEXISTS kw:1:{{kw}}:keys:otesse key_{number}")) == Some(true)
}

async fn tries(store: &dyn Store, number: u16) -> Result<(), keyward::store::StoreError> {
    let made = key(&format!("key_{number}"), &[digest(number)]);
    match store.commit(&commit(vec![new_key(&made)])).await {
        Ok(_) | Err(keyward::store::StoreError::Exists(_)) => {}
        Err(error) => return Err(error),
    }
    let kept = store.key(&realm("otesse"), &made.id).await?;
    assert_eq!(kept.map(|kept| kept.id), Some(made.id), "what was committed is there");
    store.find(&realm("otesse"), &[]).await?;
    let taken = store.take(&[charge(vec![subject(None, &[(DAY, 1_000_000)])], 1)]).await?;
    assert!(matches!(taken[..], [Taken::Granted { tokens: 1, .. }]), "{taken:?}");
    uses(store, number).await?;
    Ok(())
}

/// Asks until it is so, and no longer than this.
async fn within(what: &str, patience: Duration, mut so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + patience;
    while !so().await {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What waits without being async.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
