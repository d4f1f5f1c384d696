//! `find`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward::domain::record::Holder;
use keyward::domain::record::Record;
use keyward::store::{Finding, StoreError};

use super::engines::Engine;
use super::samples::{changed_key, changed_owner, digest, key, new_key, new_owner, owner, put, realm};

pub(super) async fn a_committed_key_is_found_by_each_of_its_secrets_digests_in_its_own_realm_only(engine: &mut impl Engine) {
    let store = engine.store();
    let (otesse, ocus) = (realm("otesse"), realm("ocus"));
    let holder = async |realm, digests: &[u16]| {
        let digests: Vec<_> = digests.iter().copied().map(digest).collect();
        store.find(realm, &digests).await.unwrap().holder
    };
    assert_eq!(holder(&otesse, &[1]).await, None);
    let (record, acme) = (key("key_1", &[digest(1), digest(2)]), owner("acme"));
    put(&*store, vec![new_owner(&acme), new_key(&record)]).await;
    let found = Some(Holder { record: record.clone(), owner: acme.clone() });
    for digests in [&[1][..], &[2], &[2, 1], &[9, 1], &[8, 9, 2]] {
        assert_eq!(holder(&otesse, digests).await, found, "{digests:?}");
    }
    for digests in [&[][..], &[9], &[8, 9]] {
        assert_eq!(holder(&otesse, digests).await, None, "{digests:?}");
    }
    assert_eq!(holder(&ocus, &[1, 2]).await, None, "in another realm");
    let elsewhere = Record { realm: ocus.clone(), ..key("key_2", &[digest(1)]) };
    let other = keyward::domain::owner::Owner { realm: ocus.clone(), ..owner("acme") };
    put(&*store, vec![new_owner(&other), new_key(&elsewhere)]).await;
    assert_eq!(holder(&ocus, &[1]).await.unwrap().record, elsewhere);
    assert_eq!(holder(&otesse, &[1]).await, found);

    let rotated = Record { revision: 2, ..key("key_1", &[digest(2), digest(3)]) };
    let renamed = keyward::domain::owner::Owner { revision: 2, name: "Acme".into(), ..acme };
    put(&*store, vec![changed_key(&rotated), changed_owner(&renamed)]).await;
    let found = Some(Holder { record: rotated, owner: renamed });
    assert_eq!(holder(&otesse, &[2]).await, found);
    assert_eq!(holder(&otesse, &[3]).await, found);
    assert_eq!(holder(&otesse, &[1]).await, None, "a secret that the key no longer has");
}

pub(super) async fn the_position_is_read_no_later_than_the_record(engine: &mut impl Engine) {
    let store = engine.store();
    let first = key("key_1", &[digest(1)]);
    // Every later change is one more revision of the one key, so a position says which revision was there then.
    let base = put(&*store, vec![new_owner(&owner("acme")), new_key(&first)]).await.position;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let finding = store.find(&realm("otesse"), &[digest(1)]).await?;
                    assert!(is_in_order(&finding, base), "{finding:?}");
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for revision in 2..=100 {
        put(&*store, vec![changed_key(&Record { revision, ..first.clone() })]).await;
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap().unwrap();
    }
    // The control: had the position been read after the record, and a change come between the two, it would show.
    let record = store.find(&realm("otesse"), &[digest(1)]).await.unwrap();
    put(&*store, vec![changed_key(&Record { revision: 101, ..first })]).await;
    let at = store.find(&realm("otesse"), &[]).await.unwrap().at;
    assert!(!is_in_order(&Finding { at, ..record }, base));
}

/// Whether the record holds every change up to the position.
fn is_in_order(finding: &Finding, base: u64) -> bool {
    finding.holder.as_ref().is_some_and(|holder| holder.record.revision > finding.at.position - base)
}
