//! A revocation is told as done once no replica admits the key: once everyone who held a lease has applied it, or holds none any more.

use std::time::Duration;

use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, DisableOwnerRequest, EnableOwnerRequest, GetRevocationStatusRequest, Guarantee, Key, Level, RevokeKeyRequest,
    RevokeKeyResponse,
};
use keyward::revocation::{At, Holder, Log, Renewal, Terms};
use tokio::task::JoinHandle;
use tonic::Status;

use super::world::{LEASE, OWN, World, create, until};

const ID: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10";
const OTHER: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f11";

/// So long after a change every lease has ended that was granted without it.
const ALL_LEASES: Duration = Duration::from_millis(5_200);

on_every_store![
    a_revocation_tells_why_it_holds,
    whoever_keeps_silent_is_waited_for_until_its_lease_must_have_ended,
    whoever_applies_it_is_waited_for_no_longer,
    a_repeated_revocation_waits_like_the_first,
    a_repeated_request_id_waits_like_the_first,
    on_ground_that_shifts_it_is_not_enough_that_all_have_applied_it,
    ground_that_begins_to_shift_meanwhile_counts_as_shifting,
    a_given_secret_is_waited_for_and_a_minted_one_is_not,
    what_loosens_waits_for_nobody,
    the_status_tells_the_level_the_log_and_who_holds_a_lease,
];

async fn a_revocation_tells_why_it_holds(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let revoked = revoke(&world, &key, "").await.unwrap().unwrap();
    let guarantee = revoked.guarantee.unwrap();
    assert_eq!((guarantee.holders_acknowledged, guarantee.holders_expired), (1, 0));
    assert!(guarantee.waited.is_some() && guarantee.level() != Level::Unspecified, "{guarantee:?}");
    let disable = DisableOwnerRequest { name: key.owner, ..Default::default() };
    let disabled = world.owners().disable_owner(world.ask(disable)).await.unwrap().into_inner().guarantee.unwrap();
    assert_eq!((disabled.level, disabled.holders_acknowledged, disabled.holders_expired), (guarantee.level, 1, 0));
}

async fn whoever_keeps_silent_is_waited_for_until_its_lease_must_have_ended(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let _silent = Other::of(&world).await;
    let revoking = revoke(&world, &key, "");
    waits(&world, &revoking).await;
    world.pass(ALL_LEASES).await;
    assert_eq!(counts(&revoking.await.unwrap().unwrap()), (1, 1));
}

async fn whoever_applies_it_is_waited_for_no_longer(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let other = Other::of(&world).await;
    let revoking = revoke(&world, &key, "");
    waits(&world, &revoking).await;
    other.applies(&world).await;
    assert_eq!(counts(&revoking.await.unwrap().unwrap()), (2, 0), "and no time has passed");
}

async fn a_repeated_revocation_waits_like_the_first(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let other = Other::of(&world).await;
    let cut_off = revoke(&world, &key, "");
    waits(&world, &cut_off).await;
    cut_off.abort();
    let again = revoke(&world, &key, "");
    waits(&world, &again).await;
    other.applies(&world).await;
    let again = again.await.unwrap().unwrap();
    assert_eq!((counts(&again), again.position), ((2, 0), 0), "nothing had to change");
    assert_eq!(counts(&revoke(&world, &key, "").await.unwrap().unwrap()), (2, 0), "the control: it has been applied");
}

async fn a_repeated_request_id_waits_like_the_first(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let other = Other::of(&world).await;
    let cut_off = revoke(&world, &key, ID);
    waits(&world, &cut_off).await;
    cut_off.abort();
    let again = revoke(&world, &key, ID);
    waits(&world, &again).await;
    other.applies(&world).await;
    let again = again.await.unwrap().unwrap();
    assert_eq!(counts(&again), (2, 0));
    let third = revoke(&world, &key, ID).await.unwrap().unwrap();
    assert_eq!((third.position, counts(&third)), (again.position, (2, 0)), "the control: it has been applied");
}

async fn on_ground_that_shifts_it_is_not_enough_that_all_have_applied_it(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    world.faults.commits_on("a node that was promoted a moment ago");
    let revoking = revoke(&world, &key, "");
    waits(&world, &revoking).await;
    world.pass(ALL_LEASES).await;
    assert_eq!(counts(&revoking.await.unwrap().unwrap()), (1, 0));
}

async fn ground_that_begins_to_shift_meanwhile_counts_as_shifting(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let other = Other::of(&world).await;
    let revoking = revoke(&world, &key, "");
    waits(&world, &revoking).await;
    world.faults.renews_on("a node that was promoted a moment ago");
    world.guard.session.catch_up_with_now().await;
    other.applies(&world).await;
    waits(&world, &revoking).await;
    world.pass(ALL_LEASES).await;
    assert_eq!(counts(&revoking.await.unwrap().unwrap()), (2, 0));
}

async fn a_given_secret_is_waited_for_and_a_minted_one_is_not(world: World) {
    world.owner("ocus", "acme").await;
    let key = Key { owner: "realms/ocus/owners/acme".into(), ..Key::default() };
    let other = Other::of(&world).await;
    world.try_create(create("ocus", key.clone())).await.unwrap();
    let given = CreateKeyRequest { secret: "a-secret-of-theirs".into(), request_id: ID.into(), ..create("ocus", key) };
    let make = || {
        let (mut keys, request) = (world.keys(), world.ask(given.clone()));
        tokio::spawn(async move { keys.create_key(request).await.map(tonic::Response::into_inner) })
    };
    let cut_off = make();
    waits(&world, &cut_off).await;
    cut_off.abort();
    let again = make();
    waits(&world, &again).await;
    other.applies(&world).await;
    assert!(again.await.unwrap().unwrap().replayed);
}

async fn what_loosens_waits_for_nobody(world: World) {
    let name = world.owner("otesse", "acme").await.name;
    let disable =
        |request_id: &str| world.ask(DisableOwnerRequest { name: name.clone(), request_id: request_id.into(), ..Default::default() });
    let enable =
        |request_id: &str| world.ask(EnableOwnerRequest { name: name.clone(), request_id: request_id.into(), ..Default::default() });
    world.owners().disable_owner(disable(ID)).await.unwrap();
    let _silent = Other::of(&world).await;
    for request_id in ["", "", OTHER, OTHER] {
        world.owners().enable_owner(enable(request_id)).await.unwrap();
    }
    let late = world.owners().disable_owner(disable(ID)).await.unwrap().into_inner();
    assert_eq!((late.owner.unwrap().disable_time, late.guarantee), (None, None), "a repetition of what was taken back promises nothing");
}

async fn the_status_tells_the_level_the_log_and_who_holds_a_lease(world: World) {
    let key = world.otesse("leaked").await.key.unwrap();
    let revoked = revoke(&world, &key, "").await.unwrap().unwrap();
    let other = Other::of(&world).await;
    world.guard.session.catch_up(u64::MAX).await;
    let status = world.revocation().get_revocation_status(world.ask(GetRevocationStatusRequest {})).await.unwrap().into_inner();
    assert_eq!((status.level, status.position), (revoked.guarantee.unwrap().level, revoked.position));
    assert_eq!((status.demanded_level(), status.rolled_back), (Level::Unspecified, false));
    let lease = prost_types::Duration::try_from(LEASE).ok();
    assert_eq!(status.longest_lease, lease);
    let holders: Vec<(&str, &str, u64)> =
        status.holders.iter().map(|holder| (holder.replica.as_str(), holder.incarnation.as_str(), holder.applied_position)).collect();
    let (own, incarnation) = (OWN, "0000000000000007");
    assert_eq!(holders, [(&*other.holder.replica, "00000000000000ab", 0), (own, incarnation, revoked.position)]);
    assert!(status.holders.iter().all(|holder| holder.lease == lease));
}

/// Another replica's part, played by hand.
struct Other {
    holder: Holder,
    /// Up to where it has applied the log.
    applied: At,
}

impl Other {
    /// It takes a lease.
    async fn of(world: &World) -> Self {
        let holder = Holder { replica: "another".into(), incarnation: 0xab };
        let renewal = Renewal { holder: holder.clone(), number: 1, terms: Terms { lease: LEASE }, applied: None, secured: At::default() };
        let Log::Jump { head: applied } = world.store.renew(&renewal).await.unwrap().log else { panic!("without a place it jumps") };
        Self { holder, applied }
    }

    /// It applies the log to its end.
    async fn applies(&self, world: &World) {
        let pushed = world.store.follow(self.applied, Duration::from_secs(30)).await.unwrap();
        world.store.acknowledge(&self.holder, pushed.entries.last().unwrap().at).await.unwrap();
    }
}

fn revoke(world: &World, key: &Key, request_id: &str) -> JoinHandle<Result<RevokeKeyResponse, Status>> {
    let request = RevokeKeyRequest { name: key.name.clone(), request_id: request_id.into(), ..Default::default() };
    let (mut keys, request) = (world.keys(), world.ask(request));
    tokio::spawn(async move { keys.revoke_key(request).await.map(tonic::Response::into_inner) })
}

/// It is under way, and asks again and again whom it waits for, who is not the world's own replica: a call that does not wait would be over.
async fn waits<T>(world: &World, call: &JoinHandle<T>) {
    asks_on(world).await;
    while !world.own_has_applied_all().await {}
    asks_on(world).await;
    assert!(!call.is_finished());
}

async fn asks_on(world: &World) {
    let before = world.faults.asked();
    until("the registry is asked again and again", || world.faults.asked() > before + 5).await;
}

fn counts(revoked: &RevokeKeyResponse) -> (u32, u32) {
    let Some(Guarantee { holders_acknowledged, holders_expired, .. }) = revoked.guarantee else { panic!("{revoked:?}") };
    (holders_acknowledged, holders_expired)
}
