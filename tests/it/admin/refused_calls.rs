//! Calls that are refused before anybody reads what they send: their connection is not ended for it, with those beside them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use hyper_util::rt::TokioIo;
use keyward::grpc::admin;
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::transport::server::Router;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Code, Request, Status};
use tower::service_fn;

use super::world::{World, with};
use crate::hostility::raw::{self, Raw};
use crate::support::raw_codec::RawCodec;

const CALLS: usize = 1000;

/// More short messages than h2 bears of what nobody reads.
const MANY: usize = 5000;
const SOME: usize = 100;

/// As many at one time.
const AT_ONCE: usize = 20;

/// As long as most requests are.
const MESSAGE: usize = 30;

on_every_store![
    a_thousand_calls_with_a_bad_token_are_refused_one_by_one_on_one_connection,
    a_client_stream_is_refused_at_once_and_may_go_on,
    whoever_goes_on_sending_after_the_refusal_goes_on_being_heard,
];

async fn a_thousand_calls_with_a_bad_token_are_refused_one_by_one_on_one_connection(world: World) {
    let services = admin::services(&world.keyring, &world.gate, CancellationToken::new());
    let (channel, connections) = connect(Server::builder().add_service(services.keys)).await;
    let codes = refused(&channel).await;
    assert!(codes.len() == CALLS && codes.iter().all(|code| *code == Code::Unauthenticated), "{codes:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let status = client.unary(with(&world.admin, Bytes::new()), path("GetKey"), RawCodec).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "and a good one after them is heard: it lacks a name");
}

async fn whoever_goes_on_sending_after_the_refusal_goes_on_being_heard(world: World) {
    let services = admin::services(&world.keyring, &world.gate, CancellationToken::new());
    let address = serve(Server::builder().add_service(services.keys)).await;
    assert_eq!(beside_a_refused_stream(address).await, Some(raw::HEADERS));
}

/// The control.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_reads_what_was_refused_the_connection_is_ended() {
    let address = serve(Server::builder().add_service(Unread)).await;
    assert_eq!(beside_a_refused_stream(address).await, Some(raw::GOAWAY));
}

async fn a_client_stream_is_refused_at_once_and_may_go_on(world: World) {
    let services = admin::services(&world.keyring, &world.gate, CancellationToken::new());
    let (channel, connections) = connect(Server::builder().add_service(services.keys)).await;
    for _ in 0..CALLS / 10 {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let never_ends = stream::repeat(Bytes::from(vec![0; 100])).throttle(Duration::from_millis(1));
        let status = client.client_streaming(with("kwa_x", never_ends), path("ImportKeys"), RawCodec).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        client.ready().await.unwrap();
        let some = stream::iter(vec![Bytes::from(vec![0; MESSAGE]); 5]);
        let status = client.client_streaming(with("kwa_x", some), path("ImportKeys"), RawCodec).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// Answers as the table does, and lets go of what it was sent.
#[derive(Clone)]
struct Unread;

impl NamedService for Unread {
    const NAME: &'static str = "keyward.admin.v1.KeyService";
}

impl Service<http::Request<Body>> for Unread {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        std::future::ready(Ok(Status::unauthenticated("unread").into_http()))
    }
}

/// What many calls with a bad token are answered.
async fn refused(channel: &Channel) -> Vec<Code> {
    let mut codes = Vec::new();
    for _ in 0..CALLS / AT_ONCE {
        let calls = (0..AT_ONCE).map(|_| async {
            let mut client = tonic::client::Grpc::new(channel.clone());
            client.ready().await.map_err(|_| Code::Unavailable)?;
            let message: Request<Bytes> = with("kwa_x", vec![0; MESSAGE].into());
            client.unary(message, path("GetKey"), RawCodec).await.map(drop).map_err(|status| status.code())
        });
        codes.extend(join_all(calls).await.into_iter().map(|answer| answer.err().unwrap_or(Code::Ok)));
    }
    codes
}

/// A stream that is refused, and does not hear of it before it has sent all of its messages: what comes first then for another call on its
/// connection, headers or the end of the connection.
async fn beside_a_refused_stream(address: SocketAddr) -> Option<u8> {
    let mut raw = Raw::connect(address).await.unwrap();
    let headers =
        |stream, method| raw::frame(raw::HEADERS, raw::END_HEADERS, stream, &raw::block(&format!("/keyward.admin.v1.KeyService/{method}")));
    raw.send(&headers(1, "ImportKeys")).await.unwrap();
    raw.wait_for(|frame| frame.kind == raw::HEADERS && frame.stream == 1).await.unwrap();
    let some = raw::frame(raw::DATA, 0, 1, &[&[0, 0, 0, 0, 25][..], &[0; 25]].concat()).repeat(SOME);
    let ping = raw::frame(raw::PING, 0, 0, &[0; 8]);
    for _ in 0..MANY / SOME {
        // no more at one time than a server can have read
        let sent = raw.send(&[&some[..], &ping].concat()).await;
        let heard = raw.wait_for(|frame| frame.kind == raw::GOAWAY || frame.kind == raw::PING).await;
        if sent.is_err() || heard.is_none_or(|frame| frame.kind == raw::GOAWAY) {
            return Some(raw::GOAWAY);
        }
    }
    let end = raw::frame(raw::DATA, raw::END_STREAM, 1, &[]);
    raw.send(&[end, headers(3, "GetKey")].concat()).await.unwrap();
    let told = raw.wait_for(|frame| frame.kind == raw::GOAWAY || (frame.kind == raw::HEADERS && frame.stream == 3)).await;
    told.map(|frame| frame.kind)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// The way to a server, and how many connections it took.
async fn connect(router: Router) -> (Channel, Arc<AtomicUsize>) {
    let address = serve(router).await;
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let connector = service_fn(move |_: Uri| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { TcpStream::connect(address).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://keyward.test").connect_with_connector(connector).await.unwrap();
    (channel, connections)
}

fn path(method: &str) -> http::uri::PathAndQuery {
    format!("/keyward.admin.v1.KeyService/{method}").parse().unwrap()
}
