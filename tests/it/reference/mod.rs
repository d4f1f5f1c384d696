//! The gate against an independent, deliberately naive reference of its rules, over made-up requests: they agree on every verdict, on its
//! reason, and on everything that is changed of a request that goes on. Before some requests the gate is asked to explain itself: what it says
//! then is what it does, and it does it as if nobody had asked.
//!
//! The control is in the same test: for every rung there is a reference that leaves it out, and each of those must be found to disagree
//! with the gate. A rung that no request tried would leave its reference undiscovered.

mod credentials;
mod draft;
mod explained;
mod gate;
mod generate;
mod mutate;
mod onward;
mod people;
mod plain;
mod raw;
mod reading;
mod rules;
mod rungs;
mod stored;
mod told;
mod wire;
mod world;

use std::collections::BTreeMap;

use prost::Message as _;

use explained::Explained;
use gate::Asked;
use plain::World;
use rules::{Answer, Reference};
use rungs::{RUNGS, Rung};

use crate::support::dice;

/// Every reason that the rules can give while the store is there.
const REASONS: [&str; 18] = [
    "no_realm",
    "malformed",
    "insecure",
    "ambiguous",
    "missing",
    "unknown",
    "tenant_missing",
    "address",
    "throttled",
    "revoked",
    "expired",
    "owner_disabled",
    "tenant",
    "no_route",
    "environment",
    "kind",
    "scope",
    "limited",
];

/// How many requests are made up. `KEYWARD_SOAK` makes it a million, and `KEYWARD_REFERENCE_CASES` says any other number.
const CASES: u64 = 20_000;
const MANY_CASES: u64 = 1_000_000;
/// One request in so many is explained before it is made: that asks the store, and takes its time.
const EXPLAINED: u64 = 3;
/// The first of them; `KEYWARD_REFERENCE_SEED` says otherwise.
const SEED: u64 = 0;

/// How many requests ended in each way.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    fn count(&mut self, answer: &Answer) {
        let way = match answer {
            Answer::Refused(reason) => reason,
            Answer::Granted(grant) if grant.key.is_none() => "granted to anyone",
            Answer::Granted(_) => "granted to a key",
        };
        *self.0.entry(way).or_default() += 1;
    }

    /// Every reason occurred, and a fifth was admitted with a key.
    fn is_worth_something(&self) {
        let missing: Vec<_> = REASONS.iter().filter(|reason| !self.0.contains_key(**reason)).collect();
        assert!(missing.is_empty(), "no request was refused for {missing:?}: {self:?}");
        assert!(self.0["granted to a key"] * 5 >= self.0.values().sum(), "fewer than a fifth was admitted: {self:?}");
    }
}

#[tokio::test]
async fn the_gate_equals_the_naive_reference_and_every_rung_left_out_is_noticed() {
    let world = world::world();
    let asked = Asked::of(&world).await;
    let mut reference = Reference::new(&world, None);
    let mut undiscovered: Vec<(Rung, Reference<'_>)> = RUNGS.iter().map(|rung| (*rung, Reference::new(&world, Some(*rung)))).collect();
    let (mut tally, mut explained) = (Tally::default(), Explained::default());
    let first = said("KEYWARD_REFERENCE_SEED", SEED);
    for seed in first..first + cases() {
        let answer = agree(&asked, &world, (&mut reference, &mut explained), seed).await;
        undiscovered.retain_mut(|(_, wrong)| wrong.decide(&wire::plain(&wire::request(&generate::draft(&world, seed)))) == answer);
        tally.count(&answer);
    }
    println!("{:#?}", tally.0);
    tally.is_worth_something();
    explained.is_worth_something();
    let undiscovered: Vec<_> = undiscovered.iter().map(|(rung, _)| rung).collect();
    assert!(undiscovered.is_empty(), "nothing noticed that these rungs were left out: {undiscovered:?}");
}

/// Both answer the request of a seed, and answer the same; and so the gate had said before, in whose answers that it was asked does not show.
async fn agree(asked: &Asked, world: &World, (reference, explained): (&mut Reference<'_>, &mut Explained), seed: u64) -> Answer {
    let request = wire::request(&generate::draft(world, seed));
    let plain = wire::plain(&request);
    let right = reference.decide(&plain);
    let foreseen = if seed.is_multiple_of(EXPLAINED) { asked.explain(&request.encode_to_vec()).await } else { None };
    let response = asked.ask(&request.encode_to_vec()).await;
    let heard = gate::hear(&response, &plain);
    let with = || format!("KEYWARD_REFERENCE_SEED={seed}\nreference: {right:?}\ngate: {heard:?}\n{}", plain.shown());
    if let Some(foreseen) = &foreseen {
        explained.foresaw(foreseen, &response, with);
    }
    assert!(heard.answer == right, "the gate and the reference disagree, {}", with());
    if let Answer::Refused(reason) = right {
        let status = told::status(reference.realm_of(&plain), reason, &plain);
        assert!(heard.told == Some(status), "a caller is told {:?} and not {status}, {}", heard.told, with());
    }
    if let Answer::Granted(_) = right {
        let tightest = &reference.tightest;
        let is_one = heard.limit.map_or(tightest.is_empty(), |limit| tightest.contains(&limit));
        assert!(is_one, "a caller is told of {:?} and not of one of {tightest:?}, {}", heard.limit, with());
    }
    heard.answer
}

fn cases() -> u64 {
    said("KEYWARD_REFERENCE_CASES", if std::env::var_os("KEYWARD_SOAK").is_some() { MANY_CASES } else { CASES })
}

fn said(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

#[test]
fn a_request_reads_the_same_from_its_bytes_as_from_its_structs() {
    let world = world::world();
    for seed in 0..2_000 {
        let request = wire::request(&generate::draft(&world, seed));
        let mut walked = wire::walk(&request.encode_to_vec()).expect("what was encoded is protobuf");
        let mut plain = wire::plain(&request);
        // A map has no order.
        for side in [&mut walked, &mut plain] {
            side.headers.sort();
            side.extensions.sort();
        }
        assert_eq!(walked, plain, "seed {seed}");
    }
}
