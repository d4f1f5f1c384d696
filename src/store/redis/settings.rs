//! What a store in Redis is told: where Redis is, who asks, and what is demanded.

use std::fmt;
use std::time::Duration;

use crate::revocation::Level;

/// How to reach Redis. Nothing of it is shown by its debug form: it holds passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    pub place: Place,
    /// Who checks; `None`: whom the URL names. Who asks Sentinels is always whom their URLs name.
    pub user: Option<User>,
    /// Who changes records; `None`: who checks does that too.
    pub admin: Option<User>,
    /// Instead of what this machine trusts and shows.
    pub certificates: Option<Certificates>,
    pub connect_timeout: Duration,
    /// For one call of a check; any other call may make its connection besides.
    pub timeout: Duration,
    /// What a commit must reach before it counts as made; `None`: what it reaches is told.
    pub level: Option<Level>,
    /// Nodes, besides the primary, that may become the primary: at level `replicated` all of them must have a change.
    pub replicas: u32,
    /// How long leases of replicas last: a primary that is cut off must stop granting them sooner.
    pub lease: Duration,
}

/// Where the primary is to be found.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// At `redis://[user:password@]host:port[/db]`, `rediss://…` or `unix:///path[?db=…&user=…&pass=…]`.
    Single { url: String },
    /// Where these Sentinels say that the primary of this name is. Where they are spoken to over TLS, it is too.
    Sentinel { urls: Vec<String>, master: String },
    /// Where the hash slot is, in the Cluster that these nodes are of.
    Cluster { urls: Vec<String> },
}

/// A user of Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub password: String,
}

/// For TLS, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates {
    /// Who vouches for Redis.
    pub authority: Option<Vec<u8>>,
    /// A certificate to show and its key.
    pub own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Settings {
    /// One Redis, with the usual times, of which nothing is demanded.
    pub fn at(url: impl Into<String>) -> Self {
        Self::new(Place::Single { url: url.into() })
    }

    /// The same, wherever it is.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            user: None,
            admin: None,
            certificates: None,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_millis(50),
            level: None,
            replicas: 0,
            lease: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings(..)")
    }
}
