//! An admin port in this process: the keyring on a real store, its services on a loopback port that the kernel chose, the four example
//! realms, and the first admin token.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward::clock::{Clock, SharedClock, SystemClock};
use keyward::config;
use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::Word;
use keyward::domain::realms::Realms;
use keyward::domain::time::{BootTime, StoreTime};
use keyward::gate::Gate;
use keyward::grpc::admin;
use keyward::keyring::{Guard, Keyring, Visitor};
use keyward::proto::keyward::admin::v1::audit_service_client::AuditServiceClient;
use keyward::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::leak_service_client::LeakServiceClient;
use keyward::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use keyward::proto::keyward::admin::v1::revocation_service_client::RevocationServiceClient;
use keyward::proto::keyward::admin::v1::usage_service_client::UsageServiceClient;
use keyward::proto::keyward::admin::v1::{
    AuditEntry, BootstrapRequest, CreateKeyRequest, CreateKeyResponse, CreateOwnerRequest, GetRevocationStatusRequest, Key,
    ListAuditRequest, Owner,
};
use keyward::replica::memory::{Bounds, Memory};
use keyward::replica::records::{Parts, Records};
use keyward::replica::session::{Remembered, Session};
use keyward::replica::tokens::{self, TicketIds, Tokens, TokensMemory};
use keyward::revocation::{Holder, Level, Terms, Touched};
use keyward::store::SharedStore;
use keyward::store::embedded::{Embedded, Timeouts};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use tower::util::MapRequestLayer;

use super::certified;
use super::faults::Faults;
use super::later::Later;
use crate::support::redis::RedisServer;

/// The one-time secret that a world begins with.
pub const BOOTSTRAP: &str = "a one-time secret of this test alone";

/// The name of a world's replica.
pub const OWN: &str = "the-worlds-own";

/// Longer than a busy machine may take.
const PATIENT: Timeouts = Timeouts { check: Duration::from_secs(30), admin: Duration::from_secs(30) };

/// The lease of a world's replica: longer than a busy machine holds it up.
pub const LEASE: Duration = Duration::from_secs(5);

pub struct World {
    pub keyring: Arc<Keyring>,
    /// It remembers nothing, and is there to explain itself.
    pub gate: Arc<Gate>,
    pub store: SharedStore,
    /// The same, to make it lie.
    pub faults: Arc<Faults>,
    /// The same, to move its time.
    pub time: Arc<Later>,
    pub realms: Arc<Realms>,
    /// A token that may do everything.
    pub admin: String,
    pub bootstrap_file: PathBuf,
    /// Of the replica, whose session runs.
    pub guard: Guard,
    pub clock: Arc<Ahead>,
    channel: Channel,
    _session: AbortOnDropHandle<()>,
    _folder: TempDir,
    _engine: Box<dyn Any + Send + Sync>,
}

impl World {
    pub async fn embedded() -> Self {
        Self::empty_embedded().await.redeemed().await
    }

    pub async fn redis() -> Self {
        Self::empty_redis().await.redeemed().await
    }

    /// Without the first token, and without anything else.
    pub async fn empty_embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(&folder.path().join("data"), Arc::new(SystemClock)).unwrap().with_timeouts(PATIENT);
        Self::on(Arc::new(store), folder, Box::new(())).await
    }

    pub async fn empty_redis() -> Self {
        let server = RedisServer::start();
        let store = server.store();
        Self::on(store, tempfile::tempdir().unwrap(), Box::new(server)).await
    }

    async fn on(store: SharedStore, folder: TempDir, engine: Box<dyn Any + Send + Sync>) -> Self {
        let faults = Arc::new(Faults::new(store));
        let time = Arc::new(Later::new(faults.clone()));
        let store: SharedStore = time.clone();
        let realms = Arc::new(config::realms(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms")]).unwrap());
        let bootstrap_file = folder.path().join("bootstrap");
        std::fs::write(&bootstrap_file, format!("{BOOTSTRAP}\n")).unwrap();
        let clock = Arc::new(Ahead::default());
        let holder = Holder { replica: OWN.into(), incarnation: 7 };
        let session = Session::new(store.clone(), clock.clone(), Terms { lease: LEASE }, holder, Arc::new(Nothing));
        let guard = Guard { session: session.clone(), clock: clock.clone(), demanded: None };
        let keyring = Keyring::new(store.clone(), realms.clone(), peppers(&["1"]), Some(bootstrap_file.clone()), guard.clone());
        let keyring = Arc::new(keyring.with_certified(certified::all()));
        let gate = gate(&store, &realms, &guard);
        let channel = serve(&keyring, &gate).await;
        let running = AbortOnDropHandle::new(tokio::spawn(async move { session.run().await }));
        let admin = String::new();
        let world = Self {
            keyring,
            gate,
            store,
            faults,
            time,
            realms,
            admin,
            bootstrap_file,
            guard,
            clock,
            channel,
            _session: running,
            _folder: folder,
            _engine: engine,
        };
        world.guard.session.leased().await;
        // so long after the first renewal its ground is firm
        world.pass(2 * LEASE).await;
        world
    }

    async fn redeemed(self) -> Self {
        let redeemed = self.bootstrap().bootstrap(BootstrapRequest { secret: BOOTSTRAP.into() }).await.unwrap();
        Self { admin: redeemed.into_inner().token, ..self }
    }

    pub fn keys(&self) -> KeyServiceClient<Channel> {
        KeyServiceClient::new(self.channel.clone())
    }

    pub fn owners(&self) -> OwnerServiceClient<Channel> {
        OwnerServiceClient::new(self.channel.clone())
    }

    pub fn bootstrap(&self) -> BootstrapServiceClient<Channel> {
        BootstrapServiceClient::new(self.channel.clone())
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn revocation(&self) -> RevocationServiceClient<Channel> {
        RevocationServiceClient::new(self.channel.clone())
    }

    pub fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub fn leak(&self) -> LeakServiceClient<Channel> {
        LeakServiceClient::new(self.channel.clone())
    }

    pub fn usage(&self) -> UsageServiceClient<Channel> {
        UsageServiceClient::new(self.channel.clone())
    }

    /// Time passes on the boot clock, and the lease is renewed.
    pub async fn pass(&self, time: Duration) {
        self.clock.pass(time);
        while !self.guard.session.admits() {
            self.guard.session.catch_up(u64::MAX).await;
        }
    }

    /// Whether the store knows that the world's own replica has applied the log to its end.
    pub async fn own_has_applied_all(&self) -> bool {
        let status = self.revocation().get_revocation_status(self.ask(GetRevocationStatusRequest {})).await.unwrap().into_inner();
        status.holders.iter().any(|holder| holder.replica == OWN && holder.applied_position >= status.position)
    }

    /// The keyring of a server that demands a level.
    pub fn demanding(&self, level: Level) -> Arc<Keyring> {
        let guard = Guard { demanded: Some(level), ..self.guard.clone() };
        Arc::new(Keyring::new(self.store.clone(), self.realms.clone(), peppers(&["1"]), None, guard))
    }

    /// The message, with the token that may do everything.
    pub fn ask<T>(&self, message: T) -> Request<T> {
        with(&self.admin, message)
    }

    /// An owner, which may be there already.
    pub async fn owner(&self, realm: &str, id: &str) -> Owner {
        let request = CreateOwnerRequest { parent: format!("realms/{realm}"), owner_id: id.into(), owner: None, request_id: String::new() };
        match self.owners().create_owner(self.ask(request)).await {
            Ok(made) => made.into_inner().owner.unwrap(),
            Err(status) if status.code() == Code::AlreadyExists => Owner::default(),
            Err(status) => panic!("{status:?}"),
        }
    }

    /// What becomes of a key to be made, whose owner is there.
    pub async fn try_create(&self, request: CreateKeyRequest) -> Result<CreateKeyResponse, Status> {
        self.keys().create_key(self.ask(request)).await.map(tonic::Response::into_inner)
    }

    /// A key of Otesse's owner `acme`.
    pub async fn otesse(&self, label: &str) -> CreateKeyResponse {
        self.owner("otesse", "acme").await;
        self.try_create(otesse(label)).await.unwrap()
    }

    /// The entries of calls of this RPC that were refused, oldest first, once there are so many.
    pub async fn refusals(&self, action: &str, count: usize) -> Vec<AuditEntry> {
        for _ in 0..3000 {
            let request = ListAuditRequest { action: action.into(), page_size: 1000, ..ListAuditRequest::default() };
            let entries = self.audit().list_audit(self.ask(request)).await.unwrap().into_inner().entries;
            let refused: Vec<_> = entries.into_iter().rev().filter(|entry| !entry.refused.is_empty()).collect();
            if refused.len() >= count {
                return refused;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are no {count} refused calls of {action}");
    }

    /// An admin token with these scopes, of an owner of its own, for an hour.
    pub async fn token(&self, owner: &str, scopes: &[&str]) -> CreateKeyResponse {
        self.bound_token(owner, scopes, "").await
    }

    /// The same, bound to a realm or an owner of one.
    pub async fn bound_token(&self, owner: &str, scopes: &[&str], binding: &str) -> CreateKeyResponse {
        self.owner("keyward", owner).await;
        let now = self.store.now().await.unwrap();
        let expire_time = Some(prost_types::Timestamp { seconds: now.0 / 1000 + 3600, nanos: 0 });
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let key = Key { owner: format!("realms/keyward/owners/{owner}"), scopes, expire_time, binding: binding.into(), ..Key::default() };
        self.try_create(create("keyward", key)).await.unwrap()
    }
}

/// Ends when it is so; half a minute without fails the test.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not after half a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The system's clocks, with a boot clock that a test may move forward.
#[derive(Default)]
pub struct Ahead(AtomicU64);

impl Ahead {
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn boot(&self) -> BootTime {
        BootTime(SystemClock.boot().0 + Duration::from_millis(self.0.load(Ordering::SeqCst)))
    }

    fn wall(&self) -> StoreTime {
        SystemClock.wall()
    }
}

/// No records are remembered.
struct Nothing;

impl Remembered for Nothing {
    fn forget(&self, _: &Touched) {}

    fn forget_all(&self) {}
}

/// A request for a key.
pub fn create(realm: &str, key: Key) -> CreateKeyRequest {
    CreateKeyRequest { parent: format!("realms/{realm}"), key: Some(key), ..CreateKeyRequest::default() }
}

/// A request for a key of Otesse's owner `acme` that nothing is wrong with.
pub fn otesse(label: &str) -> CreateKeyRequest {
    let key = Key {
        owner: "realms/otesse/owners/acme".into(),
        label: label.into(),
        environment: "live".into(),
        scopes: vec!["bookings:read".into()],
        ..Key::default()
    };
    create("otesse", key)
}

/// The message, with a token.
pub fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// Who comes with a token and nothing else.
pub fn visitor(token: &str) -> Visitor<'_> {
    Visitor { token: Some(token.as_bytes()), ..Visitor::default() }
}

/// The code and the reason of a refusal.
pub fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    let about = details.error_info().unwrap_or_else(|| panic!("every error says its reason: {status:?}"));
    assert_eq!(about.domain, "keyward");
    (status.code(), about.reason.clone())
}

/// The fields that a refusal names, in order.
pub fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    details.bad_request().unwrap().field_violations.iter().map(|wrong| wrong.field.clone()).collect()
}

/// Peppers of these versions, newest first, each always the same.
pub fn peppers(versions: &[&str]) -> Arc<Peppers> {
    let pepper = |version: &&str| Pepper::new(Word::parse(version).unwrap(), version.repeat(32).into_bytes()).unwrap();
    Arc::new(Peppers::new(versions.iter().map(pepper).collect()).unwrap())
}

/// A gate of the replica that this guard is of. It remembers nothing yet.
pub fn gate(store: &SharedStore, realms: &Arc<Realms>, guard: &Guard) -> Arc<Gate> {
    let (store, clock, session): (_, SharedClock, _) = (store.clone(), guard.clock.clone(), guard.session.clone());
    let memory = Memory::new(Bounds { bytes: 1 << 20, unknown: 16, max_age: Duration::from_mins(10) });
    let patience = PATIENT.check;
    let parts =
        tokens::Parts { store: store.clone(), clock: clock.clone(), session: session.clone(), memory: TokensMemory::new(), once: patience };
    let records = Records::new(Parts { store, clock, session, memory, patience });
    let tokens = (Tokens::new(parts), TicketIds::new(7));
    Arc::new(Gate::new((realms.clone(), peppers(&["1"])), records, tokens, Arc::default()))
}

/// The way to an admin port of this keyring.
pub async fn serve(keyring: &Arc<Keyring>, gate: &Arc<Gate>) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let services = admin::services(keyring, gate, tokio_util::sync::CancellationToken::new());
    let router = Server::builder()
        .layer(MapRequestLayer::new(certified::connected))
        .add_service(services.keys)
        .add_service(services.owners)
        .add_service(services.revocation)
        .add_service(services.audit)
        .add_service(services.peppers)
        .add_service(services.leak)
        .add_service(services.usage)
        .add_service(services.bootstrap);
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}
