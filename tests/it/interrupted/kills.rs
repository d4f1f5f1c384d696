//! keyward and Redis are killed at random while operators change keys and owners. Whatever was cut off: all that is there was told in the audit
//! log, all that was told is there, and what an operator was told is so.
//!
//! The controls: a Redis that has nothing on disk, below, and a state that is torn or tampered with, in `controls`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::task::JoinSet;

use super::book::Book;
use super::judge::Kind;
use super::operators::{Known, Operator};
use super::state::{Engine, State};
use super::world::World;
use crate::support::campaign::{figure, share};
use crate::support::dice::Dice;
use crate::support::redis::RedisServer;

/// On Redis they wait for the leases of those who were killed.
fn operators(engine: Engine) -> u8 {
    if engine == Engine::Redis { 12 } else { 4 }
}

/// Kills between two looks at everything.
const ROUND: usize = 8;
/// Worlds.
const AT_ONCE: usize = 4;
/// Secrets that are tried after each round.
const TRIED: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_of_keyward_or_of_redis_parts_a_mutation_from_its_entry_or_leaves_a_key_half_rotated() {
    campaign("redis", || World::redis(RedisServer::durable(), None), share(1, 16)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_of_keyward_parts_a_mutation_from_its_entry_on_the_embedded_store() {
    campaign("embedded", World::embedded, share(1, 8)).await;
}

/// The control: what was answered OK is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_keeps_nothing_on_disk_is_caught_losing_what_was_answered() {
    let mut campaign = Campaign::new(World::redis(RedisServer::start(), None), 1);
    let (stop, working) = campaign.begin();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (whole, _, _) = campaign.world.judge();
    campaign.world.redis.as_mut().unwrap().restart();
    campaign.end(&stop, working).await;
    let (_, judgement) = campaign.world.judge_with(&campaign.book);
    assert!(!whole.keys.is_empty(), "there was something to lose");
    for kind in [Kind::Chain, Kind::Told] {
        assert!(judgement.kinds().contains(&kind), "{kind:?} was not found: {judgement:?}");
    }
}

/// So many worlds, some at a time: in a small one everything can be looked at after every kill.
async fn campaign(store: &'static str, world: fn() -> World, worlds: usize) {
    let kills = share(24, 48);
    let play = |number: usize| async move {
        let seed = std::env::var("KEYWARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| getrandom::u64().unwrap());
        println!("{store}, world {number}: seed {seed}");
        let world = tokio::task::spawn_blocking(world).await.unwrap();
        tokio::spawn(Campaign::new(world, seed).run(kills)).await.unwrap()
    };
    let all: Vec<Figures> = stream::iter(0..worlds).map(play).buffer_unordered(AT_ONCE).collect().await;
    let mut sum = Figures::default();
    for figures in &all {
        sum.add(figures);
    }
    let Figures { keyward, redis, calls, open, again, left, entries, keys, tried } = sum;
    println!("{sum:?}");
    figure("K1", &format!("{store}: kills of keyward, of Redis"), &format!("{keyward}, {redis}"));
    figure("K1", &format!("{store}: mutations; unknown at first, made again, left unknown"), &format!("{calls}; {open}, {again}, {left}"));
    figure(
        "K1",
        &format!("{store}: audit entries, keys at the end, secrets tried; found wrong"),
        &format!("{entries}, {keys}, {tried}; 0"),
    );
    assert!(keyward > 0 && (redis > 0) == (store == "redis"));
    assert!(calls > worlds * kills && open > 0 && again > 0, "control: the kills cut nothing off: {sum:?}");
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    keyward: usize,
    redis: usize,
    calls: usize,
    open: usize,
    again: usize,
    left: usize,
    entries: usize,
    keys: usize,
    tried: usize,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.keyward += other.keyward;
        self.redis += other.redis;
        self.calls += other.calls;
        self.open += other.open;
        self.again += other.again;
        self.left += other.left;
        self.entries += other.entries;
        self.keys += other.keys;
        self.tried += other.tried;
    }
}

type Working = JoinSet<(Operator, Vec<super::book::Written>)>;

pub struct Campaign {
    pub world: World,
    pub book: Book,
    seed: u64,
    dice: Dice,
    operators: Vec<Operator>,
    figures: Figures,
}

impl Campaign {
    pub fn new(world: World, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (known, hands) = (Arc::new(Known::default()), world.hands.clone());
        let mut operator = |number: u8| Operator {
            dice: Dice::new(dice.next()),
            tag: format!("{}-", char::from(b'a' + number)),
            known: known.clone(),
            hands: hands.clone(),
            made: 0,
        };
        let operators = (0..operators(world.engine)).map(&mut operator).collect();
        Self { world, book: Book::default(), seed, dice, operators, figures: Figures::default() }
    }

    async fn run(mut self, kills: usize) -> Figures {
        while self.figures.keyward + self.figures.redis < kills {
            let (stop, working) = self.begin();
            for _ in 0..ROUND {
                let alive = Duration::from_millis(self.dice.next() % 500);
                tokio::time::sleep(alive).await;
                tokio::task::block_in_place(|| self.kill());
            }
            self.world_is_ready();
            self.end(&stop, working).await;
            self.again().await;
            let state = self.look();
            self.try_secrets(&state).await;
            // a long run that ends early has shown this much
            println!("seed {}: {:?}", self.seed, self.figures);
        }
        let [calls, open, again, left] = self.book.figures();
        Figures { calls, open, again, left, ..self.figures }
    }

    /// Everybody works.
    pub fn begin(&mut self) -> (Arc<AtomicBool>, Working) {
        let (stop, mut working) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for operator in self.operators.drain(..) {
            working.spawn(operator.work(stop.clone()));
        }
        (stop, working)
    }

    /// Nobody works any more.
    pub async fn end(&mut self, stop: &AtomicBool, working: Working) {
        stop.store(true, Ordering::SeqCst);
        for (operator, written) in working.join_all().await {
            self.operators.push(operator);
            self.book.written.extend(written);
        }
    }

    /// Kills somebody, looks at what is left, and has them begin again: sometimes so soon that they were not ready when they are killed again.
    fn kill(&mut self) {
        if self.world.engine == Engine::Redis && self.dice.chance(35) {
            let redis = self.world.redis.as_mut().unwrap();
            redis.kill();
            std::thread::sleep(Duration::from_millis(self.dice.next() % 300));
            redis.restart();
            self.figures.redis += 1;
        } else {
            let which = self.dice.below(self.world.keywards.len());
            self.world.keywards[which].kill();
            self.figures.keyward += 1;
            self.judge();
            self.world.start(which);
        }
        if self.world.engine == Engine::Redis {
            self.judge();
        }
        if self.dice.chance(75) {
            self.world_is_ready();
        }
    }

    fn world_is_ready(&mut self) {
        tokio::task::block_in_place(|| self.world.wait_until_ready());
    }

    fn judge(&mut self) -> State {
        let (state, judgement, entries) = self.world.judge();
        assert!(judgement.0.is_empty(), "seed {}: {:#?}", self.seed, judgement.0);
        (self.figures.entries, self.figures.keys) = (entries.len(), state.keys.len());
        state
    }

    /// Of the calls of which nobody knows what became of them half are made again, until it is known.
    async fn again(&mut self) {
        let Self { book, dice, operators, .. } = self;
        let open = book.written.iter_mut().filter(|written| written.is_open());
        for written in open.filter(|_| dice.chance(50)) {
            while written.is_open() {
                let fate = operators[0].call(&written.call).await;
                written.note(&fate);
            }
        }
    }

    /// Everything, with what operators were told.
    fn look(&mut self) -> State {
        tokio::task::block_in_place(|| {
            if self.world.engine == Engine::Embedded {
                self.world.keywards[0].kill();
                self.figures.keyward += 1;
            }
            let (state, judgement) = self.world.judge_with(&self.book);
            assert!(judgement.0.is_empty(), "seed {}: {:#?}", self.seed, judgement.0);
            if self.world.engine == Engine::Embedded {
                self.world.start(0);
                self.world.wait_until_ready();
            }
            state
        })
    }

    /// Some of the secrets that operators were ever shown are presented: each opens its key exactly if the record says so.
    async fn try_secrets(&mut self, state: &State) {
        let all: Vec<_> = self.book.secrets().collect();
        for _ in 0..TRIED {
            let (key, number, secret) = self.dice.pick(&all).clone();
            let Some(opens) = opens(state, &key, number) else { continue };
            for at in 0..self.world.keywards.len() {
                let admitted = self.world.admits(at, &secret).await;
                assert_eq!(
                    admitted,
                    opens,
                    "seed {}: secret {number} of {key}: {:?}",
                    self.seed,
                    state.keys.get(&("otesse".into(), key.clone()))
                );
            }
            self.figures.tried += 1;
        }
    }
}

/// Whether a secret opens its key; `None`: that ends in these seconds.
fn opens(state: &State, key: &str, number: u32) -> Option<bool> {
    let Some(record) = state.keys.get(&("otesse".to_owned(), key.to_owned())) else { return Some(false) };
    let Some(kept) = record.secrets.iter().find(|kept| kept.number == number) else { return Some(false) };
    let owner = &state.owners[&("otesse".to_owned(), record.owner.to_string())];
    let now = jiff::Timestamp::now().as_millisecond();
    if kept.ends.is_some_and(|ends| (ends.0 - now).abs() < 60_000) {
        return None;
    }
    Some(record.revoked.is_none() && owner.disabled.is_none() && kept.ends.is_none_or(|ends| ends.0 > now))
}
