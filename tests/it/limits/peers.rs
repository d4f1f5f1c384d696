//! Ways of counting that others use, as authorizers on the same Redis behind the same proxy: what the campaign must find fault with.

use std::collections::HashMap;
use std::net::SocketAddr;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, DeniedHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use redis::Script;
use redis::aio::MultiplexedConnection;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::table::{Limit, Owner, secret};
use crate::support::proxy::Proxy;

/// How a peer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// In windows that begin on the clock's turn.
    Fixed,
    /// The same, with what is left of the window before.
    Weighted,
}

/// KEYS: what the names of counters begin with. ARGV: the window in milliseconds, the limit, the weight of the window before.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now, window = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1])
local turn = math.floor(now / window)
local current = tonumber(redis.call('GET', KEYS[1] .. turn) or 0)
local before = tonumber(redis.call('GET', KEYS[1] .. (turn - 1)) or 0)
if current + before * tonumber(ARGV[3]) * (1 - now % window / window) + 1 > tonumber(ARGV[2]) then return 0 end
redis.call('INCR', KEYS[1] .. turn)
redis.call('PEXPIRE', KEYS[1] .. turn, window * 3)
return 1
";

/// One of several that share a Redis.
pub struct Peer {
    pub address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

struct Counter {
    counting: Counting,
    redis: MultiplexedConnection,
    script: Script,
    limits: HashMap<String, Limit>,
}

impl Peer {
    /// Counts the first limit of every key's plan.
    pub async fn start(counting: Counting, proxy: &Proxy, owners: &[Owner]) -> Self {
        let redis = redis::Client::open(proxy.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let limits = owners.iter().flat_map(|owner| owner.keys.clone().map(|key| (secret(key), owner.plan.limits[0]))).collect();
        let counter = Counter { counting, redis, script: Script::new(SCRIPT), limits };
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_service(AuthorizationServer::new(counter));
        let serving = tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
        Self { address, _serving: AbortOnDropHandle::new(serving) }
    }
}

#[tonic::async_trait]
impl Authorization for Counter {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let http = request.into_inner().attributes.unwrap().request.unwrap().http.unwrap();
        let key = &http.headers["x-api-key"];
        let limit = self.limits[key];
        let weight = u8::from(self.counting == Counting::Weighted);
        let mut call = self.script.key(key);
        call.arg(u64::try_from(limit.window.as_millis()).unwrap()).arg(limit.most).arg(weight);
        let admitted: i64 = call.invoke_async(&mut self.redis.clone()).await.unwrap_or(0);
        Ok(Response::new(answer(admitted == 1)))
    }
}

fn answer(admitted: bool) -> CheckResponse {
    let status = |code| Some(envoy_types::pb::google::rpc::Status { code, ..Default::default() });
    if admitted {
        return CheckResponse { status: status(0), ..CheckResponse::default() };
    }
    let denied = DeniedHttpResponse { status: Some(HttpStatus { code: 429 }), ..DeniedHttpResponse::default() };
    CheckResponse { status: status(8), http_response: Some(HttpResponse::DeniedResponse(denied)), ..CheckResponse::default() }
}
