//! An admin port in this process: the keyring on a real store, its services on a loopback port that the kernel chose, the four example
//! realms, and the first admin token.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyward::clock::SystemClock;
use keyward::config;
use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::Word;
use keyward::domain::realms::Realms;
use keyward::grpc::admin;
use keyward::keyring::Keyring;
use keyward::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use keyward::proto::keyward::admin::v1::{BootstrapRequest, CreateKeyRequest, CreateKeyResponse, CreateOwnerRequest, Key, Owner};
use keyward::store::SharedStore;
use keyward::store::embedded::{Embedded, Timeouts};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::later::Later;
use crate::support::redis::RedisServer;

/// The one-time secret that a world begins with.
pub const BOOTSTRAP: &str = "a one-time secret of this test alone";

/// Longer than a busy machine may take.
const PATIENT: Timeouts = Timeouts { check: Duration::from_secs(30), admin: Duration::from_secs(30) };

pub struct World {
    pub keyring: Arc<Keyring>,
    pub store: SharedStore,
    /// The same, to move its time.
    pub time: Arc<Later>,
    pub realms: Arc<Realms>,
    /// A token that may do everything.
    pub admin: String,
    pub bootstrap_file: PathBuf,
    channel: Channel,
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
        let time = Arc::new(Later::new(store));
        let store: SharedStore = time.clone();
        let realms = Arc::new(config::realms(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms")]).unwrap());
        let bootstrap_file = folder.path().join("bootstrap");
        std::fs::write(&bootstrap_file, format!("{BOOTSTRAP}\n")).unwrap();
        let keyring = Arc::new(Keyring::new(store.clone(), realms.clone(), peppers(&["1"]), Some(bootstrap_file.clone())));
        let channel = serve(&keyring).await;
        Self { keyring, store, time, realms, admin: String::new(), bootstrap_file, channel, _folder: folder, _engine: engine }
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

    /// An admin token with these scopes, of an owner of its own, for an hour.
    pub async fn token(&self, owner: &str, scopes: &[&str]) -> CreateKeyResponse {
        self.owner("keyward", owner).await;
        let now = self.store.now().await.unwrap();
        let expire_time = Some(prost_types::Timestamp { seconds: now.0 / 1000 + 3600, nanos: 0 });
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let key = Key { owner: format!("realms/keyward/owners/{owner}"), scopes, expire_time, ..Key::default() };
        self.try_create(create("keyward", key)).await.unwrap()
    }
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

/// The way to an admin port of this keyring.
pub async fn serve(keyring: &Arc<Keyring>) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let services = admin::services(keyring);
    let router = Server::builder().add_service(services.keys).add_service(services.owners).add_service(services.bootstrap);
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}
