//! A store that finds its primary through Sentinel.

use crate::support::sentinel::Sentinels;

#[test]
fn the_sentinels_of_these_tests_change_the_primary_when_asked_and_when_it_dies() {
    let mut all = Sentinels::start();
    assert_eq!(all.primary(), 0);
    let second = all.failover();
    assert_ne!(second, 0);
    all.until_followed(second, 2);
    let third = all.kill(second);
    assert_ne!(third, second);
}
