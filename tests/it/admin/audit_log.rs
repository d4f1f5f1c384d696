//! The audit log as it is read: in pages, as a stream of what comes, as an export, and verified - by those whom it concerns.

use std::time::Duration;

use keyward::domain::audit::{Link, Sealed};
use keyward::domain::name::Word;
use keyward::proto::keyward::admin::v1::{
    AuditEntry, DisableOwnerRequest, ExportAuditRequest, ListAuditRequest, ListAuditResponse, RevokeKeyRequest, VerifyAuditRequest,
    WatchAuditRequest,
};
use keyward::store::audit;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};

use super::world::{World, fields, peppers, reason, with};
use crate::support::audit::note;

on_every_store![
    entries_are_listed_newest_first_page_by_page_and_none_twice,
    where_the_oldest_were_dropped_the_pages_end_with_what_is_left,
    a_filter_finds_what_it_asks_for,
    whoever_is_bound_is_told_of_its_realm_alone,
    whoever_watches_gets_what_comes,
    an_export_has_what_proves_each_entry,
    an_intact_log_is_told_so_and_its_end_is_the_anchor_of_another_time,
];

async fn list(world: &World, token: &str, request: ListAuditRequest) -> Result<ListAuditResponse, Status> {
    Ok(world.audit().list_audit(with(token, request)).await?.into_inner())
}

/// All pages of this size, and how many they were.
async fn pages(world: &World, size: i32) -> (Vec<u64>, usize) {
    let (mut numbers, mut count, mut token) = (Vec::new(), 0, String::new());
    loop {
        let request = ListAuditRequest { page_size: size, page_token: token, ..Default::default() };
        let page = list(world, &world.admin, request).await.unwrap();
        assert!(page.entries.len() <= usize::try_from(size).unwrap());
        numbers.extend(page.entries.iter().map(|entry| entry.sequence));
        (token, count) = (page.next_page_token, count + 1);
        if token.is_empty() {
            return (numbers, count);
        }
        assert!(count < 100, "the pages do not end: {numbers:?}");
    }
}

fn down_from(last: u64, first: u64) -> Vec<u64> {
    (first..=last).rev().collect()
}

async fn entries_are_listed_newest_first_page_by_page_and_none_twice(world: World) {
    for number in 0..6 {
        world.otesse(&format!("key {number}")).await;
    }
    let last = world.store.audit_head().await.unwrap().sequence;
    for size in [1, 3, 1000] {
        assert_eq!(pages(&world, size).await.0, down_from(last, 1), "{size}");
    }
    let first = list(&world, &world.admin, ListAuditRequest { page_size: 2, ..Default::default() }).await.unwrap();
    let other = ListAuditRequest { page_size: 2, page_token: first.next_page_token, actor: "keyward".into(), ..Default::default() };
    assert_eq!(fields(&list(&world, &world.admin, other).await.unwrap_err()), ["page_token"], "it is of another question");
}

async fn where_the_oldest_were_dropped_the_pages_end_with_what_is_left(world: World) {
    for number in 0..8 {
        world.otesse(&format!("key {number}")).await;
    }
    world.store.drop_audit(4, &note("DropAudit", "")).await.unwrap();
    let last = world.store.audit_head().await.unwrap().sequence;
    for size in [1, 2, 3, 1000] {
        assert_eq!(pages(&world, size).await.0, down_from(last, 5), "{size}");
    }
}

async fn a_filter_finds_what_it_asks_for(world: World) {
    let made = world.otesse("Zapier").await.key.unwrap();
    world.otesse("Make").await;
    world.owner("ocus", "acme").await;
    let revoker = world.token("security", &["revoker"]).await;
    let revoke = RevokeKeyRequest { name: made.name.clone(), ..Default::default() };
    world.keys().revoke_key(with(&revoker.secret, revoke)).await.unwrap();
    let actions = async |request: ListAuditRequest| {
        let entries = list(&world, &world.admin, request).await.unwrap().entries;
        entries.into_iter().map(|entry| entry.action).collect::<Vec<_>>()
    };
    let of = |subject: &str| ListAuditRequest { subject: subject.into(), ..Default::default() };
    assert_eq!(actions(of(&made.name)).await, ["RevokeKey", "CreateKey"]);
    assert_eq!(actions(of("realms/ocus")).await, ["CreateOwner"]);
    assert_eq!(actions(of("realms/otesse")).await, ["RevokeKey", "CreateKey", "CreateKey", "CreateOwner"]);
    assert_eq!(actions(of(&made.name[..made.name.len() - 1])).await, [""; 0], "a name, not its beginning");
    let id = revoker.key.unwrap().name.rsplit('/').next().unwrap().to_owned();
    assert_eq!(actions(ListAuditRequest { actor: id, ..Default::default() }).await, ["RevokeKey"]);
    let both = ListAuditRequest { action: "CreateKey".into(), ..of("realms/otesse") };
    assert_eq!(actions(both).await, ["CreateKey", "CreateKey"]);
}

async fn whoever_is_bound_is_told_of_its_realm_alone(world: World) {
    world.otesse("Zapier").await;
    world.owner("ocus", "acme").await;
    let bound = world.bound_token("portals", &["viewer"], "realms/ocus").await.secret;
    let seen = list(&world, &bound, ListAuditRequest::default()).await.unwrap().entries;
    let subjects: Vec<&String> = seen.iter().flat_map(|entry| &entry.subjects).collect();
    assert_eq!(subjects, ["realms/ocus/owners/acme"]);
    let of_otesse = ListAuditRequest { subject: "realms/otesse".into(), ..Default::default() };
    assert_eq!(list(&world, &bound, of_otesse).await.unwrap().entries, []);
    let refused = world.audit().verify_audit(with(&bound, VerifyAuditRequest::default())).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::PermissionDenied, "BOUND".into()));
    let refused = world.audit().export_audit(with(&bound, ExportAuditRequest::default())).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::PermissionDenied, "BOUND".into()));
    let own = world.bound_token("portals", &["viewer"], "realms/ocus/owners/acme").await.secret;
    assert_eq!(reason(&list(&world, &own, ListAuditRequest::default()).await.unwrap_err()).1, "BOUND");
    let watch = world.audit().watch_audit(with(&own, WatchAuditRequest::default())).await.unwrap_err();
    assert_eq!(reason(&watch).1, "BOUND");
}

async fn whoever_watches_gets_what_comes(world: World) {
    world.otesse("before").await;
    let asked = WatchAuditRequest { subject: "realms/otesse".into(), ..Default::default() };
    let mut watched = world.audit().watch_audit(world.ask(asked)).await.unwrap().into_inner();
    let from_the_start = WatchAuditRequest { after_sequence: Some(0), ..Default::default() };
    let mut all = world.audit().watch_audit(world.ask(from_the_start)).await.unwrap().into_inner();
    let made = world.otesse("after").await.key.unwrap();
    world.owner("ocus", "elsewhere").await;
    let disable = DisableOwnerRequest { name: "realms/otesse/owners/acme".into(), ..Default::default() };
    world.owners().disable_owner(world.ask(disable)).await.unwrap();
    let next = async |stream: &mut tonic::Streaming<_>| {
        let next: Option<Result<keyward::proto::keyward::admin::v1::WatchAuditResponse, _>> =
            tokio::time::timeout(Duration::from_secs(30), stream.next()).await.unwrap();
        next.unwrap().unwrap().entry.unwrap()
    };
    let (first, second): (AuditEntry, AuditEntry) = (next(&mut watched).await, next(&mut watched).await);
    assert_eq!((&*first.action, &first.subjects[0], &*second.action), ("CreateKey", &made.name, "DisableOwner"));
    for sequence in 1..=second.sequence {
        assert_eq!(next(&mut all).await.sequence, sequence);
    }
}

async fn an_export_has_what_proves_each_entry(world: World) {
    for number in 0..3 {
        world.otesse(&format!("key {number}")).await;
    }
    let export = async |after_sequence| {
        let stream = world.audit().export_audit(world.ask(ExportAuditRequest { after_sequence })).await.unwrap().into_inner();
        stream.collect::<Result<Vec<_>, _>>().await.unwrap()
    };
    let all = export(0).await;
    let last = world.store.audit_head().await.unwrap();
    assert_eq!(all.len(), usize::try_from(last.sequence).unwrap());
    let peppers = peppers(&["1"]);
    for exported in &all {
        let entry = exported.entry.as_ref().unwrap();
        let anchor = format!("{}/{}", entry.sequence, Link::of(&exported.sealed_bytes));
        assert_eq!(anchor, entry.anchor);
        let sealed = Sealed::new(exported.sealed_bytes.clone(), &peppers);
        assert_eq!((sealed.seal.to_vec(), sealed.pepper.to_string()), (exported.seal.clone(), exported.pepper.clone()));
        let read = audit::read(&Sealed { pepper: Word::parse(&exported.pepper).unwrap(), ..sealed }).unwrap();
        assert_eq!((&read.action, read.sequence), (&entry.action, entry.sequence));
    }
    let numbers: Vec<u64> = export(2).await.iter().map(|exported| exported.entry.as_ref().unwrap().sequence).collect();
    assert_eq!(numbers, (3..=last.sequence).collect::<Vec<_>>());
}

async fn an_intact_log_is_told_so_and_its_end_is_the_anchor_of_another_time(world: World) {
    world.otesse("one").await;
    let verify = async |anchor: &str| {
        let request = VerifyAuditRequest { anchor: anchor.into() };
        world.audit().verify_audit(world.ask(request)).await.map(tonic::Response::into_inner)
    };
    let first = verify("").await.unwrap();
    let head = world.store.audit_head().await.unwrap();
    assert_eq!((first.intact, first.entries, &first.anchor), (true, head.sequence, &head.to_string()));
    world.otesse("two").await;
    let second = verify(&first.anchor).await.unwrap();
    assert!(second.intact && second.entries == first.entries + 1, "{second:?}");
    let later = format!("{}/{}", head.sequence + 9, head.link);
    let cut = verify(&later).await.unwrap();
    assert!(!cut.intact && cut.sequence == head.sequence + 9 && !cut.problem.is_empty(), "{cut:?}");
    let other = verify(&format!("{}/{}", head.sequence, "0".repeat(64))).await.unwrap();
    assert!(!other.intact && other.sequence == head.sequence, "{other:?}");
    assert_eq!(fields(&verify("latest").await.unwrap_err()), ["anchor"]);
}
