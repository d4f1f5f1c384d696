//! What a commit leaves in the log, and what it is told to stand on.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward::domain::owner::Owner;
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::revocation::{At, Entry, Firmness, Footing, Holder, Level, Log, Renewal, Terms, Touched};
use keyward::store::{Commit, Kept, SharedStore, StoreError, What};

use super::engines::Engine;
use super::samples::{
    changed_key, changed_owner, commit, digest, entries_after, head, holder, in_order, key, key_id, new_key, new_owner, owner, owner_id,
    put, realm, registration, renew, renew_secured, renewal, request,
};

pub(super) async fn every_change_has_its_entry_in_the_log_with_the_digests_that_its_key_had_and_has(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme")), new_key(&key("key_1", &[digest(1), digest(2)]))]).await;
    let rotated = Record { revision: 2, ..key("key_1", &[digest(2), digest(3)]) };
    put(&*store, vec![changed_key(&rotated)]).await;
    let named = Record { revision: 3, label: "named".into(), ..rotated };
    put(&*store, vec![changed_key(&named)]).await;
    put(&*store, vec![changed_key(&Record { revision: 4, revoked: Some(StoreTime(1_850_000_000_000)), ..named })]).await;
    put(&*store, vec![changed_owner(&Owner { revision: 2, disabled: Some(StoreTime(1_850_000_000_000)), ..owner("acme") })]).await;
    let refused = store.commit(&commit(vec![new_owner(&owner("b")), new_owner(&owner("acme"))])).await;
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");

    let log = entries_after(&*store, At::default()).await;
    let of_key = |digests: &[u16]| (Some(digests.iter().copied().map(digest).map(|digest| digest.0).collect::<BTreeSet<_>>()), false);
    let restricting = |(digests, _)| (digests, true);
    let expected =
        [(None, false), of_key(&[1, 2]), restricting(of_key(&[1, 2, 3])), of_key(&[2, 3]), restricting(of_key(&[2, 3])), (None, true)];
    let found: Vec<_> = log.iter().map(|entry| (digests(entry), entry.restricting)).collect();
    assert_eq!(found, expected);
    assert_eq!(log.iter().map(|entry| entry.at.position).collect::<Vec<_>>(), (1..=6).collect::<Vec<u64>>());
    assert_eq!(log[0].at.mark, log[1].at.mark, "of one commit");
    let marks: BTreeSet<u64> = log.iter().map(|entry| entry.at.mark.0).collect();
    assert_eq!(marks.len(), 5, "of five commits: {marks:?}");
    assert_eq!(head(&*store).await, log[5].at);
}

/// The key's digests; `None`: an owner. Of `key_1` and `acme`.
fn digests(entry: &Entry) -> Option<BTreeSet<[u8; 32]>> {
    match &entry.touched {
        Touched::Key { realm: of, id, digests } => {
            assert_eq!((of, id), (&realm("otesse"), &key_id("key_1")));
            Some(digests.iter().map(|digest| digest.0).collect())
        }
        Touched::Owner { realm: of, id } => {
            assert_eq!((of, id), (&realm("otesse"), &owner_id("acme")));
            None
        }
        other => panic!("{other:?}"),
    }
}

pub(super) async fn new_keys_that_stand_one_after_another_in_a_commit_have_one_entry_in_the_log_together_and_so_have_new_owners(
    engine: &mut impl Engine,
) {
    let store = engine.store();
    let first = vec![new_owner(&owner("acme")), new_owner(&owner("b")), new_key(&key("key_1", &[digest(1), digest(2)]))];
    assert_eq!(put(&*store, first).await.position, 2);
    let changed = changed_owner(&Owner { revision: 2, ..owner("acme") });
    let new = |number: u16| new_key(&key(&format!("key_{number}"), &[digest(number)]));
    assert_eq!(put(&*store, vec![new(3), new(4), changed, new(5), new(6), new(7)]).await.position, 5);
    let (realm, acme) = (realm("otesse"), owner_id("acme"));
    let keys = |digests: &[u16]| Touched::NewKeys { digests: digests.iter().copied().map(digest).collect() };
    let expected = [
        Touched::NewOwners { realm: realm.clone(), ids: vec![acme.clone(), owner_id("b")] },
        Touched::Key { realm: realm.clone(), id: key_id("key_1"), digests: vec![digest(1), digest(2)] },
        keys(&[3, 4]),
        Touched::Owner { realm, id: acme },
        keys(&[5, 6, 7]),
    ];
    let log = entries_after(&*store, At::default()).await;
    assert_eq!(log.iter().map(|entry| entry.touched.clone()).collect::<Vec<_>>(), expected);
    assert!(log.iter().all(|entry| !entry.restricting));
}

pub(super) async fn a_commit_names_everyone_who_holds_a_lease(engine: &mut impl Engine) {
    let store = engine.store();
    let (a, b) = (holder("a", 1), holder("b", 2));
    let first = put(&*store, vec![new_owner(&owner("acme"))]).await;
    assert_eq!(first.standing.holders, []);
    assert_eq!((first.position, first.standing.at), (1, head(&*store).await));

    let long = Renewal { terms: Terms { lease: Duration::from_secs(9) }, ..renewal(&a, None) };
    store.renew(&long).await.unwrap();
    let renewed = renew_secured(&*store, &a, first.standing.at).await;
    renew(&*store, &b, None).await;
    let asked =
        Commit { request: Some(request("admin_1", "r", 1)), ..commit(vec![new_owner(&owner("b")), new_key(&key("key_1", &[digest(1)]))]) };
    let second = store.commit(&asked).await.unwrap();
    assert_eq!(in_order(second.standing.holders), [(a.clone(), registration(2, 1)), (b.clone(), registration(1, 0))]);
    assert_eq!((second.position, second.standing.at), (3, head(&*store).await));
    assert_eq!(second.standing.footing, renewed.footing);
    assert!(second.standing.level <= renewed.footing.level && second.standing.level > Level::Volatile, "every write is on disk here");
    assert_eq!((renewed.longest, second.standing.longest), (Duration::from_secs(9), Duration::from_secs(9)), "ever granted");

    store.dismiss(&b, 1).await.unwrap();
    store.acknowledge(&a, second.standing.at).await.unwrap();
    let third = put(&*store, vec![new_owner(&owner("d"))]).await;
    assert_eq!(third.standing.holders, [(a.clone(), registration(2, 3))]);
    // Whoever asks again must know whom to wait for now.
    let replayed = store.commit(&asked).await.unwrap();
    assert_eq!((replayed.position, replayed.replayed.is_some()), (3, true));
    assert_eq!((replayed.standing.holders, replayed.standing.at), (vec![(a, registration(2, 3))], third.standing.at));
    whoever_renews_without_an_entry_is_among_the_holders_of_its_commit(store).await;
}

/// Whatever races: a lease that was granted without a commit's entries is one that the commit names.
async fn whoever_renews_without_an_entry_is_among_the_holders_of_its_commit(store: SharedStore) {
    let renewing: Vec<_> = (0..8_u64)
        .map(|task| {
            let store = store.clone();
            let renewing = async move {
                let mut granted = Vec::new();
                for number in 0..100 {
                    let holder = holder("racer", task * 1_000 + number);
                    let Log::Jump { head } = renew(&*store, &holder, None).await.log else { panic!("it named no place") };
                    granted.push((holder, head.position));
                }
                granted
            };
            tokio::spawn(renewing)
        })
        .collect();
    let mut commits = Vec::new();
    while renewing.iter().any(|task| !task.is_finished()) {
        commits.push(put(&*store, vec![new_owner(&owner(&format!("race-{}", commits.len())))]).await);
    }
    let commits = commits.into_iter().map(|made| (made.position, made.standing.holders.into_iter().map(|(holder, _)| holder).collect()));
    let commits: Vec<(u64, HashSet<Holder>)> = commits.collect();
    for task in renewing {
        for (holder, head) in task.await.unwrap() {
            let unnamed = commits.iter().filter(|(position, named)| *position > head && !named.contains(&holder)).count();
            assert_eq!(unnamed, 0, "{holder} has a lease up to {head} that commits do not know of");
        }
    }
}

pub(super) async fn what_was_vouched_for_is_told_with_every_footing_of_the_same_primary(engine: &mut impl Engine) {
    let store = engine.store();
    let asked = async || store.renew(&renewal(&holder("a", 1), None)).await.unwrap().footing;
    let first = asked().await;
    // The control: another primary is not this one. An embedded store, which has none before it, is firm from the start.
    store.vouch(&Footing { primary: "another".into(), ..first.clone() }).await.unwrap();
    assert_eq!(asked().await, first);
    store.vouch(&first).await.unwrap();
    let firm = Footing { vouched: Firmness::Firm, ..first };
    assert_eq!(asked().await, firm);
    let made = put(&*store, vec![new_owner(&owner("acme"))]).await.standing;
    let (_, secured) = store.secure(&What::Owner(realm("otesse"), owner_id("acme"))).await.unwrap();
    assert_eq!((made.footing, secured.footing), (firm.clone(), firm));
}

pub(super) async fn what_is_secured_stands_where_its_record_is_read(engine: &mut impl Engine) {
    let store = engine.store();
    let (first, id) = (key("key_1", &[digest(1)]), What::Key(realm("otesse"), key_id("key_1")));
    // Every later change is one more revision of the one key, so a place says which revision it holds at least.
    let base = put(&*store, vec![new_owner(&owner("acme")), new_key(&first)]).await.position;
    renew(&*store, &holder("a", 1), None).await;
    let (done, asked) = (Arc::new(AtomicBool::new(false)), (store.clone(), id.clone()));
    let over = done.clone();
    let asking = tokio::spawn(async move {
        let mut last = None;
        while !over.load(Ordering::Relaxed) {
            let (kept, standing) = asked.0.secure(&asked.1).await.unwrap();
            let Some(Kept::Key(record)) = kept else { panic!("{kept:?}") };
            assert!(record.revision - 1 <= standing.at.position - base, "revision {} at {}", record.revision, standing.at);
            last = Some((record.revision, standing.at));
        }
        last
    });
    for revision in 2..=40 {
        put(&*store, vec![changed_key(&Record { revision, ..first.clone() })]).await;
    }
    done.store(true, Ordering::Relaxed);
    let last = asking.await.unwrap();

    let (kept, standing) = store.secure(&id).await.unwrap();
    assert_eq!(kept, Some(Kept::Key(Record { revision: 40, ..first.clone() })));
    let made = put(&*store, vec![changed_owner(&Owner { revision: 2, ..owner("acme") })]).await.standing;
    assert_eq!((&standing.level, &standing.footing, standing.longest), (&made.level, &made.footing, made.longest));
    assert_eq!((standing.holders, standing.at.position), (made.holders, made.at.position - 1));
    let acme = store.secure(&What::Owner(realm("otesse"), owner_id("acme"))).await.unwrap();
    assert_eq!((acme.0, acme.1.at), (Some(Kept::Owner(Owner { revision: 2, ..owner("acme") })), made.at));
    for absent in
        [What::Key(realm("ocus"), key_id("key_1")), What::Key(realm("otesse"), key_id("acme")), What::Owner(realm("otesse"), owner_id("b"))]
    {
        assert_eq!(store.secure(&absent).await.unwrap().0, None);
    }

    drop(store);
    engine.crash().await;
    let store = engine.store();
    assert_eq!(head(&*store).await, acme.1.at);
    let kept = store.key(&realm("otesse"), &key_id("key_1")).await.unwrap().unwrap();
    assert!(last.is_none_or(|(revision, _)| kept.revision >= revision), "{last:?}");
    assert_eq!(entries_after(&*store, standing.at).await.len(), 1);
}
