//! Those who read the audit log, however large its entries are and however many they are: an answer is small, few are asked for at one time, few
//! calls go on asking. Each test fails where that is not so; what was before is beside it as the control.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use keyward::domain::audit::Sealed;
use keyward::domain::retention::Retention;
use keyward::keyring::Keyring;
use keyward::proto::keyward::admin::v1::audit_service_client::AuditServiceClient;
use keyward::proto::keyward::admin::v1::{
    ExportAuditRequest, ListAuditRequest, VerifyAuditRequest, VerifyAuditResponse, WatchAuditRequest, WatchAuditResponse,
};
use keyward::store::{AuditNote, Round, SharedStore, Store, StoreError};
use prost::Message as _;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::world::{World, peppers, reason, serve, with};
use crate::support::audit::note;

on_every_store![
    an_answer_of_the_store_is_small_however_large_entries_are,
    no_more_than_two_ask_the_store_at_one_time,
    so_many_calls_of_a_caller_read_the_log_and_so_many_of_all,
    a_page_of_large_entries_fits_into_a_message_that_every_client_takes,
];

/// What is asked for next, if all are as large as the largest of those before.
const BYTES: usize = 256 << 10;

/// So many names, as an import's entry has them.
fn import() -> AuditNote {
    let subjects = (0..1000).map(|number| format!("realms/otesse/keys/key_{number:044}")).collect();
    AuditNote { subjects, peppers: peppers(&["1"]), ..note("ImportKeys", "") }
}

/// A log of small entries, and large ones behind them.
async fn filled(world: &World, large: usize) {
    for number in 0..60 {
        world.store.note(&AuditNote { peppers: peppers(&["1"]), ..note("Small", &format!("realms/otesse/keys/{number}")) }).await.unwrap();
    }
    for _ in 0..large {
        world.store.note(&import()).await.unwrap();
    }
}

/// A store that tells how large its answers are.
struct Weighing {
    store: SharedStore,
    entries: AtomicUsize,
    largest: AtomicUsize,
    /// Answers beyond the bound.
    heavy: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Weighing {
    fn new(store: SharedStore) -> Arc<Self> {
        let zero = AtomicUsize::default;
        Arc::new(Self { store, entries: zero(), largest: zero(), heavy: zero(), at_once: zero(), most_at_once: zero() })
    }

    /// Entries and bytes of the largest answer, and how many were heavy; from then on it is counted anew.
    fn seen(&self) -> (usize, usize, usize) {
        let taken = |number: &AtomicUsize| number.swap(0, Ordering::SeqCst);
        (taken(&self.entries), taken(&self.largest), taken(&self.heavy))
    }

    /// The audit service of a keyring on it.
    async fn served(self: &Arc<Self>, world: &World) -> (AuditServiceClient<Channel>, Arc<Keyring>) {
        let keyring = Arc::new(Keyring::new(self.clone(), world.realms.clone(), peppers(&["1"]), None, world.guard.clone()));
        (AuditServiceClient::new(serve(&keyring, &world.gate).await), keyring)
    }
}

#[async_trait]
impl Round for Weighing {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        self.most_at_once.fetch_max(self.at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let page = self.store.audit(after, count).await;
        // for long enough that others come meanwhile
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let page = page?;
        let bytes = page.iter().map(|sealed| sealed.entry.len()).sum();
        self.entries.fetch_max(page.len(), Ordering::SeqCst);
        self.largest.fetch_max(bytes, Ordering::SeqCst);
        self.heavy.fetch_add(usize::from(bytes > BYTES), Ordering::SeqCst);
        Ok(page)
    }
}

/// One answer alone is heavy: that in which the first large entry was met.
async fn an_answer_of_the_store_is_small_however_large_entries_are(world: World) {
    filled(&world, 150).await;
    let weighing = Weighing::new(world.store.clone());
    let (mut audit, keyring) = weighing.served(&world).await;
    Round::audit(&*weighing, 0, 1000).await.unwrap();
    let (entries, bytes, _) = weighing.seen();
    assert!(entries > 200 && bytes > 9 << 20, "the control, as it was read before: {entries} entries of {bytes} bytes");
    let is_small = |what: &str| {
        let (entries, bytes, heavy) = weighing.seen();
        assert!((1..=50).contains(&entries) && bytes < 4 << 20 && heavy <= 1, "{what}: {entries} entries of {bytes} bytes, {heavy} heavy");
    };
    let last = world.store.audit_head().await.unwrap().sequence;
    let verified = audit.verify_audit(world.ask(VerifyAuditRequest::default())).await.unwrap().into_inner();
    assert_eq!((verified.intact, verified.entries), (true, last), "{verified:?}");
    is_small("verified");
    let exported = audit.export_audit(world.ask(ExportAuditRequest::default())).await.unwrap().into_inner();
    assert_eq!(exported.collect::<Vec<_>>().await.len() as u64, last);
    is_small("exported");
    let asked = WatchAuditRequest { after_sequence: Some(0), action: "Last".into(), ..Default::default() };
    let mut watched = audit.watch_audit(world.ask(asked)).await.unwrap().into_inner();
    world.store.note(&AuditNote { peppers: peppers(&["1"]), ..note("Last", "") }).await.unwrap();
    assert_eq!(watched.next().await.unwrap().unwrap().entry.unwrap().action, "Last");
    is_small("watched");
    audit.list_audit(world.ask(ListAuditRequest { action: "None".into(), ..Default::default() })).await.unwrap();
    is_small("listed");
    world.time.pass(Duration::from_hours(2));
    keyring.forget(&Retention { audit: Some(Duration::from_hours(1)), ..Retention::default() }).await.unwrap();
    assert_eq!(world.store.audit(0, 1000).await.unwrap().len(), 1, "all was dropped but what says so");
    is_small("dropped");
}

async fn no_more_than_two_ask_the_store_at_one_time(world: World) {
    filled(&world, 0).await;
    let weighing = Weighing::new(world.store.clone());
    let (audit, _) = weighing.served(&world).await;
    let many = || 0..12;
    join_all(many().map(|_| Round::audit(&*weighing, 0, 10))).await;
    assert!(weighing.most_at_once.swap(0, Ordering::SeqCst) > 2, "the control: nobody waits for a turn");
    let calls = many().map(|number| {
        let (mut audit, list) = (audit.clone(), ListAuditRequest { action: format!("None{number}"), ..Default::default() });
        let request = world.ask(list);
        async move { audit.list_audit(request).await.unwrap() }
    });
    join_all(calls).await;
    assert_eq!(weighing.most_at_once.load(Ordering::SeqCst), 2);
}

async fn so_many_calls_of_a_caller_read_the_log_and_so_many_of_all(world: World) {
    let mut tokens = Vec::new();
    for reader in 0..5 {
        tokens.push(world.token(&format!("readers-{reader}"), &["viewer"]).await.secret);
    }
    let mut watches = Vec::new();
    for _ in 0..4 {
        watches.push(watch(&world, &tokens[0]).await.unwrap());
    }
    let export = world.audit().export_audit(with(&tokens[0], ExportAuditRequest::default())).await.map(drop);
    for refused in [watch(&world, &tokens[0]).await.map(drop), export, verify(&world, &tokens[0]).await.map(drop)] {
        let refused = refused.unwrap_err();
        assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_OWN_READERS".into()));
        assert!(refused.message().contains("the caller has 4 calls open") && refused.get_details_retry_info().is_some());
    }
    verify(&world, &tokens[1]).await.expect("the control: another caller");
    watches.pop();
    watches.push(has_place(&world, &tokens[0]).await);
    for token in &tokens[1..4] {
        for _ in 0..4 {
            watches.push(watch(&world, token).await.unwrap());
        }
    }
    let refused = verify(&world, &tokens[4]).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_READERS".into()));
    assert!(refused.message().contains("for 16 calls already"), "{refused:?}");
    world.audit().list_audit(with(&tokens[4], ListAuditRequest::default())).await.expect("a list needs no place");
    drop(watches);
    has_place(&world, &tokens[4]).await;
}

async fn a_page_of_large_entries_fits_into_a_message_that_every_client_takes(world: World) {
    filled(&world, 100).await;
    let (mut seen, mut pages, mut bytes, mut page_token) = (Vec::new(), 0, 0, String::new());
    loop {
        let request = ListAuditRequest { page_size: 1000, page_token, ..Default::default() };
        // this client, as most, takes nothing above 4 MiB
        let page = world.audit().list_audit(world.ask(request)).await.unwrap().into_inner();
        assert!(!page.entries.is_empty() && page.encoded_len() < (3 << 20) + 1024, "{}", page.encoded_len());
        (pages, bytes) = (pages + 1, bytes + page.encoded_len());
        seen.extend(page.entries.iter().map(|entry| entry.sequence));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let last = world.store.audit_head().await.unwrap().sequence;
    assert_eq!(seen, (1..=last).rev().collect::<Vec<_>>());
    assert!(pages > 1 && bytes > 4 << 20, "the control: one page of all would be too large: {bytes}");
}

async fn watch(world: &World, token: &str) -> Result<Streaming<WatchAuditResponse>, Status> {
    Ok(world.audit().watch_audit(with(token, WatchAuditRequest::default())).await?.into_inner())
}

async fn verify(world: &World, token: &str) -> Result<VerifyAuditResponse, Status> {
    Ok(world.audit().verify_audit(with(token, VerifyAuditRequest::default())).await?.into_inner())
}

/// A watch, once another has ended.
async fn has_place(world: &World, token: &str) -> Streaming<WatchAuditResponse> {
    for _ in 0..3000 {
        match watch(world, token).await {
            Ok(watched) => return watched,
            Err(refused) => assert!(reason(&refused).1.starts_with("TOO_MANY"), "{refused:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody's place becomes free");
}
