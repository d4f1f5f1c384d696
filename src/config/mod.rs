//! Files to checked domain values. Every problem of every file is reported at once, with line and key.
//!
//! [`realm`](realm()) and [`load`](load()) read a whole file from top to bottom; the files below them read one topic each. How a document
//! is read is in `document`, `map` and `list`.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::actor::Certified;
use crate::domain::realms::Realms;
use crate::domain::retention::Retention;

mod admin;
mod certified;
mod doubts;
mod load;
mod peppers;
mod realm;
mod realms;
mod replica;
mod retention;

mod addresses;
mod bytes;
mod credentials;
mod denials;
mod hosts;
mod identity;
mod imported;
mod json;
mod keys;
mod life;
mod limits;
mod listen;
mod redis;
mod routes;
mod store;

mod document;
mod duration;
mod hint;
mod list;
mod map;
mod names;
mod paths;
mod problem;
mod yaml;

pub use admin::admin_realm;
pub use doubts::doubts;
pub use duration::duration_of;
pub use listen::{Endpoint, Listen, Tls};
pub use load::load;
pub use peppers::peppers;
pub use problem::{Problem, Problems};
pub use realm::realm;
pub use realms::realms;
pub use redis::{RedisConfig, RedisPlace, RedisTls, RedisUser};
pub use replica::ReplicaConfig;
pub use store::StoreConfig;

/// What `keyward serve` runs from.
#[derive(Debug, Clone)]
pub struct Config {
    pub realms: Realms,
    pub store: StoreConfig,
    /// A file of peppers, newest first. `None`: the embedded store makes one beside its data.
    pub pepper_file: Option<PathBuf>,
    /// Holds the one-time secret of the bootstrap. `None`: the embedded store makes one beside its data.
    pub bootstrap_file: Option<PathBuf>,
    pub replica: ReplicaConfig,
    pub listen: Listen,
    /// Who is let in to the admin API by a client certificate.
    pub certified: Vec<Certified>,
    /// A check is answered within this time, whatever the store does.
    pub check_deadline: Duration,
    /// How many checks may wait at one time, for the store or for the rest of what they ask; one more is refused at once.
    pub checks_at_once: usize,
    /// For how long a server that was told to stop goes on answering, so that proxies learn of it and turn to others.
    pub leave: Duration,
    /// For how long what has ended is kept.
    pub retention: Retention,
    /// Where traces go, by OTLP over gRPC; `None`: nowhere.
    pub otlp_endpoint: Option<String>,
}
