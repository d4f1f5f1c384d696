//! Who is at the other end of a connection: the server puts it beside each of its requests.

use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::actor::San;

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
    /// The names in the certificate that it has shown, where it was asked for one; an authority of the configuration has signed it.
    pub names: Arc<[San]>,
}
