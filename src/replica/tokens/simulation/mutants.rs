//! Each protection taken away in turn: the campaign that the rules pass catches its absence.

use super::campaign::{BOUNDED, run};

/// What is done wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Neither what is held nor what was waited for is looked at for its deadline.
    NothingEnds,
    DeadlinesCountFromTheAnswer,
    ReturnsAreMadeTwice,
    /// Tokens of before a limit was lowered are spent after.
    OldTermsAreSpent,
    /// The store counts a token that is asked for alone as spent when it is granted.
    OneOffsAreForgottenAtOnce,
}

fn caught(mutant: Mutant) {
    let caught = (0..BOUNDED).find(|seed| run(*seed, Some(mutant)).is_err());
    println!("{mutant:?}: caught by configuration {caught:?}");
    assert!(caught.is_some(), "{mutant:?} passed {BOUNDED} configurations");
}

#[test]
fn tokens_that_are_spent_after_their_deadline_are_caught() {
    caught(Mutant::NothingEnds);
}

#[test]
fn a_deadline_that_counts_from_the_answer_is_caught() {
    caught(Mutant::DeadlinesCountFromTheAnswer);
}

#[test]
fn returns_that_are_made_twice_are_caught() {
    caught(Mutant::ReturnsAreMadeTwice);
}

#[test]
fn tokens_that_are_spent_after_their_limit_was_lowered_are_caught() {
    caught(Mutant::OldTermsAreSpent);
}

#[test]
fn a_token_that_the_store_forgets_too_early_is_caught() {
    caught(Mutant::OneOffsAreForgottenAtOnce);
}
