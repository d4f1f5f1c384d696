//! `ExplainCheck`: every rung with what it saw, the answer that would be sent, and nothing that is secret.

use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::window::Spec;
use keyward::proto::keyward::admin::v1::{
    CreateKeyResponse, DisableOwnerRequest, ExplainCheckRequest, ExplainCheckResponse, Outcome, RevokeKeyRequest, Rung,
};
use keyward::store::{Charge, Generations, Subject, SubjectName, Taken};
use tonic::{Code, Status};

use super::world::{World, fields, reason, with};

on_every_store![
    every_rung_says_what_it_saw_of_a_request_that_passes,
    a_key_that_was_revoked_is_refused_by_that_and_the_rungs_behind_it_are_told_too,
    a_key_may_be_given_by_its_id_or_by_its_secret,
    a_window_is_told_with_what_is_left_of_it_and_explaining_takes_nothing,
    what_no_key_has_is_an_answer_and_a_key_that_is_not_there_is_not_found,
    a_request_of_no_realm_is_explained_as_far_as_it_goes,
    fields_that_say_too_little_or_too_much_are_named,
    no_answer_holds_a_secret,
    to_a_bound_caller_what_is_beyond_its_binding_looks_like_what_is_not_there,
];

/// A request of Otesse for the bookings, with a key.
fn bookings(secret: &str) -> ExplainCheckRequest {
    ExplainCheckRequest {
        realm: "realms/otesse".into(),
        method: "GET".into(),
        path: "/v1/bookings?from=monday".into(),
        secret: secret.into(),
        address: "192.0.2.7".into(),
        ..ExplainCheckRequest::default()
    }
}

async fn try_explain(world: &World, request: ExplainCheckRequest) -> Result<ExplainCheckResponse, Status> {
    world.keys().explain_check(world.ask(request)).await.map(tonic::Response::into_inner)
}

async fn explain(world: &World, request: ExplainCheckRequest) -> ExplainCheckResponse {
    try_explain(world, request).await.unwrap()
}

fn rung<'a>(explained: &'a ExplainCheckResponse, name: &str) -> &'a Rung {
    explained.rungs.iter().find(|rung| rung.name == name).unwrap_or_else(|| panic!("no {name} in {explained:#?}"))
}

/// The rungs that refuse, those behind the first one in brackets.
fn refusals(explained: &ExplainCheckResponse) -> Vec<String> {
    let refused = explained.rungs.iter().filter(|rung| rung.outcome() == Outcome::Refused);
    refused.map(|rung| if rung.after_refusal { format!("({})", rung.name) } else { rung.name.clone() }).collect()
}

fn name(made: &CreateKeyResponse) -> String {
    made.key.as_ref().unwrap().name.clone()
}

async fn every_rung_says_what_it_saw_of_a_request_that_passes(world: World) {
    let made = world.otesse("one").await;
    let explained = explain(&world, bookings(&made.secret)).await;
    assert!(explained.allowed && explained.reason.is_empty(), "{explained:#?}");
    assert_eq!(explained.key, name(&made));
    for (rung_name, outcome, says) in [
        ("realm", Outcome::Passed, "the proxy names \"otesse\""),
        ("path", Outcome::Passed, "one way only"),
        ("route", Outcome::Passed, "/v1/bookings"),
        ("credential", Outcome::Passed, "it stands in header"),
        ("format", Outcome::Passed, "otesse_live_sk_"),
        ("address", Outcome::Passed, "the client's address"),
        ("look_up", Outcome::Passed, "of owner acme, read from the store"),
        ("key.revoked", Outcome::Passed, "is not revoked"),
        ("key.scope", Outcome::Passed, "bookings:read"),
    ] {
        let rung = rung(&explained, rung_name);
        assert_eq!(rung.outcome(), outcome, "{rung:?}");
        assert!(rung.saw.contains(says) && !rung.after_refusal, "{rung:?}");
    }
    let answer = explained.answer.unwrap();
    assert_eq!((answer.http_status, answer.grpc_code), (0, 0));
    assert!(!answer.removed_headers.is_empty() && !answer.upstream_headers.is_empty(), "{answer:?}");
}

async fn a_key_that_was_revoked_is_refused_by_that_and_the_rungs_behind_it_are_told_too(world: World) {
    let made = world.otesse("one").await;
    let revoke = RevokeKeyRequest { name: name(&made), ..Default::default() };
    world.keys().revoke_key(world.ask(revoke)).await.unwrap();
    let disable = DisableOwnerRequest { name: "realms/otesse/owners/acme".into(), ..Default::default() };
    world.owners().disable_owner(world.ask(disable)).await.unwrap();
    let request = ExplainCheckRequest { method: "POST".into(), ..bookings(&made.secret) };
    let explained = explain(&world, request).await;
    assert_eq!((explained.allowed, &*explained.reason), (false, "revoked"));
    assert_eq!(refusals(&explained), ["key.revoked", "(key.owner)", "(key.scope)"], "{explained:#?}");
    assert!(rung(&explained, "key.owner").saw.contains("is disabled since"));
    let answer = explained.answer.unwrap();
    assert_eq!((answer.http_status, answer.grpc_code), (401, 16));
    assert!(!answer.body.is_empty() && answer.headers.iter().any(|header| header.name == "content-type"), "{answer:?}");
    let grpc = [("content-type".to_owned(), "application/grpc".to_owned())].into();
    let answer = explain(&world, ExplainCheckRequest { headers: grpc, ..bookings(&made.secret) }).await.answer.unwrap();
    let told: Vec<&str> = answer.headers.iter().map(|header| header.name.as_str()).collect();
    assert!(told.contains(&"grpc-status") && told.contains(&"grpc-status-details-bin"), "{answer:?}");
}

async fn a_key_may_be_given_by_its_id_or_by_its_secret(world: World) {
    let made = world.otesse("one").await;
    let by_id = ExplainCheckRequest { secret: String::new(), key: name(&made), ..bookings("") };
    let explained = explain(&world, by_id.clone()).await;
    assert!(explained.allowed && explained.key == name(&made), "{explained:#?}");
    for skipped in ["credential", "format"] {
        let rung = rung(&explained, skipped);
        assert_eq!((rung.outcome(), &*rung.saw), (Outcome::Skipped, "the key was given by its id"));
    }
    let same = |explained: &ExplainCheckResponse| explained.rungs.iter().filter(|rung| rung.name.starts_with("key.")).cloned().collect();
    let (by_id_rungs, by_secret): (Vec<Rung>, Vec<Rung>) = (same(&explained), same(&explain(&world, bookings(&made.secret)).await));
    assert!(by_id_rungs.len() == 9 && by_id_rungs.iter().zip(&by_secret).all(|(one, other)| one.outcome == other.outcome));
    let alone = ExplainCheckRequest { realm: String::new(), ..by_id.clone() };
    assert!(explain(&world, alone).await.allowed, "its own realm is meant");
    let elsewhere = explain(&world, ExplainCheckRequest { realm: "realms/ocus".into(), ..by_id }).await;
    let look_up = rung(&elsewhere, "look_up");
    assert_eq!((look_up.outcome(), &*look_up.reason), (Outcome::Refused, "unknown"), "{elsewhere:#?}");
}

async fn a_window_is_told_with_what_is_left_of_it_and_explaining_takes_nothing(world: World) {
    let made = world.otesse("one").await;
    let limits = |explained: &ExplainCheckResponse| -> Vec<(String, u32, u32)> {
        let limits = explained.rungs.iter().filter_map(|rung| rung.limit.as_ref());
        limits.map(|limit| (limit.limit.clone(), limit.most, limit.remaining)).collect()
    };
    let before = limits(&explain(&world, bookings(&made.secret)).await);
    assert!(!before.is_empty() && before.iter().all(|(_, most, left)| most == left), "{before:?}");
    assert_eq!(limits(&explain(&world, bookings(&made.secret)).await), before, "it takes nothing");

    // everything of the smallest limit is taken by somebody
    let explained = explain(&world, bookings(&made.secret)).await;
    let first = explained.rungs.iter().find_map(|rung| rung.limit.clone()).unwrap();
    let window = first.window.expect("it slides");
    let spec = Spec::sliding(u32::try_from(window.seconds * 1000).unwrap(), first.most);
    let id = name(&made);
    let key = (first.per == "key").then(|| KeyId::parse(id.rsplit('/').next().unwrap()).unwrap());
    let subject = SubjectName { realm: RealmId::parse("otesse").unwrap(), owner: OwnerId::parse("acme").unwrap(), key };
    let charge = Charge {
        subjects: vec![Subject { name: subject, generation: 1, windows: vec![spec] }],
        want: first.most,
        cost: first.most,
        ttl: std::time::Duration::from_millis(50),
        share: 1,
        generations: Generations::Heard,
        returns: Vec::new(),
    };
    assert!(matches!(world.store.take(&[charge]).await.unwrap()[0], Taken::Granted { .. }));
    let explained = explain(&world, bookings(&made.secret)).await;
    assert_eq!((&*explained.reason, refusals(&explained)), ("limited", vec!["limit".to_owned()]), "{explained:#?}");
    let full = explained.rungs.iter().find(|rung| rung.outcome() == Outcome::Refused).unwrap();
    let limit = full.limit.as_ref().unwrap();
    assert_eq!((&limit.limit, limit.remaining, limit.cost), (&first.limit, 0, first.cost));
    assert!(limit.frees_in.is_some_and(|wait| wait.seconds > 0), "{limit:?}");
    let answer = explained.answer.unwrap();
    assert_eq!(answer.http_status, 429);
    assert!(answer.headers.iter().any(|header| header.name == "retry-after"), "{answer:?}");
}

async fn what_no_key_has_is_an_answer_and_a_key_that_is_not_there_is_not_found(world: World) {
    let made = world.otesse("one").await;
    let explained = explain(&world, bookings("otesse_live_sk_?")).await;
    assert_eq!((refusals(&explained), &*explained.reason), (vec!["format".to_owned()], "unknown"));
    assert_eq!(rung(&explained, "look_up").outcome(), Outcome::NotReached);
    let unknown = world.realms.get(&RealmId::parse("otesse").unwrap()).unwrap().formats[0].mint(getrandom::fill).unwrap();
    let explained = explain(&world, bookings(std::str::from_utf8(unknown.expose()).unwrap())).await;
    assert_eq!((refusals(&explained), &*explained.reason, &*explained.key), (vec!["look_up".to_owned()], "unknown", ""));
    let missing = ExplainCheckRequest { key: name(&made).replace("/key_", "/key_0"), ..bookings("") };
    assert_eq!(reason(&try_explain(&world, missing).await.unwrap_err()), (Code::NotFound, "KEY_NOT_FOUND".into()));
}

async fn a_request_of_no_realm_is_explained_as_far_as_it_goes(world: World) {
    let host = ExplainCheckRequest { realm: String::new(), host: "nobody.example".into(), ..bookings("") };
    let explained = explain(&world, host).await;
    assert_eq!((&*explained.reason, refusals(&explained)), ("no_realm", vec!["realm".to_owned()]));
    assert!(rung(&explained, "realm").saw.contains("\"nobody.example\" is no realm's"), "{explained:#?}");
    assert!(explained.rungs[1..].iter().all(|rung| rung.outcome() == Outcome::NotReached && rung.after_refusal));
    let admins = ExplainCheckRequest { realm: "realms/keyward".into(), ..bookings("") };
    assert_eq!(explain(&world, admins).await.reason, "no_realm");
}

async fn fields_that_say_too_little_or_too_much_are_named(world: World) {
    let made = world.otesse("one").await;
    let empty = try_explain(&world, ExplainCheckRequest::default()).await.unwrap_err();
    assert_eq!(fields(&empty), ["method", "path"]);
    let all = ExplainCheckRequest {
        realm: "otesse".into(),
        key: "key_1".into(),
        address: "192.0.2.7:80".into(),
        secret: "x".into(),
        ..bookings("")
    };
    assert_eq!(fields(&try_explain(&world, all).await.unwrap_err()), ["realm", "key", "address", "secret"]);
    let both = ExplainCheckRequest { key: name(&made), ..bookings(&made.secret) };
    assert_eq!(fields(&try_explain(&world, both).await.unwrap_err()), ["secret"]);
}

async fn no_answer_holds_a_secret(world: World) {
    let made = world.otesse("one").await;
    let places = ["secret", "authorization", "x-api-key", "cookie", "path"];
    for place in places {
        let plain = bookings("");
        let with = |header: &str, value: String| ExplainCheckRequest { headers: [(header.to_owned(), value)].into(), ..plain.clone() };
        let request = match place {
            "secret" => bookings(&made.secret),
            "authorization" => with(place, format!("Bearer {}", made.secret)),
            "cookie" => with(place, format!("key={0}; other={0}", made.secret)),
            "path" => ExplainCheckRequest { path: format!("/v1/bookings?key={}", made.secret), ..plain },
            header => with(header, made.secret.clone()),
        };
        let said = format!("{:?}", explain(&world, request).await);
        assert!(!said.contains(&made.secret), "{place}: {said}");
    }
}

async fn to_a_bound_caller_what_is_beyond_its_binding_looks_like_what_is_not_there(world: World) {
    let made = world.otesse("one").await;
    world.owner("otesse", "globex").await;
    let bound = async |owner: &str, to: &str| world.bound_token(owner, &["viewer"], to).await.secret;
    let (own, other) = (bound("own", "realms/otesse/owners/acme").await, bound("other", "realms/otesse/owners/globex").await);
    let elsewhere = bound("elsewhere", "realms/ocus").await;
    let ask = async |token: &str, request: ExplainCheckRequest| {
        world.keys().explain_check(with(token, request)).await.map(tonic::Response::into_inner)
    };
    let unknown = world.realms.get(&RealmId::parse("otesse").unwrap()).unwrap().formats[0].mint(getrandom::fill).unwrap();
    let unknown = bookings(std::str::from_utf8(unknown.expose()).unwrap());
    let by_id = ExplainCheckRequest { key: name(&made), ..bookings("") };
    for request in [bookings(&made.secret), by_id.clone()] {
        assert!(ask(&own, request).await.unwrap().allowed, "the control");
    }
    assert_eq!(ask(&other, bookings(&made.secret)).await.unwrap(), ask(&other, unknown).await.unwrap());
    assert_eq!(reason(&ask(&other, by_id.clone()).await.unwrap_err()), (Code::NotFound, "KEY_NOT_FOUND".into()));
    for request in [bookings(&made.secret), by_id] {
        assert_eq!(reason(&ask(&elsewhere, request).await.unwrap_err()), (Code::NotFound, "REALM_NOT_FOUND".into()));
    }
    let hosted = ExplainCheckRequest { realm: String::new(), host: "api.otesse.com".into(), ..bookings(&made.secret) };
    let explained = ask(&elsewhere, hosted.clone()).await.unwrap();
    assert_eq!(explained.reason, "no_realm", "its own realm is meant");
    assert!(!format!("{explained:?}").contains("realm otesse"), "{explained:#?}");
    assert!(ask(&own, hosted).await.unwrap().allowed, "the control");
}
