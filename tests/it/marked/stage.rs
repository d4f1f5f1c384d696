//! A server that says everything, and all that comes out of it.

use std::fs;
use std::process::Output;

use bytes::Bytes;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use tokio::task::block_in_place;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::support::collector::Collector;
use crate::support::http;
use crate::support::keyward::{Keyward, Logged};
use crate::support::marks::{BASE62, Found, HEX, Mark, Search, random};
use crate::support::raw_codec::RawCodec;
use crate::support::redis::RedisServer;

/// The store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Embedded,
    Redis,
}

/// The server, the secrets, and what was seen.
pub(super) struct Stage {
    pub(super) keyward: Keyward,
    pub(super) token: String,
    /// What the Envoy port demands.
    pub(super) gate: String,
    collector: Collector,
    redis: Option<(RedisServer, String)>,
    /// To be found nowhere.
    marks: Vec<Mark>,
    /// Kept for people, for somebody asked for that: to be found in no log, metric or trace.
    kept: Vec<Mark>,
    /// What came out, by where.
    seen: Vec<(String, Vec<u8>)>,
}

const REALM: &str = "realm: marked
hosts: [marked.test]
https: any
credentials:
  - {header: x-api-key}
  - {header: authorization, scheme: Bearer}
  - {header: x-login, scheme: Basic}
  - {query: key, removal: exact}
  - {cookie: session}
keys:
  - {prefix: mk_live_, alphabet: base62, length: {min: 20, max: 64}, minted: 40, environment: live, kind: secret}
  - {prefix: mk_test_, alphabet: hex, length: 40, checksum: crc32, environment: test, kind: secret}
  - {prefix: mk_pub_, alphabet: base64url, length: 43, environment: live, kind: publishable}
imported_digests: [sha-256, sha-512, {hmac-sha-256: {secret_file: theirs}}]
tenant: {header: x-tenant, required: false}
client_address: {forwarded_for: 1}
scopes: [read, write]
routes: [{path: /read, methods: [GET], scopes: [read]}, {path: /open, anonymous: true}, {prefix: /, scopes: [write]}]
plans: {few: [{limit: minute, per: key, most: 3, window: 1m, counts: {except: [5xx]}}, {limit: seen, per: key, most: 1, window: 1h, shadow: true}]}
default_plan: few
limit_headers: [x-ratelimit, ratelimit]
identity: {x-owner: '${owner.id}', x-tenant-seen: '${key.tenant}'}
denials: {unknown: {status: 401, json: {why: '${reason}'}}}
failing_sources: off
";
/// Its secrets could be ids.
pub(super) const BARE: &str = "realm: bare
hosts: [bare.test]
https: any
credentials: [{header: x-api-key}]
keys: [{alphabet: hex, length: 40}]
routes: [{prefix: /}]
";
/// They hold secrets: that is what they are for.
const OF_SECRETS: &[&str] = &["pepper", "bootstrap", "token", "gate", "url", "theirs", "log"];

impl Stage {
    pub(super) fn set(engine: Engine) -> Self {
        let collector = Collector::start();
        block_in_place(|| Self::started(engine, collector))
    }

    fn started(engine: Engine, collector: Collector) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut marks = Vec::new();
        let bootstrap = random(BASE62, 40);
        // that it was redeemed must be known under whatever peppers there will be, and then it opens nothing
        marks.push(Mark::new("the one-time secret", "", &bootstrap).unhashed());
        let mut drawn = |what: &str| {
            let secret = random(BASE62, 40);
            marks.push(Mark::new(what, "", &secret));
            secret
        };
        let (gate, theirs) = (drawn("the Envoy port's secret"), drawn("the other system's key"));
        let redis = (engine == Engine::Redis).then(|| {
            let password = drawn("the password of Redis");
            (redis(&password), password)
        });
        let pepper: [u8; 32] = std::array::from_fn(|_| u8::try_from(getrandom::u32().unwrap() & 255).unwrap());
        marks.push(Mark::bytes("the pepper", &pepper));
        let pepper = format!("1:{}\n", data_encoding::BASE64.encode(&pepper));
        fs::create_dir(folder.path().join("realms")).unwrap();
        let files = [("realms/marked.yaml", REALM), ("realms/bare.yaml", BARE), ("realms/theirs", &theirs)];
        let of_secrets = [("pepper", &*pepper), ("bootstrap", &bootstrap), ("gate", &gate)];
        for (name, text) in files.iter().chain(&of_secrets) {
            fs::write(folder.path().join(name), text).unwrap();
        }
        if let Some((server, password)) = &redis {
            fs::write(folder.path().join("url"), format!("redis+unix://{}?pass={password}", server.socket().display())).unwrap();
        }
        let config = config(engine, &collector.endpoint);
        let keyward = Keyward::starting_in(folder, Logged::Everything, |_| config).ready();
        let mut stage = Self { keyward, token: String::new(), gate, collector, redis, marks, kept: Vec::new(), seen: Vec::new() };
        stage.bootstrap();
        stage
    }

    fn bootstrap(&mut self) {
        let made = self.command(&["bootstrap", "--secret-file", "bootstrap", "--output", "json"], "");
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        self.token = made["token"].as_str().unwrap().into();
        self.learn("the first token", &self.token.clone());
        fs::write(self.keyward.at("token"), &self.token).unwrap();
        for owner in ["acme", "other"] {
            for realm in ["marked", "bare"] {
                self.line(&["owners", "create", "--realm", realm, owner], "");
            }
        }
        self.line(&["owners", "create", "--realm", "keyward", "admins"], "");
    }

    /// A secret of so many characters, that is nobody's.
    pub(super) fn draw(&mut self, what: impl Into<String>, prefix: &str, alphabet: &[u8], length: usize) -> String {
        let mark = Mark::new(what, prefix, &random(alphabet, length));
        self.marks.push(mark.clone());
        mark.text().to_owned()
    }

    /// A hexadecimal one, which may stand nearly everywhere.
    pub(super) fn hex(&mut self, what: impl Into<String>) -> String {
        self.draw(what, "", HEX, 40)
    }

    /// A secret that the server made. Its prefix ends with its last `_`.
    pub(super) fn learn(&mut self, what: impl Into<String>, secret: &str) {
        let prefix = ["mk_live_", "mk_test_", "mk_pub_", "kwa_"].into_iter().find(|prefix| secret.starts_with(prefix)).unwrap_or_default();
        self.marks.push(Mark::new(what, prefix, &secret[prefix.len()..]));
    }

    /// The last drawn one was put where it is kept for people, and is there.
    pub(super) fn keep(&mut self) {
        self.kept.extend(self.marks.pop());
    }

    pub(super) fn marks(&self) -> usize {
        self.marks.len() + self.kept.len()
    }

    pub(super) fn saw(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.seen.push((place.into(), bytes.into()));
    }

    /// All that an error says.
    pub(super) fn saw_error(&mut self, place: &str, status: &Status) {
        let metadata = format!("{:?}", status.metadata());
        self.saw(format!("the error of {place}"), [status.message().as_bytes(), metadata.as_bytes(), status.details()].concat());
    }

    /// A command whose result shows a secret; what it says beside it does not.
    pub(super) fn command(&mut self, line: &[&str], stdin: &str) -> Output {
        let output = block_in_place(|| self.keyward.run(line, stdin));
        self.saw(format!("standard error of `{}`", line.join(" ")), output.stderr.clone());
        output
    }

    /// A command that shows nobody's secret.
    pub(super) fn line(&mut self, line: &[&str], stdin: &str) -> Output {
        let output = self.command(line, stdin);
        self.saw(format!("standard output of `{}`", line.join(" ")), output.stdout.clone());
        output
    }

    pub(super) async fn admin(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.keyward.admin)).unwrap().connect().await.unwrap()
    }

    pub(super) async fn keys(&self) -> KeyServiceClient<Channel> {
        KeyServiceClient::new(self.admin().await)
    }

    pub(super) fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    /// A call of these bytes, whose answer is seen whole.
    pub(super) async fn call(&mut self, channel: &Channel, path: &str, request: Request<Bytes>) -> bool {
        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        match client.unary(request, PathAndQuery::try_from(path).unwrap(), RawCodec).await {
            Ok(answer) => {
                self.saw(format!("the answer of {path}"), answer.get_ref().to_vec());
                true
            }
            Err(status) => {
                self.saw_error(path, &status);
                false
            }
        }
    }

    /// Redis stands still, or the disk is asked in vain: what is said of that.
    pub(super) async fn away(&mut self) {
        let Some((server, _)) = &self.redis else { return };
        server.pause();
        super::calls::while_it_is_away(self).await;
        self.redis.as_ref().unwrap().0.resume();
        let address = self.keyward.envoy;
        crate::support::until("it is back", || http::get(address, "/").is_none()).await;
    }

    /// Stops it, and looks through everything.
    pub(super) fn searched(mut self) {
        self.scraped();
        for command in [&["audit", "list"][..], &["audit", "list", "--output", "json"], &["audit", "export"], &["audit", "verify"]] {
            let read = block_in_place(|| self.keyward.run(command, ""));
            self.saw(format!("`keyward {}`", command.join(" ")), [read.stdout, read.stderr].concat());
        }
        let code = block_in_place(|| self.keyward.stop());
        assert_eq!(code, Some(0));
        let search = Search::new(&self.marks);
        let everything = Search::new(self.marks.iter().chain(&self.kept));
        let told = self.told();
        assert!(told.iter().all(|told| !told.is_empty()), "it said nothing");
        let log = String::from_utf8_lossy(&told[0]);
        assert!(log.contains("a shadow would refuse this"), "it does not say all that it can");
        let of_libraries = |line: &&str| {
            !line.contains("\"target\":\"keyward")
                && ["DEBUG", "TRACE"].iter().any(|level| line.contains(&format!("\"level\":\"{level}\"")))
        };
        assert_eq!(log.lines().find(of_libraries), None, "a library speaks of what it does");
        let mut found: Vec<(String, Found)> = Vec::new();
        for (place, bytes) in ["the log", "the traces"].into_iter().zip(&told) {
            found.extend(everything.find(bytes).into_iter().map(|found| (place.to_owned(), found)));
        }
        for (place, bytes) in &self.seen {
            let search = if place == METRICS { &everything } else { &search };
            found.extend(search.find(bytes).into_iter().map(|found| (place.clone(), found)));
        }
        found.extend(self.found_in_the_store());
        println!("{} marked secrets, {} of them kept for people; a log of {} bytes", self.marks(), self.kept.len(), told[0].len());
        assert!(found.is_empty(), "{} leaks:\n{}", found.len(), told_of(&found));
    }

    pub(super) fn scraped(&mut self) {
        let (_, metrics) = block_in_place(|| http::get(self.keyward.http, "/metrics")).unwrap();
        assert!(metrics.contains("keyward_build_info"), "{metrics}");
        self.saw(METRICS, metrics);
    }

    /// The log and the traces.
    pub(super) fn told(&self) -> [Vec<u8>; 2] {
        [self.keyward.said().into_bytes(), self.collector.received()]
    }

    /// In the server's folder, and in what Redis keeps.
    pub(super) fn found_in_the_store(&self) -> Vec<(String, Found)> {
        let search = self.search();
        let of_redis = self.redis.iter().flat_map(|(server, password)| kept_by_redis(server, password, &search));
        search.find_below(self.keyward.folder(), OF_SECRETS).into_iter().chain(of_redis).collect()
    }

    /// What the store keeps things in.
    pub(super) fn kinds_of_places(&self) -> &'static [&'static str] {
        if self.redis.is_some() { &[".aof", ".rdb", "Redis's "] } else { &["/data/"] }
    }

    /// For controls: what all of it would be searched with.
    pub(super) fn search(&self) -> Search {
        Search::new(&self.marks)
    }

    pub(super) fn seen(&self) -> &[(String, Vec<u8>)] {
        &self.seen
    }
}

const METRICS: &str = "the metrics";

/// So that its files hold all of it, and legibly.
pub(super) const LEGIBLE: &[&str] =
    &["--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no", "--rdbcompression", "no"];

fn redis(password: &str) -> RedisServer {
    RedisServer::with(&[LEGIBLE, &["--requirepass", password]].concat())
}

/// Its files and what it would hand on of every name.
fn kept_by_redis(server: &RedisServer, password: &str, search: &Search) -> Vec<(String, Found)> {
    let client = redis::Client::open(format!("redis+unix://{}?pass={password}", server.socket().display())).unwrap();
    let mut redis = client.get_connection().unwrap();
    let _: String = redis::cmd("SAVE").query(&mut redis).unwrap();
    let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    assert!(names.len() > 20, "Redis has next to nothing: {}", names.len());
    let mut found = search.find_below(server.folder(), &[]);
    for name in names {
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&name).query(&mut redis).unwrap();
        let of = search.find(&[&name[..], b" ", &dump].concat());
        found.extend(of.into_iter().map(|found| (format!("Redis's {}", String::from_utf8_lossy(&name)), found)));
    }
    found
}

fn config(engine: Engine, otlp: &str) -> String {
    let store = match engine {
        Engine::Embedded => "embedded: {folder: data}",
        Engine::Redis => "redis: {url_file: url, timeout: 1s}",
    };
    let any = r#"address: "127.0.0.1:0""#;
    format!(
        "realms: realms\nstore: {{{store}}}\npepper_file: pepper\nbootstrap_file: bootstrap\nlisten: {{envoy: {{{any}, secret_file: gate}}, \
         admin: {{{any}}}, http: {{{any}}}}}\nleave: 0s\nlease: 5s\ncheck_deadline: 3s\notlp_endpoint: {otlp}\n"
    )
}

/// Each place and form once, with an example.
fn told_of(found: &[(String, Found)]) -> String {
    let mut once: Vec<&(String, Found)> = found.iter().collect();
    once.dedup_by_key(|(place, found)| (place, &found.what));
    let lines = once.into_iter().take(80).map(|(place, Found { what, form, context })| format!("{place}: {what}, {form}: ...{context}..."));
    lines.collect::<Vec<_>>().join("\n")
}
