//! Calls that change something, how they are made, and what their callers are told.

use std::net::SocketAddr;
use std::time::Duration;

use keyward::proto::keyward::admin::v1::imported_key::Credential;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, CreateOwnerRequest, DeleteKeyRequest, DisableOwnerRequest, EnableKeyRequest, EnableOwnerRequest, ImportKeysRequest,
    ImportOptions, ImportedKey, Key, Owner, RetireSecretsRequest, RevokeKeyRequest, RevokeKeysRequest, RotateKeyRequest, UpdateKeyRequest,
    UpdateOwnerRequest,
};
use prost::Message as _;
use prost_types::FieldMask;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

pub const REALM: &str = "otesse";

/// What is asked for. Keys and owners by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    CreateKey {
        owner: String,
        label: String,
    },
    UpdateKey {
        key: String,
        label: String,
    },
    RotateKey {
        key: String,
        grace: Duration,
    },
    RetireSecrets {
        key: String,
    },
    RevokeKey {
        key: String,
    },
    EnableKey {
        key: String,
    },
    DeleteKey {
        key: String,
    },
    RevokeKeys {
        keys: Vec<String>,
    },
    /// Under these ids, each with [`secret_of`] it; of an owner who is made where it is not there.
    ImportKeys {
        keys: Vec<String>,
        owner: String,
        revoked: bool,
    },
    CreateOwner {
        owner: String,
        name: String,
    },
    UpdateOwner {
        owner: String,
        name: String,
    },
    DisableOwner {
        owner: String,
    },
    EnableOwner {
        owner: String,
    },
}

/// A call under a request id of its own. Imports and revocations of many have none on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub id: String,
    pub asked: Asked,
}

/// What its caller was told.
#[derive(Debug, Clone)]
pub enum Fate {
    Done(Done),
    /// It was not done, and will not be.
    Refused(Code, String),
    /// Nobody looked at it.
    Away,
    /// It may have been done.
    Unknown,
}

/// What was said of what was done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Of many: those that it was done to.
    pub subjects: Vec<String>,
    /// Where it stands in the log; 0: it is not said, or nothing had to be done.
    pub position: u64,
    /// A secret that was shown, with its key and its number.
    pub shown: Option<Shown>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub key: String,
    pub number: u32,
    pub secret: String,
}

impl Call {
    /// As the audit log names it.
    pub fn action(&self) -> &'static str {
        match self.asked {
            Asked::CreateKey { .. } => "CreateKey",
            Asked::UpdateKey { .. } => "UpdateKey",
            Asked::RotateKey { .. } => "RotateKey",
            Asked::RetireSecrets { .. } => "RetireSecrets",
            Asked::RevokeKey { .. } => "RevokeKey",
            Asked::EnableKey { .. } => "EnableKey",
            Asked::DeleteKey { .. } => "DeleteKey",
            Asked::RevokeKeys { .. } => "RevokeKeys",
            Asked::ImportKeys { .. } => "ImportKeys",
            Asked::CreateOwner { .. } => "CreateOwner",
            Asked::UpdateOwner { .. } => "UpdateOwner",
            Asked::DisableOwner { .. } => "DisableOwner",
            Asked::EnableOwner { .. } => "EnableOwner",
        }
    }

    /// Its path, and its message on the wire.
    pub fn wire(&self) -> (String, Vec<u8>) {
        let service = if self.action().ends_with("Owner") { "OwnerService" } else { "KeyService" };
        let path = format!("/keyward.admin.v1.{service}/{}", self.action());
        (path, self.message())
    }

    fn message(&self) -> Vec<u8> {
        let request_id = self.id.clone();
        match &self.asked {
            Asked::CreateKey { .. } => self.create_key().encode_to_vec(),
            Asked::UpdateKey { .. } => self.update_key().encode_to_vec(),
            Asked::RotateKey { .. } => self.rotate_key().encode_to_vec(),
            Asked::RetireSecrets { key } => {
                RetireSecretsRequest { name: key_name(key), request_id, ..RetireSecretsRequest::default() }.encode_to_vec()
            }
            Asked::RevokeKey { key } => RevokeKeyRequest { name: key_name(key), request_id, ..RevokeKeyRequest::default() }.encode_to_vec(),
            Asked::EnableKey { key } => EnableKeyRequest { name: key_name(key), request_id, ..EnableKeyRequest::default() }.encode_to_vec(),
            Asked::DeleteKey { key } => DeleteKeyRequest { name: key_name(key), request_id, ..DeleteKeyRequest::default() }.encode_to_vec(),
            Asked::RevokeKeys { .. } => self.revoke_keys().encode_to_vec(),
            Asked::ImportKeys { .. } => self.import_keys().encode_to_vec(),
            Asked::CreateOwner { .. } => self.create_owner().encode_to_vec(),
            Asked::UpdateOwner { .. } => self.update_owner().encode_to_vec(),
            Asked::DisableOwner { owner } => {
                DisableOwnerRequest { name: owner_name(owner), request_id, ..DisableOwnerRequest::default() }.encode_to_vec()
            }
            Asked::EnableOwner { owner } => {
                EnableOwnerRequest { name: owner_name(owner), request_id, ..EnableOwnerRequest::default() }.encode_to_vec()
            }
        }
    }

    fn create_key(&self) -> CreateKeyRequest {
        let Asked::CreateKey { owner, label } = &self.asked else { unreachable!() };
        let key = Key {
            owner: owner_name(owner),
            label: label.clone(),
            environment: "live".into(),
            scopes: vec!["bookings:read".into()],
            ..Key::default()
        };
        CreateKeyRequest { parent: format!("realms/{REALM}"), key: Some(key), request_id: self.id.clone(), ..CreateKeyRequest::default() }
    }

    fn update_key(&self) -> UpdateKeyRequest {
        let Asked::UpdateKey { key, label } = &self.asked else { unreachable!() };
        let key = Key { name: key_name(key), label: label.clone(), ..Key::default() };
        UpdateKeyRequest { key: Some(key), update_mask: Some(FieldMask { paths: vec!["label".into()] }), request_id: self.id.clone() }
    }

    fn rotate_key(&self) -> RotateKeyRequest {
        let Asked::RotateKey { key, grace } = &self.asked else { unreachable!() };
        let grace = Some(prost_types::Duration::try_from(*grace).unwrap());
        RotateKeyRequest { name: key_name(key), grace, etag: String::new(), request_id: self.id.clone() }
    }

    fn revoke_keys(&self) -> RevokeKeysRequest {
        let Asked::RevokeKeys { keys } = &self.asked else { unreachable!() };
        let names = keys.iter().map(|key| key_name(key)).collect();
        RevokeKeysRequest { parent: format!("realms/{REALM}"), names, ..RevokeKeysRequest::default() }
    }

    fn import_keys(&self) -> ImportKeysRequest {
        let Asked::ImportKeys { keys, owner, revoked } = &self.asked else { unreachable!() };
        let row = |key: &String| ImportedKey {
            key_id: key.clone(),
            owner_id: owner.clone(),
            scopes: vec!["bookings:read".into()],
            create_time: Some(prost_types::Timestamp { seconds: 1_500_000_000, nanos: 0 }),
            revoke_time: revoked.then_some(prost_types::Timestamp { seconds: 1_600_000_000, nanos: 0 }),
            credential: Some(Credential::Secret(secret_of(key))),
            ..ImportedKey::default()
        };
        let options = Some(ImportOptions { create_owners: true, ..ImportOptions::default() });
        ImportKeysRequest { parent: format!("realms/{REALM}"), options, rows: keys.iter().map(row).collect() }
    }

    fn create_owner(&self) -> CreateOwnerRequest {
        let Asked::CreateOwner { owner, name } = &self.asked else { unreachable!() };
        let told = Owner { display_name: name.clone(), ..Owner::default() };
        CreateOwnerRequest { parent: format!("realms/{REALM}"), owner_id: owner.clone(), owner: Some(told), request_id: self.id.clone() }
    }

    fn update_owner(&self) -> UpdateOwnerRequest {
        let Asked::UpdateOwner { owner, name } = &self.asked else { unreachable!() };
        let owner = Owner { name: owner_name(owner), display_name: name.clone(), ..Owner::default() };
        UpdateOwnerRequest {
            owner: Some(owner),
            update_mask: Some(FieldMask { paths: vec!["display_name".into()] }),
            request_id: self.id.clone(),
        }
    }
}

/// The secret of a key that is imported.
pub fn secret_of(key: &str) -> String {
    let letters: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("otesse_live_sk_{letters:0>30}")
}

pub fn key_name(key: &str) -> String {
    format!("realms/{REALM}/keys/{key}")
}

pub fn owner_name(owner: &str) -> String {
    format!("realms/{REALM}/owners/{owner}")
}

/// Somebody who makes calls, at one replica.
#[derive(Clone)]
pub struct Hand {
    token: String,
    channel: Channel,
}

/// More than any call takes whose server lives.
const PATIENCE: Duration = Duration::from_secs(30);

impl Hand {
    pub fn at(admin: SocketAddr, token: &str) -> Self {
        Self { token: token.to_owned(), channel: Endpoint::from_shared(format!("http://{admin}")).unwrap().connect_lazy() }
    }

    /// Makes a call, and says what was told of it.
    pub async fn make(&self, call: &Call) -> Fate {
        match tokio::time::timeout(PATIENCE, self.ask(call)).await {
            Ok(Ok(done)) => Fate::Done(done),
            Ok(Err(status)) => fate(&status),
            Err(_) => Fate::Unknown,
        }
    }

    async fn ask(&self, call: &Call) -> Result<Done, Status> {
        let (mut keys, mut owners) = (KeyServiceClient::new(self.channel.clone()), OwnerServiceClient::new(self.channel.clone()));
        let message = call.message();
        Ok(match call.asked {
            Asked::CreateKey { .. } => {
                let made = keys.create_key(self.with(call.create_key())).await?.into_inner();
                Done { subjects: subject(made.key.as_ref()), shown: shown(made.key.as_ref(), made.secret), ..Done::default() }
            }
            Asked::RotateKey { .. } => {
                let made = keys.rotate_key(self.with(call.rotate_key())).await?.into_inner();
                Done { position: made.position, shown: shown(made.key.as_ref(), made.secret), ..Done::default() }
            }
            Asked::UpdateKey { .. } => at(keys.update_key(self.with(call.update_key())).await?, |made| made.position),
            Asked::RetireSecrets { .. } => at(keys.retire_secrets(self.again(&message)).await?, |made| made.position),
            Asked::RevokeKey { .. } => at(keys.revoke_key(self.again(&message)).await?, |made| made.position),
            Asked::EnableKey { .. } => at(keys.enable_key(self.again(&message)).await?, |made| made.position),
            Asked::DeleteKey { .. } => at(keys.delete_key(self.again(&message)).await?, |made| made.position),
            Asked::RevokeKeys { .. } => {
                let made = keys.revoke_keys(self.with(call.revoke_keys())).await?.into_inner();
                Done { subjects: made.names, position: made.position, ..Done::default() }
            }
            Asked::ImportKeys { .. } => {
                let made = keys.import_keys(self.with(tokio_stream::iter([call.import_keys()]))).await?.into_inner();
                assert_eq!(made.refused, 0, "{made:?}");
                Done::default()
            }
            Asked::CreateOwner { .. } => {
                owners.create_owner(self.with(call.create_owner())).await?;
                Done::default()
            }
            Asked::UpdateOwner { .. } => at(owners.update_owner(self.with(call.update_owner())).await?, |made| made.position),
            Asked::DisableOwner { .. } => at(owners.disable_owner(self.again(&message)).await?, |made| made.position),
            Asked::EnableOwner { .. } => at(owners.enable_owner(self.again(&message)).await?, |made| made.position),
        })
    }

    /// A message from its bytes.
    fn again<T: prost::Message + Default>(&self, bytes: &[u8]) -> Request<T> {
        self.with(T::decode(bytes).unwrap())
    }

    fn with<T>(&self, message: T) -> Request<T> {
        crate::admin::world::with(&self.token, message)
    }
}

fn at<T>(response: Response<T>, position: impl Fn(T) -> u64) -> Done {
    Done { position: position(response.into_inner()), ..Done::default() }
}

fn subject(key: Option<&Key>) -> Vec<String> {
    key.into_iter().map(|key| key.name.clone()).collect()
}

fn shown(key: Option<&Key>, secret: String) -> Option<Shown> {
    let key = key.filter(|_| !secret.is_empty())?;
    let id = key.name.rsplit('/').next().unwrap().to_owned();
    Some(Shown { key: id, number: key.secrets[0].number, secret })
}

/// What an error tells. Nothing but these may come of a crash: no error of the server's own, no token that is refused, no log rolled back.
fn fate(status: &Status) -> Fate {
    let reason = status.get_error_details().error_info().map(|about| about.reason.clone());
    match (status.code(), reason.as_deref()) {
        (Code::Unavailable, Some("NO_LEASE")) => Fate::Away,
        // without a reason: its connection was cut, or was never made
        (Code::Unavailable, Some("STORE_AWAY" | "NOT_GUARANTEED"))
        | (Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal, None) => Fate::Unknown,
        (
            code @ (Code::NotFound | Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists),
            Some(
                reason @ ("KEY_NOT_FOUND" | "OWNER_NOT_FOUND" | "OWNER_MISSING" | "KEY_REVOKED" | "TOO_MANY_SECRETS" | "BUSY"
                | "OWNER_EXISTS"),
            ),
        ) => Fate::Refused(code, reason.to_owned()),
        _ => panic!("no crash is an excuse for {status:?}"),
    }
}
