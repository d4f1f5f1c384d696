//! Reading records one by one and in pages, claiming peppers, and the store's time.

use crate::support::peppers::claim;
use keyward::domain::name::{OwnerId, Word};
use keyward::domain::owner::Owner;
use keyward::domain::record::Record;
use keyward::store::{Page, Store, StoreError};

use super::engines::Engine;
use super::samples::{changed_key, digest, key, key_id, new_key, new_owner, owner, owner_id, page, put, realm};

pub(super) async fn a_key_is_read_in_its_own_realm_only(engine: &mut impl Engine) {
    let store = engine.store();
    let (here, there) = (key("key_1", &[digest(1)]), Record { realm: realm("ocus"), label: "there".into(), ..key("key_1", &[digest(1)]) });
    put(&*store, vec![new_key(&here)]).await;
    assert_eq!(store.key(&realm("otesse"), &here.id).await.unwrap(), Some(here.clone()));
    assert_eq!(store.key(&realm("ocus"), &here.id).await.unwrap(), None);
    assert_eq!(store.keys(&realm("ocus"), None, &page(None, 9)).await.unwrap(), []);
    assert_eq!(store.key(&realm("otesse"), &key_id("key_2")).await.unwrap(), None);
    put(&*store, vec![new_key(&there)]).await;
    assert_eq!(store.key(&realm("ocus"), &here.id).await.unwrap(), Some(there));
    assert_eq!(store.key(&realm("otesse"), &here.id).await.unwrap(), Some(here));
}

pub(super) async fn an_owner_is_read_in_its_own_realm_only(engine: &mut impl Engine) {
    let store = engine.store();
    let acme = Owner { plan: Some(Word::parse("gold").unwrap()), ..owner("acme") };
    put(&*store, vec![new_owner(&acme)]).await;
    assert_eq!(store.owner(&realm("otesse"), &acme.id).await.unwrap(), Some(acme.clone()));
    assert_eq!(store.owner(&realm("ocus"), &acme.id).await.unwrap(), None);
    assert_eq!(store.owners(&realm("ocus"), &page(None, 9)).await.unwrap(), []);
    assert_eq!(store.owner(&realm("otesse"), &owner_id("Acme")).await.unwrap(), None);
}

pub(super) async fn pages_follow_one_another_without_gap_or_repetition(engine: &mut impl Engine) {
    let store = engine.store();
    // Ids whose order differs from the order that they are made in, and from that of numbers; none but every second one is acme's.
    let mut ids: Vec<String> = (0..40_u16).map(|number| format!("key_{}", (number * 17) % 40)).collect();
    for (number, id) in (0..).zip(&ids) {
        let of = if number % 2 == 0 { "acme" } else { "acme.2" };
        put(&*store, vec![new_key(&Record { owner: owner_id(of), ..key(id, &[digest(number)]) }), new_owner(&owner(&id.to_uppercase()))])
            .await;
    }
    let of_acme: Vec<String> = ids.iter().step_by(2).cloned().collect();
    ids.sort_unstable();
    for count in [1, 7, 20, 40, 41] {
        assert_eq!(all_keys(&*store, None, count).await, ids, "{count} a page");
        let of_owner = all_keys(&*store, Some(&owner_id("acme")), count).await;
        assert!(of_owner.is_sorted() && of_owner.len() == 20 && of_owner.iter().all(|id| of_acme.contains(id)), "{of_owner:?}");
        let owners = all_owners(&*store, count).await;
        assert_eq!(owners, ids.iter().map(|id| id.to_uppercase()).collect::<Vec<_>>(), "{count} a page");
    }
    let after_none = store.keys(&realm("otesse"), None, &page(Some("key_9z"), 9)).await.unwrap();
    assert_eq!(after_none, []);
    let between = store.keys(&realm("otesse"), None, &page(Some("key_10z"), 1)).await.unwrap();
    assert_eq!(between[0].id.as_str(), "key_11");
}

pub(super) async fn a_key_that_changes_its_owner_is_listed_with_the_new_one(engine: &mut impl Engine) {
    let store = engine.store();
    let first = key("key_1", &[digest(1)]);
    put(&*store, vec![new_owner(&owner("acme")), new_owner(&owner("other")), new_key(&first)]).await;
    put(&*store, vec![changed_key(&Record { revision: 2, owner: owner_id("other"), ..first })]).await;
    assert_eq!(all_keys(&*store, Some(&owner_id("acme")), 9).await, [""; 0]);
    assert_eq!(all_keys(&*store, Some(&owner_id("other")), 9).await, ["key_1"]);
    assert_eq!(store.find(&realm("otesse"), &[digest(1)]).await.unwrap().holder.unwrap().owner, owner("other"));
}

pub(super) async fn a_pepper_of_a_known_version_and_another_check_value_is_refused(engine: &mut impl Engine) {
    let store = engine.store();
    store.claim_peppers(&[claim("1", 1)]).await.unwrap();
    store.claim_peppers(&[claim("1", 1)]).await.unwrap();
    store.claim_peppers(&[claim("2", 2), claim("1", 1)]).await.unwrap();
    let refused = store.claim_peppers(&[claim("3", 3), claim("1", 2)]).await;
    assert_eq!(refused, Err(StoreError::OtherPepper(Word::parse("1").unwrap())));
    store.claim_peppers(&[claim("3", 4), claim("2", 2)]).await.unwrap();
}

pub(super) async fn peppers_none_of_which_is_known_are_refused_where_others_are(engine: &mut impl Engine) {
    let store = engine.store();
    let racers: Vec<_> = (0..8_u8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.claim_peppers(&[claim(&format!("v{number}"), number)]).await })
        })
        .collect();
    let mut claimed = 0;
    for racer in racers {
        claimed += u32::from(racer.await.unwrap().is_ok());
    }
    assert_eq!(claimed, 1, "of replicas that share no pepper one is let in");
}

pub(super) async fn it_never_goes_backwards(engine: &mut impl Engine) {
    let store = engine.store();
    let watchers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut latest = store.now().await.unwrap();
                for _ in 0..50 {
                    let now = store.now().await.unwrap();
                    let found = store.find(&realm("otesse"), &[]).await.unwrap().now;
                    assert!(latest <= now && now <= found, "{latest:?} {now:?} {found:?}");
                    latest = found;
                }
                latest
            })
        })
        .collect();
    for watcher in watchers {
        let latest = watcher.await.unwrap();
        assert!(latest.0 > 1_700_000_000_000, "it is milliseconds since the epoch: {latest:?}");
    }
}

async fn all_keys(store: &dyn Store, owner: Option<&OwnerId>, count: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let part = store.keys(&realm("otesse"), owner, &Page { after: ids.last().cloned(), count }).await.unwrap();
        assert!(part.len() <= count);
        if part.is_empty() {
            return ids;
        }
        ids.extend(part.iter().map(|key| key.id.to_string()));
    }
}

async fn all_owners(store: &dyn Store, count: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let part = store.owners(&realm("otesse"), &Page { after: ids.last().cloned(), count }).await.unwrap();
        assert!(part.len() <= count);
        if part.is_empty() {
            return ids;
        }
        ids.extend(part.iter().map(|owner| owner.id.to_string()));
    }
}
