//! `UsageService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::super::admin_auth::caller;
use super::fields::{self, Fields};
use super::{explain, names, shown};
use crate::domain::record::KeptSecret;
use crate::domain::rung::Window;
use crate::domain::usage::{Counter, Granularity, LastUse, Tally};
use crate::keyring::{Keyring, KeyringError, Span, Used};
use crate::proto::keyward::admin::v1 as wire;
use crate::proto::keyward::admin::v1::usage_service_server::UsageService;
use crate::proto::keyward::admin::v1::{GetUsageRequest, GetUsageResponse};
use crate::store::What;

/// The service.
#[derive(Debug)]
pub struct UsageOf(pub(super) Arc<Keyring>);

#[tonic::async_trait]
impl UsageService for UsageOf {
    async fn get_usage(&self, request: Request<GetUsageRequest>) -> Result<Response<GetUsageResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (of, span) = asked(&request)?;
        let used = self.0.usage(&caller, &of, &span).await?;
        Ok(Response::new(told(request.name, used)))
    }
}

fn asked(request: &GetUsageRequest) -> Result<(What, Span), KeyringError> {
    let mut fields = Fields::default();
    let of = fields.take("name", names::key_or_owner(&request.name));
    let granularity = fields.take("granularity", granularity(request.granularity));
    let start = request.start_time.as_ref().and_then(|at| fields.take("start_time", fields::instant(at)));
    let end = request.end_time.as_ref().and_then(|at| fields.take("end_time", fields::instant(at)));
    fields.all(of.zip(granularity).map(|(of, granularity)| (of, Span { granularity, start, end })))
}

fn granularity(number: i32) -> Result<Granularity, &'static str> {
    match wire::Granularity::try_from(number) {
        Ok(wire::Granularity::Unspecified | wire::Granularity::Minute) => Ok(Granularity::Minute),
        Ok(wire::Granularity::Day) => Ok(Granularity::Day),
        Err(_) => Err("must be one of the granularities"),
    }
}

fn told(name: String, used: Used) -> GetUsageResponse {
    let point = |(start, tally)| wire::UsagePoint { start_time: Some(shown::instant(start)), counts: Some(counts(&tally)) };
    GetUsageResponse {
        name,
        start_time: Some(shown::instant(used.start)),
        end_time: Some(shown::instant(used.end)),
        total: Some(counts(&used.total)),
        points: used.points.into_iter().map(point).collect(),
        last_use: used.last.map(last_use),
        secrets: used.secrets.iter().map(|(kept, last)| secret(kept, *last)).collect(),
        limits: used.limits.into_iter().map(|allowance| explain::limit(&Window { allowance, held: 0, cost: 0 })).collect(),
    }
}

fn counts(tally: &Tally) -> wire::UsageCounts {
    let mut counts = wire::UsageCounts { allowed: tally.get(Counter::Allowed), refused: tally.refused(), ..wire::UsageCounts::default() };
    for (counter, count) in tally.counted() {
        match counter {
            Counter::Allowed => {}
            Counter::Refused(reason) => _ = counts.refused_by_reason.insert(reason.name().to_owned(), count),
            Counter::Answered(class) => _ = counts.answered.insert(format!("{class}xx"), count),
        }
    }
    counts
}

fn secret(kept: &KeptSecret, last: Option<LastUse>) -> wire::SecretUse {
    wire::SecretUse {
        number: kept.number,
        prefix: kept.prefix.clone(),
        last_four: kept.last_four.clone(),
        create_time: Some(shown::instant(kept.created)),
        end_time: kept.ends.map(shown::instant),
        last_use: last.map(last_use),
    }
}

fn last_use(last: LastUse) -> wire::LastUse {
    wire::LastUse { time: Some(shown::instant(last.at)), address: last.address.map(|address| address.to_string()).unwrap_or_default() }
}
