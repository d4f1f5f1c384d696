//! Scripts, called by their hash. A server that was restarted, promoted or emptied of scripts gets the text instead, and no call fails for it.

use std::sync::OnceLock;

use ::redis::aio::ConnectionLike;
use ::redis::{Cmd, FromRedisValue, RedisResult};

use super::fault;

/// A script.
pub(super) struct Script {
    text: &'static str,
    hash: OnceLock<String>,
    /// How it is called, by its hash and by its text.
    verbs: [&'static str; 2],
}

impl Script {
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text, hash: OnceLock::new(), verbs: ["EVALSHA", "EVAL"] }
    }

    /// One that only reads: who calls it need not have the right to write.
    pub(super) const fn reading(text: &'static str) -> Self {
        Self { text, hash: OnceLock::new(), verbs: ["EVALSHA_RO", "EVAL_RO"] }
    }

    /// The start of a call: names and arguments follow.
    pub(super) fn by_hash(&self) -> Cmd {
        let hash = self.hash.get_or_init(|| ::redis::Script::new(self.text).get_hash().to_owned());
        command(self.verbs[0], hash)
    }

    /// The start of the same call to a server that does not know the script.
    pub(super) fn by_text(&self) -> Cmd {
        command(self.verbs[1], self.text)
    }

    /// Calls it with what `rest` writes behind its name.
    pub(super) async fn run<T, C>(&self, connection: &mut C, rest: impl Fn(&mut Cmd)) -> RedisResult<T>
    where
        T: FromRedisValue,
        C: ConnectionLike,
    {
        let call = |mut start: Cmd| {
            rest(&mut start);
            start
        };
        match call(self.by_hash()).query_async(connection).await {
            Err(error) if fault::is_unknown_script(&error) => call(self.by_text()).query_async(connection).await,
            outcome => outcome,
        }
    }
}

fn command(verb: &str, script: &str) -> Cmd {
    let mut command = ::redis::cmd(verb);
    command.arg(script);
    command
}
