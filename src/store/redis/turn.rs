//! Who appends next. An entry of the audit log is made before it is appended, and is worth nothing once another one has come: a big commit, which
//! takes long to make, would always be late beside many small ones. Whoever was late twice takes a turn, for which everyone else waits.

use std::time::Duration;

use ::redis::aio::ConnectionLike;
use ::redis::{RedisResult, Value, cmd};
use tokio::time::sleep;

use super::{fault, names};

/// How often somebody is late before a turn is taken.
const PATIENCE: u32 = 2;
/// How long a turn is waited for, in milliseconds: longer than any commit takes to be made, less than a call may take.
const LASTS_MS: u64 = 400;
/// How long, at most, somebody waits before the next try while it is another one's turn, for each time that they were late.
const STEP_MS: u64 = 4;
const MOST_MS: u64 = 32;

/// One's own turn, if it was taken.
#[derive(Debug, Default)]
pub(super) struct Turn {
    late: u32,
    token: String,
}

impl Turn {
    /// What it is known by; empty: it is not taken.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// To be called when the log had gone on. Takes a turn, or waits a little where another one has it.
    pub(super) async fn was_late<C: ConnectionLike>(&mut self, connection: &mut C) -> RedisResult<()> {
        self.late += 1;
        if self.late < PATIENCE {
            return Ok(());
        }
        let drawn = getrandom::u64().unwrap_or_default();
        let token = format!("{drawn:016x}");
        let mut take = cmd("SET");
        take.arg(names::TURN).arg(&token).arg("NX").arg("PX").arg(LASTS_MS);
        match take.query_async(connection).await {
            Ok(Value::Okay) => self.token = token,
            // what only takes something away goes on where memory is full, without a turn
            Err(error) if !fault::is_full(&error) => return Err(error),
            _ => sleep(Duration::from_millis(drawn % MOST_MS.min(STEP_MS * u64::from(self.late)))).await,
        }
        Ok(())
    }
}
