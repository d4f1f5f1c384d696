//! Reading records one by one, claiming peppers, and the store's time.

use crate::support::peppers::claim;
use keyward::domain::name::Word;
use keyward::domain::owner::Owner;
use keyward::domain::record::Record;
use keyward::store::{Order, StoreError};

use super::engines::Engine;
use super::paging::all_keys;
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

pub(super) async fn several_owners_are_read_as_one_is_and_who_is_not_there_is_left_out(engine: &mut impl Engine) {
    let store = engine.store();
    let there = Owner { realm: realm("ocus"), ..owner("b") };
    put(&*store, vec![new_owner(&owner("a")), new_owner(&owner("c")), new_owner(&there)]).await;
    let mut read = store.owners_of(&realm("otesse"), &["c", "b", "a", "A"].map(owner_id)).await.unwrap();
    read.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
    assert_eq!(read, [owner("a"), owner("c")]);
    assert_eq!(store.owners_of(&realm("ocus"), &[owner_id("b")]).await.unwrap(), [there]);
    assert_eq!(store.owners_of(&realm("otesse"), &[]).await.unwrap(), []);
}

pub(super) async fn several_keys_are_read_as_one_is_by_their_ids_and_by_their_digests_and_who_is_not_there_is_left_out(
    engine: &mut impl Engine,
) {
    let store = engine.store();
    let keys = [(1, 10), (2, 20), (3, 30)].map(|(id, secret)| key(&format!("key_{id}"), &[digest(secret), digest(secret + 1)]));
    let elsewhere = Record { realm: realm("ocus"), ..key("key_9", &[digest(90)]) };
    put(&*store, keys.iter().chain([&elsewhere]).map(new_key).collect()).await;
    let read = async |ids: &[&str], digests: &[u16]| {
        let (ids, digests): (Vec<_>, Vec<_>) = (ids.iter().map(|id| key_id(id)).collect(), digests.iter().copied().map(digest).collect());
        let mut read = store.keys_of(&realm("otesse"), &ids, &digests).await.unwrap();
        read.sort_by(|one, other| one.id.cmp(&other.id));
        read
    };
    let [one, two, three] = keys;
    assert_eq!(read(&["key_1", "key_8", "key_9"], &[]).await, std::slice::from_ref(&one));
    assert_eq!(read(&[], &[21, 99, 90]).await, std::slice::from_ref(&two));
    assert_eq!(read(&["key_1", "key_2"], &[10, 11, 30]).await, [one, two, three]);
    assert_eq!(read(&[], &[]).await, []);
}

pub(super) async fn a_key_that_changes_its_owner_is_listed_with_the_new_one(engine: &mut impl Engine) {
    let store = engine.store();
    let first = key("key_1", &[digest(1)]);
    put(&*store, vec![new_owner(&owner("acme")), new_owner(&owner("other")), new_key(&first)]).await;
    put(&*store, vec![changed_key(&Record { revision: 2, owner: owner_id("other"), ..first })]).await;
    assert_eq!(all_keys(&*store, Some("acme"), (9, Order::Ascending)).await, [""; 0]);
    assert_eq!(all_keys(&*store, Some("other"), (9, Order::Ascending)).await, ["key_1"]);
    assert_eq!(store.find(&realm("otesse"), &[digest(1)]).await.unwrap().holder.unwrap().owner, owner("other"));
}

pub(super) async fn every_realm_that_has_an_owner_is_named_once_whoever_serves_it(engine: &mut impl Engine) {
    let store = engine.store();
    assert_eq!(store.realms().await.unwrap(), []);
    let of = |name: &str, id: &str| Owner { realm: realm(name), ..owner(id) };
    put(&*store, [of("otesse", "acme"), of("b", "acme"), of("otesse", "other"), of("b-2", "acme")].iter().map(new_owner).collect()).await;
    assert_eq!(store.realms().await.unwrap(), ["b", "b-2", "otesse"].map(realm));
    put(&*store, vec![new_owner(&of("ocus", "acme")), new_owner(&of("b", "third")), new_key(&key("key_1", &[digest(1)]))]).await;
    assert_eq!(store.realms().await.unwrap(), ["b", "b-2", "ocus", "otesse"].map(realm));
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
