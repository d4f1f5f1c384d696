//! Where Redis is: behind Sentinel, spread over a Cluster, over TLS, and with users that may not do everything.

mod sentinel;
