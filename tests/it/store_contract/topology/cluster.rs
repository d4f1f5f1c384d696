//! A store that is spread over a Cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keyward::domain::owner::Owner;
use keyward::store::redis::RedisStore;
use keyward::store::{Charge, Settled, SharedStore, Subject, SubjectName, Taken};

use super::super::samples::{DAY, charge, commit, digest, key, new_key, owner, owner_id, position, put, realm, settlement, subject, takes};
use super::{blocking, within, works};
use crate::support::cluster::Cluster;

fn store(cluster: &Cluster) -> SharedStore {
    Arc::new(RedisStore::connect(&cluster.settings()).unwrap())
}

/// One of an owner of this number.
fn of_owner(number: usize, want: u32) -> Charge {
    let name = SubjectName { owner: owner_id(&format!("owner_{number}")), ..subject(None, &[]).name };
    charge(vec![Subject { name, ..subject(None, &[(DAY, 10)]) }], want)
}

fn tokens(taken: &[Taken]) -> Vec<u32> {
    let tokens = |taken: &Taken| if let Taken::Granted { tokens, .. } = taken { *tokens } else { 0 };
    taken.iter().map(tokens).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_at_one_node_and_windows_of_many_owners_at_all() {
    let cluster = blocking(Cluster::start);
    let store = store(&cluster);
    works(&*store, 1).await;
    let charges: Vec<Charge> = (0..60).chain(0..60).map(|number| of_owner(number, 6)).collect();
    let taken = store.take(&charges).await.unwrap();
    assert_eq!(tokens(&taken[..60]), [6; 60]);
    assert_eq!(tokens(&taken[60..]), [4; 60], "each answer is at the place of its charge, and charges of one owner stay in their order");

    let now = store.now().await.unwrap();
    let tickets: Vec<_> = (0..60).chain(0..60).map(|number| settlement(1, &of_owner(number, 1), now)).collect();
    let settled = store.settle(&tickets).await.unwrap();
    assert!(settled[..60].iter().all(|settled| *settled == Settled::Done), "{settled:?}");
    assert!(settled[60..].iter().all(|settled| *settled == Settled::Replayed), "{settled:?}");

    let names = blocking(|| cluster.names());
    let home = blocking(|| cluster.node_of("{kw}"));
    let state: Vec<bool> = names.iter().map(|names| names.iter().any(|name| name.starts_with("kw:1:{kw}:"))).collect();
    assert_eq!((state[home], state.iter().filter(|there| **there).count()), (true, 1));
    let windows =
        |names: &BTreeSet<String>| names.iter().filter(|name| name.starts_with("kw:1:{otesse/owner_") && name.ends_with('}')).count();
    let windows: Vec<usize> = names.iter().map(windows).collect();
    assert_eq!((windows.iter().sum::<usize>(), windows.iter().all(|count| *count > 0)), (60, true), "{windows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_are_followed_and_nothing_is_taken_twice() {
    let cluster = blocking(Cluster::start);
    let store = store(&cluster);
    works(&*store, 1).await;
    assert_eq!(tokens(&store.take(&[of_owner(1, 3)]).await.unwrap()), [3]);
    let ticket = settlement(1, &of_owner(1, 1), store.now().await.unwrap());
    assert_eq!(store.settle(std::slice::from_ref(&ticket)).await.unwrap(), [Settled::Done]);

    // An owner's windows move: no call fails, and what was counted is counted.
    let from = blocking(|| cluster.node_of("{otesse/owner_1}"));
    blocking(|| cluster.move_slot("{otesse/owner_1}", (from + 1) % 3));
    assert_eq!(tokens(&store.take(&[of_owner(1, 3), of_owner(2, 3)]).await.unwrap()), [3, 3]);
    assert_eq!(tokens(&store.take(&[of_owner(1, 9)]).await.unwrap()), [4], "3 and 3 of 10 were taken before");
    blocking(|| cluster.move_slot("{otesse/owner_1}", (from + 2) % 3));
    assert_eq!(store.settle(&[ticket]).await.unwrap(), [Settled::Replayed], "what was settled moves with its owner");

    // Keys and owners move: the store follows.
    let home = blocking(|| cluster.node_of("{kw}"));
    blocking(|| cluster.move_slot("{kw}", (home + 1) % 3));
    within("the store follows the keys", Duration::from_secs(10), async || {
        let found = store.find(&realm("otesse"), &[]).await;
        let made = store.commit(&commit(vec![new_key(&key("key_2", &[digest(2)]))])).await;
        found.is_ok() && matches!(made, Ok(_) | Err(keyward::store::StoreError::Exists(_)))
    })
    .await;
    assert_eq!(position(&*store).await, 2);
    let at: u64 = blocking(|| cluster.nodes[(home + 1) % 3].0.ask("HLEN kw:1:{kw}:keys:otesse"));
    assert_eq!(at, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_away_is_the_affair_of_its_owners() {
    let mut cluster = blocking(Cluster::start);
    blocking(|| {
        for (server, _) in &cluster.nodes {
            server.ask::<()>("CONFIG SET cluster-require-full-coverage no");
        }
    });
    let store = store(&cluster);
    put(&*store, vec![super::super::samples::new_owner(&Owner { ..owner("acme") })]).await;
    let home = blocking(|| cluster.node_of("{kw}"));
    let at = |number: usize| cluster.node_of(&format!("{{otesse/owner_{number}}}"));
    let (lost, kept) =
        blocking(|| ((0..999).find(|number| at(*number) != home).unwrap(), (0..999).find(|number| at(*number) == home).unwrap()));
    assert_eq!(tokens(&store.take(&[of_owner(lost, 1), of_owner(kept, 1)]).await.unwrap()), [1, 1]);
    let away = blocking(|| at(lost));
    blocking(|| cluster.nodes[away].0.kill());
    within("its owners cannot be counted", Duration::from_secs(10), async || takes(&*store, of_owner(lost, 1)).await.is_err()).await;
    assert_eq!(tokens(&store.take(&[of_owner(lost, 1), of_owner(kept, 1)]).await.unwrap()), [0, 1]);
    assert_eq!(position(&*store).await, 1);
    blocking(|| cluster.nodes[away].0.restart());
    within("they can again", Duration::from_secs(20), async || takes(&*store, of_owner(lost, 1)).await.is_ok()).await;
}
