//! An authority of the test's own, and certificates of it, as files for Envoy and curl.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

/// An authority that nobody else knows.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Writes `ca.crt`, and `tls.crt` and `tls.key` for the hosts, into an existing folder.
pub fn write(folder: &Path, hosts: &[&str]) {
    let authority = Authority::new();
    let (certificate, key) = authority.issue_for(hosts);
    fs::write(folder.join("ca.crt"), authority.certificate()).unwrap();
    fs::write(folder.join("tls.crt"), certificate).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "keyward's tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = authority.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(authority, key) }
    }

    /// Its own certificate, PEM.
    pub fn certificate(&self) -> String {
        self.certificate.clone()
    }

    /// A certificate for one host and its private key, both PEM.
    pub fn issue(&self, host: &str) -> (String, String) {
        self.issue_for(&[host])
    }

    /// A client's certificate with these names, URIs and hosts, and its private key.
    pub fn issue_to(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut client = CertificateParams::default();
        client.distinguished_name.push(DnType::CommonName, "portal.keyward.test");
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (uris, hosts): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.contains("://"));
        let uris = uris.into_iter().map(|uri| SanType::URI(uri.try_into().unwrap()));
        client.subject_alt_names = uris.chain(hosts.into_iter().map(|host| SanType::DnsName(host.try_into().unwrap()))).collect();
        (client.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// One certificate for several hosts.
    pub fn issue_for(&self, hosts: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}
