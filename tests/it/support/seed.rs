//! One key in a store, put there without an admin.

use keyward::domain::address::AddressList;
use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::{KeyId, OwnerId, RealmId, Word};
use keyward::domain::owner::Owner;
use keyward::domain::record::{KeptSecret, Record};
use keyward::domain::time::StoreTime;
use keyward::store::{AuditNote, Change, Commit, Expect, Store};

/// The peppers that [`one_key`] is made under.
pub fn peppers() -> Peppers {
    Peppers::new(vec![Pepper::new(Word::parse("1").unwrap(), vec![7; 32]).unwrap()]).unwrap()
}

/// A key with this secret, and its owner `acme`.
pub async fn one_key(store: &dyn Store, realm: &str, secret: &str) {
    let (realm, id) = (RealmId::parse(realm).unwrap(), OwnerId::parse("acme").unwrap());
    let (made, pepper) = (StoreTime(1), Word::parse("1").unwrap());
    let digest = peppers().newest().digest(&realm, secret.as_bytes());
    let kept = KeptSecret { digest, pepper, prefix: secret[..4].into(), last_four: secret[secret.len() - 4..].into(), created: made };
    let record = Record {
        realm: realm.clone(),
        id: KeyId::parse("key_1").unwrap(),
        owner: id.clone(),
        label: String::new(),
        environment: None,
        kind: None,
        plan: None,
        tenant: None,
        scopes: Vec::new(),
        addresses: AddressList::default(),
        created: made,
        expires: None,
        revoked: None,
        secrets: vec![kept],
        revision: 1,
        generation: 0,
    };
    let owner = Owner { realm, id, name: String::new(), plan: None, created: made, disabled: None, revision: 1, generation: 0 };
    let changes = vec![Change::Owner { owner, expect: Expect::Absent }, Change::Key { record, expect: Expect::Absent }];
    let audit = AuditNote { actor: None, action: "CreateKey", subject: "key_1".into() };
    store.commit(&Commit { changes, audit, request: None, once: None }).await.unwrap();
}
