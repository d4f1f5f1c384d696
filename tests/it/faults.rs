//! The fault harness itself: a proxy is as bad as it was told to be, and no worse; rooms that are isolated do not reach each other.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::namespaces::{Port, Room, Segment};
use crate::support::proxy::{Fault, Proxy, Server, Then, Trap, Way};

/// Nothing is heard for as long.
const SILENCE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_faithful_proxy_carries_bytes_both_ways() {
    let (proxy, mut arrived) = proxied().await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    client.write_all(b"question").await.unwrap();
    assert_eq!(arrived.recv().await.unwrap(), b"question");
    assert_eq!(heard(&mut client, 8).await, b"question");
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn what_is_lost_both_ways_is_lost_without_a_word_on_old_connections_and_new() {
    let (proxy, mut arrived) = proxied().await;
    let mut old = TcpStream::connect(proxy.address).await.unwrap();
    old.write_all(b"before").await.unwrap();
    assert_eq!(heard(&mut old, 6).await, b"before");
    proxy.set(Fault::Lost(Way::Both));
    let mut new = TcpStream::connect(proxy.address).await.unwrap();
    for client in [&mut old, &mut new] {
        client.write_all(b"lost").await.unwrap();
        assert!(is_silent(client).await, "neither an answer nor an end");
    }
    assert_eq!(arrived.recv().await.unwrap(), b"before");
    assert!(arrived.try_recv().is_err());
    proxy.set(Fault::None);
    old.write_all(b"later").await.unwrap();
    assert!(is_silent(&mut old).await, "a connection that lost a byte does not go on without it");
    let mut third = TcpStream::connect(proxy.address).await.unwrap();
    third.write_all(b"after").await.unwrap();
    assert_eq!(heard(&mut third, 5).await, b"after");
}

#[tokio::test]
async fn one_way_is_lost_alone() {
    let (proxy, mut arrived) = proxied().await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    proxy.set(Fault::Lost(Way::Replies));
    client.write_all(b"heard").await.unwrap();
    assert_eq!(arrived.recv().await.unwrap(), b"heard", "requests arrive");
    assert!(is_silent(&mut client).await, "replies do not");
}

#[tokio::test]
async fn what_is_held_comes_when_it_is_released() {
    let (proxy, _arrived) = proxied().await;
    proxy.set(Fault::Held(Way::Replies));
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    client.write_all(b"one").await.unwrap();
    assert!(is_silent(&mut client).await);
    proxy.set(Fault::None);
    assert_eq!(heard(&mut client, 3).await, b"one");
}

#[tokio::test]
async fn a_connection_is_cut_after_exactly_so_many_bytes_of_the_call_that_is_meant() {
    for bytes in 0..=8 {
        let (proxy, mut arrived) = proxied().await;
        let then = Then::CutAfter { way: Way::Requests, bytes, after: Fault::None };
        proxy.lay(Trap { bait: b"bait".into(), then });
        let mut other = TcpStream::connect(proxy.address).await.unwrap();
        other.write_all(b"something else").await.unwrap();
        assert_eq!(heard(&mut other, 14).await, b"something else", "what is not meant passes");
        assert_eq!(arrived.recv().await.unwrap(), b"something else");
        let mut client = TcpStream::connect(proxy.address).await.unwrap();
        client.write_all(b"the bait").await.unwrap();
        let _ = client.read_to_end(&mut Vec::new()).await;
        let passed = if bytes == 0 { Vec::new() } else { arrived.recv().await.unwrap() };
        assert_eq!(passed, b"the bait"[..usize::try_from(bytes).unwrap()]);
        assert!(proxy.unlay());
    }
}

#[tokio::test]
async fn a_reply_is_cut_after_exactly_so_many_bytes_and_then_nobody_is_let_in() {
    let (proxy, _arrived) = proxied().await;
    proxy.lay(Trap { bait: b"bait".into(), then: Then::CutAfter { way: Way::Replies, bytes: 3, after: Fault::Refused } });
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    client.write_all(b"bait").await.unwrap();
    assert_eq!(heard(&mut client, 3).await, b"bai");
    assert!(is_over(&mut client).await);
    assert!(is_over(&mut TcpStream::connect(proxy.address).await.unwrap()).await, "refused from then on");
    proxy.heal();
    proxy.unlay();
    let mut healed = TcpStream::connect(proxy.address).await.unwrap();
    healed.write_all(b"bait").await.unwrap();
    assert_eq!(heard(&mut healed, 4).await, b"bait");
}

#[tokio::test]
async fn the_reply_to_one_call_is_held_while_others_are_answered() {
    let (proxy, mut arrived) = proxied().await;
    proxy.lay(Trap { bait: b"bait".into(), then: Then::HoldReplies });
    let mut held = TcpStream::connect(proxy.address).await.unwrap();
    held.write_all(b"ba").await.unwrap();
    assert_eq!(heard(&mut held, 2).await, b"ba", "it is not known yet");
    held.write_all(b"it").await.unwrap();
    assert_eq!(arrived.recv().await.unwrap(), b"ba");
    assert_eq!(arrived.recv().await.unwrap(), b"it", "the call is made");
    assert!(is_silent(&mut held).await);
    assert!(proxy.sprung());
    let mut other = TcpStream::connect(proxy.address).await.unwrap();
    other.write_all(b"other").await.unwrap();
    assert_eq!(heard(&mut other, 5).await, b"other");
    proxy.unlay();
    assert_eq!(heard(&mut held, 2).await, b"it");
}

#[tokio::test]
async fn isolated_rooms_do_not_reach_each_other_and_the_host_reaches_both() {
    let Some(segment) = Segment::try_new() else { return };
    let (one, other) = (segment.room(1, Port::Isolated), segment.room(2, Port::Open));
    let reaches = |from: &Room, to: &str| {
        let script = "import socket,sys; socket.create_connection((sys.argv[1], 9), 0.5)";
        let mut command = from.command("python3");
        let said = command.args(["-c", script, to]).output().unwrap();
        // nobody listens: whoever is reached refuses, whoever is not keeps silent
        String::from_utf8_lossy(&said.stderr).contains("ConnectionRefusedError")
    };
    assert!(reaches(&one, &other.address.to_string()), "an isolated room reaches one that is not");
    other.set(Port::Isolated);
    assert!(!reaches(&one, &other.address.to_string()));
    for room in [&one, &other] {
        let refused = TcpStream::connect((room.address, 9)).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "nobody listens, and says so");
    }
    other.set(Port::Open);
    assert!(reaches(&other, &one.address.to_string()), "control: it was the isolation");
}

/// A proxy in front of a server that echoes, and what arrives there.
async fn proxied() -> (Proxy, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (tell, arrived) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(count @ 1..) = client.read(&mut buffer).await {
                    let _ = tell.send(buffer[..count].to_vec());
                    let _ = client.write_all(&buffer[..count]).await;
                }
            });
        }
    });
    (Proxy::before(Server::Tcp(address)).await, arrived)
}

async fn heard(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut heard = vec![0; count];
    timeout(Duration::from_secs(10), client.read_exact(&mut heard)).await.expect("it is heard").unwrap();
    heard
}

async fn is_silent(client: &mut TcpStream) -> bool {
    timeout(SILENCE, client.read(&mut [0; 1])).await.is_err()
}

async fn is_over(client: &mut TcpStream) -> bool {
    matches!(timeout(Duration::from_secs(10), client.read(&mut [0; 1])).await.expect("it ends"), Ok(0) | Err(_))
}
