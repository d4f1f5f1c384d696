//! Who may do what: RPC × role × binding × credential, written by hand as the specification, and every cell of it asked.
//!
//! An RPC that has no row here fails the test. Its row says which roles may call it, what becomes of a call by each kind of binding that is
//! about the owner `acme` of the realm `otesse` or a key of it, and what is sent: the message of a request that nothing is wrong with.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use keyward::proto::DESCRIPTORS;
use keyward::proto::keyward::admin::v1::{
    CreateKeyRequest, CreateOwnerRequest, DeleteKeyRequest, DisableOwnerRequest, EnableKeyRequest, EnableOwnerRequest, ExplainCheckRequest,
    ExportAuditRequest, GetKeyRequest, GetOwnerRequest, GetPepperStatusRequest, GetRevocationStatusRequest, GetUsageRequest,
    ImportKeysRequest, ImportedKey, Key, ListAuditRequest, ListKeysRequest, ListOwnersRequest, Owner, ResumeRequest, RetireSecretsRequest,
    RevokeKeyRequest, RevokeKeysRequest, RotateKeyRequest, UpdateKeyRequest, UpdateOwnerRequest, VerifyAuditRequest, WaitRevocationRequest,
    WatchAuditRequest, WithdrawPepperRequest,
};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use self::Cell::{
    AdminOnly, Bound, Done, Empty, Gone, NoKey, NoOwner, NoPepper, NoRealm, NotRolledBack, OwnerMissing, RoleMissing, Stale, Streams,
    TokenRefused,
};
use super::certified::BINDINGS;
use super::world::World;

mod credentials;

use credentials::{Credential, Tokens};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// It is done, and something is told.
    Done,
    /// It is done, and there is nothing to tell.
    Empty,
    /// As if there were no such thing.
    NoRealm,
    NoKey,
    NoOwner,
    OwnerMissing,
    /// As it is for everybody who is let in.
    NotRolledBack,
    NoPepper,
    Bound,
    AdminOnly,
    RoleMissing,
    TokenRefused,
    /// It is there, and is not what it was thought to be.
    Stale,
    /// A stream begins.
    Streams,
    /// No call is made: there is no such thing to ask for.
    Gone,
}

/// An RPC.
struct Row {
    rpc: &'static str,
    /// Who may call it, beside admins.
    roles: &'static [&'static str],
    /// By a caller that is bound to nothing, to the realm, to another realm, to the owner, to another owner of the realm.
    about_acme: [Cell; 5],
    /// About the realm of the admin tokens: by an admin that is bound to nothing, by another role that is, by any that is bound.
    about_keyward: [Cell; 3],
    send: fn(&Names) -> Vec<u8>,
}

const TABLE: &[Row] = &[
    Row {
        rpc: "KeyService/CreateKey",
        roles: &["issuer"],
        about_acme: [Done, Done, NoRealm, Done, OwnerMissing],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| {
            let key = Key { owner: names.owner.clone(), expire_time: Some(names.soon), ..Key::default() };
            let (environment, scope) = if names.is_of_tokens() { ("", "viewer") } else { ("live", "bookings:read") };
            let key = Key { environment: environment.into(), scopes: vec![scope.into()], ..key };
            bytes(&CreateKeyRequest { parent: names.realm.clone(), key: Some(key), ..Default::default() })
        },
    },
    Row {
        rpc: "KeyService/GetKey",
        roles: &["viewer"],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, Done, NoRealm],
        send: |names| bytes(&GetKeyRequest { name: names.key.clone(), read_mask: None }),
    },
    Row {
        rpc: "KeyService/ListKeys",
        roles: &["viewer"],
        about_acme: [Done, Done, NoRealm, Done, Empty],
        about_keyward: [Done, Done, NoRealm],
        send: |names| bytes(&ListKeysRequest { parent: names.realm.clone(), owner: names.owner.clone(), ..Default::default() }),
    },
    Row {
        rpc: "KeyService/UpdateKey",
        roles: &[],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, RoleMissing, NoRealm],
        send: |names| {
            let key = Key { name: names.key.clone(), label: "changed".into(), ..Key::default() };
            bytes(&UpdateKeyRequest { key: Some(key), ..Default::default() })
        },
    },
    Row {
        rpc: "KeyService/RevokeKey",
        roles: &["revoker"],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| bytes(&RevokeKeyRequest { name: names.revoked.clone(), ..Default::default() }),
    },
    Row {
        rpc: "KeyService/ExplainCheck",
        roles: &["viewer"],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, Done, NoRealm],
        send: |names| {
            let (key, method, path) = (names.key.clone(), "GET".into(), "/v1/bookings".into());
            bytes(&ExplainCheckRequest { key, method, path, ..Default::default() })
        },
    },
    Row {
        rpc: "KeyService/RotateKey",
        roles: &["issuer"],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| {
            // without a grace, or the key would soon have as many secrets as it may
            bytes(&RotateKeyRequest { name: names.key.clone(), ..Default::default() })
        },
    },
    Row {
        rpc: "KeyService/RetireSecrets",
        roles: &["revoker"],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| bytes(&RetireSecretsRequest { name: names.key.clone(), ..Default::default() }),
    },
    Row {
        rpc: "KeyService/EnableKey",
        roles: &[],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, RoleMissing, NoRealm],
        send: |names| bytes(&EnableKeyRequest { name: names.key.clone(), ..Default::default() }),
    },
    Row {
        rpc: "KeyService/DeleteKey",
        roles: &[],
        // under an etag that it never had: others are still to ask for it
        about_acme: [Stale, Stale, NoRealm, Stale, NoKey],
        about_keyward: [Stale, RoleMissing, NoRealm],
        send: |names| bytes(&DeleteKeyRequest { name: names.key.clone(), etag: "\"9999\"".into(), ..Default::default() }),
    },
    Row {
        rpc: "KeyService/RevokeKeys",
        roles: &["revoker"],
        // of another owner's key it says that there is none such
        about_acme: [Done, Done, NoRealm, Done, Done],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| {
            let names = (names.realm.clone(), vec![names.revoked.clone()]);
            bytes(&RevokeKeysRequest { parent: names.0, names: names.1, ..Default::default() })
        },
    },
    Row {
        rpc: "KeyService/ImportKeys",
        roles: &[],
        // its one row is refused, and told
        about_acme: [Done, Done, NoRealm, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |names| bytes(&ImportKeysRequest { parent: names.realm.clone(), rows: vec![ImportedKey::default()], ..Default::default() }),
    },
    Row {
        rpc: "AuditService/ListAudit",
        roles: &["viewer"],
        about_acme: [Done, Done, Empty, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |names| bytes(&ListAuditRequest { subject: names.realm.clone(), ..Default::default() }),
    },
    Row {
        rpc: "AuditService/WatchAudit",
        roles: &["viewer"],
        about_acme: [Streams, Streams, Streams, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |_| bytes(&WatchAuditRequest::default()),
    },
    Row {
        rpc: "AuditService/ExportAudit",
        roles: &["viewer"],
        about_acme: [Streams, Bound, Bound, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |_| bytes(&ExportAuditRequest::default()),
    },
    Row {
        rpc: "AuditService/VerifyAudit",
        roles: &["viewer"],
        about_acme: [Done, Bound, Bound, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |_| bytes(&VerifyAuditRequest::default()),
    },
    Row {
        rpc: "UsageService/GetUsage",
        roles: &["viewer"],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, Done, NoRealm],
        send: |names| bytes(&GetUsageRequest { name: names.key.clone(), ..Default::default() }),
    },
    Row {
        rpc: "OwnerService/CreateOwner",
        roles: &["issuer"],
        about_acme: [Done, Done, NoRealm, Bound, Bound],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| bytes(&CreateOwnerRequest { parent: names.realm.clone(), owner_id: names.fresh(), ..Default::default() }),
    },
    Row {
        rpc: "OwnerService/GetOwner",
        roles: &["viewer"],
        about_acme: [Done, Done, NoRealm, Done, NoOwner],
        about_keyward: [Done, Done, NoRealm],
        send: |names| bytes(&GetOwnerRequest { name: names.owner.clone(), read_mask: None }),
    },
    Row {
        rpc: "OwnerService/ListOwners",
        roles: &["viewer"],
        // another owner's sees that other
        about_acme: [Done, Done, NoRealm, Done, Done],
        about_keyward: [Done, Done, NoRealm],
        send: |names| bytes(&ListOwnersRequest { parent: names.realm.clone(), ..Default::default() }),
    },
    Row {
        rpc: "OwnerService/UpdateOwner",
        roles: &[],
        about_acme: [Done, Done, NoRealm, Bound, NoOwner],
        about_keyward: [Done, RoleMissing, NoRealm],
        send: |names| {
            let owner = Owner { name: names.owner.clone(), display_name: "changed".into(), ..Owner::default() };
            bytes(&UpdateOwnerRequest { owner: Some(owner), ..Default::default() })
        },
    },
    Row {
        rpc: "OwnerService/DisableOwner",
        roles: &["revoker"],
        about_acme: [Done, Done, NoRealm, Bound, NoOwner],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| bytes(&DisableOwnerRequest { name: names.disabled.clone(), ..Default::default() }),
    },
    Row {
        rpc: "OwnerService/EnableOwner",
        roles: &[],
        about_acme: [Done, Done, NoRealm, Bound, NoOwner],
        about_keyward: [Done, RoleMissing, NoRealm],
        send: |names| bytes(&EnableOwnerRequest { name: names.owner.clone(), ..Default::default() }),
    },
    Row {
        rpc: "PepperService/GetPepperStatus",
        roles: &["viewer"],
        about_acme: [Done, Bound, Bound, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |_| bytes(&GetPepperStatusRequest {}),
    },
    Row {
        rpc: "PepperService/WithdrawPepper",
        roles: &[],
        about_acme: [NoPepper, Bound, Bound, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |_| bytes(&WithdrawPepperRequest { version: "9".into(), ..Default::default() }),
    },
    Row {
        rpc: "RevocationService/WaitRevocation",
        roles: &["revoker"],
        about_acme: [Done, Done, NoRealm, Done, NoKey],
        about_keyward: [Done, AdminOnly, NoRealm],
        send: |names| bytes(&WaitRevocationRequest { name: names.revoked.clone(), position: 0 }),
    },
    Row {
        rpc: "RevocationService/GetRevocationStatus",
        roles: &["viewer"],
        about_acme: [Done, Bound, Bound, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |_| bytes(&GetRevocationStatusRequest {}),
    },
    Row {
        rpc: "RevocationService/Resume",
        roles: &[],
        about_acme: [NotRolledBack, Bound, Bound, Bound, Bound],
        about_keyward: [Gone, Gone, Gone],
        send: |_| bytes(&ResumeRequest {}),
    },
];

/// Those that need no credential.
const OPEN: &[&str] = &["BootstrapService/Bootstrap", "LeakService/ReportLeak"];

/// Those that answer with a stream.
const STREAMS: &[&str] = &["AuditService/WatchAudit", "AuditService/ExportAudit"];

const ROLES: [&str; 5] = ["none", "viewer", "issuer", "revoker", "admin"];

on_every_store![
    every_role_and_binding_may_do_what_the_table_says_by_token_and_by_certificate,
    what_is_beyond_a_binding_looks_as_if_it_were_not_there,
    nobody_who_is_bound_touches_the_realm_of_the_admin_tokens,
    a_credential_that_is_not_good_is_refused_whatever_it_was_good_for,
];

#[test]
fn every_rpc_of_the_api_has_a_row() {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let own = files.iter().filter(|file| file.package() == "keyward.admin.v1").flat_map(|file| &file.service);
    let mut rpcs: Vec<String> =
        own.flat_map(|service| service.method.iter().map(|method| format!("{}/{}", service.name(), method.name()))).collect();
    let mut specified: Vec<String> = TABLE.iter().map(|row| row.rpc).chain(OPEN.iter().copied()).map(String::from).collect();
    rpcs.sort();
    specified.sort();
    assert_eq!(rpcs, specified);
}

async fn every_role_and_binding_may_do_what_the_table_says_by_token_and_by_certificate(world: World) {
    let (names, tokens) = (Names::about_acme(&world).await, Tokens::good(&world).await);
    for row in TABLE {
        for role in ROLES {
            for (at, (binding, _)) in BINDINGS.iter().enumerate() {
                let expected = if row.is_for(role) { row.about_acme[at] } else { RoleMissing };
                for credential in [Some(tokens.of(role, binding)), Credential::certificate(role, binding)].into_iter().flatten() {
                    let answer = credential.call(&world, row, &names).await;
                    assert_eq!(answer.cell(), expected, "{} by {role} bound to {binding} with {credential:?}: {answer:?}", row.rpc);
                }
            }
        }
    }
}

/// Another realm's and another owner's, asked for by whoever is bound, against what is nowhere, asked for by whoever is not.
async fn what_is_beyond_a_binding_looks_as_if_it_were_not_there(world: World) {
    let (names, tokens) = (Names::about_acme(&world).await, Tokens::good(&world).await);
    let (no_realm, no_owner) = (names.of_no_realm(), names.of_no_owner());
    let unbound = tokens.of("admin", "none");
    for row in TABLE {
        for (at, nothing) in [(2, &no_realm), (4, &no_owner)] {
            if !matches!(row.about_acme[at], NoRealm | NoKey | NoOwner | OwnerMissing | Empty) {
                continue;
            }
            let beyond = tokens.of("admin", BINDINGS[at].0).call(&world, row, &names).await;
            let control = unbound.call(&world, row, &names).await;
            assert!(matches!(control.cell(), Done | Stale), "the control: it is there, {}", row.rpc);
            let nowhere = unbound.call(&world, row, nothing).await;
            assert_eq!(beyond.told(&names), nowhere.told(nothing), "{} by {}", row.rpc, BINDINGS[at].0);
        }
    }
}

async fn nobody_who_is_bound_touches_the_realm_of_the_admin_tokens(world: World) {
    let (names, tokens) = (Names::about_keyward(&world).await, Tokens::good(&world).await);
    for row in TABLE.iter().filter(|row| row.about_keyward[0] != Gone) {
        let [admin, other, bound] = row.about_keyward;
        for role in ROLES.into_iter().filter(|role| row.is_for(role)) {
            for (binding, _) in BINDINGS {
                let expected = if binding != "none" {
                    bound
                } else if role == "admin" {
                    admin
                } else {
                    other
                };
                for credential in [Some(tokens.of(role, binding)), Credential::certificate(role, binding)].into_iter().flatten() {
                    let answer = credential.call(&world, row, &names).await;
                    assert_eq!(answer.cell(), expected, "{} by {role} bound to {binding} with {credential:?}: {answer:?}", row.rpc);
                }
            }
        }
    }
}

async fn a_credential_that_is_not_good_is_refused_whatever_it_was_good_for(world: World) {
    let names = Names::about_acme(&world).await;
    let bad = Tokens::bad(&world).await;
    for row in TABLE {
        let mut told = Vec::new();
        for credential in bad.all().chain(Credential::odd(&world)) {
            let answer = credential.call(&world, row, &names).await;
            assert_eq!(answer.cell(), TokenRefused, "{} with {credential:?}: {answer:?}", row.rpc);
            told.push(answer.told(&names));
        }
        assert!(told.iter().all(|other| *other == told[0]), "all in the same words: {}", row.rpc);
    }
}

/// Every RPC that needs a credential.
pub fn rpcs() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.rpc).filter(|rpc| !STREAMS.contains(rpc))
}

impl Row {
    fn is_for(&self, role: &str) -> bool {
        role == "admin" || self.roles.contains(&role)
    }
}

/// What the requests are about.
struct Names {
    realm: String,
    owner: String,
    key: String,
    /// A key that may be revoked, and an owner that may be disabled.
    revoked: String,
    disabled: String,
    soon: prost_types::Timestamp,
    number: AtomicUsize,
}

impl Names {
    async fn about_acme(world: &World) -> Self {
        world.owner("otesse", "globex").await;
        world.owner("otesse", "acme").await;
        let (key, revoked) = (world.otesse("one").await.key.unwrap().name, world.otesse("revoked").await.key.unwrap().name);
        Self::of(world, ["realms/otesse", "realms/otesse/owners/acme", &key, &revoked, "realms/otesse/owners/acme"]).await
    }

    async fn about_keyward(world: &World) -> Self {
        world.owner("otesse", "globex").await;
        world.owner("otesse", "acme").await;
        let (key, revoked) = (world.token("keys", &[]).await.key.unwrap().name, world.token("keys", &[]).await.key.unwrap().name);
        Self::of(world, ["realms/keyward", "realms/keyward/owners/keys", &key, &revoked, "realms/keyward/owners/keys"]).await
    }

    async fn of(world: &World, [realm, owner, key, revoked, disabled]: [&str; 5]) -> Self {
        let now = world.store.now().await.unwrap();
        let revoke = RevokeKeyRequest { name: revoked.into(), ..Default::default() };
        world.keys().revoke_key(world.ask(revoke)).await.unwrap();
        Self {
            realm: realm.into(),
            owner: owner.into(),
            key: key.into(),
            revoked: revoked.into(),
            disabled: disabled.into(),
            soon: prost_types::Timestamp { seconds: now.0 / 1000 + 600, nanos: 0 },
            number: AtomicUsize::new(0),
        }
    }

    /// The same in a realm that there is not, with a name as long.
    fn of_no_realm(&self) -> Self {
        self.with(|name| name.replace("realms/otesse", "realms/ot-sse"))
    }

    /// The same of an owner and keys that there are not.
    fn of_no_owner(&self) -> Self {
        let last =
            |name: &str| if name.contains("/keys/") { name.replace("/keys/key_0", "/keys/key_1") } else { name.replace("/acme", "/acne") };
        self.with(last)
    }

    fn with(&self, change: impl Fn(&str) -> String) -> Self {
        let [realm, owner, key, revoked, disabled] =
            [&self.realm, &self.owner, &self.key, &self.revoked, &self.disabled].map(|name| change(name));
        Self { realm, owner, key, revoked, disabled, soon: self.soon, number: AtomicUsize::new(0) }
    }

    /// A text without them.
    fn left_out(&self, text: &str) -> String {
        let ids = [&self.key, &self.revoked, &self.owner, &self.realm].map(|name| name.rsplit('/').next().unwrap());
        ids.iter().fold(text.to_owned(), |text, id| text.replace(id, "..."))
    }

    fn is_of_tokens(&self) -> bool {
        self.realm == "realms/keyward"
    }

    /// An id that no owner has yet.
    fn fresh(&self) -> String {
        format!("fresh-{}", self.number.fetch_add(1, Ordering::SeqCst))
    }
}

fn bytes(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}
