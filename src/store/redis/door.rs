//! How any node is spoken to: as which user, over TLS or not, with which certificates.

use std::fmt;

use ::redis::io::tcp::TcpSettings;
use ::redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult, TlsCertificates};

use super::settings::{Certificates, User};

/// How to speak to a node, and where one is.
#[derive(Clone)]
pub(super) struct Door {
    info: ConnectionInfo,
    certificates: Option<TlsCertificates>,
}

/// A node's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Door {
    /// What a URL says, as this user if there is one.
    pub(super) fn new(url: &str, user: Option<&User>, certificates: Option<&Certificates>) -> RedisResult<Self> {
        let info = url.into_connection_info()?;
        // Under RESP3 a connection that was lost is noticed, and made again, before the next call needs it.
        let spoken = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(spoken).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let certificates = certificates.map(|certificates| TlsCertificates {
            client_tls: certificates.own.clone().map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key }),
            root_cert: certificates.authority.clone(),
        });
        Ok(Self { info, certificates }.with_user(user))
    }

    /// The same as nobody in particular, in the first database.
    pub(super) fn without_user(&self) -> Self {
        let nobody = ::redis::RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        Self { info: self.info.clone().set_redis_settings(nobody), certificates: self.certificates.clone() }
    }

    /// The same as this user, if there is one.
    pub(super) fn with_user(self, user: Option<&User>) -> Self {
        let Some(user) = user else { return self };
        let spoken = self.info.redis_settings().clone().set_username(&user.name).set_password(&user.password);
        Self { info: self.info.set_redis_settings(spoken), certificates: self.certificates }
    }

    /// The same at another node.
    pub(super) fn at(&self, node: &Node) -> Self {
        let (host, port) = (node.host.clone(), node.port);
        let address = match self.info.addr() {
            ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            _ => ConnectionAddr::Tcp(host, port),
        };
        Self { info: self.info.clone().set_addr(address), certificates: self.certificates.clone() }
    }

    /// Where it is, unless that is a socket's name.
    pub(super) fn node(&self) -> Option<Node> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => Some(Node { host: host.clone(), port: *port }),
            _ => None,
        }
    }

    /// What it takes to connect, with the certificates in it.
    pub(super) fn info(&self) -> RedisResult<ConnectionInfo> {
        Ok(self.client()?.get_connection_info().clone())
    }

    pub(super) fn client(&self) -> RedisResult<Client> {
        match (&self.certificates, self.info.addr()) {
            (Some(certificates), ConnectionAddr::TcpTls { .. }) => Client::build_with_tls(self.info.clone(), certificates.clone()),
            _ => Client::open(self.info.clone()),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}
