//! Servers on a store, all of which can be killed at any time, and the store as it is.

use std::path::Path;
use std::sync::{Arc, Mutex};

use keyward::domain::audit::{Entry, Head};
use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::Word;
use tempfile::TempDir;

use super::book::Book;
use super::calls::Hand;
use super::judge::{Judgement, judge};
use super::state::{Engine, State};
use crate::support::check::{self, admits};
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

/// The shortest: whoever was killed holds others up for as long.
const LEASE: &str = "lease: 1s\n";

pub struct World {
    pub engine: Engine,
    pub redis: Option<RedisServer>,
    pub keywards: Vec<Keyward>,
    pub token: String,
    pub peppers: Peppers,
    /// Where each of the servers is now, to be asked whatever it is that happens to it.
    pub hands: Arc<Mutex<Vec<Hand>>>,
    /// Where the audit log was seen to end.
    pub anchors: Vec<Head>,
    _realms: TempDir,
}

impl World {
    pub fn embedded() -> Self {
        let realms = realms();
        let keyward = Keyward::start_edited(realms.path(), &Store::Embedded, |config| config + LEASE);
        let pepper = keyward.at("data/pepper");
        Self::of(Engine::Embedded, realms, None, vec![keyward], &pepper)
    }

    /// Two servers on a Redis, which they reach at this URL, or where it is.
    pub fn redis(redis: RedisServer, url: Option<&str>) -> Self {
        let realms = realms();
        let url = url.map_or_else(|| redis.url(), ToOwned::to_owned);
        let edit = |config: String| config.replace("redis: {url", "redis: {timeout: 200ms, url") + LEASE + "check_deadline: 2s\n";
        let first = Keyward::start_edited(realms.path(), &Store::Redis(&url), edit);
        let second = Keyward::without_token(realms.path(), &Store::Redis(&url), edit);
        let pepper = first.at("pepper");
        Self::of(Engine::Redis, realms, Some(redis), vec![first, second], &pepper)
    }

    fn of(engine: Engine, realms: TempDir, redis: Option<RedisServer>, keywards: Vec<Keyward>, pepper: &Path) -> Self {
        let token = std::fs::read_to_string(keywards[0].at("token")).unwrap();
        let peppers = peppers(pepper);
        let hands = Arc::new(Mutex::new(keywards.iter().map(|keyward| Hand::at(keyward.admin, &token)).collect()));
        Self { engine, redis, keywards, token, peppers, hands, anchors: Vec::new(), _realms: realms }
    }

    pub fn hand(&self, of: usize) -> Hand {
        self.hands.lock().unwrap()[of].clone()
    }

    /// Starts a server that was killed; it need not be ready.
    pub fn start(&mut self, which: usize) {
        self.keywards[which].again_unready();
        self.hands.lock().unwrap()[which] = Hand::at(self.keywards[which].admin, &self.token);
    }

    pub fn wait_until_ready(&mut self) {
        self.keywards.iter_mut().for_each(Keyward::wait_until_ready);
    }

    /// What is kept, at this instant; of an embedded store, whose server is dead.
    pub fn state(&self) -> State {
        match &self.redis {
            Some(redis) => State::of_redis(redis),
            None => State::of_file(&self.keywards[0].at("data/keyward.redb")),
        }
    }

    /// Judges the state as it is, with everything that was ever seen of the audit log's end.
    pub fn judge(&mut self) -> (State, Judgement, Vec<Entry>) {
        let state = self.state();
        let (judgement, entries, head) = judge(&state, &self.peppers, &self.anchors);
        self.anchors.push(head);
        (state, judgement, entries)
    }

    /// The same, with what operators were told. Nobody may be calling.
    pub fn judge_with(&mut self, book: &Book) -> (State, Judgement) {
        let (state, mut judgement, entries) = self.judge();
        book.judge(&entries, &mut judgement);
        book.judge_secrets(&state, &self.peppers, &mut judgement);
        (state, judgement)
    }

    /// Whether a server lets a secret in.
    pub async fn admits(&self, at: usize, secret: &str) -> bool {
        let bearer = format!("Bearer {secret}");
        let asked = check::request("GET", "api.otesse.com", "/v1/bookings", &[("authorization", &bearer)]);
        let mut checks = check::connect(self.keywards[at].envoy).await;
        loop {
            let answer = checks.check(asked.clone()).await.unwrap().into_inner();
            if check::denied_status(&answer) != Some(503) {
                return admits(&answer);
            }
        }
    }
}

/// Otesse's realm, and no other.
fn realms() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms/otesse.yaml");
    std::fs::copy(file, folder.path().join("otesse.yaml")).unwrap();
    folder
}

/// Those of a file of one line.
fn peppers(file: &Path) -> Peppers {
    let text = std::fs::read_to_string(file).unwrap();
    let (version, bytes) = text.trim().split_once(':').unwrap();
    let pepper = Pepper::new(Word::parse(version).unwrap(), data_encoding::BASE64.decode(bytes.as_bytes()).unwrap()).unwrap();
    Peppers::new(vec![pepper]).unwrap()
}
