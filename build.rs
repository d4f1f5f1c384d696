//! Compiles `proto/` without protoc, and declares Envoy's access log service with keyward's own codec.

use std::path::Path;
use std::{env, error::Error, fs};

use prost::Message as _;

const PROTOS: &[&str] = &[
    "keyward/admin/v1/audit_service.proto",
    "keyward/admin/v1/bootstrap_service.proto",
    "keyward/admin/v1/key_service.proto",
    "keyward/admin/v1/leak_service.proto",
    "keyward/admin/v1/owner_service.proto",
    "keyward/admin/v1/pepper_service.proto",
    "keyward/admin/v1/revocation_service.proto",
    "keyward/admin/v1/usage_service.proto",
    "keyward/store/v1/stored.proto",
    "keyward/v1/verify.proto",
    "envoy/service/auth/v3/external_auth.proto",
    "envoy/service/accesslog/v3/als.proto",
    "envoy/data/accesslog/v3/accesslog.proto",
];

/// Messages that hold a secret: they do not print.
const SECRET: [&str; 12] = [
    ".keyward.admin.v1.ImportKeysRequest",
    ".keyward.admin.v1.ImportedKey",
    ".keyward.admin.v1.CreateKeyRequest",
    ".keyward.admin.v1.CreateKeyResponse",
    ".keyward.admin.v1.RotateKeyResponse",
    ".keyward.admin.v1.ReportLeakRequest",
    ".keyward.admin.v1.ExplainCheckRequest",
    ".keyward.v1.VerifyRequest",
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
    tonic_prost_build::configure()
        .bytes(".envoy")
        .btree_map(".keyward")
        .skip_debug(SECRET)
        .codec_path("crate::grpc::counted::CountedCodec")
        .include_file("proto.rs")
        .compile_fds(files)?;
    tonic_build::manual::Builder::new().build_client(false).compile(&[access_log()]);
    Ok(())
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
