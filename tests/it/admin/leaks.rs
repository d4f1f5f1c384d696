//! Whoever holds a secret may end it.

use std::time::Duration;

use keyward::domain::reason::Reason;
use keyward::proto::keyward::admin::v1::{
    EnableKeyRequest, GetKeyRequest, Key, ListAuditRequest, ListKeysRequest, ReportLeakRequest, ReportLeakResponse, RevokeCause,
    RotateKeyRequest,
};
use tonic::{Code, Request, Status};

use super::presented::bookings;
use super::world::{World, create, fields, reason, with};

on_every_store![
    whoever_shows_the_newest_secret_ends_the_key_for_ever,
    whoever_shows_an_old_secret_ends_that_alone,
    a_publishable_secret_is_meant_to_be_seen,
    what_no_key_has_is_not_found_and_whoever_keeps_showing_it_is_told_to_wait,
    an_admin_token_ends_itself,
    a_realm_may_be_named_and_another_does_not_know_the_secret,
];

async fn whoever_shows_the_newest_secret_ends_the_key_for_ever(world: World) {
    let made = world.otesse("Zapier").await;
    let name = made.key.unwrap().name;
    let told = report(&world, "", &made.secret).await.unwrap();
    assert!(told.key_revoked && told.revoke_time.is_some() && made.secret.ends_with(&told.last_four), "{told:?}");
    assert_eq!(bookings(&world, &made.secret).await, Err(Reason::Revoked));
    let key = get(&world, &name).await;
    assert_eq!((key.revoke_cause(), key.revoke_time), (RevokeCause::Leaked, told.revoke_time));
    let enable = EnableKeyRequest { name: name.clone(), ..Default::default() };
    assert_eq!(reason(&world.keys().enable_key(world.ask(enable)).await.unwrap_err()).1, "KEY_LEAKED");
    assert_eq!(report(&world, "", &made.secret).await.unwrap(), told, "who reports it again is told the same");
    let request = ListAuditRequest { action: "ReportLeak".into(), ..Default::default() };
    let entries = world.audit().list_audit(world.ask(request)).await.unwrap().into_inner().entries;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    // not its id: an admin token may have the same, or a key may be called "keyward"
    assert_eq!((&entry.actor, &*entry.address, &entry.subjects), (&name, "192.0.2.7", &vec![name.clone()]));
}

async fn whoever_shows_an_old_secret_ends_that_alone(world: World) {
    let made = world.otesse("Zapier").await;
    let name = made.key.unwrap().name;
    let grace = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
    let rotation = RotateKeyRequest { name: name.clone(), grace, ..Default::default() };
    let rotated = world.keys().rotate_key(world.ask(rotation)).await.unwrap().into_inner();
    assert_eq!(bookings(&world, &made.secret).await, Ok(()), "the control");
    let told = report(&world, "", &made.secret).await.unwrap();
    assert!(!told.key_revoked && told.revoke_time.is_none(), "{told:?}");
    assert_eq!((bookings(&world, &made.secret).await, bookings(&world, &rotated.secret).await), (Err(Reason::Unknown), Ok(())));
    let key = get(&world, &name).await;
    assert_eq!((key.secrets.len(), key.revoke_time), (1, None));
}

async fn a_publishable_secret_is_meant_to_be_seen(world: World) {
    world.owner("azotte", "acme").await;
    let of_kind = |kind: &str| {
        let key = Key {
            owner: "realms/azotte/owners/acme".into(),
            environment: "live".into(),
            kind: kind.into(),
            tenant: "north".into(),
            ..Key::default()
        };
        create("azotte", key)
    };
    let publishable = world.try_create(of_kind("publishable")).await.unwrap();
    let refused = report(&world, "", &publishable.secret).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "PUBLISHABLE".into()));
    assert_eq!(get(&world, &publishable.key.unwrap().name).await.revoke_time, None);
    let secret = world.try_create(of_kind("secret")).await.unwrap();
    assert!(report(&world, "", &secret.secret).await.unwrap().key_revoked, "the control");
}

async fn what_no_key_has_is_not_found_and_whoever_keeps_showing_it_is_told_to_wait(world: World) {
    let made = world.otesse("Zapier").await;
    let mut not_found = 0;
    let told_to_wait = loop {
        let refused = report(&world, "", &format!("otesse_live_sk_{not_found:040}")).await.unwrap_err();
        if refused.code() != Code::NotFound {
            break refused;
        }
        assert_eq!(reason(&refused).1, "SECRET_NOT_FOUND");
        not_found += 1;
        assert!(not_found < 1_000, "nobody is told to wait");
    };
    assert_eq!(reason(&told_to_wait), (Code::ResourceExhausted, "THROTTLED".into()));
    assert!(not_found >= 100, "a mistake or two is nobody's harm: {not_found}");
    assert_eq!(reason(&report(&world, "", &made.secret).await.unwrap_err()).1, "THROTTLED");
    for entry in world.refusals("ReportLeak", 2).await {
        let told = (&*entry.actor, &*entry.address, &*entry.refused);
        assert_eq!(told, ("unknown", "192.0.2.7", "RESOURCE_EXHAUSTED"), "and what is no key's has no entry");
    }
    world.pass(Duration::from_mins(1)).await;
    assert!(report(&world, "", &made.secret).await.unwrap().key_revoked, "the control: later");
    assert_eq!(fields(&report(&world, "", "").await.unwrap_err()), ["secret"]);
}

async fn an_admin_token_ends_itself(world: World) {
    let token = world.token("team", &["viewer"]).await;
    let list = || with(&token.secret, ListKeysRequest { parent: "realms/otesse".into(), ..Default::default() });
    world.keys().list_keys(list()).await.unwrap();
    assert!(report(&world, "", &token.secret).await.unwrap().key_revoked);
    assert_eq!(world.keys().list_keys(list()).await.unwrap_err().code(), Code::Unauthenticated);
}

async fn a_realm_may_be_named_and_another_does_not_know_the_secret(world: World) {
    let made = world.otesse("Zapier").await;
    let elsewhere = report(&world, "realms/ocus", &made.secret).await.unwrap_err();
    assert_eq!(reason(&elsewhere), (Code::NotFound, "SECRET_NOT_FOUND".into()));
    assert_eq!(fields(&report(&world, "otesse", &made.secret).await.unwrap_err()), ["parent"]);
    assert!(report(&world, "realms/otesse", &made.secret).await.unwrap().key_revoked);
}

/// Without any token.
async fn report(world: &World, parent: &str, secret: &str) -> Result<ReportLeakResponse, Status> {
    let request = ReportLeakRequest { secret: secret.into(), parent: parent.into() };
    Ok(world.leak().report_leak(Request::new(request)).await?.into_inner())
}

async fn get(world: &World, name: &str) -> Key {
    let request = GetKeyRequest { name: name.into(), read_mask: None };
    world.keys().get_key(world.ask(request)).await.unwrap().into_inner().key.unwrap()
}
