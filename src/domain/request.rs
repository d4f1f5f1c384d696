//! A borrowed view of the HTTP request that a proxy asks about, as bytes: nothing in it has been decoded, and none of it is trusted.

use std::net::IpAddr;

/// The request. Built at the wire's edge, read by the rules. By default it says nothing: not even a method.
#[derive(Clone, Default)]
pub struct Request<'a> {
    pub method: &'a [u8],
    /// `:path` with its query, as sent; empty for CONNECT.
    pub path: &'a [u8],
    /// `:authority`; may carry a port.
    pub host: &'a [u8],
    pub scheme: &'a [u8],
    pub headers: Headers<'a>,
    /// The connection's remote address: the nearest peer, not the client.
    pub peer: Option<IpAddr>,
    /// The proxy's own words about the route: Envoy's `context_extensions`.
    pub context: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Request<'a> {
    /// The value of a context extension, if the proxy sent it.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&'a [u8]> {
        self.context.iter().rfind(|(key, _)| *key == name.as_bytes()).map(|(_, value)| *value)
    }

    /// Whether a gRPC client asks: its refusals are gRPC statuses.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.headers.all("content-type").any(|value| value.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc")))
    }
}

/// The request's headers in the order in which they came. In the joined form a name comes once, its values joined with `,`.
#[derive(Clone, Default)]
pub struct Headers<'a>(pub Vec<(&'a [u8], &'a [u8])>);

/// How often a header, parameter or cookie came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occurs<T> {
    Never,
    Once(T),
    /// More than once: never pick one.
    Often,
}

impl<'a> Headers<'a> {
    /// Every value of a header, in order. `name` is lower case; what came may be in any case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    }

    /// The one value of a header. An empty value counts as a value.
    #[must_use]
    pub fn one(&self, name: &str) -> Occurs<&'a [u8]> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (None, _) => Occurs::Never,
            (Some(value), None) => Occurs::Once(value),
            (Some(_), Some(_)) => Occurs::Often,
        }
    }
}
