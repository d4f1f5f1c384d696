//! The world's owners and keys, put into a store of keyward's.

use std::collections::BTreeMap;

use crate::support::audit::note;
use keyward::domain::address::AddressList;
use keyward::domain::key::{Pepper, Peppers, Scheme};
use keyward::domain::name::{KeyId, OwnerId, RealmId, Scope, Word};
use keyward::domain::owner::Owner;
use keyward::domain::record::{Cause, KeptSecret, Record};
use keyward::domain::time::StoreTime;
use keyward::store::{Change, Commit, Expect, Needs, Store};

use super::plain::{self, Block, World};

/// Two, so that keys are found under the older one too.
pub(super) fn peppers() -> Peppers {
    let pepper = |version: &str, byte| Pepper::new(Word::parse(version).unwrap(), vec![byte; 32]).unwrap();
    Peppers::new(vec![pepper("v2", 0x22), pepper("v1", 0x11)]).unwrap()
}

pub(super) async fn fill(store: &dyn Store, world: &World, peppers: &Peppers) {
    let owners = world.owners.iter().map(|owner| Change::Owner { owner: self::owner(owner), expect: Expect::Absent });
    let keys = world.keys.iter().map(|key| Change::Key { record: record(key, peppers), expect: Expect::Absent });
    let audit = note("CreateKey", "a world");
    let commit = Commit { changes: owners.chain(keys).collect(), audit, request: None, once: None, needs: Needs::default() };
    store.commit(&commit).await.unwrap();
}

fn owner(owner: &plain::Owner) -> Owner {
    Owner {
        realm: RealmId::parse(owner.realm).unwrap(),
        id: OwnerId::parse(owner.id).unwrap(),
        name: "of a world".into(),
        plan: word(owner.plan),
        limits: [].into(),
        created: StoreTime(1),
        disabled: owner.disabled.then_some(StoreTime(2)),
        revision: 1,
        generation: 0,
    }
}

fn record(key: &plain::Key, peppers: &Peppers) -> Record {
    let network = |block: &Block| format!("{}/{}", block.address, block.bits).parse().unwrap();
    Record {
        realm: RealmId::parse(key.realm).unwrap(),
        id: KeyId::parse(&key.id).unwrap(),
        owner: OwnerId::parse(key.owner).unwrap(),
        label: String::new(),
        environment: word(key.environment),
        kind: word(key.kind),
        plan: word(key.plan),
        limits: Vec::new(),
        tenant: key.tenant.map(ToOwned::to_owned),
        scopes: key.scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect(),
        addresses: AddressList(key.addresses.iter().map(network).collect()),
        created: StoreTime(1),
        expires: key.expires.map(StoreTime),
        revoked: key.revoked.then_some(StoreTime(3)),
        cause: Cause::Asked,
        metadata: BTreeMap::new(),
        binding: None,
        secrets: key.secrets.iter().map(|secret| kept(key.realm, secret, peppers)).collect(),
        revision: 1,
        generation: 0,
    }
}

fn kept(realm: &str, secret: &str, peppers: &Peppers) -> KeptSecret {
    let old = secret.len().is_multiple_of(2);
    let pepper = if old { peppers.iter().last().unwrap() } else { peppers.newest() };
    KeptSecret {
        digest: pepper.digest(&RealmId::parse(realm).unwrap(), secret.as_bytes()),
        pepper: pepper.version.clone(),
        prefix: String::new(),
        last_four: secret[secret.len() - 4..].to_owned(),
        created: StoreTime(1),
        number: 1,
        ends: None,
        scheme: Scheme::Secret,
    }
}

fn word(text: Option<&str>) -> Option<Word> {
    text.map(|text| Word::parse(text).unwrap())
}
