//! Who may ask on the Envoy port.

use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{server, with_envoy_port};
use crate::support::certs::Authority;
use crate::support::check::{self, Checks};
use crate::support::keyward::Store;

fn request(secret: &str) -> envoy_types::pb::envoy::service::auth::v3::CheckRequest {
    check::request("GET", "plain.test", "/", &[("x-api-key", secret)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_without_the_envoys_secret_is_refused_in_band_and_one_with_it_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "the secret of my own Envoys\n").unwrap();
    let setting = format!("secret_file: {}", file.display());
    let (keyward, secret) = server(&Store::Embedded, |config| with_envoy_port(&config, &setting));
    let mut checks = check::connect(keyward.envoy).await;
    for shown in [None, Some("Bearer another secret"), Some("the secret of my own Envoys")] {
        let mut call = tonic::Request::new(request(&secret));
        shown.map(|shown| call.metadata_mut().insert("authorization", MetadataValue::try_from(shown).unwrap()));
        let response = checks.check(call).await.unwrap().into_inner();
        assert_eq!(check::denied_status(&response), Some(503), "{shown:?}");
    }
    let mut call = tonic::Request::new(request(&secret));
    call.metadata_mut().insert("authorization", MetadataValue::from_static("Bearer the secret of my own Envoys"));
    assert!(check::admits(checks.check(call).await.unwrap().get_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn under_mutual_tls_only_a_client_of_the_authority_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let (certificate, key) = ours.issue("keyward.test");
    for (name, pem) in [("tls.crt", &certificate), ("tls.key", &key), ("ca.crt", &ours.certificate())] {
        std::fs::write(folder.path().join(name), pem).unwrap();
    }
    let at = |name: &str| folder.path().join(name).display().to_string();
    let setting = format!("tls: {{certificate: {}, key: {}, client_ca: {}}}", at("tls.crt"), at("tls.key"), at("ca.crt"));
    let (keyward, secret) = server(&Store::Embedded, |config| with_envoy_port(&config, &setting));

    let tls = || ClientTlsConfig::new().domain_name("keyward.test").ca_certificate(Certificate::from_pem(ours.certificate()));
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.issue("envoy.test");
        Identity::from_pem(certificate, key)
    };
    let asked = |tls: ClientTlsConfig| {
        let (address, request) = (format!("https://{}", keyward.envoy), request(&secret));
        async move {
            let channel = Channel::from_shared(address).unwrap().tls_config(tls).unwrap().connect_lazy();
            Checks::new(channel).check(request).await
        }
    };
    assert!(asked(tls()).await.is_err(), "a client without a certificate");
    assert!(asked(tls().identity(identity(&Authority::new()))).await.is_err(), "a client of another authority");
    assert!(check::admits(asked(tls().identity(identity(&ours))).await.unwrap().get_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_for_the_service_and_nothing_is_reflected() {
    let (keyward, _) = server(&Store::Embedded, |config| config);
    let channel = Channel::from_shared(format!("http://{}", keyward.envoy)).unwrap().connect().await.unwrap();
    let service = "envoy.service.auth.v3.Authorization".to_owned();
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest { service }).await.unwrap().into_inner();
    assert_eq!(health.status, tonic_health::pb::health_check_response::ServingStatus::Serving as i32);
    assert!(!reflects(channel).await, "the Envoy port has no reflection");
    let admin = Channel::from_shared(format!("http://{}", keyward.admin)).unwrap().connect().await.unwrap();
    assert!(reflects(admin).await, "the admin port has");
}

async fn reflects(channel: Channel) -> bool {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    let list = ServerReflectionRequest { host: String::new(), message_request: Some(MessageRequest::ListServices(String::new())) };
    let call = ServerReflectionClient::new(channel).server_reflection_info(tokio_stream::iter([list])).await;
    match call {
        Ok(answers) => answers.into_inner().message().await.is_ok_and(|answer| answer.is_some()),
        Err(_) => false,
    }
}
