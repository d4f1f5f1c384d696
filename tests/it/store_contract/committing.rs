//! `commit`.

use crate::support::peppers::claim;
use keyward::domain::name::KeyId;
use keyward::domain::owner::Owner;
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::store::{Change, Commit, Expect, Line, Needs, Store, StoreError};

use super::engines::Engine;
use super::samples::{
    changed_key, changed_owner, commit, digest, key, new_key, new_owner, owner, owner_id, page, position, put, realm, request,
};

pub(super) async fn a_commit_that_expects_another_revision_is_a_conflict_and_changes_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    let first = key("key_1", &[digest(1)]);
    put(&*store, vec![new_owner(&owner("acme")), new_key(&first)]).await;
    let before = everything(&*store).await;
    let (next, new) = (Record { revision: 2, label: "next".into(), ..key("key_1", &[digest(2)]) }, key("key_2", &[digest(3)]));
    let expecting = |expect| Change::Key { record: next.clone(), expect };
    for changes in [
        vec![new_key(&new), expecting(Expect::Revision(2))],
        vec![new_key(&new), expecting(Expect::Revision(0))],
        vec![new_key(&new), changed_owner(&Owner { revision: 2, ..owner("nobody") })],
        vec![new_key(&new), changed_key(&Record { revision: 2, ..key("key_3", &[]) })],
        vec![expecting(Expect::Revision(1)), expecting(Expect::Revision(1))],
    ] {
        let marked = Commit { request: Some(request("admin_1", "r", 1)), once: Some([1; 32]), ..commit(changes) };
        assert_eq!(store.commit(&marked).await, Err(StoreError::Conflict));
        assert_eq!(everything(&*store).await, before);
    }
    for taken in [vec![new_key(&new), expecting(Expect::Absent)], vec![new_key(&new), new_owner(&owner("acme"))]] {
        assert!(matches!(store.commit(&commit(taken)).await, Err(StoreError::Exists(_))));
        assert_eq!(everything(&*store).await, before);
    }
    // The control, which shows too that the commits that failed have used up neither request id nor mark.
    let right = commit(vec![new_key(&new), expecting(Expect::Revision(1))]);
    let made = store.commit(&Commit { request: Some(request("admin_1", "r", 1)), once: Some([1; 32]), ..right }).await.unwrap();
    assert_eq!((made.position, made.replayed), (before.2 + 2, None));
    assert_eq!(store.key(&realm("otesse"), &next.id).await.unwrap(), Some(next));
}

pub(super) async fn a_secret_that_another_key_of_the_realm_has_is_refused_and_changes_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme")), new_key(&key("key_1", &[digest(1), digest(2)]))]).await;
    put(&*store, vec![new_key(&key("key_2", &[digest(3)]))]).await;
    let before = everything(&*store).await;
    for changes in [
        vec![new_key(&key("key_3", &[digest(2)]))],
        vec![new_owner(&owner("other")), new_key(&key("key_3", &[digest(4), digest(1)]))],
        vec![changed_key(&Record { revision: 2, ..key("key_2", &[digest(3), digest(1)]) })],
        vec![new_key(&key("key_3", &[digest(5)])), new_key(&key("key_4", &[digest(5)]))],
    ] {
        assert_eq!(store.commit(&commit(changes)).await, Err(StoreError::SecretTaken));
        assert_eq!(everything(&*store).await, before);
    }
    let elsewhere = Record { realm: realm("ocus"), ..key("key_3", &[digest(1)]) };
    put(&*store, vec![new_key(&elsewhere)]).await;
    put(&*store, vec![changed_key(&Record { revision: 2, ..key("key_1", &[digest(1), digest(2)]) })]).await;
}

pub(super) async fn the_same_request_id_with_the_same_content_is_done_once_with_other_content_it_is_an_error(engine: &mut impl Engine) {
    let store = engine.store();
    let asked = |id: u16, who, content| Commit {
        request: Some(request(who, "r-1/a b", content)),
        ..commit(vec![new_key(&key(&format!("key_{id}"), &[digest(id)]))])
    };
    let made = store.commit(&asked(1, "admin_1", 1)).await.unwrap();
    assert_eq!(made.replayed, None);
    let before = everything(&*store).await;
    for other in [1, 2] {
        let replayed = store.commit(&asked(other, "admin_1", 1)).await.unwrap();
        assert_eq!((replayed.position, replayed.replayed.as_deref()), (made.position, Some("key_1")));
    }
    assert_eq!(store.commit(&asked(3, "admin_1", 2)).await, Err(StoreError::RequestIdReused));
    assert_eq!(everything(&*store).await, before);
    assert_eq!(store.commit(&asked(4, "admin_2", 2)).await.unwrap().replayed, None, "another caller's id is another");

    let racers: Vec<_> = (0..8)
        .map(|_| {
            let (store, request) = (store.clone(), Some(request("admin_1", "r-2", 1)));
            let racing = Commit { request, ..commit(vec![new_key(&key("key_9", &[digest(9)]))]) };
            tokio::spawn(async move { store.commit(&racing).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for racer in racers {
        answers.push(racer.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|made| made.replayed.is_none()).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|made| made.position == answers[0].position));
}

pub(super) async fn a_commit_marked_as_once_is_done_once_whoever_races_for_it(engine: &mut impl Engine) {
    let store = engine.store();
    let racers: Vec<_> = (0..16_u16)
        .map(|number| {
            let store = store.clone();
            let racing = Commit { once: Some([7; 32]), ..commit(vec![new_key(&key(&format!("key_{number}"), &[digest(number)]))]) };
            tokio::spawn(async move { store.commit(&racing).await.map(|made| made.position) })
        })
        .collect();
    let mut answers = Vec::new();
    for racer in racers {
        answers.push(racer.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == Err(StoreError::DoneBefore)).count(), 15, "{answers:?}");
    assert_eq!(everything(&*store).await.0.len(), 1);
    let other = Commit { once: Some([8; 32]), ..commit(vec![new_key(&key("key_20", &[digest(20)]))]) };
    store.commit(&other).await.unwrap();
}

pub(super) async fn positions_go_up_by_one_with_every_entry_of_the_log(engine: &mut impl Engine) {
    let store = engine.store();
    assert_eq!(position(&*store).await, 0);
    let one = put(&*store, vec![new_owner(&owner("acme"))]).await.position;
    assert_eq!((one, position(&*store).await), (1, 1));
    let three = vec![new_key(&key("key_1", &[digest(1)])), new_owner(&owner("b")), new_key(&key("key_2", &[digest(2)]))];
    assert_eq!(put(&*store, three).await.position, 4);
    assert_eq!(put(&*store, vec![changed_owner(&Owner { revision: 2, ..owner("acme") })]).await.position, 5);
    let racers: Vec<_> = (10..30_u16)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { put(&*store, vec![new_key(&key(&format!("key_{number}"), &[digest(number)]))]).await.position })
        })
        .collect();
    let mut positions = Vec::new();
    for racer in racers {
        positions.push(racer.await.unwrap());
    }
    positions.sort_unstable();
    assert_eq!(positions, (6..26).collect::<Vec<u64>>());
    assert_eq!(position(&*store).await, 25);
}

pub(super) async fn what_was_acknowledged_is_there_after_a_crash(engine: &mut impl Engine) {
    let store = engine.store();
    let once = Commit { once: Some([3; 32]), request: Some(request("admin_1", "r", 1)), ..commit(vec![new_owner(&owner("acme"))]) };
    store.commit(&once).await.unwrap();
    for number in 1..=5 {
        put(&*store, vec![new_key(&key(&format!("key_{number}"), &[digest(number)]))]).await;
    }
    let revoked = Record { revision: 2, revoked: Some(StoreTime(1_850_000_000_000)), ..key("key_3", &[digest(3)]) };
    put(&*store, vec![changed_key(&revoked)]).await;
    store.claim_peppers(&[claim("1", 5)]).await.unwrap();
    let before = everything(&*store).await;
    assert_eq!((before.0.len(), before.1.len(), before.2), (5, 1, 7));
    drop(store);
    engine.crash().await;
    let store = engine.store();
    assert_eq!(everything(&*store).await, before);
    let found = store.find(&realm("otesse"), &[digest(3)]).await.unwrap().holder.unwrap();
    assert_eq!(found.record, revoked);
    assert!(store.commit(&once).await.unwrap().replayed.is_some());
    assert_eq!(store.commit(&Commit { request: None, ..once }).await, Err(StoreError::DoneBefore));
    assert!(store.claim_peppers(&[claim("1", 6)]).await.is_err());
}

pub(super) async fn a_secret_that_a_key_no_longer_has_is_free_for_another(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme")), new_key(&key("key_1", &[digest(1), digest(2)]))]).await;
    put(&*store, vec![changed_key(&Record { revision: 2, ..key("key_1", &[digest(2)]) })]).await;
    put(&*store, vec![new_key(&key("key_2", &[digest(1)]))]).await;
    assert_eq!(store.find(&realm("otesse"), &[digest(1)]).await.unwrap().holder.unwrap().record.id.as_str(), "key_2");
}

/// All keys, all owners, and the position.
async fn everything(store: &dyn Store) -> (Vec<Record>, Vec<Owner>, u64) {
    let realm = realm("otesse");
    let keys = store.keys(&realm, None, &page(None, 100)).await.unwrap();
    let owners = store.owners(&realm, &page(None, 100)).await.unwrap();
    (keys, owners, position(store).await)
}

pub(super) async fn a_digest_that_is_to_be_free_and_that_a_key_of_its_realm_has_is_refused_and_changes_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme")), new_key(&key("key_1", &[digest(1)]))]).await;
    let before = everything(&*store).await;
    let with = |free| Commit { needs: Needs { free, ..Needs::default() }, ..commit(vec![new_key(&key("key_2", &[digest(2)]))]) };
    let held = with(vec![(realm("otesse"), digest(3)), (realm("otesse"), digest(1))]);
    assert_eq!(store.commit(&held).await, Err(StoreError::SecretTaken));
    assert_eq!(everything(&*store).await, before);
    let control = with(vec![(realm("otesse"), digest(3)), (realm("other"), digest(1))]);
    store.commit(&control).await.unwrap();
}

pub(super) async fn a_commit_that_needs_an_owner_who_is_not_there_is_a_conflict_and_changes_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme")), new_owner(&Owner { realm: realm("ocus"), ..owner("other") })]).await;
    let before = everything(&*store).await;
    let needing = |owners: &[(&str, &str)]| {
        let owners = owners.iter().map(|(of, id)| (realm(of), owner_id(id))).collect();
        Commit { needs: Needs { owners, ..Needs::default() }, ..commit(vec![new_key(&key("key_1", &[digest(1)]))]) }
    };
    for missing in [("otesse", "other"), ("ocus", "acme"), ("otesse", "Acme")] {
        assert_eq!(store.commit(&needing(&[("otesse", "acme"), missing])).await, Err(StoreError::Conflict), "{missing:?}");
        assert_eq!(everything(&*store).await, before);
    }
    store.commit(&needing(&[("otesse", "acme"), ("ocus", "other")])).await.expect("control: they are there");
}

/// Its control: where nothing comes between, an engine that foresees makes it.
pub(super) async fn a_commit_in_a_line_is_made_right_behind_the_one_before_it_or_not_at_all(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme"))]).await;
    let is_there = async |number: u16| store.key(&realm("otesse"), &numbered(number)).await.unwrap().is_some();

    // at once: whichever way it goes, none is lost and none comes first
    let mut front = Line::default();
    let mut behind = front.behind();
    let (one, two) = (making(1), making(2));
    let (one, two) = tokio::join!(store.commit_in_line(&one, &mut front), store.commit_in_line(&two, &mut behind));
    let one = one.unwrap();
    match &two {
        Ok(two) => assert_eq!(two.audit.unwrap().sequence, one.audit.unwrap().sequence + 1),
        Err(refused) => assert_eq!(*refused, StoreError::Late),
    }
    assert_eq!(is_there(2).await, two.is_ok());

    // behind one that is refused, or was never sent
    let mut front = Line::default();
    let mut behind = front.behind();
    let (again, three) = (making(1), making(3));
    let (refused, late) = tokio::join!(store.commit_in_line(&again, &mut front), store.commit_in_line(&three, &mut behind));
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    assert_eq!(late, Err(StoreError::Late));
    let mut behind = Line::default().behind();
    assert_eq!(store.commit_in_line(&three, &mut behind).await, Err(StoreError::Late));
    assert!(behind.is_alone(), "nobody will tell it any more");
    assert!(!is_there(3).await);

    for (number, between) in [(4, None), (6, Some(5))] {
        let mut front = Line::default();
        let mut behind = front.behind();
        store.commit_in_line(&making(number), &mut front).await.unwrap();
        if let Some(between) = between {
            store.commit(&making(between)).await.unwrap();
        }
        let made = store.commit_in_line(&making(number + 10), &mut behind).await;
        let is_foreseen = !behind.is_alone();
        assert_eq!(made.as_ref().err(), (between.is_some() || !is_foreseen).then_some(&StoreError::Late));
        assert_eq!(is_there(number + 10).await, made.is_ok());
    }
}

pub(super) async fn a_line_goes_on_behind_a_commit_that_was_late_and_came_later(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme"))]).await;
    let mut first = Line::default();
    let mut second = first.behind();
    let mut third = second.behind();
    store.commit_in_line(&making(1), &mut first).await.unwrap();
    drop(first);
    store.commit(&making(2)).await.unwrap();
    assert_eq!(store.commit_in_line(&making(3), &mut second).await, Err(StoreError::Late), "somebody came between");
    assert_eq!(store.commit_in_line(&making(4), &mut third).await, Err(StoreError::Late), "it was to come behind one that is not there");
    if !second.is_alone() {
        assert_eq!(store.commit_in_line(&making(3), &mut second).await, Err(StoreError::Late), "nobody tells it anything new");
    }
    assert!(second.is_alone());
    let third_made = async {
        match store.commit_in_line(&making(4), &mut third).await {
            Err(StoreError::Late) => panic!("it is told where the second stands now"),
            made => made.unwrap(),
        }
    };
    let second_made = store.commit_in_line(&making(3), &mut second).await.unwrap();
    assert_eq!(third_made.await.audit.unwrap().sequence, second_made.audit.unwrap().sequence + 1);
}

fn numbered(number: u16) -> KeyId {
    KeyId::parse(&format!("key_{number}")).unwrap()
}

/// What makes a key.
fn making(number: u16) -> Commit {
    commit(vec![new_key(&key(numbered(number).as_str(), &[digest(number)]))])
}

pub(super) async fn a_key_that_was_removed_is_found_and_listed_no_more_and_its_secrets_are_free(engine: &mut impl Engine) {
    let store = engine.store();
    let keys = [key("key_1", &[digest(1), digest(2)]), key("key_2", &[digest(3)])];
    put(&*store, vec![new_owner(&owner("acme")), new_key(&keys[0]), new_key(&keys[1])]).await;
    let removed = |expect| Change::Removed { realm: realm("otesse"), id: keys[0].id.clone(), expect };
    let asked = Commit { request: Some(request("admin_1", "r-1", 1)), ..commit(vec![removed(Expect::Revision(1))]) };
    let before = everything(&*store).await;
    assert_eq!(store.commit(&commit(vec![removed(Expect::Revision(2))])).await, Err(StoreError::Conflict));
    assert_eq!(everything(&*store).await, before);
    let made = store.commit(&asked).await.unwrap();
    assert_eq!(store.commit(&asked).await.unwrap().replayed.as_deref(), Some("key_1"), "though it is gone");
    assert_eq!(store.commit(&commit(vec![removed(Expect::Revision(1))])).await, Err(StoreError::Conflict));
    assert_eq!((made.position, made.replayed), (3, None));
    assert_eq!(store.key(&realm("otesse"), &keys[0].id).await.unwrap(), None);
    for number in [1, 2] {
        assert_eq!(store.find(&realm("otesse"), &[digest(number)]).await.unwrap().holder, None);
    }
    for owner in [None, Some(&keys[1].owner)] {
        assert_eq!(store.keys(&realm("otesse"), owner, &page(None, 10)).await.unwrap(), [keys[1].clone()]);
    }
    let again = Record { id: keys[0].id.clone(), ..key("key_1", &[digest(2)]) };
    put(&*store, vec![new_key(&again), new_key(&key("key_3", &[digest(1)]))]).await;
    assert_eq!(store.find(&realm("otesse"), &[digest(2)]).await.unwrap().holder.map(|holder| holder.record), Some(again));
}
