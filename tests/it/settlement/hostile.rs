//! What nobody should send: tickets that are not keyward's, streams that are not the operator's, bytes that are no messages.

use data_encoding::BASE64URL_NOPAD;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Value};
use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::Word;
use keyward::domain::time::StoreTime;
use keyward::store::TICKETS_LIVE;

use super::world::{Counted, World, opened, sealed};
use crate::support::log::{ended, message, of_one, saying, stream};

const NAMESPACE: &str = "envoy.filters.http.ext_authz";
const ONE: Counted = Counted { minute: 1, hour: 1, good: 1, answered: 1, all: 1 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_nobody_sealed_changes_nothing() {
    let world = World::embedded().await;
    let node = world.node().await;
    let ticket = node.charge(1).await.remove(0);
    let mut more = BASE64URL_NOPAD.decode(ticket.as_bytes()).unwrap();
    more[28] ^= 0x40; // of its tokens
    let others = Peppers::new(vec![Pepper::new(Word::parse("1").unwrap(), vec![8; 32]).unwrap()]).unwrap();
    let foreign = BASE64URL_NOPAD.encode(&opened(&ticket).seal(&others));
    let forged = [BASE64URL_NOPAD.encode(&more), foreign, BASE64URL_NOPAD.encode(&[0; 200])];
    stream(node.address, vec![message(forged.iter().map(|ticket| ended(ticket, 401)).collect())], None).await.unwrap();
    stream(node.address, vec![message(vec![ended("AAAA", 401), ended("no alphabet!", 401)])], None).await.unwrap();
    assert_eq!((node.tickets("forged"), node.tickets("malformed"), node.entries("malformed")), (3, 1, 1));
    world.counts(ONE).await;

    stream(node.address, vec![message(vec![ended(&ticket, 401)])], None).await.unwrap();
    node.fated("settled", 1).await;
    assert_eq!(world.counted().await.minute, 0, "control: the ticket itself does");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_is_too_old_changes_nothing() {
    let world = World::embedded().await;
    let node = world.node().await;
    let ticket = node.charge(1).await.remove(0);
    let mut old = opened(&ticket);
    old.minted = StoreTime(old.minted.0 - i64::try_from(TICKETS_LIVE.as_millis()).unwrap());
    stream(node.address, vec![message(vec![ended(&sealed(&old), 401)])], None).await.unwrap();
    node.fated("too_late", 1).await;
    world.counts(ONE).await;

    old.minted = StoreTime(old.minted.0 + 60_000);
    stream(node.address, vec![message(vec![ended(&sealed(&old), 401)])], None).await.unwrap();
    node.fated("settled", 1).await;
    assert_eq!(world.counted().await.minute, 0, "control: a minute younger it does");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_the_envoy_secret_is_refused() {
    let world = World::embedded().await;
    let (open, closed) = (world.node().await, world.node_with(Some("a secret of the operator's")).await);
    let ticket = open.charge(1).await.remove(0);
    for wrong in [None, Some("a secret of nobody's")] {
        let refused = stream(closed.address, vec![message(vec![ended(&ticket, 401)])], wrong).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{refused:?}");
    }
    assert_eq!((closed.messages("refused"), closed.messages("read")), (2, 0));
    world.counts(ONE).await;

    let right = Some("a secret of the operator's");
    stream(closed.address, vec![message(vec![ended(&ticket, 401)])], right).await.unwrap();
    closed.fated("settled", 1).await;
    assert_eq!(world.counted().await.minute, 0, "control: with the secret it is read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_else_comes_is_counted_and_the_stream_goes_on() {
    let world = World::embedded().await;
    let node = world.node().await;
    let ticket = node.charge(1).await.remove(0);
    let text = |text: &str| Kind::StringValue(text.into());
    let strange = [
        saying("envoy.filters.http.jwt_authn", of_one("keyward", Kind::StructValue(of_one("ticket", text(&ticket))))),
        saying(NAMESPACE, of_one("another", Kind::StructValue(of_one("ticket", text(&ticket))))),
        saying(NAMESPACE, of_one("keyward", text(&ticket))),
        saying(NAMESPACE, of_one("keyward", Kind::StructValue(of_one("ticket", Kind::NumberValue(7.0))))),
        saying(NAMESPACE, of_one("keyward", Kind::StructValue(of_one("ticket", Kind::ListValue(lists(40)))))),
        saying(NAMESPACE, of_one("keyward", Kind::StructValue(of_one("ticket", text(&"A".repeat(1 << 20)))))),
    ];
    let whole = message(vec![ended(&ticket, 401)]);
    let messages = vec![
        message(strange.to_vec()),
        message(Vec::new()),
        bytes::Bytes::new(),
        whole.slice(..whole.len() / 2),
        bytes::Bytes::from_static(b"\xff\xff\xff\xff no message"),
        whole,
    ];
    stream(node.address, messages, None).await.unwrap();
    assert_eq!((node.entries("no_ticket"), node.messages("malformed"), node.messages("read")), (5, 2, 4));
    assert_eq!(node.entries("malformed"), 1, "one of a mebibyte and more");
    node.fated("settled", 1).await;
}

/// Lists in lists.
fn lists(deep: usize) -> ListValue {
    (0..deep).fold(ListValue::default(), |inner, _| ListValue { values: vec![Value { kind: Some(Kind::ListValue(inner)) }] })
}
