//! Answers to checks that nobody looked at: always the same bytes, so they are encoded once.

use super::answer::Fact;
use super::status::{Caller, answer};
use super::unary::LengthPrefixed;
use crate::domain::reason::Reason;
use crate::domain::verdict::Refusal;

/// Why nobody looked.
#[derive(Clone)]
pub(crate) struct Undecided {
    pub(super) overload: LengthPrefixed,
    pub(super) late: LengthPrefixed,
    pub(super) internal: LengthPrefixed,
}

impl Undecided {
    /// To Envoy.
    pub(super) fn encoded() -> Self {
        Self::worded(refusal)
    }

    /// In the words of another service: of a reason, and of its cause where there is one.
    pub(super) fn worded(words: impl Fn(Reason, Option<&'static str>) -> LengthPrefixed) -> Self {
        Self {
            overload: words(Reason::Unavailable, Some("overload")),
            late: words(Reason::Unavailable, Some("late")),
            internal: words(Reason::Internal, None),
        }
    }
}

/// The default denial of a reason: of a request that was not read, no realm is known. Nor is its caller; to a gRPC caller Envoy tells a 503 as
/// UNAVAILABLE with the body as its message, which is what a denial for gRPC would have said.
fn refusal(reason: Reason, cause: Option<&'static str>) -> LengthPrefixed {
    let refusal = Err(Refusal::from(reason));
    let mut answer = answer(&refusal, Caller::Http);
    answer.ours.extend(cause.map(|cause| ("cause", Fact::text(cause))));
    answer.encode()
}
