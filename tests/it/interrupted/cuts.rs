//! A connection to keyward is cut after every byte of a mutation, of the request and of the answer. The call is made again under its request id,
//! and is done once.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::book::Written;
use super::calls::{Asked, Call, Fate};
use super::sweep::{ALL, Mutation, OPEN_OWNER, Sweep};
use super::world::World;
use crate::hostility::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, block, frame, literal};
use crate::support::campaign::{figure, is_full};
use crate::support::redis::RedisServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_whose_connection_is_cut_after_any_byte_is_done_once_on_redis() {
    sweep("redis", World::redis(RedisServer::durable(), None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_whose_connection_is_cut_after_any_byte_is_done_once_on_the_embedded_store() {
    sweep("embedded", World::embedded()).await;
}

/// The control: without a request id what was cut off and is made again is done twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_request_id_a_cut_answer_makes_two_keys() {
    let mut sweep = Sweep::of(World::redis(RedisServer::durable(), None)).await;
    let (call, _) = sweep.call(&ALL[0]).await;
    let call = Call { id: String::new(), ..call };
    let bytes = sweep.bytes(&call);
    let length = sweep.whole(&bytes).await.unwrap();
    let call = Call { asked: Asked::CreateKey { owner: "cutters".into(), label: "twice".into() }, ..call };
    let bytes = sweep.bytes(&call);
    sweep.cut_answer(&bytes, length - 1).await;
    sweep.until_done(Written::new(call)).await;
    let (state, _, _) = sweep.world.judge();
    assert_eq!(state.keys.values().filter(|key| key.label == "twice").count(), 2);
}

async fn sweep(store: &str, world: World) {
    let step = if is_full() { 1 } else { 41 };
    let mut sweep = Sweep::of(world).await;
    let mut found = Found::default();
    for mutation in ALL.iter().chain([&OPEN_OWNER]) {
        sweep.next_mutation();
        let mut at = sweep.dice.below(step);
        loop {
            let (call, _) = sweep.call(mutation).await;
            let bytes = sweep.bytes(&call);
            if at > bytes.len() {
                sweep.until_done(Written::new(call)).await;
                break;
            }
            sweep.cut_request(&bytes[..at]).await;
            sweep.again(call, &mut found).await;
            at += step;
        }
        sweep.answers(mutation, step, &mut found).await;
    }
    sweep.assert_whole();
    println!("{store}: {found:?}");
    figure("K2", &format!("{store}: calls of mutations cut after a byte of request or answer; found wrong"), &format!("{}; 0", found.cuts));
    assert!(found.before > 0 && found.after > 0, "control: of the keys that were cut none was made before, or none after: {found:?}");
}

/// What became of calls that were cut off.
#[derive(Debug, Default)]
struct Found {
    cuts: usize,
    /// Creations and rotations that were done by the call that was cut off, and those that were done by the next: only then a secret is shown.
    before: usize,
    after: usize,
}

impl Sweep {
    /// Cuts answers, up to as many bytes as a whole one has.
    async fn answers(&mut self, mutation: &Mutation, step: usize, found: &mut Found) {
        let (call, _) = self.call(mutation).await;
        let length = self.whole(&self.bytes(&call)).await.unwrap();
        self.until_done(Written::new(call)).await;
        let mut at = self.dice.below(step);
        while at <= length {
            let (call, _) = self.call(mutation).await;
            let bytes = self.bytes(&call);
            self.cut_answer(&bytes, at).await;
            self.again(call, found).await;
            at += step;
        }
    }

    /// Makes a call again that was cut off.
    async fn again(&mut self, call: Call, found: &mut Found) {
        let shows = matches!(call.asked, Asked::CreateKey { .. } | Asked::RotateKey { .. });
        let mut page = Written::new(call);
        page.note(&Fate::Unknown);
        let shown = self.until_done(page).await.shown.is_some();
        found.cuts += 1;
        found.before += usize::from(shows && !shown);
        found.after += usize::from(shows && shown);
    }

    /// All that a client says who makes this one call.
    fn bytes(&self, call: &Call) -> Vec<u8> {
        let (path, message) = call.wire();
        let headers = [block(&path), literal("authorization", &format!("Bearer {}", self.world.token))].concat();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let message = [&[0], &length[..], &message].concat();
        [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), frame(HEADERS, END_HEADERS, 1, &headers), frame(DATA, END_STREAM, 1, &message)]
            .concat()
    }

    async fn cut_request(&self, bytes: &[u8]) {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
    }

    /// Hears so many bytes of the answer. The rest is thrown away, and the server told so.
    async fn cut_answer(&self, bytes: &[u8], heard: usize) {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = vec![0; heard];
        // as many as there are, where this one is shorter
        let _ = stream.read_exact(&mut answer).await;
    }

    /// How many bytes the server says until the call is over.
    async fn whole(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await?;
        let mut heard = 0;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            stream.read_exact(&mut vec![0; length]).await?;
            heard += 9 + length;
            if head[3] == HEADERS && head[4] & END_STREAM != 0 {
                return Ok(heard);
            }
        }
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.world.keywards[0].admin).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}
