//! Records, commits and charges to try a store with.

use std::ops::Range;
use std::time::Duration;

use crate::support::audit::note;
use keyward::domain::address::AddressList;
use keyward::domain::key::{Digest, Scheme};
use keyward::domain::name::{KeyId, OwnerId, RealmId, Scope, Word};
use keyward::domain::owner::Owner;
use keyward::domain::record::{Cause, KeptSecret, Record};
use keyward::domain::ticket::TicketId;
use keyward::domain::time::StoreTime;
use keyward::domain::window::Spec;
use keyward::revocation::{At, Entry, Holder, Log, Registration, Renewal, Renewed, Terms};
use keyward::store::{
    Change, Charge, Commit, Committed, Expect, Generations, Needs, Page, RequestId, Return, Settled, Settlement, Store, StoreError,
    Subject, SubjectName, Taken,
};

pub(super) const MINUTE: u32 = 60_000;
pub(super) const DAY: u32 = 86_400_000;

pub(super) fn realm(id: &str) -> RealmId {
    RealmId::parse(id).unwrap()
}

pub(super) fn key_id(id: &str) -> KeyId {
    KeyId::parse(id).unwrap()
}

pub(super) fn owner_id(id: &str) -> OwnerId {
    OwnerId::parse(id).unwrap()
}

pub(super) fn digest(number: u16) -> Digest {
    let mut bytes = [0; 32];
    bytes[7..9].copy_from_slice(&number.to_be_bytes());
    Digest(bytes)
}

/// A key of the realm `otesse` and its owner `acme`, with everything set that can be.
pub(super) fn key(id: &str, digests: &[Digest]) -> Record {
    let word = |text| Some(Word::parse(text).unwrap());
    let secret = |(number, digest): (u32, &Digest)| KeptSecret {
        digest: *digest,
        pepper: Word::parse("1").unwrap(),
        prefix: "otesse_live_sk_".into(),
        last_four: "x7Qp".into(),
        created: StoreTime(1_800_000_000_000),
        number,
        ends: None,
        scheme: Scheme::Secret,
    };
    Record {
        realm: realm("otesse"),
        id: key_id(id),
        owner: owner_id("acme"),
        label: "Zapier, production \u{1F511}".into(),
        environment: word("live"),
        kind: word("secret"),
        plan: word("live"),
        limits: Vec::new(),
        tenant: Some("north".into()),
        scopes: ["bookings:read", "bookings:write"].map(|scope| Scope::parse(scope).unwrap()).into(),
        addresses: AddressList(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
        created: StoreTime(1_800_000_000_000),
        expires: Some(StoreTime(1_900_000_000_000)),
        revoked: None,
        cause: Cause::Asked,
        metadata: [("team".to_owned(), "north team".to_owned())].into(),
        binding: None,
        secrets: (1..).zip(digests).map(secret).collect(),
        revision: 1,
        generation: 1,
    }
}

/// An owner of the realm `otesse`.
pub(super) fn owner(id: &str) -> Owner {
    Owner {
        realm: realm("otesse"),
        id: owner_id(id),
        name: "Acme Ltd".into(),
        plan: None,
        limits: [].into(),
        created: StoreTime(1_800_000_000_000),
        disabled: None,
        revision: 1,
        generation: 1,
    }
}

pub(super) fn new_key(record: &Record) -> Change {
    Change::Key { record: record.clone(), expect: Expect::Absent }
}

pub(super) fn new_owner(owner: &Owner) -> Change {
    Change::Owner { owner: owner.clone(), expect: Expect::Absent }
}

/// In place of the revision before it.
pub(super) fn changed_key(record: &Record) -> Change {
    Change::Key { record: record.clone(), expect: Expect::Revision(record.revision - 1) }
}

/// In place of the revision before it.
pub(super) fn changed_owner(owner: &Owner) -> Change {
    Change::Owner { owner: owner.clone(), expect: Expect::Revision(owner.revision - 1) }
}

pub(super) fn commit(changes: Vec<Change>) -> Commit {
    let audit = note("CreateKey", "key_1");
    Commit { changes, audit, request: None, once: None, needs: Needs::default() }
}

/// Commits what must succeed.
pub(super) async fn put(store: &dyn Store, changes: Vec<Change>) -> Committed {
    store.commit(&commit(changes)).await.unwrap()
}

pub(super) fn request(caller: &str, id: &str, content: u8) -> RequestId {
    RequestId { caller: key_id(caller).into(), id: id.into(), fingerprint: [content; 32] }
}

pub(super) fn page(after: Option<&str>, count: usize) -> Page {
    Page { after: after.map(String::from), count, ..Page::default() }
}

/// Of `acme`, or of one of its keys.
pub(super) fn subject(key: Option<&str>, windows: &[(u32, u32)]) -> Subject {
    let name = SubjectName { realm: realm("otesse"), owner: owner_id("acme"), key: key.map(key_id) };
    let spec = |&(length_ms, most): &(u32, u32)| Spec::sliding(length_ms, most);
    Subject { name, generation: 1, windows: windows.iter().map(spec).collect() }
}

pub(super) fn charge(subjects: Vec<Subject>, want: u32) -> Charge {
    Charge { subjects, want, cost: 1, ttl: Duration::from_millis(50), share: 1, generations: Generations::Heard, returns: Vec::new() }
}

/// That one charge was answered, whatever the answer is.
pub(super) async fn takes(store: &dyn Store, charge: Charge) -> Result<(), StoreError> {
    match store.take(&[charge]).await?.remove(0) {
        Taken::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// That one charge was looked at, whatever the answer is.
pub(super) async fn peeks(store: &dyn Store, charge: Charge) -> Result<(), StoreError> {
    match store.peek(&[charge]).await?.remove(0) {
        Taken::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// That one ticket's settlement was answered, whatever the answer is.
pub(super) async fn settles(store: &dyn Store, settlement: Settlement) -> Result<(), StoreError> {
    match store.settle(&[settlement]).await?.remove(0) {
        Settled::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// Of a ticket that was minted now, of a grant to the owner of this charge that nobody remembers.
pub(super) fn settlement(id: u8, charge: &Charge, minted: StoreTime) -> Settlement {
    let window = charge.subjects[0].windows[0].id();
    let back = Return { subject: charge.subjects[0].name.clone(), window, slot: 1, tokens: 1 };
    Settlement { ticket: TicketId([id; 16]), minted, returns: vec![back] }
}

/// The log's position.
pub(super) async fn position(store: &dyn Store) -> u64 {
    head(store).await.position
}

/// The log's head.
pub(super) async fn head(store: &dyn Store) -> At {
    store.find(&realm("otesse"), &[]).await.unwrap().at
}

/// A new owner: one more entry of the log. Tells its place.
pub(super) async fn entry(store: &dyn Store, owner_id: &str) -> At {
    put(store, vec![new_owner(&owner(owner_id))]).await;
    head(store).await
}

pub(super) fn holder(replica: &str, incarnation: u64) -> Holder {
    Holder { replica: replica.into(), incarnation }
}

/// Of a lease of five seconds.
pub(super) fn registration(renewals: u64, applied: u64) -> Registration {
    Registration { renewals, applied, lease: Duration::from_secs(5) }
}

/// Of a lease of five seconds, by who has heard of nothing that is secured.
pub(super) fn renewal(holder: &Holder, applied: Option<At>) -> Renewal {
    Renewal { holder: holder.clone(), number: 1, terms: Terms { lease: Duration::from_secs(5) }, applied, secured: At::default() }
}

/// Renews what must be renewed, with the number that follows the one that is registered.
pub(super) async fn renew(store: &dyn Store, holder: &Holder, applied: Option<At>) -> Renewed {
    let number = 1 + store.holders().await.unwrap().into_iter().find(|(other, _)| other == holder).map_or(0, |(_, entry)| entry.renewals);
    store.renew(&Renewal { number, ..renewal(holder, applied) }).await.unwrap()
}

/// The same, of a holder that knows what it has applied to be secured.
pub(super) async fn renew_secured(store: &dyn Store, holder: &Holder, applied: At) -> Renewed {
    let number = 1 + store.holders().await.unwrap().into_iter().find(|(other, _)| other == holder).map_or(0, |(_, entry)| entry.renewals);
    store.renew(&Renewal { number, secured: applied, ..renewal(holder, Some(applied)) }).await.unwrap()
}

/// Everyone registered, in the order of their names.
pub(super) async fn holders(store: &dyn Store) -> Vec<(Holder, Registration)> {
    in_order(store.holders().await.unwrap())
}

pub(super) fn in_order(mut holders: Vec<(Holder, Registration)>) -> Vec<(Holder, Registration)> {
    holders.sort_by(|(one, _), (other, _)| one.cmp(other));
    holders
}

/// What follows a place in the log, over as many renewals as it takes.
pub(super) async fn entries_after(store: &dyn Store, place: At) -> Vec<Entry> {
    let (mut all, mut applied) = (Vec::new(), place);
    loop {
        match renew(store, &holder("reader", 1), Some(applied)).await.log {
            Log::Entries { head, .. } if head == applied => return all,
            Log::Entries { entries, .. } => {
                applied = entries.last().expect("what is before the head has entries that follow").at;
                all.extend(entries);
            }
            other => panic!("{other:?} after {applied}"),
        }
    }
}

/// So many changes that have an entry in the log each, whose records are named by these numbers.
pub(super) fn each_with_its_entry(numbers: Range<u16>) -> Vec<Change> {
    let change = |number: u16| match number % 2 {
        0 => new_owner(&owner(&format!("owner_{number}"))),
        _ => new_key(&key(&format!("key_{number}"), &[digest(number)])),
    };
    numbers.map(change).collect()
}
