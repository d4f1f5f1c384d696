//! Asking the nodes of a Cluster who has which hash slot.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Pipeline, RedisResult, Value, from_redis_value};
use tokio::sync::Mutex;

use super::ask::{self, Asked};
use super::door::{Door, Node};
use super::{fault, names};

const SLOTS: u16 = 16_384;

/// A Cluster.
pub(super) struct Cluster {
    /// Those that the configuration names.
    seeds: Vec<(Node, Arc<Asked>)>,
    door: Door,
    patience: Duration,
    /// Others, that were asked since.
    known: Mutex<HashMap<Node, Arc<Asked>>>,
}

/// Which primary has which slots: ranges, first and last, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Slots(Vec<(u16, u16, Node)>);

impl Cluster {
    pub(super) fn new(doors: &[Door], patience: Duration) -> RedisResult<Self> {
        let seed = |door: &Door| {
            let node = door.node().ok_or_else(|| fault::lost("a Cluster has no sockets with names"))?;
            Ok((node, Arc::new(Asked::new(door, patience)?)))
        };
        let seeds = doors.iter().map(seed).collect::<RedisResult<Vec<_>>>()?;
        let door = doors.first().cloned().ok_or_else(|| fault::lost("there is no node to ask"))?;
        Ok(Self { seeds, door, patience, known: Mutex::default() })
    }

    /// Who has the slot of keys and owners, and who has the others. The node that had it is asked first, as long as nobody doubts it: it is
    /// the first to know that it has it no more. Else most nodes decide.
    pub(super) async fn primary(&self, before: Option<&Node>, slots: &Slots) -> RedisResult<(Node, Arc<Slots>)> {
        if let Some(before) = before {
            let asked = self.asked([before]).await?;
            if let Ok(slots) = tell(before, &asked[0]).await
                && let Some(primary) = slots.of(slot(names::TAG))
            {
                return Ok((primary.clone(), Arc::new(slots)));
            }
        }
        let mut nodes: Vec<&Node> = self.seeds.iter().map(|(node, _)| node).collect();
        nodes.extend(slots.0.iter().map(|(.., node)| node));
        nodes.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        nodes.dedup();
        let asked = self.asked(nodes.iter().copied()).await?;
        let answers = ask::most(nodes.iter().zip(&asked).map(|(node, asked)| tell(node, asked))).await?;
        let named: Vec<&Node> = answers.iter().filter_map(|slots| slots.of(slot(names::TAG))).collect();
        let votes = |node: &Node| named.iter().filter(|other| **other == node).count();
        let Some(primary) = named.iter().copied().max_by_key(|node| votes(node)).cloned() else {
            return Err(fault::lost("no node of the Cluster names a primary"));
        };
        let slots = answers.into_iter().find(|slots| slots.of(slot(names::TAG)) == Some(&primary)).unwrap_or_default();
        Ok((primary, Arc::new(slots)))
    }

    /// Those who can be asked; nodes that are neither seeds nor among these are forgotten.
    async fn asked<'a>(&self, nodes: impl IntoIterator<Item = &'a Node>) -> RedisResult<Vec<Arc<Asked>>> {
        let mut known = self.known.lock().await;
        let mut asked = Vec::new();
        for node in nodes {
            let seed = self.seeds.iter().find(|(seed, _)| seed == node).map(|(_, asked)| asked.clone());
            let one = match seed.or_else(|| known.get(node).cloned()) {
                Some(one) => one,
                None => Arc::new(Asked::new(&self.door.at(node), self.patience)?),
            };
            known.insert(node.clone(), one.clone());
            asked.push(one);
        }
        known.retain(|_, kept| asked.iter().any(|asked| Arc::ptr_eq(asked, kept)));
        Ok(asked)
    }
}

impl Slots {
    /// Who has a slot.
    pub(super) fn of(&self, slot: u16) -> Option<&Node> {
        let at = self.0.partition_point(|(_, last, _)| *last < slot);
        self.0.get(at).filter(|(first, ..)| *first <= slot).map(|(.., node)| node)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.0.iter().map(|(.., node)| node)
    }
}

/// The hash slot of a name's tag.
pub(super) fn slot(tag: &str) -> u16 {
    let crc = tag.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    });
    crc % SLOTS
}

async fn tell(node: &Node, asked: &Asked) -> RedisResult<Slots> {
    let mut words = Pipeline::new();
    words.cmd("CLUSTER").arg("SLOTS");
    let (ranges,): (Vec<Vec<Value>>,) = asked.ask(&words).await?;
    let mut slots = ranges.into_iter().map(|range| range_of(range, node)).collect::<RedisResult<Vec<_>>>()?;
    slots.sort_by_key(|(first, ..)| *first);
    Ok(Slots(slots))
}

/// First slot, last slot, its primary (host, port, ..) and replicas. No host, or «?»: that of the node which says so.
fn range_of(range: Vec<Value>, told_by: &Node) -> RedisResult<(u16, u16, Node)> {
    let mut range = range.into_iter();
    let (Some(first), Some(last), Some(Value::Array(primary))) = (range.next(), range.next(), range.next()) else {
        return Err(fault::lost("a range of slots without a primary"));
    };
    let mut primary = primary.into_iter();
    let host: Option<String> = from_redis_value(primary.next().unwrap_or(Value::Nil))?;
    let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| told_by.host.clone());
    let port = from_redis_value(primary.next().unwrap_or(Value::Nil))?;
    Ok((from_redis_value(first)?, from_redis_value(last)?, Node { host, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> Node {
        Node { host: "h".into(), port }
    }

    #[test]
    fn a_slot_is_what_redis_says_it_is() {
        for (tag, expected) in [("", 0), ("123456789", 0x31C3), ("kw", slot("kw")), ("foo", 12_182), ("user1000", 3_443)] {
            assert_eq!(slot(tag), expected, "{tag}");
        }
    }

    #[test]
    fn a_slot_has_the_node_of_its_range_and_none_where_nobody_has_it() {
        let slots = Slots(vec![(0, 99, node(1)), (200, 16_383, node(2))]);
        let of = |slot| slots.of(slot).map(|node| node.port);
        assert_eq!([0, 99, 100, 199, 200, 16_383].map(of), [Some(1), Some(1), None, None, Some(2), Some(2)]);
        assert_eq!(Slots::default().of(5), None);
    }

    #[test]
    fn a_node_that_does_not_know_its_own_name_is_where_it_was_asked() {
        let range =
            |host| vec![Value::Int(0), Value::Int(5), Value::Array(vec![host, Value::Int(7_000), Value::SimpleString("id".into())])];
        let name = |text: &str| Value::BulkString(text.into());
        for (host, expected) in [(name("a.example"), "a.example"), (name(""), "h"), (name("?"), "h"), (Value::Nil, "h")] {
            let (first, last, primary) = range_of(range(host), &node(1)).unwrap();
            assert_eq!((first, last, primary.host.as_str(), primary.port), (0, 5, expected, 7_000));
        }
        assert!(range_of(vec![Value::Int(0)], &node(1)).is_err());
    }
}
