//! Keys, owners, commits and charges to play with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::audit::note;
use keyward::domain::address::AddressList;
use keyward::domain::key::{Digest, Scheme};
use keyward::domain::name::{KeyId, OwnerId, RealmId, Word};
use keyward::domain::owner::Owner;
use keyward::domain::record::{Cause, KeptSecret, Record};
use keyward::domain::time::StoreTime;
use keyward::domain::window::Spec;
use keyward::store::embedded::Timeouts;
use keyward::store::{Change, Charge, Commit, Expect, Generations, Needs, Subject, SubjectName};
use sha2::{Digest as _, Sha256};

/// A machine that is busy with other tests must not make a store seem away.
pub const PATIENT: Timeouts = Timeouts { check: Duration::from_mins(1), admin: Duration::from_mins(1) };

pub fn realm() -> RealmId {
    RealmId::parse("otesse").unwrap()
}

pub fn word(text: &str) -> Word {
    Word::parse(text).unwrap()
}

pub fn owner_id(number: u64) -> OwnerId {
    OwnerId::parse(&format!("owner-{number}")).unwrap()
}

pub fn key_id(number: u64) -> KeyId {
    KeyId::parse(&format!("key_{number}")).unwrap()
}

pub fn digest(id: &KeyId) -> Digest {
    Digest(Sha256::digest(id.as_str()).into())
}

pub fn owner(id: &OwnerId) -> Owner {
    Owner {
        realm: realm(),
        id: id.clone(),
        name: format!("the owner {id}"),
        plan: None,
        limits: [].into(),
        created: StoreTime(1),
        disabled: None,
        revision: 1,
        generation: 1,
    }
}

pub fn record(id: &KeyId, owner: &OwnerId) -> Record {
    let secret = KeptSecret {
        digest: digest(id),
        pepper: word("1"),
        prefix: "ot_".into(),
        last_four: "wxyz".into(),
        created: StoreTime(1),
        number: 1,
        ends: None,
        scheme: Scheme::Secret,
    };
    Record {
        realm: realm(),
        id: id.clone(),
        owner: owner.clone(),
        label: format!("the key {id}"),
        environment: None,
        kind: None,
        plan: None,
        limits: Vec::new(),
        tenant: None,
        scopes: Vec::new(),
        addresses: AddressList::default(),
        created: StoreTime(1),
        expires: None,
        revoked: None,
        cause: Cause::Asked,
        metadata: BTreeMap::new(),
        binding: None,
        secrets: vec![secret],
        revision: 1,
        generation: 1,
    }
}

pub fn commit(changes: Vec<Change>, subject: impl AsRef<str>) -> Commit {
    Commit { changes, audit: note("Test", subject.as_ref()), request: None, once: None, needs: Needs::default() }
}

pub fn new_key(record: Record) -> Change {
    Change::Key { record, expect: Expect::Absent }
}

pub fn new_owner(owner: Owner) -> Change {
    Change::Owner { owner, expect: Expect::Absent }
}

/// At most `most` in any `seconds`.
pub fn spec(most: u32, seconds: u32) -> Spec {
    Spec::sliding(seconds * 1000, most)
}

/// One token of a key and, where there are `of_owner` limits, of its owner.
pub fn charge(owner: u64, key: u64, of_key: Vec<Spec>, of_owner: Vec<Spec>) -> Charge {
    let name = |key| SubjectName { realm: realm(), owner: owner_id(owner), key };
    let subject = |key, windows| Subject { name: name(key), generation: 1, windows };
    let mut subjects = vec![subject(Some(key_id(key)), of_key)];
    if !of_owner.is_empty() {
        subjects.push(subject(None, of_owner));
    }
    Charge { subjects, want: 1, cost: 1, ttl: Duration::from_millis(50), share: 1, generations: Generations::Heard, returns: Vec::new() }
}
