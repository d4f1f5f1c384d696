//! What callers and proxies are told of limits: headers and dynamic metadata.

use super::answer::{Fact, Header, Text};
use crate::domain::allowance::{Allowance, tightest, would_refuse};
use crate::domain::denial::{seconds, wait};
use crate::domain::limit::Length;
use crate::domain::name::Word;
use crate::domain::realm::LimitHeaders;
use crate::domain::verdict::{Grant, Refusal};

/// How the tightest limit stands, and in how many seconds there is more; `None`: there never is enough.
struct Standing<'a> {
    tightest: &'a Allowance,
    reset: Option<u64>,
}

/// The headers of a request that passes, where its realm wants any.
pub(super) fn on_grant(grant: &Grant) -> Vec<Header<'static>> {
    headers(&grant.realm.limit_headers, of_grant(grant).as_ref())
}

/// The headers of one that a limit refuses.
pub(super) fn on_refusal(refusal: &Refusal) -> Vec<Header<'static>> {
    refusal.realm.as_ref().map_or_else(Vec::new, |realm| headers(&realm.limit_headers, of_refusal(refusal).as_ref()))
}

/// Fields of keyward's own metadata for a request that passes.
pub(super) fn fields_of_grant(grant: &Grant) -> Vec<(&'static str, Fact<'_>)> {
    fields(of_grant(grant).as_ref(), &grant.allowances)
}

/// The same for one that is refused; `limit` is the one that refused it.
pub(super) fn fields_of_refusal(refusal: &Refusal) -> Vec<(&'static str, Fact<'_>)> {
    fields(of_refusal(refusal).as_ref(), &refusal.allowances)
}

/// What Envoy's own rate limit filter reads: each under a key of its own, because Envoy Gateway takes one key and no path.
pub(super) fn feed(grant: &Grant) -> Vec<(Text<'static>, Fact<'static>)> {
    let fed = &grant.realm.feed_envoy;
    if fed.is_empty() || grant.bearer.is_none() {
        return Vec::new();
    }
    let limits = grant.allowances.iter().filter(|allowance| fed.contains(&allowance.limit));
    let limit = |allowance: &Allowance| {
        let unit = allowance.length.envoy_unit()?;
        let facts = vec![("requests_per_unit", Fact::Number(allowance.most)), ("unit", Fact::text(unit))];
        Some((format!("keyward_limit_{}", allowance.limit).into(), Fact::Facts(facts)))
    };
    let cost = ("keyward_cost".into(), Fact::Number(grant.cost));
    limits.filter_map(limit).chain([cost]).collect()
}

fn of_grant(grant: &Grant) -> Option<Standing<'_>> {
    tightest(&grant.allowances).map(|tightest| Standing { tightest, reset: Some(seconds(tightest.more_in)) })
}

/// Of a refusal what counts is when the request fits, not when there is any more.
fn of_refusal(refusal: &Refusal) -> Option<Standing<'_>> {
    tightest(&refusal.allowances).map(|tightest| Standing { tightest, reset: wait(refusal.reason, refusal.retry_after) })
}

fn headers(families: &[LimitHeaders], standing: Option<&Standing<'_>>) -> Vec<Header<'static>> {
    let Some(standing) = standing else { return Vec::new() };
    families.iter().flat_map(|family| family_of(*family, standing)).collect()
}

fn family_of(family: LimitHeaders, Standing { tightest, reset }: &Standing<'_>) -> Vec<Header<'static>> {
    let Allowance { limit, most, left, .. } = tightest;
    match family {
        LimitHeaders::XRateLimit => {
            let reset = reset.map(|reset| header("x-ratelimit-reset", reset.to_string()));
            let all = [header("x-ratelimit-limit", most.to_string()), header("x-ratelimit-remaining", left.to_string())];
            all.into_iter().chain(reset).collect()
        }
        LimitHeaders::RateLimit => {
            let t = reset.map_or_else(String::new, |reset| format!(";t={reset}"));
            let w = window_seconds(&tightest.length).map_or_else(String::new, |window| format!(";w={window}"));
            // a limit's name has no character that a quoted string would have to escape
            let policy = header("ratelimit-policy", format!("\"{limit}\";q={most}{w}"));
            vec![policy, header("ratelimit", format!("\"{limit}\";r={left}{t}"))]
        }
    }
}

fn header(name: &'static str, value: String) -> Header<'static> {
    (name.into(), value.into())
}

/// Rounded up, so that nobody is promised more. A period of a calendar has no length that is always the same, and `w` may be left out.
fn window_seconds(length: &Length) -> Option<u32> {
    match length {
        Length::Sliding(length_ms) => Some(length_ms.div_ceil(1000)),
        Length::Calendar(..) => None,
    }
}

fn fields<'a>(standing: Option<&Standing<'a>>, allowances: &'a [Allowance]) -> Vec<(&'static str, Fact<'a>)> {
    let mut fields = Vec::new();
    if let Some(Standing { tightest, reset }) = standing {
        fields.extend([("limit", Fact::text(tightest.limit.as_str())), ("limit_left", Fact::Number(tightest.left))]);
        fields.extend(reset.map(|reset| ("limit_reset", Fact::Number(u32::try_from(reset).unwrap_or(u32::MAX)))));
    }
    let mut shadows = would_refuse(allowances).map(Word::as_str).peekable();
    if shadows.peek().is_some() {
        fields.push(("would_refuse", Fact::list(shadows)));
    }
    fields
}
