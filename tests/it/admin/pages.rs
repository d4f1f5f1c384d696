//! Lists are read page by page, and resources field by field.

use std::time::Duration;

use keyward::proto::keyward::admin::v1::{GetKeyRequest, GetOwnerRequest, Key, ListKeysRequest, ListKeysResponse, ListOwnersRequest};
use prost_types::FieldMask;

use super::world::{World, create, fields};

on_every_store![
    pages_follow_one_another_without_gap_or_repetition,
    what_is_made_for_an_owner_while_its_pages_are_read_comes_at_the_end,
    a_token_belongs_to_its_question,
    owners_are_listed_by_their_ids,
    a_mask_leaves_only_its_fields,
];

async fn pages_follow_one_another_without_gap_or_repetition(world: World) {
    let [even, odd] = keys(&world, 11).await;
    let made = [&even[..], &odd].concat();
    let whole = list(&world, ListKeysRequest::default()).await;
    assert_eq!(names(&whole.keys), made);
    assert_eq!(whole.next_page_token, "");
    for page_size in [1, 2, 3, 10, 11, 12] {
        let pages = walk(&world, page_size, "").await;
        assert!(pages.iter().rev().skip(1).all(|page| page.keys.len() == usize::try_from(page_size).unwrap()), "only the last is shorter");
        assert!(pages.iter().all(|page| !page.keys.is_empty()), "no page is empty");
        let read: Vec<String> = pages.iter().flat_map(|page| names(&page.keys)).collect();
        assert_eq!(read, made, "{page_size}");
    }
    let of_one: Vec<String> = walk(&world, 2, "realms/otesse/owners/odd").await.iter().flat_map(|page| names(&page.keys)).collect();
    assert_eq!(of_one, odd);
    assert_eq!(list(&world, ListKeysRequest { owner: "realms/otesse/owners/nobody".into(), ..Default::default() }).await.keys, []);
}

async fn what_is_made_for_an_owner_while_its_pages_are_read_comes_at_the_end(world: World) {
    let [mut made, _] = keys(&world, 8).await;
    let of_even = ListKeysRequest { owner: "realms/otesse/owners/even".into(), ..Default::default() };
    let first = list(&world, ListKeysRequest { page_size: 2, ..of_even.clone() }).await;
    let [later, _] = keys(&world, 4).await;
    made.extend(later);
    let rest = list(&world, ListKeysRequest { page_size: 1000, page_token: first.next_page_token, ..of_even }).await;
    let read: Vec<String> = names(&first.keys).into_iter().chain(names(&rest.keys)).collect();
    assert_eq!(read, made, "and the size may change from page to page");
}

async fn a_token_belongs_to_its_question(world: World) {
    keys(&world, 4).await;
    let question = ListKeysRequest { parent: "realms/otesse".into(), page_size: 1, ..Default::default() };
    let page_token = list(&world, question.clone()).await.next_page_token;
    let next = ListKeysRequest { page_token: page_token.clone(), ..question };
    for other in [
        ListKeysRequest { parent: "realms/ocus".into(), ..next.clone() },
        ListKeysRequest { owner: "realms/otesse/owners/odd".into(), ..next.clone() },
        ListKeysRequest { read_mask: mask(&["name"]), ..next.clone() },
    ] {
        assert_eq!(fields(&world.keys().list_keys(world.ask(other)).await.unwrap_err()), ["page_token"]);
    }
    let owners = ListOwnersRequest { parent: "realms/otesse".into(), page_token, ..Default::default() };
    assert_eq!(fields(&world.owners().list_owners(world.ask(owners)).await.unwrap_err()), ["page_token"]);
    world.keys().list_keys(world.ask(next)).await.unwrap();
}

async fn owners_are_listed_by_their_ids(world: World) {
    for id in ["b", "a-1", "B", "a", "a.1"] {
        world.owner("otesse", id).await;
    }
    world.owner("ocus", "elsewhere").await;
    let mut request = ListOwnersRequest { parent: "realms/otesse".into(), page_size: 2, ..Default::default() };
    let mut ids = Vec::new();
    loop {
        let page = world.owners().list_owners(world.ask(request.clone())).await.unwrap().into_inner();
        ids.extend(page.owners.iter().map(|owner| owner.name.replace("realms/otesse/owners/", "")));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(ids, ["B", "a", "a-1", "a.1", "b"]);
}

async fn a_mask_leaves_only_its_fields(world: World) {
    let whole = world.otesse("masked").await.key.unwrap();
    let get = |paths: &[&str]| world.ask(GetKeyRequest { name: whole.name.clone(), read_mask: mask(paths) });
    let some = world.keys().get_key(get(&["label", "scopes"])).await.unwrap().into_inner().key.unwrap();
    assert_eq!(some, Key { label: "masked".into(), scopes: whole.scopes.clone(), ..Key::default() });
    for all in [&[][..], &["*"]] {
        assert_eq!(world.keys().get_key(get(all)).await.unwrap().into_inner().key.unwrap(), whole);
    }
    let listed = list(&world, ListKeysRequest { read_mask: mask(&["name"]), ..Default::default() }).await.keys;
    assert_eq!(listed, [Key { name: whole.name.clone(), ..Key::default() }]);
    let owner = world.ask(GetOwnerRequest { name: whole.owner, read_mask: mask(&["etag"]) });
    let owner = world.owners().get_owner(owner).await.unwrap().into_inner().owner.unwrap();
    assert_eq!((owner.name.as_str(), owner.etag.as_str()), ("", "\"1\""));
}

/// Makes keys in Otesse's realm, in turns of two owners; their names by owner, in the order of their making.
async fn keys(world: &World, count: usize) -> [Vec<String>; 2] {
    let mut made = [Vec::new(), Vec::new()];
    for (number, owner) in ["even", "odd"].into_iter().cycle().take(count).enumerate() {
        world.owner("otesse", owner).await;
        world.time.pass(Duration::from_millis(1));
        let key = Key { owner: format!("realms/otesse/owners/{owner}"), environment: "test".into(), ..Key::default() };
        made[number % 2].push(world.try_create(create("otesse", key)).await.unwrap().key.unwrap().name);
    }
    made
}

async fn list(world: &World, request: ListKeysRequest) -> ListKeysResponse {
    let request = ListKeysRequest { parent: "realms/otesse".into(), ..request };
    world.keys().list_keys(world.ask(request)).await.unwrap().into_inner()
}

async fn walk(world: &World, page_size: i32, owner: &str) -> Vec<ListKeysResponse> {
    let mut pages = vec![list(world, ListKeysRequest { page_size, owner: owner.into(), ..Default::default() }).await];
    while let Some(page_token) = pages.last().map(|page| page.next_page_token.clone()).filter(|token| !token.is_empty()) {
        pages.push(list(world, ListKeysRequest { page_size, page_token, owner: owner.into(), ..Default::default() }).await);
    }
    pages
}

fn names(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| key.name.clone()).collect()
}

#[allow(clippy::unnecessary_wraps, reason = "a field of requests")]
fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}
