//! Many configurations, each of them run to its end and looked at.

use super::mix::Mix;
use super::mutants::Mutant;
use super::world::World;

/// Configurations in a bounded run, and in a full one.
pub(super) const BOUNDED: u64 = 60;
const FULL: u64 = 2_000;

/// Runs one, and says what is wrong with it, or how many tokens were spent.
pub(super) fn run(seed: u64, mutant: Option<Mutant>) -> Result<u64, String> {
    let mix = Mix::random(seed);
    let world = World::new(&mix, mutant).run();
    let violations = world.truth.violations(mix.base());
    if let Some(violation) = violations.first() {
        return Err(format!("{violation}\nin {mix:#?}"));
    }
    match world.purses() {
        0 => Ok(world.truth.tokens),
        left => Err(format!("{left} purses are left when all is quiet\nin {mix:#?}")),
    }
}

#[test]
fn no_window_is_ever_above_its_limit() {
    let asked = std::env::var("KEYWARD_SEED").ok().and_then(|seed| seed.parse().ok());
    let is_full = std::env::var_os("KEYWARD_SOAK").is_some();
    let seeds = asked.map_or(0..if is_full { FULL } else { BOUNDED }, |seed: u64| seed..seed + 1);
    let mut tokens = 0;
    for seed in seeds.clone() {
        match run(seed, None) {
            Ok(spent) => tokens += spent,
            Err(wrong) => panic!("configuration {seed}: {wrong}"),
        }
    }
    println!("{} configurations, {tokens} tokens spent, no violation", seeds.end - seeds.start);
    assert!(tokens > 0);
}
