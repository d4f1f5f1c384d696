//! The way to the primary: an address that never changes, or one that Sentinels or the nodes of a Cluster are asked for, again whenever a
//! connection shows that it leads elsewhere, and every second besides: a primary that was replaced may go on answering for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult, cmd};

use super::cluster::{Cluster, Slots};
use super::door::{Door, Node};
use super::fault;
use super::sentinel::Sentinels;
use super::settings::{Place, Settings, User};

/// How often it is asked who the primary is, while all goes well.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// How to reach the primary as one user.
pub(super) struct Way {
    finder: Finder,
    door: Door,
    found: Mutex<Found>,
}

enum Finder {
    /// Where the door is.
    Fixed(Client),
    Sentinel(Sentinels),
    Cluster(Cluster),
}

/// What was found last.
#[derive(Default)]
struct Found {
    /// Goes up when connections made before are no good any more.
    number: u64,
    primary: Option<Node>,
    /// Of a Cluster.
    slots: Arc<Slots>,
}

impl Way {
    /// As this user, or as the URL's.
    pub(super) fn new(settings: &Settings, user: Option<&User>) -> RedisResult<Arc<Self>> {
        let certificates = settings.certificates.as_ref();
        let (finder, door) = match &settings.place {
            Place::Single { url } => {
                let door = Door::new(url, user, certificates)?;
                (Finder::Fixed(door.client()?), door)
            }
            Place::Sentinel { urls, master } => {
                let doors = urls.iter().map(|url| Door::new(url, None, certificates)).collect::<RedisResult<Vec<_>>>()?;
                let door = first(&doors)?.without_user().with_user(user);
                (Finder::Sentinel(Sentinels::new(&doors, master, settings.connect_timeout / 2)?), door)
            }
            Place::Cluster { urls } => {
                let doors = urls.iter().map(|url| Door::new(url, user, certificates)).collect::<RedisResult<Vec<_>>>()?;
                let door = first(&doors)?.clone();
                (Finder::Cluster(Cluster::new(&doors, settings.connect_timeout / 2)?), door)
            }
        };
        Ok(Arc::new(Self { finder, door, found: Mutex::default() }))
    }

    /// The way to one node, whatever it is.
    pub(super) fn to(&self, node: &Node) -> RedisResult<Arc<Self>> {
        let door = self.door.at(node);
        Ok(Arc::new(Self { finder: Finder::Fixed(door.client()?), door, found: Mutex::default() }))
    }

    /// Whether windows are spread over several nodes.
    pub(super) fn is_spread(&self) -> bool {
        matches!(self.finder, Finder::Cluster(_))
    }

    /// Whether there is somebody to be asked for it.
    pub(super) fn is_found(&self) -> bool {
        !matches!(self.finder, Finder::Fixed(_))
    }

    /// Under which number connections are made that still lead to the primary.
    pub(super) fn number(&self) -> u64 {
        self.with(|found| found.number)
    }

    /// Which node has which slot, as it was told last.
    pub(super) fn slots(&self) -> Arc<Slots> {
        self.with(|found| found.slots.clone())
    }

    /// A new connection to the primary, and the number that it is made under.
    pub(super) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<(u64, MultiplexedConnection)> {
        if let Finder::Fixed(client) = &self.finder {
            return Ok((self.number(), client.get_multiplexed_async_connection_with_config(config).await?));
        }
        let (number, primary) = self.find().await?;
        let connection = self.primary(&primary, config).await;
        // one that is full, or lets nobody in any more, may still serve those whom it has let in
        if connection.as_ref().is_err_and(fault::leads_astray) {
            self.leads_astray(number);
        }
        Ok((number, connection?))
    }

    /// How to speak to the primary, whom it is asked for, and the number of connections that are made so.
    pub(super) async fn door(&self) -> RedisResult<(u64, Door)> {
        if !self.is_found() {
            return Ok((self.number(), self.door.clone()));
        }
        let (number, primary) = self.find().await?;
        Ok((number, self.door.at(&primary)))
    }

    /// Connections under this number lead to no primary: those who have one make another, and it is asked anew where to. Where an address is
    /// all there is, others may stay with what they have.
    pub(super) fn leads_astray(&self, number: u64) {
        self.with(|found| {
            if self.is_found() && found.number == number {
                (found.number, found.primary) = (number + 1, None);
            }
        });
    }

    /// Asks who the primary is.
    pub(super) async fn find(&self) -> RedisResult<(u64, Node)> {
        let before = self.with(|found| found.primary.clone());
        let (primary, slots) = match &self.finder {
            Finder::Fixed(_) => return Err(fault::lost("this way is fixed")),
            Finder::Sentinel(sentinels) => (sentinels.primary().await?, Arc::default()),
            Finder::Cluster(cluster) => cluster.primary(before.as_ref(), &self.slots()).await?,
        };
        Ok(self.with(|found| {
            // What was asked before somebody went astray may be what led him there: who asks next will see.
            if found.primary.as_ref() != Some(&primary) {
                found.number += 1;
            }
            (found.primary, found.slots) = (Some(primary.clone()), slots);
            (found.number, primary)
        }))
    }

    /// Keeps asking, until nobody has this any more.
    pub(super) fn watch(self: &Arc<Self>) {
        if !self.is_found() {
            return;
        }
        let way = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(ASKED_EVERY).await;
                let Some(way) = way.upgrade() else { return };
                if let Err(error) = way.find().await {
                    tracing::debug!("who the primary is cannot be told: {error}");
                }
            }
        });
    }

    async fn primary(&self, node: &Node, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let client = self.door.at(node).client()?;
        let mut connection = client.get_multiplexed_async_connection_with_config(config).await?;
        is_primary(&mut connection, node).await?;
        Ok(connection)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Found) -> T) -> T {
        work(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the node at the other end says so itself: an error where it does not.
pub(super) async fn is_primary(connection: &mut MultiplexedConnection, node: &Node) -> RedisResult<()> {
    let role: Vec<::redis::Value> = cmd("ROLE").query_async(connection).await?;
    match role.into_iter().next().map(::redis::from_redis_value::<String>) {
        Some(Ok(role)) if role == "master" => Ok(()),
        _ => Err(fault::lost(&format!("{node} is no primary"))),
    }
}

fn first(doors: &[Door]) -> RedisResult<&Door> {
    doors.first().ok_or_else(|| (ErrorKind::InvalidClientConfig, "there is no URL").into())
}
