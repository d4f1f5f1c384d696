//! The way to a server's admin port, and the token to show there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use super::failure::Failure;
use super::output;
use crate::proto::keyward::admin::v1::audit_service_client::AuditServiceClient;
use crate::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use crate::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use crate::proto::keyward::admin::v1::leak_service_client::LeakServiceClient;
use crate::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use crate::proto::keyward::admin::v1::pepper_service_client::PepperServiceClient;
use crate::proto::keyward::admin::v1::revocation_service_client::RevocationServiceClient;
use crate::proto::keyward::admin::v1::usage_service_client::UsageServiceClient;
use crate::proto::keyward::v1::verify_service_client::VerifyServiceClient;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A revocation takes as long as the longest lease, where a replica keeps silent.
const CALL_TIMEOUT: Duration = Duration::from_secs(90);

/// Where the server is, and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admin API")]
pub(super) struct ClientArgs {
    /// The server's admin port.
    #[arg(long, global = true, env = "KEYWARD_SERVER", default_value = "http://127.0.0.1:50052", value_name = "URL")]
    server: String,
    /// PEM file of the authority that signed the server's certificate; needed for https.
    #[arg(long, global = true, env = "KEYWARD_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// PEM file of this client's certificate, where the server demands one. Without a token it says who asks.
    #[arg(long, global = true, env = "KEYWARD_CLIENT_CERT", value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// PEM file of its private key.
    #[arg(long, global = true, env = "KEYWARD_CLIENT_KEY", value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// File that holds the admin token, `-` for standard input; or the token itself in the environment's `KEYWARD_TOKEN`.
    #[arg(long, global = true, env = "KEYWARD_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A channel that shows the token with every call.
pub(super) type Authorized = InterceptedService<Channel, Bearer>;

/// A channel that shows a secret with every call, where there is one.
pub(super) type Guarded = InterceptedService<Channel, Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send + Sync>>;

/// The token; `None`: the certificate says who asks.
#[derive(Debug, Clone)]
pub(super) struct Bearer(Option<MetadataValue<Ascii>>);

impl ClientArgs {
    pub(super) async fn keys(&self) -> Result<KeyServiceClient<Authorized>, Failure> {
        let bearer = self.bearer()?;
        Ok(KeyServiceClient::with_interceptor(self.connect().await?, bearer))
    }

    /// For an import, which takes as long as it takes.
    pub(super) async fn importing(&self) -> Result<KeyServiceClient<Authorized>, Failure> {
        let bearer = self.bearer()?;
        let channel =
            self.endpoint("--server", &self.server)?.connect().await.map_err(|error| Failure::unreachable(&self.server, &error))?;
        Ok(KeyServiceClient::with_interceptor(channel, bearer))
    }

    pub(super) async fn owners(&self) -> Result<OwnerServiceClient<Authorized>, Failure> {
        let bearer = self.bearer()?;
        Ok(OwnerServiceClient::with_interceptor(self.connect().await?, bearer))
    }

    pub(super) async fn peppers(&self) -> Result<PepperServiceClient<Authorized>, Failure> {
        let bearer = self.bearer()?;
        Ok(PepperServiceClient::with_interceptor(self.connect().await?, bearer))
    }

    pub(super) async fn revocation(&self) -> Result<RevocationServiceClient<Authorized>, Failure> {
        let bearer = self.bearer()?;
        Ok(RevocationServiceClient::with_interceptor(self.connect().await?, bearer))
    }

    pub(super) async fn audit(&self) -> Result<AuditServiceClient<Authorized>, Failure> {
        let bearer = self.bearer()?;
        Ok(AuditServiceClient::with_interceptor(self.connect().await?, bearer))
    }

    pub(super) async fn leak(&self) -> Result<LeakServiceClient<Channel>, Failure> {
        Ok(LeakServiceClient::new(self.connect().await?))
    }

    pub(super) async fn usage(&self) -> Result<UsageServiceClient<Authorized>, Failure> {
        let bearer = self.bearer()?;
        Ok(UsageServiceClient::with_interceptor(self.connect().await?, bearer))
    }

    pub(super) async fn bootstrap(&self) -> Result<BootstrapServiceClient<Channel>, Failure> {
        Ok(BootstrapServiceClient::new(self.connect().await?))
    }

    /// The gate's own port, with the secret that it may demand.
    pub(super) async fn verify(&self, gate: &str, secret: Option<&[u8]>) -> Result<VerifyServiceClient<Guarded>, Failure> {
        let shown = secret.map(|secret| shown(&String::from_utf8_lossy(secret), "the secret of the Envoy port")).transpose()?;
        let show = move |mut request: Request<()>| {
            if let Some(secret) = shown.as_ref().and_then(|shown: &Bearer| shown.0.as_ref()) {
                request.metadata_mut().insert("authorization", secret.clone());
            }
            Ok(request)
        };
        Ok(VerifyServiceClient::with_interceptor(self.connect_to(["--gate", "KEYWARD_GATE"], gate).await?, Box::new(show)))
    }

    /// What to do with a call's error.
    pub(super) fn failed(&self) -> impl Fn(Status) -> Failure {
        |status| Failure::of_call(&self.server, &status)
    }

    async fn connect(&self) -> Result<Channel, Failure> {
        self.connect_to(["--server", "KEYWARD_SERVER"], &self.server).await
    }

    /// `flag` and `variable` say what it is.
    async fn connect_to(&self, [flag, variable]: [&str; 2], server: &str) -> Result<Channel, Failure> {
        let endpoint = self.endpoint(flag, server)?.timeout(CALL_TIMEOUT);
        endpoint.connect().await.map_err(|error| Failure::unreachable_by(&format!("{flag} or {variable}"), server, &error))
    }

    fn endpoint(&self, flag: &str, server: &str) -> Result<Endpoint, Failure> {
        let endpoint = Endpoint::from_shared(server.to_owned())
            .map_err(|_| Failure::usage(format_args!("{flag} must be a URL such as http://127.0.0.1:50052, and is {server:?}")))?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
        if server.starts_with("https:") { endpoint.tls_config(self.tls()?).map_err(Failure::usage) } else { Ok(endpoint) }
    }

    fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        let ca = self.ca.as_deref().ok_or_else(|| Failure::usage("https needs the server's authority: --ca FILE"))?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
        match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => Ok(tls.identity(Identity::from_pem(read(certificate)?, read(key)?))),
            _ => Ok(tls),
        }
    }

    fn bearer(&self) -> Result<Bearer, Failure> {
        let token = match &self.token_file {
            Some(file) => String::from_utf8_lossy(&read(file)?).into_owned(),
            None => match std::env::var("KEYWARD_TOKEN") {
                Ok(token) => token,
                Err(_) if self.client_cert.is_some() => return Ok(Bearer(None)),
                Err(_) => return Err(Failure::usage(NO_TOKEN)),
            },
        };
        shown(&token, "the admin token")
    }
}

/// As the metadata of a call.
fn shown(token: &str, what: &str) -> Result<Bearer, Failure> {
    let value = format!("Bearer {}", token.trim()).parse();
    let mut value: MetadataValue<Ascii> = value.map_err(|_| Failure::usage(format_args!("{what} is not printable text")))?;
    value.set_sensitive(true);
    Ok(Bearer(Some(value)))
}

const NO_TOKEN: &str = "no admin token: name a file that holds one with --token-file or KEYWARD_TOKEN_FILE, or put it into KEYWARD_TOKEN\n\
    hint: `keyward bootstrap --secret-file FILE` makes the first one";

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Runs a client's command to its end.
pub(super) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Refused(format!("error: no runtime: {error}")))?.block_on(command)
}

/// A file's bytes; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    if file.as_os_str() == "-" {
        return output::stdin();
    }
    std::fs::read(file).map_err(|error| Failure::usage(format_args!("{} cannot be read: {error}", file.display())))
}
