//! Lists in pages, in either order, while others write.

use keyward::domain::record::Record;
use keyward::store::{Order, Page, Store, by_owner};

use super::engines::Engine;
use super::samples::{digest, key, new_key, new_owner, owner, owner_id, page, put, realm};

const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];

pub(super) async fn pages_follow_one_another_without_gap_or_repetition_in_either_order(engine: &mut impl Engine) {
    let store = engine.store();
    // Ids whose order differs from the order that they are made in, and from that of numbers; none but every second one is acme's.
    let mut ids: Vec<String> = (0..40_u16).map(|number| format!("key_{}", (number * 17) % 40)).collect();
    for (number, id) in (0..).zip(&ids) {
        let of = if number % 2 == 0 { "acme" } else { "acme.2" };
        put(&*store, vec![new_key(&Record { owner: owner_id(of), ..key(id, &[digest(number)]) }), new_owner(&owner(&id.to_uppercase()))])
            .await;
    }
    // neighbours of the realm, whose keys are none of its
    for neighbour in ["otess", "otesse-2", "otessf"] {
        put(&*store, vec![new_key(&Record { realm: realm(neighbour), ..key("key_1", &[digest(1)]) })]).await;
    }
    let mut of_acme: Vec<String> = ids.iter().step_by(2).cloned().collect();
    let mut of_both: Vec<String> = ids.iter().skip(1).step_by(2).cloned().collect();
    of_both.sort_unstable();
    of_acme.sort_unstable();
    // all of one owner, then all of the next: whose id begins as the first one's does, and goes on with what comes before most signs
    of_both.splice(0..0, of_acme.clone());
    ids.sort_unstable();
    for order in ORDERS {
        for count in [1, 7, 20, 40, 41] {
            assert_eq!(all_keys(&*store, None, (count, order)).await, of_both, "{count} a page, {order:?}");
            assert_eq!(all_keys(&*store, Some("acme"), (count, order)).await, of_acme, "{count} a page, {order:?}");
            let owners = all_owners(&*store, (count, order)).await;
            assert_eq!(owners, ids.iter().map(|id| id.to_uppercase()).collect::<Vec<_>>(), "{count} a page, {order:?}");
        }
        ids.reverse();
        of_acme.reverse();
        of_both.reverse();
    }
    let first = |after: &str, order| Page { order, ..page(Some(after), 1) };
    let of_realm =
        async |page| store.keys(&realm("otesse"), None, &page).await.unwrap().iter().map(|key| key.id.to_string()).collect::<Vec<_>>();
    assert_eq!(of_realm(first("acme.2 key_9z", Order::Ascending)).await, [""; 0]);
    assert_eq!(of_realm(first("acme key_10z", Order::Ascending)).await, ["key_12"], "what a page begins after need not be there");
    assert_eq!(of_realm(first("acme key_8", Order::Ascending)).await, ["key_1"], "the next owner's first");
    assert_eq!(of_realm(first("acme key_", Order::Descending)).await, [""; 0]);
    assert_eq!(of_realm(first("acme key_10z", Order::Descending)).await, ["key_10"]);
    assert_eq!(of_realm(first("acme.2 key_", Order::Descending)).await, ["key_8"], "the owner's last before");
}

pub(super) async fn a_page_of_an_owners_keys_holds_none_of_others_wherever_it_is_to_begin(engine: &mut impl Engine) {
    let store = engine.store();
    for (number, of) in (0..).zip(["a", "acme", "acme-2", "acme.2", "b"]) {
        let keys = [0, 1].map(|key| (key, 2 * number + key));
        let record = |(id, secret)| Record { owner: owner_id(of), ..key(&format!("key_{number}{id}"), &[digest(secret)]) };
        put(&*store, keys.map(|key| new_key(&record(key))).into()).await;
    }
    for (after, order, expected) in [
        ("a key_00", Order::Ascending, &["key_10", "key_11"][..]),
        ("acme", Order::Ascending, &["key_10", "key_11"]),
        ("acme key_10", Order::Ascending, &["key_11"]),
        ("acme-2 x", Order::Ascending, &[]),
        ("b x", Order::Ascending, &[]),
        ("b key_40", Order::Descending, &["key_11", "key_10"]),
        ("acme-2 key_21", Order::Descending, &["key_11", "key_10"]),
        ("acme key_11", Order::Descending, &["key_10"]),
        ("a x", Order::Descending, &[]),
        ("acme", Order::Descending, &[]),
    ] {
        let page = Page { order, ..page(Some(after), 99) };
        let keys = store.keys(&realm("otesse"), Some(&owner_id("acme")), &page).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), expected, "{after}, {order:?}");
    }
}

pub(super) async fn pages_go_on_while_keys_are_added(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, vec![new_owner(&owner("acme"))]).await;
    let numbered = |number: u16| format!("key_{number:03}");
    for number in (0..60).step_by(2) {
        put(&*store, vec![new_key(&key(&numbered(number), &[digest(number)]))]).await;
    }
    let adding = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in (1..60).step_by(2) {
                put(&*store, vec![new_key(&key(&format!("key_{number:03}"), &[digest(number)]))]).await;
            }
        })
    };
    let mut rounds = 0;
    while rounds < 2 || !adding.is_finished() {
        rounds += 1;
        for (owner, order) in [(None, Order::Ascending), (Some("acme"), Order::Descending)] {
            let mut read = all_keys(&*store, owner, (3, order)).await;
            if order == Order::Descending {
                read.reverse();
            }
            assert!(read.is_sorted_by(|one, other| one < other), "none twice: {read:?}");
            assert!((0..60).step_by(2).all(|number| read.contains(&numbered(number))), "what was there all the while: {read:?}");
        }
    }
    adding.await.unwrap();
    assert_eq!(all_keys(&*store, None, (7, Order::Ascending)).await.len(), 60);
}

pub(super) async fn a_page_that_is_not_full_is_the_last_one(engine: &mut impl Engine) {
    let store = engine.store();
    put(&*store, (0..9).map(|number| new_key(&key(&format!("key_{number}"), &[digest(number)]))).collect()).await;
    let count = async |after: Option<&str>, count| store.keys(&realm("otesse"), None, &page(after, count)).await.unwrap().len();
    assert_eq!([count(None, 4).await, count(Some("acme key_3"), 4).await, count(Some("acme key_7"), 4).await], [4, 4, 1]);
    assert_eq!([count(None, 9).await, count(Some("acme key_8"), 9).await, count(None, 10).await], [9, 0, 9]);
}

/// Ids of all keys of a realm, or of an owner: so many a page, each full but the last.
pub(super) async fn all_keys(store: &dyn Store, owner: Option<&str>, (count, order): (usize, Order)) -> Vec<String> {
    let (mut ids, owner): (Vec<String>, _) = (Vec::new(), owner.map(owner_id));
    let mut after = None;
    loop {
        let page = Page { after, count, order };
        let part = store.keys(&realm("otesse"), owner.as_ref(), &page).await.unwrap();
        assert!(part.len() <= count);
        ids.extend(part.iter().map(|key| key.id.to_string()));
        if part.len() < count {
            return ids;
        }
        after = part.last().map(|key| by_owner(&key.owner, &key.id));
    }
}

async fn all_owners(store: &dyn Store, (count, order): (usize, Order)) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let part = store.owners(&realm("otesse"), &Page { after: ids.last().cloned(), count, order }).await.unwrap();
        assert!(part.len() <= count);
        ids.extend(part.iter().map(|owner| owner.id.to_string()));
        if part.len() < count {
            return ids;
        }
    }
}
