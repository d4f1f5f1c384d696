//! Through a real Envoy: what its own rate limit filter reads of keyward's metadata, what a client of gRPC reads of a refusal, and that headers
//! stand once.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code as Limited;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{RateLimitService, RateLimitServiceServer};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::envoy::r#type::v3::RateLimitUnit;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::keyward::{Keyward, NewKey, Store};
use crate::support::shell::{Answer, Shell};
use crate::support::upstream::Upstream;

const REALM: &str = "realm: told
hosts: [api.otesse.com]
credentials: [{header: x-api-key}]
keys: [{prefix: to_, alphabet: hex, length: 32}]
routes: [{path: /dear, cost: 2}, {}]
plans: {few: [{limit: minute, per: key, most: 3, window: 1m}]}
default_plan: few
limit_headers: [x-ratelimit, ratelimit]
feed_envoy: [minute]
";

/// keyward behind Envoy, with one key.
struct Scene {
    _keyward: Keyward,
    _upstream: Upstream,
    envoy: Envoy,
    shell: Shell,
    secret: String,
    _folder: TempDir,
}

impl Scene {
    fn new(edit: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let realms = folder.path().join("realms");
        fs::create_dir(&realms).unwrap();
        fs::write(realms.join("told.yaml"), REALM).unwrap();
        let keyward = Keyward::start(&realms, &Store::Embedded);
        keyward.create_owner("told", "acme", None);
        let secret = keyward.create_key("told", &NewKey { owner: "acme", label: "one", ..NewKey::default() }).secret;
        let upstream = Upstream::start();
        let envoy = Envoy::start_edited(keyward.envoy, upstream.address, edit);
        let shell = Shell::new(folder.path(), &envoy);
        Self { _keyward: keyward, _upstream: upstream, envoy, shell, secret, _folder: folder }
    }

    /// A busy machine may hold the store up: whoever is told so comes again, and was charged nothing.
    fn curl(&self, path: &str) -> Answer {
        eventually("the store is there", || {
            let mut brought = self.shell.run(&format!("curl https://api.otesse.com{path} -H 'x-api-key: {}'", self.secret));
            assert_eq!(brought.complaint, None);
            Some(brought.answers.remove(0)).filter(|answer| answer.status != 503)
        })
    }
}

#[test]
fn headers_reach_the_caller_with_a_grant_and_with_a_refusal() {
    let scene = Scene::new(|bootstrap| bootstrap);
    let granted = scene.curl("/");
    assert_eq!((granted.status, granted.header("x-ratelimit-remaining")), (200, Some("2")));
    assert_eq!(granted.header("ratelimit-policy"), Some("\"minute\";q=3;w=60"));
    assert_eq!(scene.curl("/dear").status, 200);
    let refused = scene.curl("/");
    assert_eq!((refused.status, refused.header("x-ratelimit-remaining")), (429, Some("0")));
    assert!(refused.header("ratelimit").is_some_and(|value| value.starts_with("\"minute\";r=0;t=")));
    assert_eq!(refused.header("retry-after"), refused.header("x-ratelimit-reset"));
}

#[test]
fn a_client_of_grpc_reads_wait_and_limit_of_a_refusal() {
    let scene = Scene::new(|bootstrap| bootstrap);
    let runtime = Runtime::new().unwrap();
    let refused = runtime.block_on(async {
        let mut client = client(&scene).await;
        let mut passed = 0;
        loop {
            // any call of any service: only the answer's status is looked at
            let mut call = Request::new(CheckRequest::default());
            call.metadata_mut().insert("x-api-key", scene.secret.parse().unwrap());
            let status = client.check(call).await.unwrap_err();
            match status.code() {
                Code::ResourceExhausted => {
                    assert_eq!(passed, 3, "control: it is the limit that says so");
                    return status;
                }
                // the store is held up
                Code::Unavailable => {}
                // the upstream speaks no gRPC
                _ => passed += 1,
            }
            assert!(passed <= 3, "{status:?}");
        }
    });
    assert_eq!(refused.message(), "Too many requests");
    let told = refused.get_error_details();
    let wait = told.retry_info().unwrap().retry_delay.unwrap();
    assert!((1..=62).contains(&wait.as_secs()), "{wait:?}");
    let [violation] = &told.quota_failure().unwrap().violations[..] else { panic!("one limit: {told:?}") };
    assert_eq!(violation.subject, "limit:minute");
    assert_eq!(told.error_info().unwrap().reason, "LIMITED");
}

/// A client of gRPC that comes through Envoy.
async fn client(scene: &Scene) -> AuthorizationClient<Channel> {
    let authority = Certificate::from_pem(fs::read(&scene.envoy.authority).unwrap());
    let tls = ClientTlsConfig::new().ca_certificate(authority).domain_name("api.otesse.com");
    let endpoint = Endpoint::from_shared(format!("https://{}", scene.envoy.tls)).unwrap().tls_config(tls).unwrap();
    let endpoint = endpoint.origin("https://api.otesse.com".parse().unwrap());
    AuthorizationClient::new(endpoint.connect().await.unwrap())
}

#[test]
fn a_client_of_grpc_reads_the_reason_of_any_refusal() {
    let scene = Scene::new(|bootstrap| bootstrap);
    let runtime = Runtime::new().unwrap();
    let junk = format!("to_{}", "f".repeat(32));
    for (key, reason) in [(None, "MISSING"), (Some("to_x"), "UNKNOWN"), (Some(&*junk), "UNKNOWN")] {
        let refused = eventually("the store is there", || {
            runtime.block_on(async {
                let mut call = Request::new(CheckRequest::default());
                if let Some(key) = key {
                    call.metadata_mut().insert("x-api-key", key.parse().unwrap());
                }
                Some(client(&scene).await.check(call).await.unwrap_err()).filter(|status| status.code() != Code::Unavailable)
            })
        });
        assert_eq!(refused.code(), Code::Unauthenticated);
        let told = refused.get_error_details();
        let about = told.error_info().unwrap();
        assert_eq!((&*about.reason, &*about.domain), (reason, "keyward"), "{key:?}");
        assert!(told.retry_info().is_none() && told.quota_failure().is_none());
    }
}

/// A rate limit service that lets everything pass and keeps what it was asked.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<RateLimitRequest>>>);

#[tonic::async_trait]
impl RateLimitService for Heard {
    async fn should_rate_limit(&self, call: Request<RateLimitRequest>) -> Result<Response<RateLimitResponse>, Status> {
        self.0.lock().unwrap().push(call.into_inner());
        Ok(Response::new(RateLimitResponse { overall_code: Limited::Ok.into(), ..RateLimitResponse::default() }))
    }
}

fn listens(heard: Heard, runtime: &Runtime) -> SocketAddr {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(RateLimitServiceServer::new(heard));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    })
}

/// Envoy's rate limit filter after the gate, reading these keys.
fn with_rate_limits(bootstrap: &str, service: SocketAddr, limit: &str, cost: &str) -> String {
    let filter = format!(
        r#"          - name: envoy.filters.http.ratelimit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
              domain: test
              failure_mode_deny: true
              timeout: 10s
              rate_limit_service: {{ transport_api_version: V3, grpc_service: {{ envoy_grpc: {{ cluster_name: limiter }} }} }}
              rate_limits:
              - actions: [{{ generic_key: {{ descriptor_value: all }} }}]
                limit: {{ dynamic_metadata: {{ metadata_key: {{ key: envoy.filters.http.ext_authz, path: [{{ key: {limit} }}] }} }} }}
                hits_addend: {{ format: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:{cost})%" }}
"#
    );
    let cluster = format!(
        r#"  - name: limiter
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ http2_protocol_options: {{}} }}
    load_assignment:
      cluster_name: limiter
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {} }} }} }} }}] }}]
"#,
        service.port()
    );
    let (before, router) = bootstrap.split_once("          - name: envoy.filters.http.router\n").unwrap();
    format!("{before}{filter}          - name: envoy.filters.http.router\n{router}\n{cluster}")
}

/// What the service is told with one request of cost 2: its override, and its hits.
fn told(limit: &str, cost: &str) -> (Option<(u32, i32)>, Option<u64>) {
    let (runtime, heard) = (Runtime::new().unwrap(), Heard::default());
    let service = listens(heard.clone(), &runtime);
    let scene = Scene::new(|bootstrap| with_rate_limits(&bootstrap, service, limit, cost));
    let status = scene.curl("/dear").status;
    assert_eq!(status, 200, "{}", scene.envoy.said());
    let mut asked = std::mem::take(&mut *heard.0.lock().unwrap());
    let [request] = &mut asked[..] else { panic!("one request: {asked:?}") };
    let descriptor = request.descriptors.pop().expect("the one that was configured");
    (descriptor.limit.map(|limit| (limit.requests_per_unit, limit.unit)), descriptor.hits_addend.map(|hits| hits.value))
}

#[test]
fn envoys_rate_limit_filter_takes_number_unit_and_cost_from_keyward() {
    assert_eq!(told("keyward_limit_minute", "keyward_cost"), (Some((3, RateLimitUnit::Minute.into())), Some(2)));
}

#[test]
fn a_key_that_keyward_does_not_feed_overrides_nothing() {
    let (limit, hits) = told("keyward_limit_hour", "keyward_cost");
    assert_eq!((limit, hits), (None, Some(2)), "control: the override was keyward's");
}
