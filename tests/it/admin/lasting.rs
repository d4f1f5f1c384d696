//! Calls that last: whoever would be let in no more does not go on with one that is open. Without the judging of callers while their calls go on
//! each of these fails: the second lot is taken, and the log is told to its end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyward::domain::audit::Sealed;
use keyward::domain::name::RealmId;
use keyward::keyring::Keyring;
use keyward::proto::keyward::admin::v1::audit_service_client::AuditServiceClient;
use keyward::proto::keyward::admin::v1::imported_key::Credential;
use keyward::proto::keyward::admin::v1::{
    AuditEntry, CreateKeyResponse, DisableOwnerRequest, ExportAuditRequest, ImportKeysRequest, ImportKeysResponse, ImportOptions,
    ImportedKey, Key, RetireSecretsRequest, RevokeKeyRequest, RotateKeyRequest, UpdateKeyRequest, VerifyAuditRequest, WatchAuditRequest,
    WatchAuditResponse,
};
use keyward::store::{Order, Page, Round, SharedStore, Store, StoreError};
use prost_types::FieldMask;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::certified;
use super::leases::roll_back;
use super::world::{LEASE, World, peppers, reason, serve, with};
use crate::support::audit::note;

on_every_store![
    whoever_would_be_let_in_no_more_imports_no_further,
    whoever_would_be_let_in_no_more_is_told_nothing_more_of_the_log,
    an_import_ends_while_the_log_is_rolled_back,
    an_export_that_is_read_slowly_ends_when_its_token_is_revoked,
    whoever_would_be_let_in_no_more_does_not_learn_whether_the_log_is_intact,
    whoever_watches_by_a_certificate_is_told_nothing_without_a_lease,
];

/// Rows that are written together.
const LOT: usize = 500;

/// How a caller loses what it was let in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loses {
    Nothing,
    Revoked,
    Retired,
    OwnerDisabled,
    Role,
    Expired,
    Lease,
}

/// Each with what a new call is told then. What comes last is for all tokens of a world.
const WAYS: [(Loses, Code, &str); 7] = [
    (Loses::Nothing, Code::Ok, "the control"),
    (Loses::Revoked, Code::Unauthenticated, "TOKEN_REFUSED"),
    (Loses::Retired, Code::Unauthenticated, "TOKEN_REFUSED"),
    (Loses::OwnerDisabled, Code::Unauthenticated, "TOKEN_REFUSED"),
    (Loses::Role, Code::PermissionDenied, "ROLE_MISSING"),
    (Loses::Expired, Code::Unauthenticated, "TOKEN_REFUSED"),
    (Loses::Lease, Code::Unavailable, "NO_LEASE"),
];

/// A token of an owner of its own, whose key has another secret besides.
async fn token(world: &World, owner: &str, role: &str) -> CreateKeyResponse {
    let made = world.token(owner, &[role]).await;
    let grace = Some(prost_types::Duration { seconds: 1800, nanos: 0 });
    let rotation = RotateKeyRequest { name: made.key.clone().unwrap().name, grace, ..Default::default() };
    world.keys().rotate_key(world.ask(rotation)).await.unwrap();
    made
}

impl Loses {
    async fn come_about(self, world: &World, token: &CreateKeyResponse) {
        let Key { name, owner, .. } = token.key.clone().unwrap();
        match self {
            Self::Nothing => {}
            Self::Revoked => {
                let revoke = RevokeKeyRequest { name, ..Default::default() };
                world.keys().revoke_key(world.ask(revoke)).await.unwrap();
            }
            Self::Retired => {
                let retire = RetireSecretsRequest { name, ..Default::default() };
                world.keys().retire_secrets(world.ask(retire)).await.unwrap();
            }
            Self::OwnerDisabled => {
                let disable = DisableOwnerRequest { name: owner, ..Default::default() };
                world.owners().disable_owner(world.ask(disable)).await.unwrap();
            }
            Self::Role => {
                let key = Some(Key { name, scopes: vec!["issuer".into()], ..Key::default() });
                let update_mask = Some(FieldMask { paths: vec!["scopes".into()] });
                world.keys().update_key(world.ask(UpdateKeyRequest { key, update_mask, ..Default::default() })).await.unwrap();
            }
            Self::Expired => world.time.pass(Duration::from_hours(1)),
            Self::Lease => {
                world.faults.renewals_fail();
                world.clock.pass(LEASE);
            }
        }
    }
}

async fn whoever_would_be_let_in_no_more_imports_no_further(world: World) {
    for (at, (loses, code, why)) in WAYS.into_iter().enumerate() {
        let token = token(&world, &format!("importers-{at}"), "admin").await;
        let (rows, import) = importing(&world, &token.secret);
        rows.send(lot(2 * at)).await.unwrap();
        has_keys(&world, if at == 0 { 1 } else { at + 2 }).await;
        loses.come_about(&world, &token).await;
        rows.send(lot(2 * at + 1)).await.unwrap();
        drop(rows);
        let ended = import.await.unwrap();
        if loses == Loses::Nothing {
            assert_eq!(ended.unwrap().created, 2 * LOT as u64, "{why}");
            continue;
        }
        let ended = ended.expect_err(&format!("{loses:?}"));
        assert_eq!(reason(&ended), (code, why.to_owned()), "{loses:?}");
        let about = ended.get_error_details().error_info().unwrap().metadata.clone();
        assert_eq!((about["durable_row"].as_str(), count(&world).await), ("500", (at + 2) * LOT), "{loses:?}");
    }
}

async fn an_import_ends_while_the_log_is_rolled_back(world: World) {
    let (rows, import) = importing(&world, &world.admin);
    rows.send(lot(0)).await.unwrap();
    has_keys(&world, 1).await;
    roll_back(&world).await;
    rows.send(lot(1)).await.unwrap();
    drop(rows);
    assert_eq!(reason(&import.await.unwrap().unwrap_err()), (Code::Unavailable, "ROLLED_BACK".into()));
    assert_eq!(count(&world).await, LOT);
}

async fn whoever_would_be_let_in_no_more_is_told_nothing_more_of_the_log(world: World) {
    for (at, (loses, code, why)) in WAYS.into_iter().enumerate() {
        let token = token(&world, &format!("readers-{at}"), "viewer").await;
        let watch = WatchAuditRequest { subject: "realms/keyward".into(), ..Default::default() };
        let mut watched = world.audit().watch_audit(with(&token.secret, watch)).await.unwrap().into_inner();
        world.owner("keyward", &format!("told-{at}")).await;
        assert_eq!(next(&mut watched).await.unwrap().action, "CreateOwner", "it tells what comes");
        loses.come_about(&world, &token).await;
        if loses == Loses::Nothing {
            world.owner("keyward", "told-too").await;
            assert_eq!(next(&mut watched).await.unwrap().action, "CreateOwner", "{why}");
            continue;
        }
        // neither of its own end, nor, where there is no entry of that, of anything
        let ended = next(&mut watched).await.expect_err(&format!("{loses:?}"));
        assert_eq!(reason(&ended), (code, why.to_owned()), "{loses:?}");
        assert!(timeout(Duration::from_secs(30), watched.next()).await.unwrap().is_none(), "that was its end");
    }
    world.faults.renewals_succeed();
    while !world.guard.session.admits() {
        world.guard.session.catch_up(u64::MAX).await;
    }
    let told: Vec<_> = world.refusals("WatchAudit", 5).await.into_iter().map(|entry| entry.refused).collect();
    assert_eq!(told, ["UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNAUTHENTICATED"]);
}

/// More than what is on its way between a server and a client that does not read.
async fn an_export_that_is_read_slowly_ends_when_its_token_is_revoked(world: World) {
    for number in 0..160 {
        world.store.note(&note("Large", &format!("{number}-{}", "x".repeat(60_000)))).await.unwrap();
    }
    for loses in [Loses::Nothing, Loses::Revoked] {
        let token = token(&world, &format!("exporters-{loses:?}").to_lowercase(), "viewer").await;
        let all = usize::try_from(world.store.audit_head().await.unwrap().sequence).unwrap();
        let export = with(&token.secret, ExportAuditRequest::default());
        let mut exported = world.audit().export_audit(export).await.unwrap().into_inner();
        exported.next().await.unwrap().unwrap();
        loses.come_about(&world, &token).await;
        world.pass(Duration::from_secs(1)).await;
        let rest: Vec<_> = exported.collect().await;
        let told = rest.iter().filter(|entry| entry.is_ok()).count() + 1;
        if loses == Loses::Nothing {
            assert_eq!(told, all, "the control");
        } else {
            assert_eq!(reason(rest.last().unwrap().as_ref().unwrap_err()), (Code::Unauthenticated, "TOKEN_REFUSED".into()));
            assert!(told < all, "{told} of {all}");
        }
    }
}

async fn whoever_would_be_let_in_no_more_does_not_learn_whether_the_log_is_intact(world: World) {
    let halting = Arc::new(Halting { store: world.store.clone(), arrived: Semaphore::new(0), may_go: Semaphore::new(0) });
    let keyring = Keyring::new(halting.clone(), world.realms.clone(), peppers(&["1"]), None, world.guard.clone());
    let audit = AuditServiceClient::new(serve(&Arc::new(keyring), &world.gate).await);
    for loses in [Loses::Nothing, Loses::Revoked] {
        let token = token(&world, &format!("verifiers-{loses:?}").to_lowercase(), "viewer").await;
        let (mut audit, request) = (audit.clone(), with(&token.secret, VerifyAuditRequest::default()));
        let verify = tokio::spawn(async move { audit.verify_audit(request).await });
        halting.arrived.acquire().await.unwrap().forget();
        loses.come_about(&world, &token).await;
        halting.may_go.add_permits(Semaphore::MAX_PERMITS / 4);
        match verify.await.unwrap() {
            Ok(verified) => assert!(loses == Loses::Nothing && verified.into_inner().intact, "the control"),
            Err(status) => assert_eq!((loses, reason(&status).1.as_str()), (Loses::Revoked, "TOKEN_REFUSED")),
        }
        halting.may_go.forget_permits(Semaphore::MAX_PERMITS);
        halting.arrived.forget_permits(Semaphore::MAX_PERMITS);
    }
}

/// A store whose audit log is read when the test says so.
struct Halting {
    store: SharedStore,
    arrived: Semaphore,
    may_go: Semaphore,
}

#[async_trait]
impl Round for Halting {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        self.arrived.add_permits(1);
        self.may_go.acquire().await.unwrap().forget();
        self.store.audit(after, count).await
    }
}

async fn whoever_watches_by_a_certificate_is_told_nothing_without_a_lease(world: World) {
    let mut watch = tonic::Request::new(WatchAuditRequest::default());
    watch.metadata_mut().insert(certified::HEADER, certified::name("viewer", "none").parse().unwrap());
    let mut watched = world.audit().watch_audit(watch).await.unwrap().into_inner();
    world.owner("otesse", "acme").await;
    assert_eq!(next(&mut watched).await.unwrap().action, "CreateOwner", "the control");
    Loses::Lease.come_about(&world, &CreateKeyResponse { key: Some(Key::default()), ..Default::default() }).await;
    assert_eq!(reason(&next(&mut watched).await.unwrap_err()), (Code::Unavailable, "NO_LEASE".into()));
}

async fn next(watched: &mut Streaming<WatchAuditResponse>) -> Result<AuditEntry, Status> {
    let next = timeout(Duration::from_secs(30), watched.next()).await.expect("half a minute and nothing is told");
    next.expect("it ended").map(|told| told.entry.unwrap())
}

fn importing(world: &World, token: &str) -> (Sender<ImportKeysRequest>, JoinHandle<Result<ImportKeysResponse, Status>>) {
    let (sender, receiver) = mpsc::channel(1);
    let (mut keys, request) = (world.keys(), with(token, ReceiverStream::new(receiver)));
    (sender, tokio::spawn(async move { keys.import_keys(request).await.map(tonic::Response::into_inner) }))
}

/// As many rows as are written together; their numbers go on from the message before.
fn lot(number: usize) -> ImportKeysRequest {
    let row = |row: usize| ImportedKey {
        owner_id: "acme".into(),
        credential: Some(Credential::Secret(format!("otesse_live_sk_importedByATestNumber{row:06}"))),
        ..ImportedKey::default()
    };
    let options = Some(ImportOptions { create_owners: true, ..ImportOptions::default() });
    ImportKeysRequest { parent: "realms/otesse".into(), options, rows: (number * LOT..(number + 1) * LOT).map(row).collect() }
}

async fn count(world: &World) -> usize {
    let page = Page { after: None, count: 100_000, order: Order::Ascending };
    world.store.keys(&RealmId::parse("otesse").unwrap(), None, &page).await.unwrap().len()
}

/// Ends when so many lots are written.
async fn has_keys(world: &World, lots: usize) {
    for _ in 0..3000 {
        if count(world).await == lots * LOT {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there are no {lots} lots");
}
