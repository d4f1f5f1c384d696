//! Lists that are narrowed: each filter takes what it says, alone and with others, and pages of it follow one another to the end.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::domain::name::{KeyId, OwnerId, RealmId, Scope, Word};
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::domain::usage::LastUse;
use keyward::keyring::LOOKS;
use keyward::proto::keyward::admin::v1::{
    DisableOwnerRequest, Key, ListKeysRequest, ListKeysResponse, ListOwnersRequest, RevokeKeyRequest, key, owner,
};
use keyward::store::{Change, Counts, SubjectName, UsagePiece};
use prost_types::Timestamp;

use super::world::{World, create, fields};
use crate::support::seed;

/// A question, and which of the numbered keys it is answered with.
type Filter = (ListKeysRequest, fn(usize) -> bool);

on_every_store![
    each_filter_takes_what_it_says_and_all_that_are_set_must_be_met,
    a_key_is_in_the_state_that_the_gate_would_find_it_in,
    a_page_of_a_filtered_list_looks_at_so_many_and_the_list_goes_on,
    filtered_pages_follow_one_another_in_both_orders_while_keys_are_added,
    keys_that_nobody_has_presented_since_are_listed,
    owners_are_listed_by_their_state,
    a_filter_that_is_none_is_refused_with_its_field,
];

async fn each_filter_takes_what_it_says_and_all_that_are_set_must_be_met(world: World) {
    let soon = now(&world).await + 1_000;
    let made = |label: &'static str, change: fn(&mut Key, i64)| {
        let mut key = Key { label: label.into(), owner: "realms/otesse/owners/acme".into(), environment: "live".into(), ..Key::default() };
        change(&mut key, soon);
        key
    };
    world.owner("otesse", "acme").await;
    world.owner("otesse", "other").await;
    for key in [
        made("build-1", |_, _| {}),
        made("build-2", |key, _| key.environment = "test".into()),
        made("build-3", |key, _| key.scopes = vec!["bookings:read".into(), "bookings:write".into()]),
        made("deploy", |key, soon| key.expire_time = at(soon)),
        made("later", |key, soon| key.expire_time = at(soon + 1_000)),
        made("planned", |key, _| key.plan = "test".into()),
        made("build-4", |key, _| key.owner = "realms/otesse/owners/other".into()),
    ] {
        world.try_create(create("otesse", key)).await.unwrap();
    }
    let any = ListKeysRequest::default;
    for (number, (request, labels)) in [
        (any(), &["build-1", "build-2", "build-3", "deploy", "later", "planned", "build-4"][..]),
        (ListKeysRequest { label: "build-1".into(), ..any() }, &["build-1"]),
        (ListKeysRequest { label: "build".into(), ..any() }, &[]),
        (ListKeysRequest { label_prefix: "build-".into(), ..any() }, &["build-1", "build-2", "build-3", "build-4"]),
        (ListKeysRequest { environment: "test".into(), ..any() }, &["build-2"]),
        (ListKeysRequest { scope: "bookings:write".into(), ..any() }, &["build-3"]),
        (ListKeysRequest { plan: "test".into(), ..any() }, &["planned"]),
        (ListKeysRequest { expiring_before: at(soon), ..any() }, &[]),
        (ListKeysRequest { expiring_before: at(soon + 1), ..any() }, &["deploy"]),
        (ListKeysRequest { expiring_before: at(soon + 1_001), ..any() }, &["deploy", "later"]),
        (ListKeysRequest { rotation_due: true, ..any() }, &[]),
        (ListKeysRequest { owner: "realms/otesse/owners/other".into(), label_prefix: "b".into(), ..any() }, &["build-4"]),
        (
            ListKeysRequest { label_prefix: "build-".into(), environment: "live".into(), scope: "bookings:read".into(), ..any() },
            &["build-3"],
        ),
        (ListKeysRequest { label_prefix: "build-".into(), label: "deploy".into(), ..any() }, &[]),
        (ListKeysRequest { environment: "nowhere".into(), ..any() }, &[]),
    ]
    .into_iter()
    .enumerate()
    {
        for page_size in [0, 1, 2] {
            let asked = ListKeysRequest { page_size, ..request.clone() };
            let read: Vec<String> = walk(&world, asked).await.into_iter().flat_map(|page| page.keys).map(|key| key.label).collect();
            assert_eq!(read, labels, "case {number}");
        }
    }
}

async fn a_key_is_in_the_state_that_the_gate_would_find_it_in(world: World) {
    let soon = now(&world).await + 60;
    world.owner("otesse", "shut").await;
    for (label, owner, expires) in [
        ("open", "acme", None),
        ("over", "acme", at(soon)),
        ("gone", "acme", at(soon)),
        ("shut", "shut", None),
        ("shut and over", "shut", at(soon)),
    ] {
        world.owner("otesse", owner).await;
        let owner = format!("realms/otesse/owners/{owner}");
        let key = Key { label: label.into(), owner, environment: "live".into(), expire_time: expires, ..Key::default() };
        let made = world.try_create(create("otesse", key)).await.unwrap().key.unwrap();
        assert_eq!(made.state(), key::State::Active, "all of them are, at first");
        if label == "gone" {
            let request = RevokeKeyRequest { name: made.name, ..Default::default() };
            let revoked = world.keys().revoke_key(world.ask(request)).await.unwrap().into_inner().key.unwrap();
            assert_eq!(revoked.state(), key::State::Revoked);
        }
    }
    let request = DisableOwnerRequest { name: "realms/otesse/owners/shut".into(), ..Default::default() };
    let owner = world.owners().disable_owner(world.ask(request)).await.unwrap().into_inner().owner.unwrap();
    assert_eq!(owner.state(), owner::State::Disabled);
    let before = states(&world).await;
    let shut = key::State::OwnerDisabled;
    let expected = |over, shut_and_over| {
        [("open", key::State::Active), ("over", over), ("gone", key::State::Revoked), ("shut", shut), ("shut and over", shut_and_over)]
            .map(|(label, state)| (label.to_owned(), state))
    };
    assert_eq!(before, expected(key::State::Active, shut));
    world.time.pass(Duration::from_secs(61));
    let after = states(&world).await;
    assert_eq!(after, expected(key::State::Expired, key::State::Expired), "what is final stands before the owner");
    for state in [key::State::Active, key::State::Revoked, key::State::Expired, key::State::OwnerDisabled] {
        let listed = walk(&world, ListKeysRequest { state: state.into(), ..Default::default() }).await;
        let labels: Vec<String> = listed.into_iter().flat_map(|page| page.keys).map(|key| key.label).collect();
        let of_state: Vec<String> = after.iter().filter(|(_, of)| *of == state).map(|(label, _)| label.clone()).collect();
        assert_eq!(labels, of_state, "{state:?}");
    }
}

async fn a_page_of_a_filtered_list_looks_at_so_many_and_the_list_goes_on(world: World) {
    let all = 2 * LOOKS + 10;
    fill(&world, all, |number, record| {
        // the first, one in the middle, and the last
        if [0, LOOKS + 1, 2 * LOOKS + 9].contains(&number) {
            record.label = "rare".into();
        }
    })
    .await;
    let rare = ListKeysRequest { label: "rare".into(), ..Default::default() };
    let pages = walk(&world, rare.clone()).await;
    assert_eq!(pages.iter().map(|page| page.keys.len()).collect::<Vec<_>>(), [1, 1, 1], "a page a stretch of {LOOKS}");
    let none = walk(&world, ListKeysRequest { label: "none".into(), ..Default::default() }).await;
    assert_eq!(none.iter().map(|page| page.keys.len()).collect::<Vec<_>>(), [0, 0, 0], "empty pages that go on");
    let backwards = walk(&world, ListKeysRequest { order_by: "owner desc".into(), ..rare }).await;
    let names = |pages: Vec<ListKeysResponse>| pages.into_iter().flat_map(|page| page.keys).map(|key| key.name).collect::<Vec<_>>();
    let (backwards, mut forwards) = (names(backwards), names(pages));
    forwards.reverse();
    assert_eq!(backwards, forwards);
    let whole = names(walk(&world, ListKeysRequest { page_size: 1000, ..Default::default() }).await);
    assert_eq!((whole.len(), whole.iter().collect::<BTreeSet<_>>().len()), (all, all), "and without a filter all are there, once");
}

async fn filtered_pages_follow_one_another_in_both_orders_while_keys_are_added(world: World) {
    fill(&world, 600, |number, record| {
        record.label = if number.is_multiple_of(3) { "third" } else { "" }.into();
        record.environment = Some(Word::parse(if number.is_multiple_of(2) { "live" } else { "test" }).unwrap());
        record.plan = number.is_multiple_of(5).then(|| Word::parse("test").unwrap());
        record.scopes = if number.is_multiple_of(7) { vec![Scope::parse("bookings:read").unwrap()] } else { Vec::new() };
        record.expires = number.is_multiple_of(11).then_some(StoreTime(5_000));
        record.revoked = number.is_multiple_of(13).then_some(StoreTime(5));
    })
    .await;
    let store = world.store.clone();
    let adding = tokio::spawn(async move {
        for number in 600..900 {
            seed::commit(&*store, vec![filled(number)]).await;
        }
    });
    let any = ListKeysRequest::default;
    let filters: [Filter; 8] = [
        (any(), |_| true),
        (ListKeysRequest { owner: "realms/otesse/owners/acme".into(), ..any() }, |_| true),
        (ListKeysRequest { label: "third".into(), ..any() }, |number| number % 3 == 0),
        (ListKeysRequest { environment: "test".into(), ..any() }, |number| number % 2 == 1),
        (ListKeysRequest { plan: "test".into(), ..any() }, |number| number % 5 == 0),
        (ListKeysRequest { scope: "bookings:read".into(), ..any() }, |number| number % 7 == 0),
        (ListKeysRequest { expiring_before: at(9), ..any() }, |number| number % 11 == 0),
        (ListKeysRequest { state: key::State::Revoked.into(), ..any() }, |number| number % 13 == 0),
    ];
    for (number, (request, takes)) in filters.into_iter().enumerate() {
        for order_by in ["", "owner", "owner desc"] {
            let asked = ListKeysRequest { order_by: order_by.into(), page_size: 37, ..request.clone() };
            let names: Vec<String> = walk(&world, asked).await.into_iter().flat_map(|page| page.keys).map(|key| key.name).collect();
            let ordered = match order_by {
                "owner desc" => names.is_sorted_by(|one, other| one > other),
                _ => names.is_sorted_by(|one, other| one < other),
            };
            assert!(ordered, "none twice, and in order: filter {number} {order_by}");
            let there = names.iter().filter(|name| number_of(name) < 600).count();
            assert_eq!(there, (0..600).filter(|number| takes(*number)).count(), "filter {number} {order_by}");
        }
    }
    adding.await.unwrap();
}

async fn keys_that_nobody_has_presented_since_are_listed(world: World) {
    let now = world.store.now().await.unwrap();
    let (before, since) = (StoreTime(now.0 - 3_600_000), StoreTime(now.0 - 60_000));
    world.owner("otesse", "acme").await;
    for (number, created) in [(1, before), (2, before), (3, before), (4, now)] {
        let mut key = filled(number);
        if let Change::Key { record, .. } = &mut key {
            record.created = created;
        }
        seed::commit(&*world.store, vec![key]).await;
    }
    // the second was presented since, the third before that, and the first never; the fourth was not there yet
    let used = |number: usize, at: StoreTime| Counts {
        key: Some(KeyId::parse(&format!("key_{number:05}")).unwrap()),
        minutes: Vec::new(),
        last: vec![(1, LastUse { at, address: None })],
    };
    let owner = SubjectName { realm: RealmId::parse("otesse").unwrap(), owner: OwnerId::parse("acme").unwrap(), key: None };
    let counts = vec![used(2, StoreTime(since.0 + 1)), used(3, StoreTime(since.0 - 1))];
    let added = world.store.add_usage(&[UsagePiece { owner, by: 1, number: 1, at: now, counts }]).await.unwrap();
    assert_eq!(added, [Ok(())]);
    let unused = async |since: StoreTime| {
        let request = ListKeysRequest { unused_since: instant(since), ..Default::default() };
        let keys = walk(&world, request).await.into_iter().flat_map(|page| page.keys);
        keys.map(|key| number_of(&key.name)).collect::<Vec<_>>()
    };
    assert_eq!(unused(since).await, [1, 3]);
    assert_eq!(unused(StoreTime(since.0 - 1)).await, [1], "the control");
    assert_eq!(unused(StoreTime(now.0 + 1)).await, [1, 2, 3, 4]);
    assert_eq!(unused(before).await, [0_usize; 0], "a key that was not there was not unused");
    let long_ago = instant(StoreTime(now.0 - 401 * 86_400_000));
    let refused = ListKeysRequest { parent: "realms/otesse".into(), unused_since: long_ago, ..Default::default() };
    assert_eq!(fields(&world.keys().list_keys(world.ask(refused)).await.unwrap_err()), ["unused_since"]);
}

async fn owners_are_listed_by_their_state(world: World) {
    for id in ["a", "b", "c", "d"] {
        world.owner("otesse", id).await;
    }
    for id in ["b", "d"] {
        let request = DisableOwnerRequest { name: format!("realms/otesse/owners/{id}"), ..Default::default() };
        world.owners().disable_owner(world.ask(request)).await.unwrap();
    }
    for (state, order_by, expected) in [
        (owner::State::Unspecified, "", "a b c d"),
        (owner::State::Unspecified, "name desc", "d c b a"),
        (owner::State::Active, "", "a c"),
        (owner::State::Disabled, "", "b d"),
        (owner::State::Disabled, "name desc", "d b"),
    ] {
        for page_size in [1, 2, 0] {
            let mut request = ListOwnersRequest {
                parent: "realms/otesse".into(),
                state: state.into(),
                order_by: order_by.into(),
                page_size,
                ..ListOwnersRequest::default()
            };
            let mut ids = Vec::new();
            loop {
                let page = world.owners().list_owners(world.ask(request.clone())).await.unwrap().into_inner();
                ids.extend(page.owners.iter().map(|owner| owner.name.replace("realms/otesse/owners/", "")));
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
            }
            assert_eq!(ids.join(" "), expected, "{state:?} {order_by}");
        }
    }
}

async fn a_filter_that_is_none_is_refused_with_its_field(world: World) {
    let any = || ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() };
    for (request, field) in [
        (ListKeysRequest { state: 9, ..any() }, "state"),
        (ListKeysRequest { environment: "a b".into(), ..any() }, "environment"),
        (ListKeysRequest { plan: "a b".into(), ..any() }, "plan"),
        (ListKeysRequest { scope: "a b".into(), ..any() }, "scope"),
        (ListKeysRequest { expiring_before: at(-1), ..any() }, "expiring_before"),
        (ListKeysRequest { unused_since: at(-1), ..any() }, "unused_since"),
        (ListKeysRequest { order_by: "label".into(), ..any() }, "order_by"),
        (ListKeysRequest { order_by: "owner down".into(), ..any() }, "order_by"),
        (ListKeysRequest { order_by: "name".into(), ..any() }, "order_by"),
        (ListKeysRequest { owner: "acme".into(), ..any() }, "owner"),
    ] {
        assert_eq!(fields(&world.keys().list_keys(world.ask(request)).await.unwrap_err()), [field]);
    }
    let owners = ListOwnersRequest { parent: "realms/otesse".into(), state: 9, order_by: "state".into(), ..Default::default() };
    assert_eq!(fields(&world.owners().list_owners(world.ask(owners)).await.unwrap_err()), ["state", "order_by"]);
    // a token of one question is none of another: filters and order are of the question
    for label in ["one", "two"] {
        world.otesse(label).await;
    }
    let first = world.keys().list_keys(world.ask(ListKeysRequest { page_size: 1, ..any() })).await.unwrap().into_inner();
    let next = ListKeysRequest { page_token: first.next_page_token, ..any() };
    for other in [
        ListKeysRequest { label: "one".into(), ..next.clone() },
        ListKeysRequest { order_by: "owner desc".into(), ..next.clone() },
        ListKeysRequest { state: key::State::Active.into(), ..next.clone() },
    ] {
        assert_eq!(fields(&world.keys().list_keys(world.ask(other)).await.unwrap_err()), ["page_token"]);
    }
    assert_eq!(world.keys().list_keys(world.ask(next)).await.unwrap().into_inner().keys.len(), 1, "the control");
}

/// All pages, as a client reads them that goes on while there is a token.
async fn walk(world: &World, request: ListKeysRequest) -> Vec<ListKeysResponse> {
    let mut request = ListKeysRequest { parent: "realms/otesse".into(), ..request };
    let mut pages = Vec::new();
    loop {
        let page = world.keys().list_keys(world.ask(request.clone())).await.unwrap().into_inner();
        request.page_token.clone_from(&page.next_page_token);
        pages.push(page);
        if request.page_token.is_empty() {
            return pages;
        }
    }
}

async fn states(world: &World) -> Vec<(String, key::State)> {
    let pages = walk(world, ListKeysRequest::default()).await;
    pages.iter().flat_map(|page| &page.keys).map(|key| (key.label.clone(), key.state())).collect()
}

/// So many keys of acme's.
async fn fill(world: &World, count: usize, change: fn(usize, &mut Record)) {
    world.owner("otesse", "acme").await;
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(1_000) {
        let changes = some.iter().map(|number| {
            let mut key = filled(*number);
            if let Change::Key { record, .. } = &mut key {
                change(*number, record);
            }
            key
        });
        seed::commit(&*world.store, changes.collect()).await;
    }
}

fn filled(number: usize) -> Change {
    seed::key("otesse", "acme", &format!("key_{number:05}"), &format!("otesse_live_sk_{number:024}"))
}

fn number_of(name: &str) -> usize {
    name.rsplit('_').next().unwrap().parse().unwrap()
}

async fn now(world: &World) -> i64 {
    world.store.now().await.unwrap().0 / 1000
}

#[allow(clippy::unnecessary_wraps, reason = "a field of requests")]
fn instant(at: StoreTime) -> Option<Timestamp> {
    Some(Timestamp { seconds: at.0 / 1000, nanos: i32::try_from(at.0 % 1000).unwrap() * 1_000_000 })
}

#[allow(clippy::unnecessary_wraps, reason = "a field of requests")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}
