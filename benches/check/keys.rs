//! The realm of the benchmarks, and keys in it.

use std::ops::Range;

use futures_util::stream::{StreamExt as _, iter};
use keyward::domain::name::Word;
use keyward::domain::owner::Owner;
use keyward::store::{Change, Store};
use tempfile::TempDir;

use crate::support::keyward::{Keyward, NewKey};
use crate::support::seed;

const REALM: &str = "
realm: bench
https: any
hosts: [bench.test]
credentials: [{header: authorization, scheme: Bearer}]
keys: [{prefix: bench_, alphabet: base62, length: 40}]
routes: [{prefix: /}]
plans:
  ample:
    - {limit: minute, per: key, most: 1000000000, window: 1m}
    - {limit: hour, per: owner, most: 4000000000, window: 1h}
default_plan: ample
identity: {x-otesse-owner: \"${owner.id}\"}
";
/// Keys that are made in one step, and steps that are under way at once.
const STEP: usize = 1000;
const STEPS: usize = 4;

/// A folder with the realm: each key is counted against two limits.
pub(crate) fn realm() -> TempDir {
    realm_with("")
}

/// The same, with more lines.
pub(crate) fn realm_with(lines: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bench.yaml"), format!("{REALM}{lines}")).unwrap();
    folder
}

/// Makes an owner with the first key.
pub(crate) fn first(keyward: &Keyward) {
    keyward.create_owner("bench", "acme", None);
    keyward.create_key("bench", &NewKey { owner: "acme", label: "hot", secret: Some(&secret(0)), ..NewKey::default() });
}

/// Puts keys with these numbers into a store, and their owner.
pub(crate) async fn fill(store: &dyn Store, keys: Range<usize>) {
    let Change::Owner { owner, expect } = seed::owner("bench", "acme") else { unreachable!("an owner is made") };
    let owner = Owner { plan: Some(Word::parse("ample").unwrap()), ..owner };
    seed::commit(store, vec![Change::Owner { owner, expect }]).await;
    let (starts, end) = (keys.clone().step_by(STEP), keys.end);
    let step = |start| async move {
        let changes = (start..end.min(start + STEP)).map(|key| seed::key("bench", "acme", &seed::id(key), &secret(key))).collect();
        seed::commit(store, changes).await;
    };
    iter(starts).for_each_concurrent(STEPS, step).await;
}

/// That of the key with this number.
pub(crate) fn secret(key: usize) -> String {
    format!("bench_{key:040}")
}

/// The file of peppers under which they are kept.
pub(crate) fn peppers() -> String {
    format!("1:{}\n", data_encoding::BASE64.encode(&[7; 32]))
}
