//! Why a command did not do what it was told, in words that say what to do next, and as an exit code.

use std::fmt;

use anstyle::{AnsiColor, Style};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The exit code of wrong usage, as clap has it.
pub(super) const USAGE: u8 = 2;

/// As clap has them.
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Each is printed to standard error as it stands.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server, or this command, refused.
    Refused(String),
    /// Arguments, environment or files are wrong.
    Usage(String),
    /// There is no server to ask, or none that can answer now.
    Unreachable(String),
    /// What is named is not there.
    NotFound(String),
    /// What is there is in the way: it exists, it has changed, or something must come before.
    Conflict(String),
    /// The token is refused, or must not do this.
    Forbidden(String),
    /// A change is recorded, and not guaranteed yet.
    NotGuaranteed(String),
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage(_) => USAGE,
            Self::Unreachable(_) => 3,
            Self::NotFound(_) => 4,
            Self::Conflict(_) => 5,
            Self::Forbidden(_) => 6,
            Self::NotGuaranteed(_) => 7,
        }
    }

    /// To standard error; in colours where that is a terminal that has them, and nobody said no.
    pub(super) fn print(&self) {
        for line in self.to_string().lines() {
            match line.split_once(": ") {
                Some(("error", says)) => anstream::eprintln!("{ERROR}error:{ERROR:#} {says}"),
                Some(("hint", says)) => anstream::eprintln!("{HINT}hint:{HINT:#} {says}"),
                _ => anstream::eprintln!("{line}"),
            }
        }
    }

    pub(super) fn usage(says: impl fmt::Display) -> Self {
        Self::Usage(format!("error: {says}"))
    }

    pub(super) fn unreachable(server: &str, why: &impl std::error::Error) -> Self {
        Self::unreachable_by("--server or KEYWARD_SERVER", server, why)
    }

    /// `named`: where it was said what to ask.
    pub(super) fn unreachable_by(named: &str, server: &str, why: &impl std::error::Error) -> Self {
        Self::Unreachable(format!(
            "error: no keyward answers at {server}: {}\nhint: is it running there? Name it with {named}",
            causes(why)
        ))
    }

    /// What a call was answered. A server that answers says why in details of its own; what has none did not come from one.
    pub(super) fn of_call(server: &str, status: &Status) -> Self {
        let details = status.get_error_details();
        let lost = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::DeadlineExceeded | Code::Cancelled);
        if lost && details.error_info().is_none() {
            return Self::unreachable(server, status);
        }
        let lines =
            [format!("error: {}", sentence(status, &details))].into_iter().chain(hint(&details).map(|hint| format!("hint: {hint}")));
        Self::kind(status.code(), &details)(lines.collect::<Vec<_>>().join("\n"))
    }

    /// What a refusal is to whoever tells them apart by the exit code.
    fn kind(code: Code, details: &ErrorDetails) -> fn(String) -> Self {
        match code {
            _ if details.error_info().is_some_and(|about| about.reason == "NOT_GUARANTEED") => Self::NotGuaranteed,
            Code::Unavailable => Self::Unreachable,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => Self::Conflict,
            Code::Unauthenticated | Code::PermissionDenied => Self::Forbidden,
            _ => Self::Refused,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(says)
        | Self::Usage(says)
        | Self::Unreachable(says)
        | Self::NotFound(says)
        | Self::Conflict(says)
        | Self::Forbidden(says)
        | Self::NotGuaranteed(says)) = self;
        f.write_str(says)
    }
}

/// The message, or one line for each wrong field.
fn sentence(status: &Status, details: &ErrorDetails) -> String {
    let fields = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    if fields.is_empty() {
        return match status.message() {
            "" => format!("the server says {:?} and nothing more: is it keyward's admin port?", status.code()),
            message => message.to_owned(),
        };
    }
    let lines = fields.iter().map(|wrong| format!("\n  {}: {}", wrong.field, wrong.description));
    format!("the server does not take this:{}", lines.collect::<String>())
}

/// What to type next, where that can be known.
fn hint(details: &ErrorDetails) -> Option<String> {
    let about = details.error_info()?;
    let of = |name: &str| about.metadata.get(name).map_or("...", String::as_str);
    Some(match about.reason.as_str() {
        "OWNER_MISSING" => format!("keyward owners create --realm {} {}", of("realm"), of("owner")),
        "OWNER_NOT_FOUND" => format!("keyward owners list --realm {}", of("realm")),
        "OWNER_EXISTS" => format!("keyward owners get --realm {} {}", of("realm"), of("owner")),
        "REALM_NOT_FOUND" => "the server reads realm files when it starts: is the file among its `realms`, and was it restarted?".into(),
        "REQUEST_ID_REUSED" => "give another --request-id, or none".into(),
        "NO_LEASE" | "STORE_AWAY" | "BUSY" => "run it again in a moment".into(),
        "KEY_NOT_FOUND" => format!("keyward keys list --realm {}", of("realm")),
        "TOKEN_REFUSED" => {
            "name a file that holds a valid token with --token-file or KEYWARD_TOKEN_FILE; `keyward bootstrap` makes the first".into()
        }
        "ROLE_MISSING" => format!("an admin makes such a token: keyward keys create --realm keyward --scope {} ...", of("role")),
        "NOT_GUARANTEED" if of("rpc").starts_with("Update") => {
            "run it again, without --etag: what it has changed stays so, and is waited for".into()
        }
        "NOT_GUARANTEED" => format!("keyward revocation wait {} --position {}", of("name"), of("position")),
        "NOT_RESTRICTED" => match of("name") {
            name if name.contains("/owners/") => format!("keyward owners disable {name}"),
            name => format!("keyward keys revoke {name}"),
        },
        "ROLLED_BACK" => "keyward revocation resume, once the lost revocations are made again; docs/operations.md tells how".into(),
        "PEPPER_HOLDS_KEYS" => format!("keyward pepper withdraw {} --dry-run; --force stops them", of("pepper")),
        "PEPPER_IN_USE" | "PEPPER_NOT_FOUND" => "keyward pepper status".into(),
        "ETAG_MISMATCH" => "read it again, and give the etag that it has now".into(),
        _ => return None,
    })
}

/// An error and all that led to it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut says = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_says = cause.to_string();
        if !says.contains(&cause_says) {
            says = format!("{says}: {cause_says}");
        }
        source = cause.source();
    }
    says
}
