//! A closed loop of questions to a server, and checks at a steady rate.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::support::check;

/// Of the requests; realms and peers are set up for it.
pub(crate) const HOST: &str = "bench.test";
/// A server that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked, by either of the calls that Envoy has for it.
#[derive(Clone)]
pub(crate) enum Question {
    /// `envoy.service.auth.v3.Authorization`
    Check(Box<CheckRequest>),
    /// `envoy.service.ratelimit.v3.RateLimitService`
    ShouldRateLimit(RateLimitRequest),
}

/// Connections to one server, and what is asked over them.
pub(crate) struct Load {
    connections: Vec<Channel>,
    question: Question,
}

/// What came back.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) asked: usize,
    /// Answered OK.
    pub(crate) admitted: usize,
    /// How long each took, in seconds.
    pub(crate) took: Vec<f64>,
    /// No answer but an error.
    pub(crate) errors: Vec<Status>,
}

impl Load {
    /// Checks of this secret, of a server that listens already.
    pub(crate) async fn new(address: SocketAddr, secret: &str, connections: usize) -> Self {
        Self::open(address, Question::Check(Box::new(request(secret))), connections).await.unwrap()
    }

    pub(crate) async fn open(address: SocketAddr, question: Question, connections: usize) -> Result<Self, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.connect_timeout(PATIENCE).timeout(PATIENCE);
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(endpoint.connect().await?);
        }
        Ok(Self { connections: opened, question })
    }

    /// Asks so often, `in_flight` at once.
    pub(crate) async fn run(&self, checks: usize, in_flight: usize) -> Answers {
        let hot = self.question.clone();
        self.ask(0..checks, in_flight, move |_| hot.clone()).await
    }

    /// Checks once for each of these keys, `in_flight` at once.
    pub(crate) async fn run_once_each(&self, keys: Range<usize>, in_flight: usize, secret: fn(usize) -> String) -> Answers {
        self.ask(keys, in_flight, move |key| Question::Check(Box::new(request(&secret(key))))).await
    }

    async fn ask(&self, nths: Range<usize>, in_flight: usize, question: impl Fn(usize) -> Question + Clone + Send + 'static) -> Answers {
        let (next, end) = (Arc::new(AtomicUsize::new(nths.start)), nths.end);
        let mut askers = Vec::new();
        for asker in 0..in_flight {
            let (connection, question, next) = (self.connections[asker % self.connections.len()].clone(), question.clone(), next.clone());
            askers.push(tokio::spawn(async move {
                let mut answers = Answers::default();
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= end {
                        return answers;
                    }
                    let question = question(nth);
                    let begun = Instant::now();
                    answers.add(answer(&connection, question).await, begun.elapsed());
                }
            }));
        }
        let mut answers = Answers::default();
        for asker in askers {
            answers.join(asker.await.unwrap());
        }
        answers
    }

    /// Asks so many times a second for so long, whenever answers come.
    pub(crate) async fn offer(&self, rate: usize, length: Duration) -> Answers {
        self.offered(rate, length, |_| self.question.clone()).await
    }

    /// The same, each time for a key of its own.
    pub(crate) async fn offer_each(&self, rate: usize, length: Duration, secret: impl Fn(usize) -> String) -> Answers {
        self.offered(rate, length, |nth| Question::Check(Box::new(request(&secret(nth))))).await
    }

    async fn offered(&self, rate: usize, length: Duration, question: impl Fn(usize) -> Question) -> Answers {
        let asked = offer(rate, length, |nth| {
            let (connection, question) = (self.connections[nth % self.connections.len()].clone(), question(nth));
            async move {
                let begun = Instant::now();
                (answer(&connection, question).await, begun.elapsed())
            }
        });
        let mut answers = Answers::default();
        asked.await.into_iter().for_each(|(answer, took)| answers.add(answer, took));
        answers
    }

    /// Checks once with another secret; whether that was admitted.
    pub(crate) async fn once(&self, secret: &str) -> bool {
        answer(&self.connections[0], Question::Check(Box::new(request(secret)))).await.unwrap()
    }
}

impl Answers {
    fn add(&mut self, answer: Result<bool, Status>, took: Duration) {
        self.asked += 1;
        self.took.push(took.as_secs_f64());
        match answer {
            Ok(admitted) => self.admitted += usize::from(admitted),
            Err(status) => self.errors.push(status),
        }
    }

    pub(crate) fn join(&mut self, more: Self) {
        self.asked += more.asked;
        self.admitted += more.admitted;
        self.took.extend(more.took);
        self.errors.extend(more.errors);
    }
}

/// Whether it was OK.
async fn answer(connection: &Channel, question: Question) -> Result<bool, Status> {
    match question {
        Question::Check(request) => {
            let answer = AuthorizationClient::new(connection.clone()).check(*request).await?;
            Ok(check::admits(answer.get_ref()))
        }
        Question::ShouldRateLimit(request) => {
            let answer = RateLimitServiceClient::new(connection.clone()).should_rate_limit(request).await?;
            Ok(answer.get_ref().overall_code == i32::from(Code::Ok))
        }
    }
}

/// Begins so many a second for so long, and waits until all have ended.
pub(crate) async fn offer<T, F>(rate: usize, length: Duration, ask: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (begun, mut asking, mut asked, mut answers) = (Instant::now(), JoinSet::new(), 0, Vec::new());
    while begun.elapsed() < length {
        let due = usize::try_from(begun.elapsed().as_micros()).unwrap() * rate / 1_000_000;
        for nth in asked..due {
            asking.spawn(ask(nth));
        }
        asked = asked.max(due);
        while let Some(answer) = asking.try_join_next() {
            answers.push(answer.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    answers.extend(asking.join_all().await);
    answers
}

/// Of about the size that Envoy sends.
pub(crate) fn request(secret: &str) -> CheckRequest {
    let bearer = format!("Bearer {secret}");
    check::request(
        "GET",
        HOST,
        "/v1/bookings/42?expand=customer",
        &[
            (":authority", HOST),
            (":method", "GET"),
            (":path", "/v1/bookings/42?expand=customer"),
            (":scheme", "https"),
            ("authorization", &bearer),
            ("user-agent", "bench/1.0"),
            ("accept", "*/*"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "7b5f3a8e-0d3c-4a57-9f0e-2f2f6f0b6c11"),
        ],
    )
}
