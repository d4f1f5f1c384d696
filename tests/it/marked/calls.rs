//! What Envoys and clients of the mesh send: credentials in every place, messages that are none, and odd words beside them.

use bytes::Bytes;
use data_encoding::BASE64;
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::google::protobuf::Struct;
use keyward::proto::keyward::v1::VerifyRequest;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use super::stage::Stage;
use crate::hostility::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, block, frame, literal};
use crate::support::marks::{BASE62, HEX, escaped};
use crate::support::{check, log};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
const VERIFY: &str = "/keyward.v1.VerifyService/Verify";

/// Each place of the realm, right and wrong.
const PLACES: &[&str] = &[
    "header",
    "Bearer",
    "bearer",
    "Basic",
    "Basic of a name",
    "Authorization alone",
    "query",
    "query in escapes",
    "cookie",
    "twice",
    "with a comma",
    "another header",
    "path",
    "method",
    "host",
    "tenant",
    "scheme",
    "forwarded for",
    "a header's name",
    "content type",
    "extension",
    "id",
    "body",
];

pub(super) async fn presented(stage: &mut Stage) {
    let envoy = channel(stage).await;
    for round in 0..4 {
        for place in PLACES {
            let what = format!("presented as {place}");
            let secret = match round {
                0 => stage.draw(what, "mk_live_", BASE62, 40),
                1 => stage.hex(what),
                2 => stage.draw(what, "", BASE62, 300),
                _ => own(stage, &what).await,
            };
            let request = asking(place, &secret);
            check(stage, &envoy, request.encode_to_vec()).await;
            let http = request.attributes.unwrap().request.unwrap().http.unwrap();
            let credential = if *place == "header" { secret } else { String::new() };
            let verify = VerifyRequest {
                realm: "marked".into(),
                host: http.host,
                method: http.method,
                path: http.path,
                headers: http.headers.into_iter().collect(),
                scheme: http.scheme,
                credential,
                ..VerifyRequest::default()
            };
            let message = with_gate(stage, verify.encode_to_vec());
            stage.call(&envoy, VERIFY, message).await;
        }
    }
    tickets(stage).await;
}

/// A secret that opens something.
async fn own(stage: &mut Stage, what: &str) -> String {
    use keyward::proto::keyward::admin::v1::{CreateKeyRequest, Key};
    let key = Key {
        owner: "realms/marked/owners/acme".into(),
        environment: "live".into(),
        kind: "secret".into(),
        scopes: vec!["read".into(), "write".into()],
        ..Key::default()
    };
    let request = CreateKeyRequest { parent: "realms/marked".into(), key: Some(key), ..CreateKeyRequest::default() };
    let secret = stage.keys().await.create_key(stage.ask(request)).await.unwrap().into_inner().secret;
    stage.learn(format!("known, and {what}"), &secret);
    secret
}

fn asking(place: &str, secret: &str) -> CheckRequest {
    let (bearer, basic) = (format!("Bearer {secret}"), format!("Basic {secret}"));
    let named = format!("Basic {}", BASE64.encode(format!("name:{secret}").as_bytes()));
    let escapes = escaped(secret.as_bytes()).to_lowercase();
    let (query, escaped, path) = (format!("/read?a=1&key={secret}&b=2"), format!("/read?key={escapes}"), format!("/read/{secret}"));
    let (cookie, comma) = (format!("a=b; session={secret}; c=d"), format!("{secret},{secret}"));
    let mut request = match place {
        "header" => check::request("GET", "marked.test", "/read", &[("x-api-key", secret)]),
        "Bearer" => check::request("GET", "marked.test", "/read", &[("authorization", &bearer)]),
        "bearer" => check::request("GET", "marked.test", "/read", &[("authorization", &bearer.to_lowercase())]),
        "Basic" => check::request("GET", "marked.test", "/read", &[("x-login", &basic)]),
        "Basic of a name" => check::request("GET", "marked.test", "/read", &[("x-login", &named), ("authorization", &named)]),
        "Authorization alone" => check::request("GET", "marked.test", "/read", &[("authorization", secret)]),
        "query" => check::request("GET", "marked.test", &query, &[]),
        "query in escapes" => check::request("GET", "marked.test", &escaped, &[]),
        "cookie" => check::request("GET", "marked.test", "/read", &[("cookie", &cookie)]),
        "twice" => check::request("GET", "marked.test", &query, &[("x-api-key", "mk_live_00000000000000000000"), ("cookie", &cookie)]),
        "with a comma" => check::request("GET", "marked.test", "/read", &[("x-api-key", &comma)]),
        "another header" => check::request("GET", "marked.test", "/open", &[("x-other", secret), ("x_owner", secret)]),
        "path" => check::request("GET", "marked.test", &path, &[]),
        "method" => check::request(secret, "marked.test", "/read", &[]),
        "host" => check::request("GET", secret, "/read", &[]),
        "tenant" => check::request("GET", "marked.test", "/read", &[("x-tenant", secret), ("x-api-key", secret)]),
        "forwarded for" => check::request("GET", "marked.test", "/read", &[("x-forwarded-for", secret), ("x-api-key", secret)]),
        "a header's name" => check::request("GET", "marked.test", "/read", &[(&secret.to_lowercase(), "x")]),
        "content type" => check::request("GET", "marked.test", "/read", &[("content-type", &format!("application/grpc+{secret}"))]),
        _ => check::request("GET", "marked.test", "/read", &[]),
    };
    let attributes = request.attributes.as_mut().unwrap();
    let http = attributes.request.as_mut().unwrap().http.as_mut().unwrap();
    match place {
        "scheme" => http.scheme = secret.into(),
        "id" => (http.id, http.protocol) = (secret.into(), secret.into()),
        "body" => (http.body, http.raw_body) = (secret.into(), secret.as_bytes().into()),
        "extension" => attributes.context_extensions = [("realm".to_owned(), secret.to_owned()), (secret.to_owned(), "x".into())].into(),
        _ => {}
    }
    request
}

async fn check(stage: &mut Stage, envoy: &Channel, message: Vec<u8>) {
    let request = with_gate(stage, message);
    stage.call(envoy, CHECK, request).await;
}

fn with_gate(stage: &Stage, message: Vec<u8>) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(message));
    request.metadata_mut().insert("authorization", format!("Bearer {}", stage.gate).parse().unwrap());
    request
}

async fn channel(stage: &Stage) -> Channel {
    Endpoint::from_shared(format!("http://{}", stage.keyward.envoy)).unwrap().connect().await.unwrap()
}

/// Access logs with a secret for a ticket, and in every text beside it.
async fn tickets(stage: &mut Stage) {
    use envoy_types::pb::google::protobuf::value::Kind;
    let mut entries = Vec::new();
    for _ in 0..20 {
        let mark = stage.draw("a ticket", "", BASE62, 60);
        entries.push(log::ended(&mark, 200));
        let odd: Struct = log::of_one(&mark, Kind::StringValue(mark.clone()));
        entries.push(log::saying(&mark, odd));
    }
    let (address, gate) = (stage.keyward.envoy, stage.gate.clone());
    let mark = stage.hex("in an access log that is none");
    let messages = vec![log::message(entries), Bytes::from(mark)];
    let _ = log::stream(address, messages, Some(&gate)).await;
    let wrong = stage.hex("a wrong secret of an access log");
    if let Err(status) = log::stream(address, Vec::new(), Some(&wrong)).await {
        stage.saw_error("an access log", &status);
    }
}

/// Messages that do not decode, whole and cut, with a secret in them.
pub(super) async fn malformed(stage: &mut Stage) {
    let envoy = channel(stage).await;
    let admin = stage.admin().await;
    for number in 0..20 {
        let secret = stage.draw("in a message that is cut", "mk_live_", BASE62, 40);
        let whole = asking(PLACES[number % PLACES.len()], &secret).encode_to_vec();
        check(stage, &envoy, whole[..whole.len() - 1 - number].to_vec()).await;
        let secret = stage.hex("in bytes that are no message");
        for path in [CHECK, VERIFY] {
            let message = with_gate(stage, secret.clone().into_bytes());
            stage.call(&envoy, path, message).await;
        }
        for path in ["/keyward.admin.v1.KeyService/CreateKey", "/keyward.admin.v1.LeakService/ReportLeak"] {
            // a field of the right number with a text that is not UTF-8
            let message = [&[0x1a, 42, 0xff, 0xfe][..], secret.as_bytes(), &[0x0a, 42, 0xff, 0xfe], secret.as_bytes()].concat();
            let request = stage.ask(Bytes::from(message));
            stage.call(&admin, path, request).await;
        }
    }
}

/// Odd words beside the message: tokens, paths and headers that are a secret, at each port.
pub(super) async fn metadata(stage: &mut Stage) {
    let (envoy, admin) = (channel(stage).await, stage.admin().await);
    for (channel, path) in [(&envoy, CHECK), (&envoy, VERIFY), (&admin, "/keyward.admin.v1.KeyService/ListKeys")] {
        for name in ["authorization", "x-api-key", "grpc-timeout", "user-agent", "traceparent", "baggage", "x-request-id", "grpc-encoding"]
        {
            for prefix in ["", "Bearer ", "Bearer kwa_", "Basic "] {
                let secret = stage.hex(format!("in the metadata {name} of {path}"));
                let mut request = Request::new(Bytes::new());
                request.metadata_mut().insert(name, format!("{prefix}{secret}").parse().unwrap());
                stage.call(channel, path, request).await;
            }
        }
        let secret = stage.hex("a method of gRPC");
        let request = stage.ask(Bytes::new());
        stage.call(channel, &format!("/keyward.admin.v1.KeyService/{secret}"), request).await;
        let request = stage.ask(Bytes::new());
        stage.call(channel, &format!("/{secret}/CreateKey"), request).await;
    }
    for address in [stage.keyward.envoy, stage.keyward.admin, stage.keyward.http] {
        for number in 0..12 {
            let secret = stage.hex("in HTTP that nobody asked for");
            let answer = sent(address, odd(number, &secret)).await;
            stage.saw(format!("what {address} says to odd HTTP"), answer);
        }
    }
}

pub(super) fn odd(number: usize, secret: &str) -> Vec<u8> {
    let h2 = |headers: Vec<u8>| {
        let open = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, &headers)].concat();
        [open, frame(DATA, END_STREAM, 1, &[0; 5])].concat()
    };
    // in place of :path and :authority of the static table
    let of = |path: &str, authority: &str| {
        let mut headers = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
        headers.extend(path.as_bytes());
        headers.extend([0x01, u8::try_from(authority.len()).unwrap()]);
        headers.extend(authority.as_bytes());
        headers.extend(literal("content-type", "application/grpc"));
        headers
    };
    match number {
        0 => format!("GET /{secret}?key={secret} HTTP/1.1\r\nhost: {secret}\r\nauthorization: Bearer {secret}\r\n\r\n").into_bytes(),
        1 => format!("{secret} / HTTP/1.1\r\n\r\n").into_bytes(),
        2 => format!("GET / HTTP/1.1\r\n{secret}\r\n\r\n").into_bytes(),
        3 => format!("GET / HTTP/{secret}\r\n\r\n").into_bytes(),
        4 => format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {secret}\r\n\r\n").into_bytes(),
        5 => format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: {secret}\r\n\r\n").into_bytes(),
        6 => h2([block(CHECK), literal("te", secret)].concat()),
        7 => h2(of(&format!("/a b{secret}"), "keyward.test")),
        8 => h2(of(CHECK, &format!("{secret} @ x"))),
        9 => h2([block(CHECK), literal(secret, "x"), literal("Upper", secret)].concat()),
        10 => h2([block(CHECK), literal("content-length", secret), literal("connection", secret)].concat()),
        _ => [&[0x16, 3, 1, 0, 80][..], secret.as_bytes(), secret.as_bytes()].concat(),
    }
}

/// Whatever comes back until it is closed, or nothing comes for a while.
pub(super) async fn sent(address: std::net::SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        let mut part = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut part).await {
            answer.extend_from_slice(&part[..read]);
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), reading).await;
    answer
}

/// Whoever asks while the store is away.
pub(super) async fn while_it_is_away(stage: &mut Stage) {
    let (envoy, admin) = (channel(stage).await, stage.admin().await);
    for _ in 0..5 {
        let secret = stage.draw("presented while the store is away", "mk_live_", BASE62, 40);
        let request = asking("header", &secret).encode_to_vec();
        check(stage, &envoy, request).await;
        let secret = stage.draw("a token while the store is away", "kwa_", HEX, 40);
        let mut request = Request::new(Bytes::new());
        request.metadata_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
        stage.call(&admin, "/keyward.admin.v1.KeyService/ListKeys", request).await;
    }
}
