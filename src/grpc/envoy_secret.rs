//! The shared secret that an Envoy shows as `authorization: Bearer <secret>` in the metadata of its calls (`initial_metadata`).

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tonic::codegen::http::HeaderMap;

/// The secret's hash. Compared in constant time.
#[derive(Clone)]
pub struct EnvoySecret([u8; 32]);

impl EnvoySecret {
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Whether a call shows it, exactly once.
    #[must_use]
    pub fn admits(&self, metadata: &HeaderMap) -> bool {
        let mut shown = metadata.get_all("authorization").iter();
        let (Some(value), None) = (shown.next(), shown.next()) else { return false };
        let token = value.as_bytes().strip_prefix(b"Bearer ");
        token.is_some_and(|token| self.0.ct_eq(&Sha256::digest(token)[..]).into())
    }
}
