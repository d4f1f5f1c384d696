//! What Redis, or the way to it, says, as a word of the trait: one table. Nothing here ever becomes «not found».

use std::io;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};
use deadpool_redis::{HookError, PoolError};

use crate::store::StoreError;

const FULL: &str = "its memory is used up (maxmemory), so give it more; revocations and whatever else only takes something away go on";

/// Why a call has no answer.
pub(super) fn fault(error: &RedisError) -> StoreError {
    match error.kind() {
        _ if error.is_timeout() => no_answer(),
        ErrorKind::UnexpectedReturnType => StoreError::Corrupt(format!("Redis answered what keyward never asks for: {error}")),
        ErrorKind::Io => StoreError::Unavailable(format!("no connection to Redis: {error}")),
        _ if is_of_what_is_kept(error) => StoreError::Corrupt(format!("Redis says {}", words(error))),
        _ if is_full(error) => StoreError::Unavailable(format!("Redis says {}: {FULL}", words(error))),
        ErrorKind::Server(_) | ErrorKind::Extension => StoreError::Unavailable(format!("Redis says {}", words(error))),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Whether a script, or a command, failed on what it found: asking again will not help, and nothing is away. That a script lacks a right of
/// its caller's is told in the same form, and may be mended while keyward runs.
fn is_of_what_is_kept(error: &RedisError) -> bool {
    let of_a_script = |detail: &str| detail.contains("user_script") && !detail.contains("The user executing the script");
    error.code() == Some("WRONGTYPE") || (error.code() == Some("ERR") && error.detail().is_some_and(of_a_script))
}

/// A script says so as its command does.
pub(super) fn is_full(error: &RedisError) -> bool {
    error.code() == Some("OOM") || error.detail().is_some_and(|detail| detail.contains("OOM command not allowed"))
}

/// Why no connection could be had from the pool.
pub(super) fn no_connection(error: &PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => fault(error),
        PoolError::Timeout(_) => no_answer(),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// The time for a call is over.
pub(super) fn no_answer() -> StoreError {
    StoreError::Unavailable("Redis did not answer in time".into())
}

/// What was configured can't be used.
pub(super) fn unusable(error: &RedisError) -> StoreError {
    StoreError::Unavailable(format!("the store's url leads nowhere, it must be redis://, rediss:// or unix://: {error}"))
}

/// Whether the server answered on a connection that works, if only to refuse. Where it did not let the connection in, the library keeps that
/// answer and would give it for ever.
pub(super) fn is_an_answer(error: &RedisError) -> bool {
    let let_in = !matches!(error.code(), Some("WRONGPASS" | "NOAUTH"));
    let_in && matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType)
}

/// Whether the connection leads to a server that is no primary, or not that of the slot: another connection may lead to the one that is.
pub(super) fn leads_astray(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, ClusterDown, MasterDown, Moved, ReadOnly};
    matches!(error.kind(), ErrorKind::Server(ReadOnly | MasterDown | Moved | Ask | ClusterDown)) || error.code() == Some("UNBLOCKED")
}

/// Whether the server may have been cut off from those who made another one the primary.
pub(super) fn may_lead_astray(error: &RedisError) -> bool {
    leads_astray(error) || error.code() == Some("NOREPLICAS")
}

/// Whether the server has run nothing, because another one has the slot.
pub(super) fn is_elsewhere(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask))
}

/// There is no way.
pub(super) fn lost(why: &str) -> RedisError {
    io::Error::new(io::ErrorKind::NotConnected, why.to_owned()).into()
}

/// Whether the server does not let keyward, or anyone, give this command.
pub(super) fn is_forbidden(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::ResponseError))
}

/// Whether the server, restarted or emptied of scripts, does not know a script and so has run nothing.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoScript))
}

fn words(error: &RedisError) -> String {
    [error.code(), error.detail()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
