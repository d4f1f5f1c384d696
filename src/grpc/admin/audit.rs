//! `AuditService`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::super::admin_auth::{called, caller, refused};
use super::fields::Fields;
use super::{asked, page, shown};
use crate::domain::audit::{Head, Tampered, Who};
use crate::keyring::{Called, Keyring, KeyringError, Noted, Reading, Sought};
use crate::proto::keyward::admin::v1::audit_service_server::AuditService;
use crate::proto::keyward::admin::v1::{
    ExportAuditRequest, ExportAuditResponse, ListAuditRequest, ListAuditResponse, VerifyAuditRequest, VerifyAuditResponse,
    WatchAuditRequest, WatchAuditResponse,
};

/// How often the log is looked at for whoever watches it.
const PAUSE: Duration = Duration::from_millis(500);

/// The service.
#[derive(Debug)]
pub struct Audit {
    pub(super) keyring: Arc<Keyring>,
    /// When streams that have no end of their own are to end.
    pub(super) leaving: CancellationToken,
}

#[tonic::async_trait]
impl AuditService for Audit {
    type WatchAuditStream = BoxStream<'static, Result<WatchAuditResponse, Status>>;
    type ExportAuditStream = BoxStream<'static, Result<ExportAuditResponse, Status>>;

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
        let shown = past.entries.into_iter().map(|noted| (noted.entry.place.sequence.to_string(), shown::entry(noted)));
        let (entries, next) = page::cut(shown, next);
        Ok(Response::new(ListAuditResponse { entries, next_page_token: page::token(next.as_deref(), &question) }))
    }

    async fn watch_audit(&self, request: Request<WatchAuditRequest>) -> Result<Response<Self::WatchAuditStream>, Status> {
        let called = called(&request)?;
        let WatchAuditRequest { after_sequence, subject, actor, action } = request.into_inner();
        let sought = Sought { subject, actor, action };
        let told = self.told("WatchAudit", &called);
        let reading = self.keyring.audit_watch(called, sought, after_sequence).await?;
        let shown = |noted| WatchAuditResponse { entry: Some(shown::entry(noted)) };
        let entries = entries(reading, WhereItEnds::Waits).map(move |entry| entry.map(shown).map_err(&told));
        Ok(Response::new(entries.take_until(self.leaving.clone().cancelled_owned()).boxed()))
    }

    async fn export_audit(&self, request: Request<ExportAuditRequest>) -> Result<Response<Self::ExportAuditStream>, Status> {
        let called = called(&request)?;
        let told = self.told("ExportAudit", &called);
        let reading = self.keyring.audit_export(called, request.into_inner().after_sequence)?;
        Ok(Response::new(entries(reading, WhereItEnds::Ends).map(move |entry| entry.map(exported).map_err(&told)).boxed()))
    }

    async fn verify_audit(&self, request: Request<VerifyAuditRequest>) -> Result<Response<VerifyAuditResponse>, Status> {
        let called = called(&request)?;
        let mut fields = Fields::default();
        let anchor = fields.unless_empty("anchor", &request.into_inner().anchor, str::parse::<Head>);
        let anchor = fields.all(Some(anchor))?;
        Ok(Response::new(match self.keyring.verify_audit(called, anchor).await? {
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

impl Audit {
    /// How an error is told that ends a stream. Where it is that the caller would be let in no more, that is in the audit log, as it is of calls
    /// that are refused at once.
    fn told(&self, rpc: &'static str, called: &Called) -> impl Fn(KeyringError) -> Status + Send + use<> {
        let (keyring, who, from) = (self.keyring.clone(), Who::By(called.caller.actor.clone()), called.caller.from);
        move |error| {
            let status = Status::from(error);
            if let Some(reason) = refused(status.code()) {
                let (keyring, who) = (keyring.clone(), who.clone());
                tokio::spawn(async move { keyring.refused(who, from, rpc, reason).await });
            }
            status
        }
    }
}

/// What is done where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhereItEnds {
    /// More will come.
    Waits,
    Ends,
}

/// Entries, read as they are asked for: nothing is read ahead for whoever reads slowly, and nobody is told what was read before they lost their
/// rights. An error is the last.
fn entries(reading: Reading, where_it_ends: WhereItEnds) -> impl Stream<Item = Result<Noted, KeyringError>> {
    stream::unfold(Some(reading), move |reading| async move {
        let mut reading = reading?;
        loop {
            match reading.next().await {
                Ok(Some(noted)) => return Some((Ok(noted), Some(reading))),
                Ok(None) if where_it_ends == WhereItEnds::Ends => return None,
                Ok(None) => sleep(PAUSE).await,
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
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
