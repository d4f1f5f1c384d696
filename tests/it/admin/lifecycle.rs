//! One key from secret to secret, and to its end: rotated, retired, enabled, deleted - and what the gate says of its secrets each time.

use std::time::Duration;

use keyward::domain::reason::Reason;
use keyward::proto::keyward::admin::v1::{
    CreateKeyResponse, DeleteKeyRequest, DeleteKeyResponse, EnableKeyRequest, GetKeyRequest, Key, RetireSecretsRequest,
    RetireSecretsResponse, RevokeCause, RevokeKeyRequest, RotateKeyRequest, RotateKeyResponse,
};
use tonic::{Code, Status};

use super::presented::bookings;
use super::world::{World, fields, otesse, reason, with};

const ID: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f10";
const OTHER: &str = "5b0c2a62-3a1e-4d8f-9d8b-0d2e5a3c7f11";
const HOUR: Duration = Duration::from_hours(1);

on_every_store![
    both_secrets_open_the_key_until_the_grace_ends_and_then_the_old_one_has_expired,
    without_a_grace_the_old_secret_is_unknown_at_once,
    a_repeated_rotation_shows_no_secret_and_mints_none,
    the_rotation_that_made_the_eighth_secret_can_be_repeated_and_no_other_can_be_made,
    another_rotation_keeps_an_earlier_end,
    what_opens_nothing_is_not_rotated,
    a_rotation_asks_for_a_lawful_grace_and_the_right_etag,
    all_secrets_but_the_newest_are_retired_or_those_that_are_named,
    an_enabled_key_is_admitted_again_and_a_leaked_one_stays_out,
    a_deleted_key_is_unknown_and_may_be_deleted_again_under_the_same_request_id,
    a_key_is_deleted_as_it_was_seen_or_not_at_all,
];

async fn both_secrets_open_the_key_until_the_grace_ends_and_then_the_old_one_has_expired(world: World) {
    let old = world.otesse("Zapier").await;
    let rotated = rotate(&world, &name(&old), HOUR, "").await.unwrap();
    assert!(!rotated.replayed && rotated.secret != old.secret && rotated.secret.starts_with("otesse_live_sk_"));
    let guarantee = rotated.guarantee.as_ref().unwrap();
    assert_eq!((guarantee.holders_acknowledged, guarantee.holders_expired), (1, 0), "it holds, and says why");
    let key = rotated.key.clone().unwrap();
    assert_eq!(key.name, name(&old), "it is the same key");
    let told: Vec<_> = key.secrets.iter().map(|secret| (secret.number, secret.end_time.is_some())).collect();
    assert_eq!(told, [(2, false), (1, true)]);
    let passes = async || (bookings(&world, &old.secret).await, bookings(&world, &rotated.secret).await);
    assert_eq!(passes().await, (Ok(()), Ok(())));
    world.pass(HOUR + Duration::from_mins(1)).await;
    assert_eq!(passes().await, (Err(Reason::Expired), Ok(())));
    // the control: a key that was not rotated, at the same time
    assert_eq!(bookings(&world, &world.otesse("Make").await.secret).await, Ok(()));
}

async fn without_a_grace_the_old_secret_is_unknown_at_once(world: World) {
    let old = world.otesse("Zapier").await;
    let rotated = rotate(&world, &name(&old), Duration::ZERO, "").await.unwrap();
    assert_eq!(numbers(rotated.key.as_ref().unwrap()), [2]);
    assert_eq!(bookings(&world, &old.secret).await, Err(Reason::Unknown));
    assert_eq!(bookings(&world, &rotated.secret).await, Ok(()));
}

async fn a_repeated_rotation_shows_no_secret_and_mints_none(world: World) {
    let made = world.otesse("Zapier").await;
    let first = rotate(&world, &name(&made), HOUR, ID).await.unwrap();
    let again = rotate(&world, &name(&made), HOUR, ID).await.unwrap();
    assert!(!first.replayed && !first.secret.is_empty());
    assert!(again.replayed && again.secret.is_empty() && again.guarantee.is_some());
    assert_eq!((again.position, numbers(&again.key.unwrap())), (first.position, vec![2, 1]));
    assert_eq!(bookings(&world, &first.secret).await, Ok(()), "the secret that was shown is good");
    let refused = refused(rotate(&world, &name(&made), 2 * HOUR, ID).await);
    assert_eq!(reason(&refused).1, "REQUEST_ID_REUSED");
    // the control: under another id it is done again
    let other = rotate(&world, &name(&made), HOUR, OTHER).await.unwrap();
    assert_eq!((other.replayed, numbers(&other.key.unwrap())), (false, vec![3, 2, 1]));
}

async fn the_rotation_that_made_the_eighth_secret_can_be_repeated_and_no_other_can_be_made(world: World) {
    let made = world.otesse("Zapier").await;
    for _ in 2..8 {
        rotate(&world, &name(&made), HOUR, "").await.unwrap();
    }
    let eighth = rotate(&world, &name(&made), HOUR, ID).await.unwrap();
    assert_eq!(numbers(eighth.key.as_ref().unwrap()), [8, 7, 6, 5, 4, 3, 2, 1]);
    let again = rotate(&world, &name(&made), HOUR, ID).await.unwrap();
    assert_eq!((again.replayed, again.position), (true, eighth.position));
    for id in ["", OTHER] {
        let refused = refused(rotate(&world, &name(&made), HOUR, id).await);
        assert_eq!(reason(&refused), (Code::FailedPrecondition, "TOO_MANY_SECRETS".into()), "{id:?}");
    }
    assert_eq!(numbers(&get(&world, &name(&made)).await.unwrap()).len(), 8);
    retire(&world, &name(&made), &[1]).await.unwrap();
    assert!(!rotate(&world, &name(&made), HOUR, OTHER).await.unwrap().replayed, "what was refused was not done");
}

async fn another_rotation_keeps_an_earlier_end(world: World) {
    let made = world.otesse("Zapier").await;
    let end = |key: &Key, number: u32| key.secrets.iter().find(|secret| secret.number == number).unwrap().end_time;
    let first = rotate(&world, &name(&made), HOUR, "").await.unwrap().key.unwrap();
    let second = rotate(&world, &name(&made), 10 * HOUR, "").await.unwrap().key.unwrap();
    assert_eq!(end(&second, 1), end(&first, 1));
    assert!(end(&second, 2).unwrap().seconds > end(&second, 1).unwrap().seconds + 8 * 3600, "{second:?}");
    let third = rotate(&world, &name(&made), Duration::from_mins(1), "").await.unwrap().key.unwrap();
    assert_eq!(end(&third, 1), end(&third, 2), "a shorter grace ends both sooner");
    assert_eq!(numbers(&rotate(&world, &name(&made), Duration::ZERO, "").await.unwrap().key.unwrap()), [5], "and none ends them all");
}

async fn what_opens_nothing_is_not_rotated(world: World) {
    let revoked = world.otesse("revoked").await;
    revoke(&world, &name(&revoked), RevokeCause::Unspecified).await;
    let mut request = otesse("expired");
    let in_an_hour = world.store.now().await.unwrap().0 / 1000 + 3600;
    request.key.as_mut().unwrap().expire_time = Some(prost_types::Timestamp { seconds: in_an_hour, nanos: 0 });
    let expired = world.try_create(request).await.unwrap();
    world.time.pass(2 * HOUR);
    for id in ["", ID] {
        for (made, why) in [(&revoked, "KEY_REVOKED"), (&expired, "KEY_EXPIRED")] {
            let refused = refused(rotate(&world, &name(made), HOUR, id).await);
            assert_eq!(reason(&refused), (Code::FailedPrecondition, why.into()));
            assert_eq!(numbers(&get(&world, &name(made)).await.unwrap()), [1]);
        }
    }
    let missing = refused(rotate(&world, "realms/otesse/keys/key_none", HOUR, "").await);
    assert_eq!(reason(&missing), (Code::NotFound, "KEY_NOT_FOUND".into()));
}

async fn a_rotation_asks_for_a_lawful_grace_and_the_right_etag(world: World) {
    let made = world.otesse("Zapier").await;
    for seconds in [-1, 367 * 24 * 3600] {
        let grace = Some(prost_types::Duration { seconds, nanos: 0 });
        let request = RotateKeyRequest { name: name(&made), grace, ..Default::default() };
        assert_eq!(fields(&refused(world.keys().rotate_key(world.ask(request)).await)), ["grace"]);
    }
    let etag = made.key.as_ref().unwrap().etag.clone();
    let seen = RotateKeyRequest { name: name(&made), etag, ..Default::default() };
    world.keys().rotate_key(world.ask(seen.clone())).await.unwrap();
    assert_eq!(reason(&refused(world.keys().rotate_key(world.ask(seen)).await)), (Code::Aborted, "ETAG_MISMATCH".into()));
}

async fn all_secrets_but_the_newest_are_retired_or_those_that_are_named(world: World) {
    let made = world.otesse("Zapier").await;
    let mut secrets = vec![made.secret.clone()];
    for _ in 0..3 {
        secrets.push(rotate(&world, &name(&made), HOUR, "").await.unwrap().secret);
    }
    let newest = retire(&world, &name(&made), &[2, 4]).await.unwrap_err();
    assert_eq!(fields(&newest), ["secrets[1]"]);
    let named = retire(&world, &name(&made), &[2, 9]).await.unwrap();
    assert_eq!((numbers(&named.key.unwrap()), named.guarantee.is_some()), (vec![4, 3, 1], true));
    let mut passes = Vec::new();
    for secret in &secrets {
        passes.push(bookings(&world, secret).await);
    }
    assert_eq!(passes, [Ok(()), Err(Reason::Unknown), Ok(()), Ok(())]);
    let all = retire(&world, &name(&made), &[]).await.unwrap();
    assert_eq!(numbers(&all.key.unwrap()), [4]);
    for secret in &secrets[..3] {
        assert_eq!(bookings(&world, secret).await, Err(Reason::Unknown));
    }
    assert_eq!(bookings(&world, &secrets[3]).await, Ok(()));
    let again = retire(&world, &name(&made), &[]).await.unwrap();
    assert_eq!((again.position, again.guarantee.is_some()), (0, true), "nothing had to change, and it holds");
}

async fn an_enabled_key_is_admitted_again_and_a_leaked_one_stays_out(world: World) {
    let made = world.otesse("Zapier").await;
    revoke(&world, &name(&made), RevokeCause::Unspecified).await;
    assert_eq!(bookings(&world, &made.secret).await, Err(Reason::Revoked));
    let enabled = enable(&world, &name(&made)).await.unwrap();
    assert_eq!(enabled.revoke_time, None);
    assert_eq!(bookings(&world, &made.secret).await, Ok(()));
    assert_eq!(enable(&world, &name(&made)).await.unwrap(), enabled, "once more it changes nothing");
    revoke(&world, &name(&made), RevokeCause::Leaked).await;
    let refused = enable(&world, &name(&made)).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "KEY_LEAKED".into()));
    assert_eq!(bookings(&world, &made.secret).await, Err(Reason::Revoked));
    revoke(&world, &name(&made), RevokeCause::Unspecified).await;
    assert_eq!(reason(&enable(&world, &name(&made)).await.unwrap_err()).1, "KEY_LEAKED", "another cause does not take its place");
    let revoker = world.token("security", &["revoker"]).await.secret;
    let request = EnableKeyRequest { name: name(&made), ..Default::default() };
    assert_eq!(world.keys().enable_key(with(&revoker, request)).await.unwrap_err().code(), Code::PermissionDenied);
}

async fn a_deleted_key_is_unknown_and_may_be_deleted_again_under_the_same_request_id(world: World) {
    let made = world.otesse("Zapier").await;
    assert_eq!(bookings(&world, &made.secret).await, Ok(()), "the control");
    let deleted = delete(&world, &name(&made), "", ID).await.unwrap();
    assert!(deleted.position > 0 && deleted.guarantee.is_some(), "{deleted:?}");
    assert_eq!(bookings(&world, &made.secret).await, Err(Reason::Unknown));
    assert_eq!(reason(&get(&world, &name(&made)).await.unwrap_err()).1, "KEY_NOT_FOUND");
    let again = delete(&world, &name(&made), "", ID).await.unwrap();
    assert_eq!((again.position, again.guarantee.is_some()), (deleted.position, true));
    for id in ["", OTHER] {
        let missing = delete(&world, &name(&made), "", id).await.unwrap_err();
        assert_eq!(reason(&missing), (Code::NotFound, "KEY_NOT_FOUND".into()), "{id:?}");
    }
    let other = world.otesse("Make").await;
    assert_eq!(reason(&delete(&world, &name(&other), "", ID).await.unwrap_err()).1, "REQUEST_ID_REUSED");
    assert_eq!(bookings(&world, &other.secret).await, Ok(()));
}

async fn a_key_is_deleted_as_it_was_seen_or_not_at_all(world: World) {
    let made = world.otesse("Zapier").await;
    let seen = made.key.as_ref().unwrap().etag.clone();
    rotate(&world, &name(&made), HOUR, "").await.unwrap();
    for id in ["", ID] {
        let refused = delete(&world, &name(&made), &seen, id).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Aborted, "ETAG_MISMATCH".into()), "{id:?}");
    }
    let now = get(&world, &name(&made)).await.unwrap().etag;
    let deleted = delete(&world, &name(&made), &now, OTHER).await.unwrap();
    assert_eq!(delete(&world, &name(&made), &now, OTHER).await.unwrap().position, deleted.position);
    assert_eq!(bookings(&world, &made.secret).await, Err(Reason::Unknown));
}

fn name(made: &CreateKeyResponse) -> String {
    made.key.as_ref().unwrap().name.clone()
}

/// What holds a secret does not print.
fn refused<T>(answer: Result<T, Status>) -> Status {
    match answer {
        Err(status) => status,
        Ok(_) => panic!("it was not refused"),
    }
}

fn numbers(key: &Key) -> Vec<u32> {
    key.secrets.iter().map(|secret| secret.number).collect()
}

async fn get(world: &World, name: &str) -> Result<Key, Status> {
    let request = GetKeyRequest { name: name.into(), read_mask: None };
    Ok(world.keys().get_key(world.ask(request)).await?.into_inner().key.unwrap())
}

async fn rotate(world: &World, name: &str, grace: Duration, request_id: &str) -> Result<RotateKeyResponse, Status> {
    let grace = Some(prost_types::Duration::try_from(grace).unwrap());
    let request = RotateKeyRequest { name: name.into(), grace, etag: String::new(), request_id: request_id.into() };
    Ok(world.keys().rotate_key(world.ask(request)).await?.into_inner())
}

async fn retire(world: &World, name: &str, numbers: &[u32]) -> Result<RetireSecretsResponse, Status> {
    let request = RetireSecretsRequest { name: name.into(), numbers: numbers.to_vec(), ..Default::default() };
    Ok(world.keys().retire_secrets(world.ask(request)).await?.into_inner())
}

async fn revoke(world: &World, name: &str, cause: RevokeCause) {
    let request = RevokeKeyRequest { name: name.into(), cause: cause.into(), ..Default::default() };
    world.keys().revoke_key(world.ask(request)).await.unwrap();
}

async fn enable(world: &World, name: &str) -> Result<Key, Status> {
    let request = EnableKeyRequest { name: name.into(), ..Default::default() };
    Ok(world.keys().enable_key(world.ask(request)).await?.into_inner().key.unwrap())
}

async fn delete(world: &World, name: &str, etag: &str, request_id: &str) -> Result<DeleteKeyResponse, Status> {
    let request = DeleteKeyRequest { name: name.into(), etag: etag.into(), request_id: request_id.into() };
    Ok(world.keys().delete_key(world.ask(request)).await?.into_inner())
}
