//! What an entry of the access log says: whose ticket came back, and how its request ended. The table of Envoy's response flags is here.

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use prost::Message as _;

use crate::domain::outcome::Outcome;
use crate::proto::envoy::data::accesslog::v3::{
    AccessLogCommon, AccessLogType, Fields, HttpAccessLogEntry, HttpResponseProperties, ResponseFlags,
};

/// What there is to see of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A request with a ticket has ended.
    Ended(Vec<u8>, Outcome),
    /// The same, but how it ended is not to be told.
    Unclear,
    /// The request goes on: another entry tells its end.
    Underway,
    /// Nothing was charged for it that could go back, or it is none of this service's.
    NoTicket,
    /// It does not decode, is larger than a mebibyte, or its ticket is no text of the alphabet.
    Malformed,
}

/// Under which `ext_authz` keeps what authorization services say, whatever the filter is called.
const NAMESPACE: &[u8] = b"envoy.filters.http.ext_authz";
/// Envoy's own are a few kilobytes. What is made of an entry may take many times its size.
const LARGEST: usize = 1 << 20;
const OURS: &[u8] = b"keyward";
const TICKET: &[u8] = b"ticket";

/// Reads an entry's bytes.
pub(super) fn read(entry: &Bytes) -> Entry {
    if entry.len() > LARGEST {
        return Entry::Malformed;
    }
    let Ok(HttpAccessLogEntry { common_properties, response }) = HttpAccessLogEntry::decode(entry.clone()) else { return Entry::Malformed };
    let common = common_properties.unwrap_or_default();
    let ended = matches!(common.access_log_type(), AccessLogType::NotSet | AccessLogType::DownstreamEnd) && !common.intermediate_log_entry;
    let ticket = match ticket(&common) {
        Ok(Some(ticket)) => BASE64URL_NOPAD.decode(&ticket),
        Ok(None) => return Entry::NoTicket,
        Err(_) => return Entry::Malformed,
    };
    if !ended {
        return Entry::Underway;
    }
    let Ok(ticket) = ticket else { return Entry::Malformed };
    match outcome(&response.unwrap_or_default(), &common.response_flags.unwrap_or_default()) {
        Some(outcome) => Entry::Ended(ticket, outcome),
        None => Entry::Unclear,
    }
}

/// Its text.
fn ticket(common: &AccessLogCommon) -> Result<Option<Bytes>, prost::DecodeError> {
    let namespaces = common.metadata.iter().flat_map(|metadata| &metadata.filter_metadata);
    let Some(said) = namespaces.into_iter().find(|namespace| namespace.key == NAMESPACE) else { return Ok(None) };
    let said = Fields::decode(said.value.clone())?;
    let ours = field(&said, OURS).and_then(|ours| ours.struct_value.as_ref());
    Ok(ours.and_then(|ours| field(ours, TICKET)).map(|ticket| ticket.string_value.clone()).filter(|ticket| !ticket.is_empty()))
}

fn field<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a crate::proto::envoy::data::accesslog::v3::fields::Value> {
    fields.fields.iter().find(|field| field.key == name)?.value.as_ref()
}

/// How a request ended. A response that the upstream began counts as that response, whatever came after; then Envoy's flags decide, and
/// then the status that Envoy itself gave, as another filter's or the route's.
///
/// | outcome | flags, by their names in Envoy's `%RESPONSE_FLAGS%` |
/// |---|---|
/// | timeout | UT, SI, DT, UMSDR |
/// | disconnect, where there is no status | DC, DR, DPE |
/// | reset | UF, UC, UR, LR, UPE, UO, UH, LH, NC, DF |
/// | the status | all others: NR, FI, DI, RL, RLSE, IH, UAEX (of another authorization service), URX, RFCF, NFCF, OM |
fn outcome(response: &HttpResponseProperties, flags: &ResponseFlags) -> Option<Outcome> {
    let status = response.response_code.as_ref().and_then(|code| u16::try_from(code.value).ok()).filter(|code| *code > 0);
    match status {
        Some(status) if began(&response.response_code_details) => Some(Outcome::Status(status)),
        _ if timed_out(flags) => Some(Outcome::Timeout),
        None if client_left(flags) => Some(Outcome::Disconnect),
        _ if broke_off(flags) => Some(Outcome::Reset),
        status => status.map(Outcome::Status),
    }
}

/// Whether the upstream had begun to answer, by `%RESPONSE_CODE_DETAILS%`.
fn began(details: &[u8]) -> bool {
    details == b"via_upstream" || details.starts_with(b"upstream_reset_after_response_started")
}

fn timed_out(flags: &ResponseFlags) -> bool {
    flags.upstream_request_timeout || flags.stream_idle_timeout || flags.duration_timeout || flags.upstream_max_stream_duration_reached
}

fn client_left(flags: &ResponseFlags) -> bool {
    flags.downstream_connection_termination || flags.downstream_remote_reset || flags.downstream_protocol_error
}

fn broke_off(flags: &ResponseFlags) -> bool {
    flags.upstream_connection_failure
        || flags.upstream_connection_termination
        || flags.upstream_remote_reset
        || flags.local_reset
        || flags.upstream_protocol_error
        || flags.upstream_overflow
        || flags.no_healthy_upstream
        || flags.failed_local_healthcheck
        || flags.no_cluster_found
        || flags.dns_resolution_failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::envoy::data::accesslog::v3::http_response_properties::Code;

    fn of(code: Option<u32>, details: &'static str, flags: ResponseFlags) -> Option<Outcome> {
        let response_code = code.map(|value| Code { value });
        outcome(&HttpResponseProperties { response_code, response_code_details: details.into() }, &flags)
    }

    fn flag(set: impl FnOnce(&mut ResponseFlags)) -> ResponseFlags {
        let mut flags = ResponseFlags::default();
        set(&mut flags);
        flags
    }

    #[test]
    fn an_entry_ends_as_envoy_says() {
        let none = ResponseFlags::default();
        let uf = flag(|flags| flags.upstream_connection_failure = true);
        let uc = flag(|flags| flags.upstream_connection_termination = true);
        let ut = flag(|flags| flags.upstream_request_timeout = true);
        let si = flag(|flags| flags.stream_idle_timeout = true);
        let dc = flag(|flags| flags.downstream_connection_termination = true);
        for (expected, code, details, flags) in [
            (Some(Outcome::Status(404)), Some(404), "via_upstream", none),
            (Some(Outcome::Status(503)), Some(503), "via_upstream", none),
            (Some(Outcome::Reset), Some(503), "upstream_reset_before_response_started{connection_termination}", uc),
            (Some(Outcome::Reset), Some(503), "upstream_reset_before_response_started{remote_connection_failure}", uf),
            (Some(Outcome::Status(200)), Some(200), "upstream_reset_after_response_started{connection_termination}", uc),
            (Some(Outcome::Timeout), Some(504), "response_timeout", ut),
            (Some(Outcome::Status(200)), Some(200), "via_upstream", ut),
            (Some(Outcome::Timeout), Some(408), "stream_idle_timeout", si),
            (Some(Outcome::Disconnect), None, "downstream_remote_disconnect", dc),
            (Some(Outcome::Disconnect), Some(0), "downstream_remote_disconnect", dc),
            (Some(Outcome::Status(200)), Some(200), "via_upstream", dc),
            (Some(Outcome::Status(429)), Some(429), "request_rate_limited", none),
            (Some(Outcome::Status(200)), Some(200), "direct_response", none),
            (None, None, "", none),
            (None, Some(70_000), "", none),
        ] {
            assert_eq!(of(code, details, flags), expected, "{code:?} {details}");
        }
    }
}
