//! `AuditService`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::super::admin_auth::caller;
use super::fields::Fields;
use super::{asked, page, shown};
use crate::domain::audit::{Head, Tampered};
use crate::keyring::{Caller, Keyring, KeyringError, Noted, Sought};
use crate::proto::keyward::admin::v1::audit_service_server::AuditService;
use crate::proto::keyward::admin::v1::{
    ExportAuditRequest, ExportAuditResponse, ListAuditRequest, ListAuditResponse, VerifyAuditRequest, VerifyAuditResponse,
    WatchAuditRequest, WatchAuditResponse,
};

/// How often the log is looked at for whoever watches it.
const PAUSE: Duration = Duration::from_millis(500);

/// So many entries wait for whoever reads slowly.
const AHEAD: usize = 64;

/// The service.
#[derive(Debug)]
pub struct Audit {
    pub(super) keyring: Arc<Keyring>,
    /// When streams that have no end of their own are to end.
    pub(super) leaving: CancellationToken,
}

#[tonic::async_trait]
impl AuditService for Audit {
    type WatchAuditStream = ReceiverStream<Result<WatchAuditResponse, Status>>;
    type ExportAuditStream = ReceiverStream<Result<ExportAuditResponse, Status>>;

    async fn list_audit(&self, request: Request<ListAuditRequest>) -> Result<Response<ListAuditResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let question = asked::question("ListAudit", &ListAuditRequest { page_size: 0, page_token: String::new(), ..request.clone() });
        let mut fields = Fields::default();
        let page = page::asked(&mut fields, request.page_size, &request.page_token, &question);
        let page = fields.all(page)?;
        let before = page.after.and_then(|before| before.parse().ok());
        let sought = Sought { subject: request.subject, actor: request.actor, action: request.action };
        let past = self.keyring.audit(&caller, &sought, before, page.count).await?;
        let next = past.before.map(|before| before.to_string());
        let next = page::token(next.as_deref(), &question);
        Ok(Response::new(ListAuditResponse { entries: past.entries.into_iter().map(shown::entry).collect(), next_page_token: next }))
    }

    async fn watch_audit(&self, request: Request<WatchAuditRequest>) -> Result<Response<Self::WatchAuditStream>, Status> {
        let caller = caller(&request)?;
        let WatchAuditRequest { after_sequence, subject, actor, action } = request.into_inner();
        let now = self.keyring.audit_ends(&caller).await?.sequence;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let watch = Watch { keyring: self.keyring.clone(), caller, sought: Sought { subject, actor, action } };
        let leaving = self.leaving.clone();
        tokio::spawn(async move { leaving.run_until_cancelled(watch.run(after_sequence.unwrap_or(now), sender)).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn export_audit(&self, request: Request<ExportAuditRequest>) -> Result<Response<Self::ExportAuditStream>, Status> {
        let caller = caller(&request)?;
        let after = request.into_inner().after_sequence;
        let first = self.keyring.audit_export(&caller, after).await?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let keyring = self.keyring.clone();
        tokio::spawn(async move { export(&keyring, &caller, first, &sender).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn verify_audit(&self, request: Request<VerifyAuditRequest>) -> Result<Response<VerifyAuditResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::default();
        let anchor = fields.unless_empty("anchor", &request.into_inner().anchor, str::parse::<Head>);
        let anchor = fields.all(Some(anchor))?;
        Ok(Response::new(match self.keyring.verify_audit(&caller, anchor).await? {
            Ok(verified) => VerifyAuditResponse {
                intact: true,
                entries: verified.entries,
                anchor: verified.head.to_string(),
                ..VerifyAuditResponse::default()
            },
            Err(tampered) => {
                tracing::error!(%tampered, "the audit log was tampered with");
                VerifyAuditResponse { problem: tampered.to_string(), sequence: at(tampered), ..VerifyAuditResponse::default() }
            }
        }))
    }
}

/// Whoever watches the log.
struct Watch {
    keyring: Arc<Keyring>,
    caller: Caller,
    sought: Sought,
}

impl Watch {
    /// Until whoever watches goes away, or the store cannot be read.
    async fn run(self, mut after: u64, to: Sender<Result<WatchAuditResponse, Status>>) {
        while !to.is_closed() {
            let entries = match self.keyring.audit_after(&self.caller, &self.sought, after).await {
                Ok((entries, last)) => {
                    after = last;
                    entries
                }
                Err(error) => return drop(to.send(Err(error.into())).await),
            };
            let is_idle = entries.is_empty();
            for noted in entries {
                if to.send(Ok(WatchAuditResponse { entry: Some(shown::entry(noted)) })).await.is_err() {
                    return;
                }
            }
            if is_idle {
                tokio::select! {
                    () = to.closed() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
}

/// From a first page to the end.
async fn export(keyring: &Keyring, caller: &Caller, first: (Vec<Noted>, u64), to: &Sender<Result<ExportAuditResponse, Status>>) {
    let (mut entries, mut last) = first;
    while !entries.is_empty() {
        for noted in entries {
            if to.send(Ok(exported(noted))).await.is_err() {
                return;
            }
        }
        (entries, last) = match keyring.audit_export(caller, last).await {
            Ok(page) => page,
            Err(error) => return drop(to.send(Err(KeyringError::into(error))).await),
        };
    }
}

fn exported(noted: Noted) -> ExportAuditResponse {
    ExportAuditResponse {
        sealed_bytes: noted.sealed.entry.clone(),
        pepper: noted.sealed.pepper.to_string(),
        seal: noted.sealed.seal.to_vec(),
        entry: Some(shown::entry(noted)),
    }
}

/// The number of the entry where it was found.
fn at(tampered: Tampered) -> u64 {
    match tampered {
        Tampered::Seal(at)
        | Tampered::Order(at)
        | Tampered::Unreadable(at)
        | Tampered::Start(at)
        | Tampered::End(at)
        | Tampered::Anchor(at)
        | Tampered::Head(at)
        | Tampered::Unvouched(at)
        | Tampered::Pepper(at) => at,
    }
}
