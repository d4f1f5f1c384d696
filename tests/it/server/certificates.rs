//! Who is let in to the admin port by a client certificate: real ones, of an authority of the test's own, over real TLS.

use std::path::Path;
use std::process::{Command, Output};

use keyward::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use keyward::proto::keyward::admin::v1::{BootstrapRequest, CreateOwnerRequest, Key, ListKeysRequest, ListOwnersRequest};
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::REALM;
use crate::support::certs::Authority;
use crate::support::keyward::{Keyward, Store};

const PORTAL: &str = "spiffe://mesh.test/ns/portal/sa/web";
const OPS: &str = "ops.keyward.test";

const IDENTITIES: &str = r#"
admin:
  identities:
    - {san: "spiffe://mesh.test/ns/portal/sa/web", roles: [viewer], bound_to: realms/plain}
    - {san: ops.keyward.test, roles: [admin]}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_has_the_roles_and_the_binding_that_the_configuration_gives_its_name() {
    let stage = Stage::new();
    assert_eq!(told(stage.list(&[PORTAL], None, "plain").await), (Code::Ok, String::new()));
    assert_eq!(told(stage.list(&[PORTAL], None, "keyward").await), (Code::NotFound, "REALM_NOT_FOUND".into()), "beyond its binding");
    assert_eq!(told(stage.make(&[PORTAL], None, "acme").await), (Code::PermissionDenied, "ROLE_MISSING".into()));
    assert_eq!(told(stage.make(&[OPS], None, "acme").await), (Code::Ok, String::new()));
    assert_eq!(told(stage.make(&["OPS.keyward.test"], None, "globex").await), (Code::Ok, String::new()), "hosts have no case");
    let both = stage.list(&["spiffe://mesh.test/other", OPS], None, "plain").await;
    assert_eq!(told(both), (Code::Ok, String::new()), "whatever other names it has");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_no_line_names_or_two_do_is_nobodys() {
    let stage = Stage::new();
    // its subject's common name is no name at all
    let strangers: [&[&str]; 6] = [
        &["portal.keyward.test"],
        &["*.keyward.test"],
        &["spiffe://mesh.test/ns/portal/sa/web2"],
        &["spiffe://mesh.test/ns/portal/sa"],
        &["SPIFFE://mesh.test/ns/portal/sa/web"],
        &[PORTAL, OPS],
    ];
    for names in strangers {
        assert_eq!(told(stage.list(names, None, "plain").await), (Code::Unauthenticated, "TOKEN_REFUSED".into()), "{names:?}");
    }
    let foreign = Authority::new().issue_to(&[OPS]);
    let cut = OwnerServiceClient::new(stage.channel(Some(foreign))).list_owners(ListOwnersRequest::default()).await.unwrap_err();
    assert!(cut.get_error_details().error_info().is_none(), "of another authority: TLS does not come about: {cut:?}");
    let cut = OwnerServiceClient::new(stage.channel(None)).list_owners(ListOwnersRequest::default()).await.unwrap_err();
    assert!(cut.get_error_details().error_info().is_none(), "nor without a certificate: {cut:?}");
    assert_eq!(told(stage.list(&[OPS], None, "plain").await), (Code::Ok, String::new()), "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_token_is_shown_too_the_token_decides() {
    let stage = Stage::new();
    let admin = stage.bootstrapped().await;
    let (viewer, bound) = (stage.token(&admin, "viewer", "").await, stage.token(&admin, "admin", "realms/plain").await);
    let cells = [
        (OPS, viewer.as_str(), "acme", (Code::PermissionDenied, "ROLE_MISSING")),
        (OPS, "kwa_x", "acme", (Code::Unauthenticated, "TOKEN_REFUSED")),
        (OPS, "", "acme", (Code::Unauthenticated, "TOKEN_REFUSED")),
        (PORTAL, admin.as_str(), "acme", (Code::Ok, "")),
        (PORTAL, bound.as_str(), "globex", (Code::Ok, "")),
        ("unknown.keyward.test", admin.as_str(), "initech", (Code::Ok, "")),
    ];
    for (name, token, owner, (code, reason)) in cells {
        assert_eq!(told(stage.make(&[name], Some(token), owner).await), (code, reason.to_owned()), "{name} with {token}");
    }
    assert_eq!(told(stage.list(&[OPS], Some(&bound), "keyward").await), (Code::NotFound, "REALM_NOT_FOUND".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_needs_no_token_where_it_has_a_certificate() {
    let stage = Stage::new();
    let (certificate, key) = stage.authority.issue_to(&[OPS]);
    std::fs::write(stage.folder.path().join("ops.crt"), certificate).unwrap();
    std::fs::write(stage.folder.path().join("ops.key"), key).unwrap();
    let made = stage.cli(&["owners", "create", "--realm", "plain", "acme", "--client-cert", "ops.crt", "--client-key", "ops.key"]);
    assert!(made.status.success(), "{made:?}");
    let without = stage.cli(&["owners", "list", "--realm", "plain"]);
    assert!(String::from_utf8_lossy(&without.stderr).contains("no admin token"), "{without:?}");
}

/// A server whose admin port asks for certificates.
struct Stage {
    keyward: Keyward,
    authority: Authority,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let (certificate, key) = authority.issue_for(&["keyward.test", "localhost"]);
        let files = [("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.certificate()), ("plain.yaml", REALM.into())];
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let tls = format!("tls: {{certificate: {}, key: {}, client_ca: {}}}", at("tls.crt"), at("tls.key"), at("ca.crt"));
        let plain = r#"admin: {address: "127.0.0.1:0"}"#;
        let with_tls = format!(r#"admin: {{address: "127.0.0.1:0", {tls}}}"#);
        let edit = |config: String| {
            assert!(config.contains(plain), "{config}");
            config.replacen(plain, &with_tls, 1) + IDENTITIES
        };
        let keyward = Keyward::without_token(&folder.path().join("plain.yaml"), &Store::Embedded, edit);
        Self { keyward, authority, folder }
    }

    fn channel(&self, client: Option<(String, String)>) -> Channel {
        let authority = Certificate::from_pem(self.authority.certificate());
        let tls = ClientTlsConfig::new().domain_name("keyward.test").ca_certificate(authority);
        let tls = client.map_or(tls.clone(), |(certificate, key)| tls.identity(Identity::from_pem(certificate, key)));
        Channel::from_shared(format!("https://{}", self.keyward.admin)).unwrap().tls_config(tls).unwrap().connect_lazy()
    }

    fn shown(&self, names: &[&str]) -> Channel {
        self.channel(Some(self.authority.issue_to(names)))
    }

    async fn list(&self, names: &[&str], token: Option<&str>, realm: &str) -> Result<(), Status> {
        let request = ListKeysRequest { parent: format!("realms/{realm}"), ..Default::default() };
        KeyServiceClient::new(self.shown(names)).list_keys(asked(token, request)).await.map(drop)
    }

    async fn make(&self, names: &[&str], token: Option<&str>, owner: &str) -> Result<(), Status> {
        let request = CreateOwnerRequest { parent: "realms/plain".into(), owner_id: owner.into(), ..Default::default() };
        OwnerServiceClient::new(self.shown(names)).create_owner(asked(token, request)).await.map(drop)
    }

    async fn bootstrapped(&self) -> String {
        let secret = std::fs::read_to_string(self.keyward.folder().join("data/bootstrap")).unwrap();
        let request = BootstrapRequest { secret };
        BootstrapServiceClient::new(self.shown(&["anybody.test"])).bootstrap(request).await.unwrap().into_inner().token
    }

    async fn token(&self, admin: &str, scope: &str, binding: &str) -> String {
        let key = Key {
            owner: "realms/keyward/owners/admins".into(),
            scopes: vec![scope.into()],
            binding: binding.into(),
            expire_time: Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 }),
            ..Key::default()
        };
        let request = crate::admin::world::create("keyward", key);
        let made = KeyServiceClient::new(self.shown(&[OPS])).create_key(asked(Some(admin), request)).await;
        made.unwrap().into_inner().secret
    }

    fn cli(&self, line: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command.args(line).current_dir(self.folder.path()).env_remove("KEYWARD_TOKEN").env_remove("KEYWARD_TOKEN_FILE");
        let server = format!("https://localhost:{}", self.keyward.admin.port());
        command.env("KEYWARD_SERVER", server).env("KEYWARD_CA", Path::new("ca.crt")).output().unwrap()
    }
}

/// An empty token is a header that holds none.
fn asked<T>(token: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

/// Code and reason of an answer.
fn told(answer: Result<(), Status>) -> (Code, String) {
    let Err(status) = answer else { return (Code::Ok, String::new()) };
    let about = status.get_error_details().error_info().cloned();
    (status.code(), about.unwrap_or_else(|| panic!("{status:?}")).reason)
}
