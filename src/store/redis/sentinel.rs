//! Asking Sentinels who the primary is: all of them at once, until most have answered; whoever has seen the latest change is believed.

use std::collections::HashMap;
use std::time::Duration;

use ::redis::RedisResult;

use super::door::{Door, Node};
use super::{ask, fault};

/// Several Sentinels that watch one primary.
pub(super) struct Sentinels {
    asked: Vec<ask::Asked>,
    master: String,
}

/// An address, if the name is known, and what is known under it.
type Answer = (Option<(String, u16)>, HashMap<String, String>);

impl Sentinels {
    /// `patience`: with one that does not answer.
    pub(super) fn new(doors: &[Door], master: &str, patience: Duration) -> RedisResult<Self> {
        let asked = doors.iter().map(|door| ask::Asked::new(door, patience)).collect::<RedisResult<_>>()?;
        Ok(Self { asked, master: master.to_owned() })
    }

    /// Whom the Sentinels name. While a failover goes on, that is the new one as soon as it is one.
    pub(super) async fn primary(&self) -> RedisResult<Node> {
        let mut words = ::redis::pipe();
        words.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        words.cmd("SENTINEL").arg("MASTER").arg(&self.master);
        let answers: Vec<Answer> = ask::most(self.asked.iter().map(|sentinel| sentinel.ask(&words))).await?;
        let latest = answers.into_iter().filter_map(|(address, told)| Some((epoch(&told), address?))).max_by_key(|(epoch, _)| *epoch);
        match latest {
            Some((_, (host, port))) => Ok(Node { host, port }),
            None => Err(fault::lost("no Sentinel names a primary")),
        }
    }
}

/// Goes up with every failover.
fn epoch(told: &HashMap<String, String>) -> u64 {
    told.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or_default()
}
