//! The purse whose limits are not the newest, or not said to be.

use super::purse::*;
use super::purse_tests::{asked, at, granted, holding, landed, purse, terms, who};
use crate::store::{Generations, Taken};

#[test]
fn a_stale_answer_is_told_to_everyone() {
    let mut purse = purse();
    purse.wait(1, who("aboard"));
    asked(&mut purse, 0).unwrap();
    purse.wait(1, who("later"));
    assert_eq!(landed(&mut purse, Taken::Stale, 0, 1).len(), 2);
}

#[test]
fn what_was_confirmed_for_somebody_is_said_for_nobody_else() {
    let mut purse = purse();
    purse.wait(1, who("aboard"));
    assert_eq!(asked(&mut purse, 0).unwrap().generations, Generations::Heard);
    purse.wait_under(Generations::Confirmed, 1, who("knows better"));
    purse.wait(1, who("later"));
    let told: Vec<_> = landed(&mut purse, Taken::Stale, 0, 1).into_iter().map(|(who, _)| who).collect();
    assert_eq!(told, ["aboard", "later"]);
    assert_eq!(asked(&mut purse, 1).unwrap().generations, Generations::Confirmed);
    assert_eq!(landed(&mut purse, granted(1, 50, 1), 1, 2).len(), 1);
    purse.wait(1, who("another"));
    assert_eq!(asked(&mut purse, 2).unwrap().generations, Generations::Heard, "it is served");

    let mut purse = holding(1, 500);
    purse.wait(9, who("aboard"));
    asked(&mut purse, 1).unwrap();
    purse.wait_under(Generations::Confirmed, 1, who("knows better"));
    assert_eq!(landed(&mut purse, granted(10, 500, 1), 1, 2).len(), 2, "by a call that left before");
    purse.wait(50, who("another"));
    assert_eq!(asked(&mut purse, 3).unwrap().generations, Generations::Heard);
}

#[test]
fn a_period_that_is_over_is_told_to_everyone_unless_its_successor_is_known_by_now() {
    let mut purse = purse();
    purse.wait(1, who("aboard"));
    asked(&mut purse, 0).unwrap();
    assert!(matches!(landed(&mut purse, Taken::Behind, 0, 1)[..], [("aboard", Served::Behind)]));
    purse.wait(1, who("aboard"));
    asked(&mut purse, 2).unwrap();
    let former = purse.terms().clone();
    purse.adopt(terms(2000));
    assert!(purse.landed(&former, Taken::Behind, at(2), at(3)).is_empty() && asked(&mut purse, 3).is_some());
}
