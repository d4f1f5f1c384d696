//! A replica that leaves: a stream of an access log has no end of its own, and holds nobody up.

use std::path::Path;

use bytes::Bytes;
use tokio_stream::StreamExt as _;

use crate::support::eventually;
use crate::support::keyward::{Keyward, Store};
use crate::support::log::{ended, message, stream_of};

#[test]
fn a_replica_that_leaves_ends_its_streams_without_an_error() {
    let mut keyward = Keyward::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms"), &Store::Embedded);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let endless = tokio_stream::once(message(vec![ended("AAAA", 401)])).chain(tokio_stream::pending::<Bytes>());
    let streaming = runtime.spawn(stream_of(keyward.envoy, endless, None));
    let read = || keyward.metric(r#"keyward_tickets_total{fate="malformed"}"#) == 1;
    eventually("the stream is read", || read().then_some(()));
    assert!(!streaming.is_finished(), "control: by itself it does not end");
    assert_eq!(keyward.stop(), Some(0));
    assert!(!keyward.said().contains("were cut"), "{}", keyward.said());
    runtime.block_on(streaming).unwrap().unwrap();
}
