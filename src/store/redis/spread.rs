//! Windows of a Cluster: each owner's are in a slot of their own, so that charges go to many nodes, each over a link of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{RedisResult, Value};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::door::Node;
use super::link::Link;
use super::way::Way;
use super::{Settings, cluster, fault, names, take};
use crate::store::{Charge, StoreError, Taken};

/// Links to the nodes of a Cluster.
pub(super) struct Spread {
    way: Arc<Way>,
    settings: Settings,
    links: Mutex<HashMap<Node, Arc<Link>>>,
}

/// Charges, by their place in the batch, that go over one link.
type Part = (Arc<Link>, Vec<usize>);

/// What became of one charge.
type Answer = Result<RedisResult<Value>, StoreError>;

impl Spread {
    pub(super) fn new(way: Arc<Way>, settings: &Settings) -> Self {
        Self { way, settings: settings.clone(), links: Mutex::default() }
    }

    /// Takes, at all nodes at once. A charge that met a node which has its slot no more was not run there: it is sent to the one that has it,
    /// once.
    pub(super) async fn take(&self, deadline: Instant, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        let all: Vec<usize> = (0..charges.len()).collect();
        let mut answers: HashMap<usize, Answer> = self.send(deadline, charges, &all).await?.into_iter().collect();
        let elsewhere = |answer: &Answer| matches!(answer, Ok(Err(error)) if fault::is_elsewhere(error));
        let again: Vec<usize> = all.iter().copied().filter(|at| answers.get(at).is_some_and(elsewhere)).collect();
        if !again.is_empty() {
            self.find(deadline).await?;
            answers.extend(self.send(deadline, charges, &again).await?);
        }
        let answer = |at| answers.remove(&at).unwrap_or_else(|| Err(fault::no_answer()));
        Ok(all
            .into_iter()
            .map(answer)
            .map(|answer| take::answered(answer.and_then(|answer| answer.map_err(|error| fault::fault(&error)))))
            .collect())
    }

    async fn send(&self, deadline: Instant, charges: &[Charge], which: &[usize]) -> Result<Vec<(usize, Answer)>, StoreError> {
        if self.way.slots().nodes().next().is_none() {
            self.find(deadline).await?;
        }
        let calls = self.by_node(charges, which)?.into_iter().map(|(link, which)| async move {
            let part: Vec<&Charge> = which.iter().map(|at| &charges[*at]).collect();
            let answers = link.run(deadline, |connection| async move { take::answers(connection, &part).await }).await;
            match answers {
                Ok(answers) => which.into_iter().zip(answers.into_iter().map(Ok)).collect::<Vec<_>>(),
                Err(error) => which.into_iter().map(|at| (at, Err(error.clone()))).collect(),
            }
        });
        Ok(join_all(calls).await.into_iter().flatten().collect())
    }

    /// Which charges go over which link; those in one slot stay in their order. Links to nodes that have left are dropped.
    fn by_node(&self, charges: &[Charge], which: &[usize]) -> Result<Vec<Part>, StoreError> {
        let slots = self.way.slots();
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|node, _| slots.nodes().any(|other| other == node));
        let mut parts: HashMap<&Node, Vec<usize>> = HashMap::new();
        for at in which {
            let slot = take::subjects(&charges[*at]).first().map_or(0, |subject| cluster::slot(&names::tag(subject)));
            let node = slots.of(slot).ok_or_else(|| StoreError::Unavailable(format!("no node of the Cluster has slot {slot}")))?;
            parts.entry(node).or_default().push(*at);
        }
        let mut link = |node: &Node| {
            if let Some(link) = links.get(node) {
                return Ok(link.clone());
            }
            let way = self.way.to(node).map_err(|error| fault::unusable(&error))?;
            let link = Arc::new(Link::new(way, &self.settings));
            links.insert(node.clone(), link.clone());
            Ok::<_, StoreError>(link)
        };
        parts.into_iter().map(|(node, which)| Ok((link(node)?, which))).collect()
    }

    async fn find(&self, deadline: Instant) -> Result<(), StoreError> {
        let found = timeout_at(deadline, self.way.find()).await.map_err(|_| fault::no_answer())?;
        found.map(|_| ()).map_err(|error| fault::fault(&error))
    }
}
