//! The store's time, as Redis tells it.

use super::*;

#[tokio::test]
async fn time_that_redis_sets_back_is_told_as_standing_still() {
    let store = RedisStore::connect(&Settings::at("unix:///nowhere")).unwrap();
    assert_eq!([5, 9, 3, 10].map(|now| store.told(StoreTime(now)).0), [5, 9, 9, 10]);
}
