//! A replica on a store that the test plays: what is in it, what its log says, and when a look-up is answered.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keyward::clock::{Clock, SharedClock};
use keyward::domain::address::AddressList;
use keyward::domain::bearer::Bearer;
use keyward::domain::key::{Digest, Scheme};
use keyward::domain::name::{KeyId, OwnerId, RealmId, Scope, Word};
use keyward::domain::owner::Owner;
use keyward::domain::realm::Realm;
use keyward::domain::realms::Realms;
use keyward::domain::record::{Cause, Holder, KeptSecret, Record};
use keyward::domain::time::{BootTime, StoreTime};
use keyward::grpc::ext_authz::Authorizer;
use keyward::replica::records::{Records, Unfound};
use keyward::revocation::{
    At, Entry, Firmness, Footing, Holder as LeaseHolder, Level, Log, Mark, Pushed, Renewal, Renewed, Touched, Whole,
};
use keyward::store::{Finding, Round, SharedStore, Store, StoreError};
use keyward::telemetry::metrics::Metrics;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::support::in_process::Replica;
use crate::support::seed::peppers;

/// Longer than any machine holds a test up.
const PATIENCE: Duration = Duration::from_mins(10);

pub(super) struct Stage {
    pub(super) store: Arc<Played>,
    pub(super) clock: Arc<Hands>,
    pub(super) replica: Replica,
    pub(super) records: Arc<Records>,
    pub(super) realm: Arc<Realm>,
}

/// A store in memory. It answers look-ups as long as it has leave to.
pub(super) struct Played {
    kept: Mutex<Kept>,
    grown: Notify,
    pub(super) finds: AtomicUsize,
    /// One leave a look-up: between reading and answering.
    pub(super) leave: Semaphore,
    clock: Arc<Hands>,
}

#[derive(Default)]
struct Kept {
    keys: HashMap<Digest, Holder>,
    log: Vec<Entry>,
    /// So much of the log is told to replicas.
    told: usize,
    away: bool,
}

/// A clock that the test moves; both hands at once.
pub(super) struct Hands(Mutex<Duration>);

impl Hands {
    pub(super) fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for Hands {
    fn boot(&self) -> BootTime {
        BootTime(*self.0.lock().unwrap())
    }

    fn wall(&self) -> StoreTime {
        StoreTime(1_000_000 + i64::try_from(self.boot().0.as_millis()).unwrap())
    }
}

impl Stage {
    /// With a lease of a minute.
    pub(super) async fn set() -> Self {
        Self::with_realm("").await
    }

    /// In a realm with more lines.
    pub(super) async fn with_realm(lines: &str) -> Self {
        let clock = Arc::new(Hands(Mutex::new(Duration::from_secs(1000))));
        let store = Arc::new(Played {
            kept: Mutex::default(),
            grown: Notify::new(),
            finds: AtomicUsize::new(0),
            leave: Semaphore::new(Semaphore::MAX_PERMITS),
            clock: clock.clone(),
        });
        let (shared, time): (SharedStore, SharedClock) = (store.clone(), clock.clone());
        let replica = Replica::leased(&shared, &time).await;
        let text = format!(
            "realm: stage\nhosts: [stage.test]\ncredentials: [{{header: x}}]\nkeys: [{{prefix: st_, alphabet: hex, length: 32}}]\nroutes: [{{prefix: /}}]\n{lines}"
        );
        let realm = Arc::new(keyward::config::realm("stage.yaml", &text).unwrap());
        let records = Arc::new(replica.records());
        Self { store, clock, replica, records, realm }
    }

    /// What a check of these digests is told: the key's id.
    pub(super) async fn ask(&self, digests: &[Digest]) -> Result<Arc<Bearer>, Unfound> {
        self.ask_from("192.0.2.1", digests).await
    }

    pub(super) async fn ask_from(&self, address: &str, digests: &[Digest]) -> Result<Arc<Bearer>, Unfound> {
        let address: IpAddr = address.parse().unwrap();
        self.records.find(&self.realm, digests, Some(address), Instant::now() + PATIENCE).await.map(|(bearer, _)| bearer)
    }

    /// The same, on its own: its answer is waited for later.
    pub(super) fn begin(&self, digest: Digest) -> tokio::task::JoinHandle<Result<Arc<Bearer>, Unfound>> {
        let (records, realm) = (self.records.clone(), self.realm.clone());
        tokio::spawn(async move { records.find(&realm, &[digest], None, Instant::now() + PATIENCE).await.map(|(bearer, _)| bearer) })
    }

    /// A gate on these records.
    pub(super) fn authorizer(&self) -> Authorizer {
        let realms = Arc::new(Realms::new([Realm::clone(&self.realm)]).unwrap());
        let gate = self.replica.gate(realms, Arc::new(peppers()), PATIENCE);
        Authorizer::new(gate, PATIENCE, Arc::new(Metrics::default()))
    }

    pub(super) fn finds(&self) -> usize {
        self.store.finds.load(Ordering::SeqCst)
    }

    /// Waits until so many look-ups have begun.
    pub(super) async fn begun(&self, finds: usize) {
        while self.finds() < finds {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the replica has applied everything that was told.
    pub(super) async fn applied(&self) {
        let told = self.store.kept.lock().unwrap().told as u64;
        while self.replica.session.status().applied.is_none_or(|applied| applied.position < told) {
            tokio::task::yield_now().await;
        }
    }
}

impl Played {
    /// Writes a key, and tells of it.
    pub(super) fn put(&self, holder: &Holder) {
        self.write(holder);
        self.tell();
    }

    /// Writes a key; replicas are not told yet.
    pub(super) fn write(&self, holder: &Holder) {
        let digests: Vec<_> = holder.record.secrets.iter().map(|kept| kept.digest).collect();
        let mut kept = self.kept.lock().unwrap();
        for digest in &digests {
            kept.keys.insert(*digest, holder.clone());
        }
        let (realm, id) = (holder.record.realm.clone(), holder.record.id.clone());
        kept.append(Touched::Key { realm, id, digests });
    }

    /// Changes an owner, in all of its keys, and tells of it.
    pub(super) fn put_owner(&self, owner: &Owner) {
        let mut kept = self.kept.lock().unwrap();
        for holder in kept.keys.values_mut().filter(|holder| holder.owner.id == owner.id) {
            holder.owner = owner.clone();
        }
        kept.append(Touched::Owner { realm: owner.realm.clone(), id: owner.id.clone() });
        drop(kept);
        self.tell();
    }

    /// Tells replicas everything.
    pub(super) fn tell(&self) {
        let mut kept = self.kept.lock().unwrap();
        kept.told = kept.log.len();
        self.grown.notify_waiters();
    }

    /// Answers nothing that is asked about a key.
    pub(super) fn is_away(&self, away: bool) {
        self.kept.lock().unwrap().away = away;
    }
}

impl Kept {
    fn append(&mut self, touched: Touched) {
        let position = self.log.len() as u64 + 1;
        self.log.push(Entry { at: At { position, mark: Mark(position) }, touched, restricting: true });
    }

    fn head(&self, length: usize) -> At {
        self.log[..length].last().map_or_else(At::default, |entry| entry.at)
    }
}

#[async_trait]
impl Round for Played {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Err(StoreError::Unavailable("the test does not play this".into()))
    }

    async fn find(&self, _: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let finding = {
            let kept = self.kept.lock().unwrap();
            let holder = digests.iter().find_map(|digest| kept.keys.get(digest)).cloned();
            Finding { holder, at: kept.head(kept.log.len()), now: self.clock.wall() }
        };
        let away = self.kept.lock().unwrap().away;
        self.finds.fetch_add(1, Ordering::SeqCst);
        self.leave.acquire().await.unwrap().forget();
        if away { Err(StoreError::Unavailable("the test says so".into())) } else { Ok(finding) }
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let kept = self.kept.lock().unwrap();
        let head = kept.head(kept.told);
        let log = match renewal.applied {
            Some(at) => Log::Entries { entries: kept.log[usize::try_from(at.position).unwrap().min(kept.told)..kept.told].to_vec(), head },
            None => Log::Jump { head },
        };
        let footing = Footing { primary: "p".into(), whole: Whole::Whole, level: Level::Single, vouched: Firmness::Shifting };
        Ok(Renewed { log, secured: head, now: self.clock.wall(), holders: Vec::new(), footing, longest: renewal.terms.lease })
    }

    async fn follow(&self, after: At, _: Duration) -> Result<Pushed, StoreError> {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            {
                let kept = self.kept.lock().unwrap();
                let from = usize::try_from(after.position).unwrap();
                if from < kept.told {
                    let entries = kept.log[from..kept.told].to_vec();
                    return Ok(Pushed { secured: entries[entries.len() - 1].at, entries });
                }
            }
            grown.await;
        }
    }

    async fn acknowledge(&self, _: &LeaseHolder, _: At) -> Result<(), StoreError> {
        Ok(())
    }
}

/// As good as random, as digests are.
pub(super) fn digest(number: u32) -> Digest {
    let mut bytes = [0; 32];
    let mixed = u64::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..12].copy_from_slice(&number.to_be_bytes());
    Digest(bytes)
}

pub(super) fn owner(id: &str) -> Owner {
    let realm = RealmId::parse("stage").unwrap();
    let (id, name) = (OwnerId::parse(id).unwrap(), "Acme Corporation".into());
    Owner { realm, id, name, plan: None, limits: [].into(), created: StoreTime(1), disabled: None, revision: 1, generation: 0 }
}

/// A key of an owner with one secret.
pub(super) fn key(number: u32, owner: &Owner) -> Holder {
    let pepper = Word::parse("1").unwrap();
    let secret = KeptSecret {
        digest: digest(number),
        pepper,
        prefix: "st_".into(),
        last_four: "abcd".into(),
        created: StoreTime(1),
        number: 1,
        ends: None,
        scheme: Scheme::Secret,
    };
    let record = Record {
        realm: owner.realm.clone(),
        id: KeyId::parse(&format!("key_{number}")).unwrap(),
        owner: owner.id.clone(),
        label: "for people".into(),
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
        generation: 0,
    };
    Holder { record, owner: owner.clone() }
}

/// One with as much in it as keys have as a rule.
pub(super) fn usual_key(number: u32) -> Holder {
    let word = |text: &str| Some(Word::parse(text).unwrap());
    let scope = |text: &str| Scope::parse(text).unwrap();
    let owner = Owner { plan: word("business"), ..owner(&format!("customer-{}", number / 10)) };
    let record = Record {
        id: KeyId::parse(&format!("key_{number:026}")).unwrap(),
        environment: word("live"),
        kind: word("secret"),
        plan: word("business"),
        scopes: vec![scope("bookings:read"), scope("bookings:write")],
        expires: Some(StoreTime(i64::MAX)),
        ..key(number, &owner).record
    };
    Holder { record, owner }
}

/// The same key, revoked.
pub(super) fn revoked(key: &Holder) -> Holder {
    Holder { record: Record { revoked: Some(StoreTime(2)), revision: 2, ..key.record.clone() }, ..key.clone() }
}
