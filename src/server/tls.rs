//! The TLS of a gRPC port.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

use crate::config::Tls;
use crate::domain::actor::San;

/// Accepts clients as the configuration says: any, or those of one authority.
pub(super) fn acceptor(tls: &Tls) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let clients = match &tls.client_ca {
        None => versions.with_no_client_auth(),
        Some(file) => {
            let mut authority = RootCertStore::empty();
            authority.add_parsable_certificates(certificates(file)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authority), provider).build();
            versions.with_client_cert_verifier(verifier.with_context(|| format!("tls: {} has no authority", file.display()))?)
        }
    };
    // its name is not told: it may be the key itself, put there by mistake
    let key = PrivateKeyDer::from_pem_file(&tls.key).context("tls: what `key` names cannot be read")?;
    let mut config = clients.with_single_cert(certificates(&tls.certificate)?, key).context("its TLS cannot be set up")?;
    config.alpn_protocols.push(b"h2".to_vec());
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The names in the certificate that the client has shown, which was verified in the handshake. None where it was not asked for one.
pub(super) fn names(connection: &ServerConnection) -> Arc<[San]> {
    let shown = connection.peer_certificates().and_then(|chain| EndEntityCert::try_from(chain.first()?).ok());
    let Some(shown) = shown else { return Arc::default() };
    let (uris, hosts) = (shown.valid_uri_names().map(San::uri), shown.valid_dns_names().map(San::dns));
    uris.chain(hosts).flatten().collect()
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(file)?.collect();
    Result::<_, rustls::pki_types::pem::Error>::with_context(read(), || unread(file))
}

fn unread(file: &Path) -> String {
    format!("tls: {} cannot be read", file.display())
}
