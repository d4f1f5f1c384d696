//! A peer as it is named on the command line: who answers what, where, and which processes work for it. Nothing is asked here.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::str::FromStr;

/// What is shown to whoever has named one wrongly.
const SHAPE: &str = "a peer is name,address,pid,call: limitador,127.0.0.1:8081,1234,ShouldRateLimit; \
                     pid may be pid+pid, the server's own first, then its store's; call is Check or ShouldRateLimit";

/// A server that runs already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// Of its gRPC port.
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// Processes that it keeps its state in.
    pub(crate) stores: Vec<u32>,
    pub(crate) call: Call,
}

/// What it answers, as Envoy would ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// `envoy.service.auth.v3.Authorization/Check`
    Check,
    /// `envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit`
    ShouldRateLimit,
}

/// Of a `ShouldRateLimit`: each descriptor is entries of a key and a value.
pub(crate) type Descriptors = Vec<Vec<(String, String)>>;

/// All that are named, with spaces between them; at least one.
pub(crate) fn peers(named: &str) -> Result<Vec<Peer>, String> {
    let peers: Vec<Peer> = named.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    if peers.is_empty() { Err(format!("no peer is named: say make bench-peers PEERS=\"…\"; {SHAPE}")) } else { Ok(peers) }
}

/// `key=value` entries with commas between them; a semicolon ends a descriptor.
pub(crate) fn descriptors(named: &str) -> Result<Descriptors, String> {
    let entry = |entry: &str| match entry.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("'{entry}' is not an entry of a descriptor: DESCRIPTORS is key=value,key=value;key=value")),
    };
    named.split(';').map(|descriptor| descriptor.split(',').map(entry).collect()).collect()
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(named: &str) -> Result<Self, String> {
        let wrong = |what: String| format!("'{named}': {what}; {SHAPE}");
        let [name, address, pids, call] = named.split(',').collect::<Vec<_>>()[..] else {
            return Err(wrong("not four words with commas between them".into()));
        };
        if name.is_empty() {
            return Err(wrong("the name is empty".into()));
        }
        let mut addresses =
            address.to_socket_addrs().map_err(|error| wrong(format!("the address '{address}' is no host:port ({error})")))?;
        let address = addresses.next().ok_or_else(|| wrong(format!("the host of '{address}' has no address")))?;
        let pids: Vec<u32> = pids
            .split('+')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong(format!("'{pids}' is no pid, nor pids with + between them")))?;
        let call = match call {
            "Check" => Call::Check,
            "ShouldRateLimit" => Call::ShouldRateLimit,
            other => return Err(wrong(format!("there is no call '{other}'"))),
        };
        Ok(Self { name: name.to_owned(), address, pid: pids[0], stores: pids[1..].to_vec(), call })
    }
}

impl Peer {
    /// Whether its processes are there to be measured.
    pub(crate) fn runs(&self) -> Result<(), String> {
        let gone = self.pids().find(|pid| !Path::new("/proc").join(pid.to_string()).join("stat").exists());
        gone.map_or(Ok(()), |pid| {
            Err(format!(
                "{}: no process {pid} runs here: `pgrep -a` finds it by its name; of a container it is the pid on the host \
                 (docker inspect -f '{{{{.State.Pid}}}}' NAME), and the host is this machine",
                self.name
            ))
        })
    }

    fn pids(&self) -> impl Iterator<Item = u32> {
        std::iter::once(self.pid).chain(self.stores.iter().copied())
    }
}
