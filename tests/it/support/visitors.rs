//! Visitors of an API that Envoy serves, many at once: they come back as soon as they are answered, or others come at a steady rate whatever
//! becomes of those before. One in eight brings a key that nobody has.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// More than anything on the way takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// All that may be under way at one time, each on a connection of its own: whoever comes when they are is not sent.
pub const MOST: usize = if cfg!(debug_assertions) { 256 } else { 1024 };

/// How they come.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many, each again when it was answered.
    Returning(usize),
    /// So many a second.
    Arriving(u64),
}

/// Visits one host over plain HTTP.
#[derive(Clone)]
pub struct Visitors {
    client: Client<HttpConnector, Empty<axum::body::Bytes>>,
    envoy: SocketAddr,
    host: &'static str,
    known: Arc<str>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    admitted: AtomicU64,
    unknown: AtomicU64,
    by_keyward: AtomicU64,
    by_envoy: AtomicU64,
    unsent: AtomicU64,
    odd: AtomicU64,
    first_odd: Mutex<Option<String>>,
    /// Of each that was admitted, and of each that was refused with 503: how long it took.
    took: [Mutex<Vec<Duration>>; 2],
}

/// How many ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// With 200, and a key.
    pub admitted: u64,
    /// With a key that nobody has, and 401; or 429, because the client's address has presented too many of them.
    pub unknown: u64,
    /// With 503 in keyward's own words.
    pub by_keyward: u64,
    /// With 503 without any.
    pub by_envoy: u64,
    /// As many were under way as may be.
    pub unsent: u64,
    /// Anything else: a connection that failed, another status, the wrong one of two.
    pub odd: u64,
    /// That were decided in a second: the median over half seconds, since a busy machine stands still now and then.
    pub a_second: u64,
    /// Of a hundred that were admitted, and of a hundred that were refused with 503, the slowest but one.
    pub p99: [Duration; 2],
}

impl Visitors {
    /// `known`: a key that is admitted.
    pub fn new(envoy: SocketAddr, host: &'static str, known: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, envoy, host, known: known.into(), seen: Arc::default() }
    }

    /// What comes of it in `span`, once it has gone on for a quarter of that; ends when all have been answered.
    pub async fn come(&self, pace: Pace, span: Duration) -> Came {
        let begun = Instant::now();
        let until = begun + span / 4 + span;
        let coming = tokio::spawn(self.clone().all(pace, until));
        sleep(span / 4).await;
        let before = self.seen.now();
        self.seen.took.iter().for_each(|took| took.lock().unwrap().clear());
        let mut rates = Vec::new();
        loop {
            let (begun, before) = (Instant::now(), self.seen.now());
            sleep(Duration::from_millis(500)).await;
            let decided = u128::from(self.seen.now().decided() - before.decided());
            rates.push(u64::try_from(decided * 1_000_000 / begun.elapsed().as_micros()).unwrap());
            if Instant::now() >= until {
                break;
            }
        }
        rates.sort_unstable();
        let came = Came { a_second: rates[rates.len() / 2], p99: self.seen.p99(), ..self.seen.now().since(before) };
        coming.await.unwrap();
        came
    }

    /// What was odd first.
    pub fn first_odd(&self) -> Option<String> {
        self.seen.first_odd.lock().unwrap().clone()
    }

    async fn all(self, pace: Pace, until: Instant) {
        let mut under_way = JoinSet::new();
        match pace {
            Pace::Returning(many) => {
                for nth in 0..many {
                    let visitors = self.clone();
                    under_way.spawn(async move {
                        let mut turn = nth;
                        while Instant::now() < until {
                            visitors.one(turn).await;
                            turn += 1;
                        }
                    });
                }
            }
            Pace::Arriving(rate) => {
                let (begun, mut sent) = (Instant::now(), 0);
                while Instant::now() < until {
                    let due = usize::try_from(begun.elapsed().as_micros() * u128::from(rate) / 1_000_000).unwrap();
                    while under_way.try_join_next().is_some() {}
                    for turn in sent..due {
                        if under_way.len() < MOST {
                            let visitors = self.clone();
                            under_way.spawn(async move { visitors.one(turn).await });
                        } else {
                            self.seen.unsent.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    sent = due;
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
        under_way.join_all().await;
    }

    async fn one(&self, turn: usize) {
        let (is_known, begun) = (!turn.is_multiple_of(8), Instant::now());
        let answer = timeout(PATIENCE, self.ask(is_known)).await.unwrap_or_else(|_| Err("not answered within a minute".into()));
        let count = match &answer {
            Ok((StatusCode::OK, _)) if is_known => &self.seen.admitted,
            Ok((StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS, _)) if !is_known => &self.seen.unknown,
            Ok((StatusCode::SERVICE_UNAVAILABLE, body)) if body == b"Service unavailable" => &self.seen.by_keyward,
            Ok((StatusCode::SERVICE_UNAVAILABLE, body)) if body.is_empty() => &self.seen.by_envoy,
            odd => {
                self.seen.first_odd.lock().unwrap().get_or_insert_with(|| format!("known: {is_known}: {odd:?}"));
                &self.seen.odd
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        let took = match &answer {
            Ok((StatusCode::OK, _)) => &self.seen.took[0],
            Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => &self.seen.took[1],
            _ => return,
        };
        took.lock().unwrap().push(begun.elapsed());
    }

    async fn ask(&self, is_known: bool) -> Result<(StatusCode, Vec<u8>), String> {
        let nobodys = || format!("pl_{:08x}{:032x}", getrandom::u32().unwrap(), 0);
        let key = if is_known { HeaderValue::from_str(&self.known) } else { HeaderValue::try_from(nobodys()) };
        let request = Request::get(format!("http://{}/", self.envoy)).header("host", self.host).header("x-api-key", key.unwrap());
        let asked = self.client.request(request.body(Empty::new()).unwrap()).await.map_err(|error| format!("{error:?}"))?;
        let (head, body) = asked.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?;
        Ok((head.status, body.to_bytes().into()))
    }
}

impl Seen {
    fn now(&self) -> Came {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Came {
            admitted: read(&self.admitted),
            unknown: read(&self.unknown),
            by_keyward: read(&self.by_keyward),
            by_envoy: read(&self.by_envoy),
            unsent: read(&self.unsent),
            odd: read(&self.odd),
            a_second: 0,
            p99: [Duration::ZERO; 2],
        }
    }

    fn p99(&self) -> [Duration; 2] {
        [0, 1].map(|nth: usize| p99(&mut self.took[nth].lock().unwrap()))
    }
}

fn p99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took.get(took.len() * 99 / 100).copied().unwrap_or_default()
}

impl Came {
    /// That were decided.
    pub fn decided(self) -> u64 {
        self.admitted + self.unknown
    }

    fn since(self, before: Self) -> Self {
        Self {
            admitted: self.admitted - before.admitted,
            unknown: self.unknown - before.unknown,
            by_keyward: self.by_keyward - before.by_keyward,
            by_envoy: self.by_envoy - before.by_envoy,
            unsent: self.unsent - before.unsent,
            odd: self.odd - before.odd,
            ..self
        }
    }
}
