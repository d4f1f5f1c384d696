//! Servers of others that run already, beside the yardsticks and keyward in one run. `make bench-peers` runs it; docs/benchmarks-peers.md says how
//! each is started, and what of keyward's work it does.

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest;
use tokio::runtime::Runtime;

use crate::keys::secret;
use crate::load::{HOST, Load, Question, request};
use crate::peer::{Call, Peer, descriptors, peers};
use crate::report::{machine, say};
use crate::stage::Stage;
use crate::turns::{IN_FLIGHT, RUNS, Server, played, print};

/// Fewer than of keyward alone: peers take longer.
const CHECKS: usize = 20_000;
/// As many as an Envoy of two workers opens.
const CONNECTIONS: usize = 2;
/// Asked of each peer before anything is measured.
const TRIES: usize = 20;

/// Prints one table.
///
/// # Errors
/// What is wrong with a peer, and what to do.
pub(crate) fn measure(runtime: &Runtime) -> Result<(), String> {
    let said = |name: &str, default: &str| std::env::var(name).ok().filter(|said| !said.is_empty()).unwrap_or_else(|| default.to_owned());
    let peers = peers(&said("KEYWARD_PEERS", ""))?;
    let (domain, named) = (said("KEYWARD_PEERS_DOMAIN", "bench"), said("KEYWARD_PEERS_DESCRIPTORS", "key=hot;owner=acme"));
    let limited = should_rate_limit(&domain, &named)?;
    say!("{}", machine());
    say!("Check asks for GET https://{HOST}/v1/bookings/42?expand=customer with authorization: Bearer {}", secret(0));
    say!("ShouldRateLimit asks for domain {domain}, descriptors {named}\n");
    let mut theirs = Vec::new();
    for peer in &peers {
        peer.runs()?;
        let question = match peer.call {
            Call::Check => Question::Check(Box::new(request(&secret(0)))),
            Call::ShouldRateLimit => Question::ShouldRateLimit(limited.clone()),
        };
        let load = runtime.block_on(reached(peer, question))?;
        theirs.push(Server::new(&format!("{}, {:?}", peer.name, peer.call), peer.pid, load, peer.stores.clone()));
    }
    let stage = Stage::set(runtime, 1);
    let mut servers = stage.servers(runtime, CONNECTIONS);
    servers.extend(theirs);
    let title = format!(
        "CPU time a check; {CHECKS} a run, {IN_FLIGHT} in flight over {CONNECTIONS} connections; median of {RUNS} runs by turns, after one to warm up"
    );
    print(&title, &played(servers, |load, _| runtime.block_on(load.run(CHECKS, IN_FLIGHT))));
    Ok(())
}

fn should_rate_limit(domain: &str, named: &str) -> Result<RateLimitRequest, String> {
    let descriptor = |entries: Vec<(String, String)>| RateLimitDescriptor {
        entries: entries.into_iter().map(|(key, value)| Entry { key, value }).collect(),
        ..RateLimitDescriptor::default()
    };
    let descriptors = descriptors(named)?.into_iter().map(descriptor).collect();
    Ok(RateLimitRequest { domain: domain.to_owned(), descriptors, hits_addend: 1 })
}

/// Connections to one that answers.
async fn reached(peer: &Peer, question: Question) -> Result<Load, String> {
    let Peer { name, address, call, .. } = peer;
    let unreached =
        |error| format!("{name}: no connection to {address} ({}): is it started, and is this the port of its gRPC?", cause(&error));
    let load = Load::open(*address, question, CONNECTIONS).await.map_err(unreached)?;
    let answers = load.run(TRIES, 1).await;
    match answers.errors.first() {
        Some(first) if answers.errors.len() == TRIES => Err(format!(
            "{name}: {address} answers {call:?} with nothing but errors; the first: {:?}, {}. Is this the port of its gRPC, in plain text, and does it \
             serve {call:?}? A server that looks its realm or domain up must know the host or the domain above",
            first.code(),
            first.message()
        )),
        _ => {
            if answers.admitted < TRIES {
                say!("{name} says no to {} of {TRIES}: it is measured so, but admitting is what the others do\n", TRIES - answers.admitted);
            }
            Ok(load)
        }
    }
}

/// What lies at the bottom of it.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}
