//! Many keys revoked at once: those that are named, or page after page of those that a filter finds.

use std::time::{SystemTime, UNIX_EPOCH};

use keyward::domain::reason::Reason;
use keyward::proto::keyward::admin::v1::key::State;
use keyward::proto::keyward::admin::v1::{
    CreateKeyResponse, GetKeyRequest, Key, ListAuditRequest, ListKeysRequest, RevokeCause, RevokeKeysRequest, RevokeKeysResponse,
    UpdateKeyRequest,
};
use prost_types::FieldMask;
use tonic::Status;

use super::presented::bookings;
use super::world::{World, fields};
use crate::support::seed;

on_every_store![
    keys_that_are_named_end_and_whoever_is_not_there_is_told,
    a_filter_ends_page_after_page_of_what_it_finds,
    a_dry_run_tells_what_would_be_hit_and_changes_nothing,
    every_key_of_a_realm_is_meant_only_where_it_is_said,
    more_than_two_hundred_end_in_several_commits,
    keys_that_others_change_meanwhile_end_all_the_same,
];

async fn keys_that_are_named_end_and_whoever_is_not_there_is_told(world: World) {
    let made = some(&world, 3).await;
    let none = "realms/otesse/keys/key_none".to_owned();
    // twice the same is once
    let asked = RevokeKeysRequest { names: vec![name(&made[1]), none.clone(), name(&made[0]), name(&made[1])], ..named() };
    let revoked = revoke(&world, asked.clone()).await.unwrap();
    assert_eq!(revoked.names, [name(&made[1]), name(&made[0])]);
    assert_eq!((revoked.revoked_before, revoked.not_found), (0, vec![none]));
    assert!(revoked.position > 0 && revoked.guarantee.is_some() && revoked.next_page_token.is_empty());
    let passes =
        [bookings(&world, &made[0].secret).await, bookings(&world, &made[1].secret).await, bookings(&world, &made[2].secret).await];
    assert_eq!(passes, [Err(Reason::Revoked), Err(Reason::Revoked), Ok(())]);
    let again = revoke(&world, asked.clone()).await.unwrap();
    assert_eq!((again.names.len(), again.revoked_before, again.position, again.guarantee.is_some()), (0, 2, 0, true));
    let leaked = revoke(&world, RevokeKeysRequest { cause: RevokeCause::Leaked.into(), ..asked }).await.unwrap();
    assert_eq!(leaked.names.len(), 2, "a worse cause takes the place of another");
    let nobody = revoke(&world, RevokeKeysRequest { names: vec!["realms/otesse/keys/key_none".into()], ..named() }).await.unwrap();
    assert_eq!((nobody.names.len(), nobody.not_found.len(), nobody.guarantee), (0, 1, None));
    let elsewhere = RevokeKeysRequest { names: vec!["realms/ocus/keys/key_1".into()], ..named() };
    assert_eq!(fields(&revoke(&world, elsewhere).await.unwrap_err()), ["names"]);
    assert_eq!(fields(&revoke(&world, named()).await.unwrap_err()), ["names"], "no names and no filter");
}

async fn a_filter_ends_page_after_page_of_what_it_finds(world: World) {
    let made = some(&world, 5).await;
    let kept = world.otesse("kept").await;
    let filter = ListKeysRequest { label_prefix: "key ".into(), page_size: 2, ..Default::default() };
    let mut asked = RevokeKeysRequest { filter: Some(filter), ..named() };
    let mut names = Vec::new();
    let mut pages = 0;
    loop {
        let revoked = revoke(&world, asked.clone()).await.unwrap();
        names.extend(revoked.names);
        pages += 1;
        if revoked.next_page_token.is_empty() {
            break;
        }
        asked.filter.as_mut().unwrap().page_token = revoked.next_page_token;
    }
    assert_eq!(names, made.iter().map(name).collect::<Vec<_>>());
    assert!(pages >= 3);
    assert_eq!(bookings(&world, &kept.secret).await, Ok(()));
    asked.filter.as_mut().unwrap().label_prefix = "k".into();
    assert_eq!(fields(&revoke(&world, asked).await.unwrap_err()), ["page_token"], "it is of another filter");
}

async fn a_dry_run_tells_what_would_be_hit_and_changes_nothing(world: World) {
    let made = some(&world, 3).await;
    let filter = Some(ListKeysRequest { label: "key 1".into(), ..Default::default() });
    let asked = RevokeKeysRequest { filter, dry_run: true, ..named() };
    let before = get(&world, &name(&made[1])).await;
    let told = revoke(&world, asked.clone()).await.unwrap();
    assert_eq!((told.names, told.position, told.guarantee), (vec![name(&made[1])], 0, None));
    assert_eq!(get(&world, &name(&made[1])).await, before);
    assert_eq!((entries(&world).await.len(), bookings(&world, &made[1].secret).await), (0, Ok(())));
    let done = revoke(&world, RevokeKeysRequest { dry_run: false, ..asked }).await.unwrap();
    assert_eq!(done.names, [name(&made[1])], "the control: what it told is what is done");
}

async fn every_key_of_a_realm_is_meant_only_where_it_is_said(world: World) {
    let made = some(&world, 2).await;
    let all = |state: State| {
        let filter = ListKeysRequest { state: state.into(), ..Default::default() };
        RevokeKeysRequest { filter: Some(filter), ..named() }
    };
    for working in [State::Unspecified, State::Active] {
        assert_eq!(fields(&revoke(&world, all(working)).await.unwrap_err()), ["filter"], "{working:?}");
    }
    assert_eq!(bookings(&world, &made[0].secret).await, Ok(()));
    let unused = |seconds| {
        let filter = ListKeysRequest { unused_since: Some(prost_types::Timestamp { seconds, nanos: 0 }), ..Default::default() };
        RevokeKeysRequest { filter: Some(filter), dry_run: true, ..named() }
    };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    assert_eq!(fields(&revoke(&world, unused(now + 86_400)).await.unwrap_err()), ["filter.unused_since"]);
    assert_eq!(revoke(&world, unused(now - 86_400)).await.unwrap().names.len(), 0, "the control: a time that was");
    let elsewhere = ListKeysRequest { parent: "realms/other".into(), label: "other".into(), ..Default::default() };
    let elsewhere = RevokeKeysRequest { filter: Some(elsewhere), dry_run: true, ..named() };
    assert_eq!(fields(&revoke(&world, elsewhere).await.unwrap_err()), ["filter.parent"]);
    let other = revoke(&world, all(State::OwnerDisabled)).await.unwrap();
    assert_eq!(other.names.len(), 0, "the control: who is in another state is said");
    let revoked = revoke(&world, RevokeKeysRequest { every_key: true, ..all(State::Active) }).await.unwrap();
    assert_eq!(revoked.names.len(), 2);
    let both = RevokeKeysRequest { names: vec![name(&made[0])], filter: Some(ListKeysRequest::default()), every_key: true, ..named() };
    assert_eq!(fields(&revoke(&world, both).await.unwrap_err()), ["names"]);
}

async fn more_than_two_hundred_end_in_several_commits(world: World) {
    seed::many_keys(&*world.store, "otesse", "acme", 0..450, |number| format!("otesse_live_sk_{number:040}")).await;
    let names: Vec<String> = (0..450).map(|number| format!("realms/otesse/keys/{}", seed::id(number))).collect();
    let revoked = revoke(&world, RevokeKeysRequest { names: names.clone(), ..named() }).await.unwrap();
    assert_eq!(revoked.names, names);
    let subjects: Vec<usize> = entries(&world).await.iter().map(Vec::len).collect();
    assert_eq!(subjects, [50, 200, 200], "each commit has its entry, and the newest is told first");
    let last = get(&world, &names[449]).await;
    assert!(last.revoke_time.is_some());
    let too_many = RevokeKeysRequest { names: (0..1001).map(|number| format!("realms/otesse/keys/key_{number}")).collect(), ..named() };
    assert_eq!(fields(&revoke(&world, too_many).await.unwrap_err()), ["names"]);
}

async fn keys_that_others_change_meanwhile_end_all_the_same(world: World) {
    let made = some(&world, 20).await;
    let names: Vec<String> = made.iter().map(name).collect();
    let renamed = async {
        for name in &names {
            let key = Key { name: name.clone(), label: "changed".into(), ..Key::default() };
            let update_mask = Some(FieldMask { paths: vec!["label".into()] });
            let request = UpdateKeyRequest { key: Some(key), update_mask, request_id: String::new() };
            world.keys().update_key(world.ask(request)).await.unwrap();
        }
    };
    let ((), revoked) = tokio::join!(renamed, revoke(&world, RevokeKeysRequest { names: names.clone(), ..named() }));
    assert_eq!(revoked.unwrap().names.len(), 20);
    for name in &names {
        let key = get(&world, name).await;
        assert!(key.revoke_time.is_some() && key.label == "changed", "{key:?}");
    }
}

async fn some(world: &World, count: usize) -> Vec<CreateKeyResponse> {
    let mut made = Vec::new();
    for number in 0..count {
        made.push(world.otesse(&format!("key {number}")).await);
    }
    made
}

fn named() -> RevokeKeysRequest {
    RevokeKeysRequest { parent: "realms/otesse".into(), ..Default::default() }
}

fn name(made: &CreateKeyResponse) -> String {
    made.key.as_ref().unwrap().name.clone()
}

async fn revoke(world: &World, request: RevokeKeysRequest) -> Result<RevokeKeysResponse, Status> {
    Ok(world.keys().revoke_keys(world.ask(request)).await?.into_inner())
}

async fn get(world: &World, name: &str) -> Key {
    let request = GetKeyRequest { name: name.into(), read_mask: None };
    world.keys().get_key(world.ask(request)).await.unwrap().into_inner().key.unwrap()
}

/// The subjects of each entry that tells of such a revocation.
async fn entries(world: &World) -> Vec<Vec<String>> {
    let request = ListAuditRequest { action: "RevokeKeys".into(), ..Default::default() };
    let entries = world.audit().list_audit(world.ask(request)).await.unwrap().into_inner().entries;
    entries.into_iter().map(|entry| entry.subjects).collect()
}
