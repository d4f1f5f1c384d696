//! Compiles `proto/` without protoc, and declares Envoy's services with keyward's own codecs.

use std::path::Path;
use std::{env, error::Error, fs};

use prost::Message as _;

const PROTOS: &[&str] = &[
    "keyward/admin/v1/admin.proto",
    "keyward/store/v1/stored.proto",
    "envoy/service/auth/v3/external_auth.proto",
    "envoy/service/accesslog/v3/als.proto",
    "envoy/data/accesslog/v3/accesslog.proto",
];

/// Messages that hold a secret: they do not print.
const SECRET: [&str; 6] = [
    ".keyward.admin.v1.CreateKeyRequest",
    ".keyward.admin.v1.CreateKeyResponse",
    ".keyward.admin.v1.BootstrapRequest",
    ".keyward.admin.v1.BootstrapResponse",
    ".envoy.service.auth.v3.CheckRequest",
    ".envoy.service.auth.v3.AttributeContext",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(PROTOS, ["proto"])?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptors.bin"), files.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".envoy").skip_debug(SECRET).include_file("proto.rs").compile_fds(files)?;
    tonic_build::manual::Builder::new().build_client(false).compile(&[authorization(), access_log()]);
    Ok(())
}

/// `envoy.service.auth.v3.Authorization`. Requests come as bytes: one that does not decode is refused in band. Responses leave as bytes too.
fn authorization() -> tonic_build::manual::Service {
    let check = tonic_build::manual::Method::builder()
        .name("check")
        .route_name("Check")
        .input_type("bytes::Bytes")
        .output_type("bytes::Bytes")
        .codec_path("crate::grpc::codec::CheckCodec")
        .build();
    tonic_build::manual::Service::builder().name("Authorization").package("envoy.service.auth.v3").method(check).build()
}

/// `envoy.service.accesslog.v3.AccessLogService`. Messages come as bytes: one that does not decode is counted, and the stream goes on.
fn access_log() -> tonic_build::manual::Service {
    let stream = tonic_build::manual::Method::builder()
        .name("stream_access_logs")
        .route_name("StreamAccessLogs")
        .input_type("bytes::Bytes")
        .output_type("crate::proto::envoy::service::accesslog::v3::StreamAccessLogsResponse")
        .codec_path("crate::grpc::access_log::AccessLogCodec")
        .client_streaming()
        .build();
    tonic_build::manual::Service::builder().name("AccessLogService").package("envoy.service.accesslog.v3").method(stream).build()
}
