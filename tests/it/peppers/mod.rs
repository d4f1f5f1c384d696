//! A pepper takes over from another while keys are used, as an operator does it: on two replicas of one Redis, and on the embedded store. Every
//! check of the whole time counts: none may be refused.

mod away;
mod beside;
mod rotation;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use data_encoding::BASE64;
use tokio::task::JoinHandle;

use self::server::Server;
use crate::support::check;

/// A line of a pepper file.
pub fn line(version: &str) -> String {
    let byte = version.bytes().last().unwrap();
    format!("{version}:{}\n", BASE64.encode(&[byte; 32]))
}

/// A pepper file.
pub fn file(versions: &[&str]) -> String {
    versions.iter().map(|version| line(version)).collect()
}

/// What becomes of a secret: 200, or the status of the refusal.
pub async fn asked(server: &Server, secret: &str) -> i32 {
    asked_in("pep", server, secret).await
}

/// The same, in this realm.
pub async fn asked_in(realm: &str, server: &Server, secret: &str) -> i32 {
    let mut checks = check::connect(server.envoy).await;
    let answer = checks.check(check::request("GET", &format!("{realm}.test"), "/", &[("x-api-key", secret)])).await.unwrap().into_inner();
    if check::admits(&answer) { 200 } else { check::denied_status(&answer).unwrap_or(0) }
}

/// Asks one replica for every secret, round after round, until it is ended.
pub struct Asking {
    over: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    refused: JoinHandle<Vec<String>>,
}

impl Asking {
    pub async fn of(server: &Server, secrets: &[String]) -> Self {
        let (over, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (mut checks, secrets) = (check::connect(server.envoy).await, secrets.to_vec());
        let (end, round) = (over.clone(), rounds.clone());
        let refused = tokio::spawn(async move {
            let mut refused = Vec::new();
            while !end.load(Ordering::SeqCst) {
                for secret in &secrets {
                    let request = check::request("GET", "pep.test", "/", &[("x-api-key", secret)]);
                    match checks.check(request).await.map(tonic::Response::into_inner) {
                        Ok(answer) if check::admits(&answer) => {}
                        other => refused.push(format!("{other:?}")),
                    }
                }
                round.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            refused
        });
        Self { over, rounds, refused }
    }

    /// Ends it, after two whole rounds at least: nobody was refused.
    pub async fn ends_without_a_refusal(self) {
        let begun = self.rounds.load(Ordering::SeqCst);
        crate::support::until("two rounds", || self.rounds.load(Ordering::SeqCst) >= begun + 2).await;
        self.over.store(true, Ordering::SeqCst);
        let refused = self.refused.await.unwrap();
        assert!(refused.is_empty(), "{} checks were refused: {}", refused.len(), refused[0]);
    }
}
