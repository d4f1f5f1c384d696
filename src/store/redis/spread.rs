//! Windows of a Cluster: each owner's are in a slot of their own, so that calls go to many nodes, each over a link of its own.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{RedisResult, Value};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::calls::{self, Ask};
use super::door::Node;
use super::link::Link;
use super::links::Links;
use super::way::Way;
use super::{Settings, cluster, fault, names};
use crate::store::{StoreError, SubjectName};

/// Links to the nodes of a Cluster.
pub(super) struct Spread {
    way: Arc<Way>,
    settings: Settings,
    links: Mutex<HashMap<Node, Links>>,
}

/// Calls, by their place in the batch, that go over one link, or why there is none.
type Part = (Result<Link, StoreError>, Vec<usize>);

/// What became of one call.
type Answer = Result<RedisResult<Value>, StoreError>;

impl Spread {
    pub(super) fn new(way: Arc<Way>, settings: &Settings) -> Self {
        Self { way, settings: settings.clone(), links: Mutex::default() }
    }

    /// The node that has an owner's windows, as a number; 0 where none is known to.
    pub(super) fn part(&self, owner: &SubjectName) -> u64 {
        let slots = self.way.slots();
        slots.of(cluster::slot(&names::tag(owner))).map_or(0, |node| {
            let mut number = DefaultHasher::new();
            node.hash(&mut number);
            number.finish()
        })
    }

    /// Asks all nodes at once. A call that met a node which has its slot no more was not run there: it is sent to the one that has it, once.
    pub(super) async fn ask<A: Ask>(&self, deadline: Instant, asks: &[A]) -> Result<Vec<calls::Answer>, StoreError> {
        let all: Vec<usize> = (0..asks.len()).collect();
        let mut answers: HashMap<usize, Answer> = self.send(deadline, asks, &all).await?.into_iter().collect();
        let elsewhere = |answer: &Answer| matches!(answer, Ok(Err(error)) if fault::is_elsewhere(error));
        let again: Vec<usize> = all.iter().copied().filter(|at| answers.get(at).is_some_and(elsewhere)).collect();
        if !again.is_empty() && self.find(deadline).await.is_ok() {
            answers.extend(self.send(deadline, asks, &again).await?);
        }
        let mut answer = |at| answers.remove(&at).unwrap_or_else(|| Err(fault::no_answer()));
        Ok(all.into_iter().map(|at| answer(at)?.map_err(|error| fault::fault(&error))).collect())
    }

    async fn send<A: Ask>(&self, deadline: Instant, asks: &[A], which: &[usize]) -> Result<Vec<(usize, Answer)>, StoreError> {
        if self.way.slots().nodes().next().is_none() {
            self.find(deadline).await?;
        }
        let calls = self.by_node(asks, which).into_iter().map(|(link, which)| async move {
            let part: Vec<&A> = which.iter().map(|at| &asks[*at]).collect();
            let answers = match link {
                Ok(link) => link.run_all(deadline, |connection| async move { calls::answers(connection, &part).await }).await,
                Err(error) => Err(error),
            };
            match answers {
                Ok(answers) => which.into_iter().zip(answers.into_iter().map(Ok)).collect::<Vec<_>>(),
                Err(error) => which.into_iter().map(|at| (at, Err(error.clone()))).collect(),
            }
        });
        Ok(join_all(calls).await.into_iter().flatten().collect())
    }

    /// Which calls go over which link; those in one slot stay in their order. Links to nodes that have left are dropped.
    fn by_node<A: Ask>(&self, asks: &[A], which: &[usize]) -> Vec<Part> {
        let slots = self.way.slots();
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|node, _| slots.nodes().any(|other| other == node));
        let mut parts: HashMap<Option<&Node>, Vec<usize>> = HashMap::new();
        for at in which {
            parts.entry(slots.of(calls::slot(&asks[*at]))).or_default().push(*at);
        }
        let mut link = |node: Option<&Node>| {
            let node = node.ok_or_else(|| StoreError::Unavailable("no node of the Cluster has its slot".into()))?;
            if let Some(links) = links.get(node) {
                return Ok(links.here());
            }
            let way = self.way.to(node).map_err(|error| fault::unusable(&error))?;
            Ok(links.entry(node.clone()).or_insert(Links::new(way, &self.settings)).here())
        };
        parts.into_iter().map(|(node, which)| (link(node), which)).collect()
    }

    async fn find(&self, deadline: Instant) -> Result<(), StoreError> {
        let found = timeout_at(deadline, self.way.find()).await.map_err(|_| fault::no_answer())?;
        found.map(|_| ()).map_err(|error| fault::fault(&error))
    }
}
