//! Keys in a store, put there without an admin.

use std::collections::BTreeMap;
use std::ops::Range;

use keyward::domain::address::AddressList;
use keyward::domain::key::{Pepper, Peppers, Scheme};
use keyward::domain::limit::Override;
use keyward::domain::name::{KeyId, OwnerId, RealmId, Word};
use keyward::domain::owner::Owner;
use keyward::domain::record::{Cause, KeptSecret, Record};
use keyward::domain::time::StoreTime;
use keyward::store::{AuditNote, Change, Commit, Expect, Needs, Store};

/// The peppers that keys are made under.
pub fn peppers() -> Peppers {
    Peppers::new(vec![Pepper::new(Word::parse("1").unwrap(), vec![7; 32]).unwrap()]).unwrap()
}

/// A key with this secret, and its owner `acme`.
pub async fn one_key(store: &dyn Store, realm: &str, secret: &str) {
    one_key_with(store, realm, secret, &[]).await;
}

/// The same, with numbers of its own for some limits.
pub async fn one_key_with(store: &dyn Store, realm: &str, secret: &str, limits: &[Override]) {
    let mut key = key(realm, "acme", "key_1", secret);
    if let Change::Key { record, .. } = &mut key {
        record.limits = limits.to_vec();
    }
    commit(store, vec![owner(realm, "acme"), key]).await;
}

/// An owner, and keys of it with these numbers: their ids are [`id`]'s, their secrets `secret`'s.
pub async fn many_keys(store: &dyn Store, realm: &str, of: &str, numbers: Range<usize>, secret: fn(usize) -> String) {
    commit(store, vec![owner(realm, of)]).await;
    let numbers: Vec<usize> = numbers.collect();
    for some in numbers.chunks(250) {
        commit(store, some.iter().map(|number| key(realm, of, &id(*number), &secret(*number))).collect()).await;
    }
}

/// The id of a key with this number.
pub fn id(number: usize) -> String {
    format!("key_{number}")
}

/// Makes these changes in one step.
pub async fn commit(store: &dyn Store, changes: Vec<Change>) {
    let audit = super::audit::note("CreateKey", "key_1");
    store.commit(&Commit { changes, audit, request: None, once: None, needs: Needs::default() }).await.unwrap();
}

/// An owner without a plan.
pub fn owner(realm: &str, owner: &str) -> Change {
    let (realm, id) = (RealmId::parse(realm).unwrap(), OwnerId::parse(owner).unwrap());
    let owner = Owner {
        realm,
        id,
        name: String::new(),
        plan: None,
        limits: [].into(),
        created: StoreTime(1),
        disabled: None,
        revision: 1,
        generation: 0,
    };
    Change::Owner { owner, expect: Expect::Absent }
}

/// A key without a plan.
pub fn key(realm: &str, owner: &str, id: &str, secret: &str) -> Change {
    let (realm, created) = (RealmId::parse(realm).unwrap(), StoreTime(1));
    let digest = peppers().newest().digest(&realm, secret.as_bytes());
    let (prefix, last_four) = (secret[..4].into(), secret[secret.len() - 4..].into());
    let kept =
        KeptSecret { digest, pepper: Word::parse("1").unwrap(), prefix, last_four, created, number: 1, ends: None, scheme: Scheme::Secret };
    let record = Record {
        realm,
        id: KeyId::parse(id).unwrap(),
        owner: OwnerId::parse(owner).unwrap(),
        label: String::new(),
        environment: None,
        kind: None,
        plan: None,
        limits: Vec::new(),
        tenant: None,
        scopes: Vec::new(),
        addresses: AddressList::default(),
        created,
        expires: None,
        revoked: None,
        cause: Cause::Asked,
        metadata: BTreeMap::new(),
        binding: None,
        secrets: vec![kept],
        revision: 1,
        generation: 0,
    };
    Change::Key { record, expect: Expect::Absent }
}
