//! Usage is told of keys and owners that are there, as far back as it is kept.

use std::time::Duration;

use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::time::StoreTime;
use keyward::domain::usage::{Counter, Granularity as By, LastUse as Used, Tally};
use keyward::proto::keyward::admin::v1::{GetKeyRequest, GetUsageRequest, GetUsageResponse, Granularity, LastUse, RotateKeyRequest};
use keyward::store::{Counts, SubjectName, UsagePiece};
use prost_types::Timestamp;
use tonic::{Code, Status};

use super::world::{World, fields, reason};

on_every_store![
    usage_is_told_by_the_minute_and_by_the_day_with_its_sum,
    each_secret_of_a_key_has_its_last_use,
    what_is_wrong_with_a_question_is_said_field_by_field,
    nothing_is_told_of_what_is_not_there,
];

async fn usage_is_told_by_the_minute_and_by_the_day_with_its_sum(world: World) {
    let key = world.otesse("Zapier").await.key.unwrap();
    let now = world.store.now().await.unwrap();
    let minute = By::Minute.number(now);
    add(&world, &key.name, &[(minute, 5), (minute - 10, 7)], &[]).await;
    let told = ask(&world, &key.name, |_| ()).await.unwrap();
    let total = told.total.unwrap();
    assert_eq!((total.allowed, total.refused, total.answered), (12, 0, [("2xx".to_owned(), 2)].into()));
    assert_eq!(told.points.iter().map(|point| point.counts.as_ref().unwrap().allowed).collect::<Vec<_>>(), [7, 5]);
    assert_eq!(told.points[1].start_time, Some(at(minute * 60_000)));
    assert_eq!((told.start_time, told.end_time), (Some(at((minute - 119) * 60_000)), Some(at((minute + 1) * 60_000))));
    let later = ask(&world, &key.name, |asked| asked.start_time = Some(at((minute - 9) * 60_000))).await.unwrap();
    assert_eq!(later.total.unwrap().allowed, 5);
    let sooner = ask(&world, &key.name, |asked| asked.end_time = Some(at(minute * 60_000))).await.unwrap();
    assert_eq!(sooner.total.unwrap().allowed, 7);
    let limits: Vec<_> = told.limits.iter().map(|limit| (limit.limit.as_str(), limit.per.as_str(), limit.most, limit.remaining)).collect();
    assert!(limits.iter().all(|(_, per, most, left)| *per == "key" && most == left), "nothing is taken: {limits:?}");
    assert!(!limits.is_empty(), "its plan has limits");
    let days = |asked: &mut GetUsageRequest| asked.granularity = Granularity::Day.into();
    let of_owner = ask(&world, "realms/otesse/owners/acme", days).await.unwrap();
    assert_eq!(of_owner.total.unwrap().allowed, 12);
    assert!(of_owner.secrets.is_empty() && of_owner.points.len() <= 2);
}

async fn each_secret_of_a_key_has_its_last_use(world: World) {
    let key = world.otesse("Zapier").await.key.unwrap();
    let grace = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
    world.keys().rotate_key(world.ask(RotateKeyRequest { name: key.name.clone(), grace, ..Default::default() })).await.unwrap();
    let now = world.store.now().await.unwrap();
    add(&world, &key.name, &[], &[(1, Used { at: now, address: Some("192.0.2.7".parse().unwrap()) })]).await;
    let told = ask(&world, &key.name, |_| ()).await.unwrap();
    let used = Some(LastUse { time: Some(at(now.0)), address: "192.0.2.7".into() });
    let secrets: Vec<_> = told.secrets.into_iter().map(|secret| (secret.number, secret.last_use)).collect();
    assert_eq!((told.last_use, secrets), (used.clone(), vec![(2, None), (1, used)]), "the old one is still used, and the new one is not");
    let got = world.keys().get_key(world.ask(GetKeyRequest { name: key.name, read_mask: None })).await.unwrap().into_inner().key.unwrap();
    let shown: Vec<_> = got.secrets.iter().map(|secret| (secret.last_use_time, secret.last_use_address.as_str())).collect();
    assert_eq!(shown, [(None, ""), (Some(at(now.0)), "192.0.2.7")]);
}

async fn what_is_wrong_with_a_question_is_said_field_by_field(world: World) {
    let wrong = |asked: &mut GetUsageRequest| {
        asked.granularity = 9;
        asked.start_time = Some(Timestamp { seconds: -1, nanos: 0 });
    };
    assert_eq!(fields(&ask(&world, "realms/otesse", wrong).await.unwrap_err()), ["name", "granularity", "start_time"]);
    let key = world.otesse("Zapier").await.key.unwrap();
    let backwards = |asked: &mut GetUsageRequest| (asked.start_time, asked.end_time) = (Some(at(2_000)), Some(at(1_000)));
    assert_eq!(fields(&ask(&world, &key.name, backwards).await.unwrap_err()), ["end_time"]);
}

async fn nothing_is_told_of_what_is_not_there(world: World) {
    let key = world.otesse("Zapier").await.key.unwrap();
    let elsewhere = key.name.replace("otesse", "ocus");
    for (name, said) in [
        ("realms/otesse/keys/key_none", "KEY_NOT_FOUND"),
        (elsewhere.as_str(), "KEY_NOT_FOUND"),
        ("realms/otesse/owners/nobody", "OWNER_NOT_FOUND"),
        ("realms/nowhere/owners/acme", "REALM_NOT_FOUND"),
    ] {
        assert_eq!(reason(&ask(&world, name, |_| ()).await.unwrap_err()), (Code::NotFound, said.into()), "{name}");
    }
    let told = ask(&world, &key.name, |_| ()).await.unwrap();
    assert_eq!((told.points.len(), told.last_use), (0, None), "control: of a key that is there and was never used");
}

fn realm() -> RealmId {
    RealmId::parse("otesse").unwrap()
}

fn at(ms: i64) -> Timestamp {
    let nanos = Duration::from_millis(ms.rem_euclid(1000).unsigned_abs()).subsec_nanos();
    Timestamp { seconds: ms.div_euclid(1000), nanos: nanos.cast_signed() }
}

async fn ask(world: &World, name: &str, edit: impl FnOnce(&mut GetUsageRequest)) -> Result<GetUsageResponse, Status> {
    let mut asked = GetUsageRequest { name: name.into(), ..GetUsageRequest::default() };
    edit(&mut asked);
    world.usage().get_usage(world.ask(asked)).await.map(tonic::Response::into_inner)
}

/// As a replica would: so many checks that passed, and one answer, in each minute; of Otesse's owner `acme` too.
async fn add(world: &World, key: &str, minutes: &[(i64, u64)], last: &[(u32, Used)]) {
    let tally = |(minute, allowed): &(i64, u64)| {
        let mut tally = Tally::default();
        tally.add(Counter::Allowed, *allowed);
        tally.add(Counter::Answered(2), 1);
        (*minute, tally)
    };
    let minutes: Vec<_> = minutes.iter().map(tally).collect();
    let owner = SubjectName { realm: realm(), owner: OwnerId::parse("acme").unwrap(), key: None };
    let key = Some(KeyId::parse(key.rsplit('/').next().unwrap()).unwrap());
    let counts = [key, None].map(|key| Counts { key, minutes: minutes.clone(), last: last.to_vec() });
    let piece = UsagePiece { owner, by: 1, number: 1, at: StoreTime(0), counts: counts.into() };
    assert_eq!(world.store.add_usage(&[piece]).await.unwrap(), [Ok(())]);
}
