//! Bytes that no encoder wrote. The gate never panics, and never admits what the reference would not admit of the same bytes.
//!
//! "The same bytes" are read by `envoy-types`; where it cannot (a string that is not UTF-8 fails its whole message, in whatever field it
//! stands), they are read naively, field by field, as bytes. So a broken string in a field that no rule reads may pass, and one in a field
//! that a rule reads is judged by that rule. What is not protobuf at all must be refused.

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use prost::Message as _;

use super::dice::Dice;
use super::gate::{Asked, admits, metadata};
use super::plain::Plain;
use super::rules::{Answer, Reference};
use super::{cases, generate, wire, world};

#[tokio::test]
async fn bytes_that_no_encoder_wrote_are_never_admitted_unless_the_reference_admits_them() {
    let world = world::world();
    let asked = Asked::of(&world).await;
    let cases = cases() / 3;
    let (mut admitted, mut refused, mut not_utf8) = (0, 0, 0);
    for seed in 0..cases {
        let bytes = broken(wire::request(&generate::draft(&world, seed)).encode_to_vec(), &mut Dice::new(seed));
        let response = asked.ask(&bytes).await;
        assert_ne!(metadata(&response, "reason").as_deref(), Some("internal"), "seed {seed} made the gate panic: {bytes:02x?}");
        if !admits(&response) {
            refused += 1;
            continue;
        }
        admitted += 1;
        let decoded = CheckRequest::decode(bytes.as_slice());
        not_utf8 += u64::from(decoded.is_err());
        let plain = decoded.ok().map(|request| wire::plain(&request)).or_else(|| wire::walk(&bytes));
        let plain = plain.unwrap_or_else(|| panic!("seed {seed}: what is no message was admitted: {bytes:02x?}"));
        assert!(would_admit(&world, &plain), "seed {seed}: admitted, and should not have been: {}", plain.shown());
    }
    println!("admitted {admitted}, of these not UTF-8 somewhere {not_utf8}; refused {refused}");
    assert!(admitted > cases / 100 && refused > cases / 4, "bytes are broken too much or too little: {admitted}, {refused}");
    assert!(not_utf8 > 0, "no request with a string that is not UTF-8 was admitted: nothing was learned of them");
}

/// With nothing counted yet: limits only ever admit less.
fn would_admit(world: &super::plain::World, plain: &Plain) -> bool {
    let mut reference = Reference::new(world, None);
    matches!(reference.decide(plain), Answer::Granted(_))
}

/// Flipped, cut, repeated, put in, or made up.
fn broken(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(12) {
            0..7 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            7 if !bytes.is_empty() => bytes[at] = dice.byte(),
            8 => bytes.truncate(at),
            9 => bytes.insert(at, dice.byte()),
            10 => bytes.extend_from_within(at..),
            11 if dice.chance(10) => bytes = (0..dice.below(64)).map(|_| dice.byte()).collect(),
            _ => {}
        }
    }
    bytes
}
