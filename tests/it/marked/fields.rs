//! Every text field of every call of the admin API and of `Verify`, found in the descriptors: a secret stands in it that belongs elsewhere.

use bytes::Bytes;
use keyward::proto::DESCRIPTORS;
use keyward::proto::keyward::admin::v1 as wire;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet, MethodDescriptorProto};
use serde_json::Value;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use super::stage::Stage;
use crate::support::marks::{BASE62, HEX};
use crate::support::raw_codec::RawCodec;

/// Calls that keep such a field for people, where they are answered well.
const KEEP: &[&str] = &["CreateKey", "UpdateKey", "CreateOwner", "UpdateOwner", "ImportKeys"];

/// What `ExplainCheck` tells of the request.
const TOLD: &[&str] = &["realm", "host", "tenant"];

pub(super) async fn in_every_field_of_every_call(stage: &mut Stage) {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let key = name_of(stage, &["keys", "create", "--realm", "marked", "--owner", "acme", "--environment", "live", "--kind", "secret"]);
    let admin = stage.admin().await;
    let mut calls = 0;
    for file in files.file.iter().filter(|file| file.package() == "keyward.admin.v1") {
        for service in &file.service {
            for method in &service.method {
                let input = message(&files, method.input_type());
                for field in texts(&files, input, 0) {
                    for shape in shapes(&field) {
                        let what = format!("in the field {} of {}", field.name, method.name());
                        let (alphabet, length) = if *shape == "{}" { (BASE62, 40) } else { (HEX, 40) };
                        let mark = stage.draw(what, "", alphabet, length);
                        let value = shape.replace("{}", &mark);
                        let bytes = [based(method.name(), &key, service.name()), field.with(value.as_bytes())].concat();
                        let path = format!("/keyward.admin.v1.{}/{}", service.name(), method.name());
                        let done = asked(stage, &admin, &path, method, bytes).await;
                        let is_told = method.name() == "ExplainCheck" && TOLD.contains(&&*field.name);
                        if done && (is_told || KEEP.contains(&method.name())) {
                            stage.keep();
                        }
                        calls += 1;
                    }
                }
            }
        }
    }
    assert!(calls > 150, "{calls} fields are too few");
}

/// A key of its own, which may be spoiled.
fn name_of(stage: &mut Stage, line: &[&str]) -> String {
    let made = stage.command(&[line, &["--output", "json"]].concat(), "");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    stage.learn("of a key to be changed", made["secret"].as_str().unwrap());
    made["key"]["name"].as_str().unwrap().to_owned()
}

/// A way to a text, from the message inwards: numbers of fields.
#[derive(Debug, Clone)]
struct Text {
    name: String,
    way: Vec<u32>,
    /// Whether it is the value of a map, whose key must be there too.
    is_value: bool,
}

impl Text {
    /// The bytes of a message that has this text there and nothing else.
    fn with(&self, value: &[u8]) -> Vec<u8> {
        let mut bytes = value.to_vec();
        for (depth, number) in self.way.iter().rev().enumerate() {
            let mut outer = Vec::new();
            encode_key(*number, WireType::LengthDelimited, &mut outer);
            encode_varint(bytes.len() as u64, &mut outer);
            outer.extend(&bytes);
            if depth == 0 && self.is_value {
                outer.extend([0x0a, 1, b'a']);
            }
            bytes = outer;
        }
        bytes
    }
}

fn message<'f>(files: &'f FileDescriptorSet, name: &str) -> &'f DescriptorProto {
    let (parent, own) = name.trim_start_matches('.').rsplit_once('.').unwrap();
    let of_package = files.file.iter().filter(|file| file.package() == parent).flat_map(|file| &file.message_type);
    let nested = files.file.iter().flat_map(|file| file.message_type.iter().map(move |outer| (file, outer)));
    let nested = nested.filter(|(file, outer)| format!("{}.{}", file.package(), outer.name()) == parent);
    let mut all = of_package.chain(nested.flat_map(|(_, outer)| &outer.nested_type));
    all.find(|message| message.name() == own).unwrap_or_else(|| panic!("no message {name}"))
}

fn texts(files: &FileDescriptorSet, of: &DescriptorProto, depth: usize) -> Vec<Text> {
    let mut all = Vec::new();
    let is_map = of.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry);
    for field in &of.field {
        let number = u32::try_from(field.number()).unwrap();
        match field.r#type() {
            Type::String | Type::Bytes => {
                all.push(Text { name: field.name().into(), way: vec![number], is_value: is_map && field.name() == "value" });
            }
            Type::Message if depth < 4 => {
                for inner in texts(files, message(files, field.type_name()), depth + 1) {
                    let name = format!("{}.{}", field.name(), inner.name);
                    all.push(Text { name, way: [&[number], &inner.way[..]].concat(), ..inner });
                }
            }
            _ => {}
        }
    }
    all
}

/// A secret alone; and as the last part of a name, where there is one.
fn shapes(field: &Text) -> &'static [&'static str] {
    match field.name.rsplit('.').next().unwrap() {
        "name" | "names" | "owner" | "parent" | "realm" | "subject" | "binding" | "key" => {
            &["{}", "realms/{}", "realms/marked/keys/{}", "realms/bare/keys/{}", "realms/bare/owners/{}", "realms/{}/keys/key_1"]
        }
        "path" => &["{}", "/{}", "/read?key={}"],
        "label" | "value" => &["{}", "{}\n", "{}{}{}{}"],
        _ => &["{}"],
    }
}

/// What is right of a call: a wrong field is found whatever else there is.
fn based(method: &str, key: &str, service: &str) -> Vec<u8> {
    let (parent, name) = ("realms/marked".to_owned(), key.to_owned());
    let owner = || "realms/marked/owners/other".to_owned();
    let of_key = wire::Key { owner: owner(), environment: "live".into(), kind: "secret".into(), ..wire::Key::default() };
    let named = wire::GetKeyRequest { name: if service == "OwnerService" { owner() } else { name.clone() }, read_mask: None };
    match method {
        "CreateKey" => wire::CreateKeyRequest { parent, key: Some(of_key), ..wire::CreateKeyRequest::default() }.encode_to_vec(),
        "UpdateKey" => {
            wire::UpdateKeyRequest { key: Some(wire::Key { name, ..wire::Key::default() }), ..wire::UpdateKeyRequest::default() }
                .encode_to_vec()
        }
        "ListKeys" => wire::ListKeysRequest { parent, ..wire::ListKeysRequest::default() }.encode_to_vec(),
        "RevokeKeys" => wire::RevokeKeysRequest { parent, dry_run: true, ..wire::RevokeKeysRequest::default() }.encode_to_vec(),
        "ImportKeys" => wire::ImportKeysRequest { parent, ..wire::ImportKeysRequest::default() }.encode_to_vec(),
        "ExplainCheck" => {
            wire::ExplainCheckRequest { realm: parent, method: "GET".into(), path: "/read".into(), ..wire::ExplainCheckRequest::default() }
                .encode_to_vec()
        }
        "CreateOwner" => {
            wire::CreateOwnerRequest { parent, owner_id: "acme".into(), ..wire::CreateOwnerRequest::default() }.encode_to_vec()
        }
        "ListOwners" => wire::ListOwnersRequest { parent, ..wire::ListOwnersRequest::default() }.encode_to_vec(),
        "UpdateOwner" => wire::UpdateOwnerRequest {
            owner: Some(wire::Owner { name: owner(), ..wire::Owner::default() }),
            ..wire::UpdateOwnerRequest::default()
        }
        .encode_to_vec(),
        "ListAudit" | "WatchAudit" | "ExportAudit" | "VerifyAudit" | "Bootstrap" | "ReportLeak" | "WithdrawPepper" => Vec::new(),
        // their first field is the name
        _ => named.encode_to_vec(),
    }
}

/// Asks, and keeps what comes; whether it was answered well.
async fn asked(stage: &mut Stage, channel: &Channel, path: &str, method: &MethodDescriptorProto, message: Vec<u8>) -> bool {
    let message = Bytes::from(message);
    if !method.client_streaming() && !method.server_streaming() {
        let request = stage.ask(message);
        return stage.call(channel, path, request).await;
    }
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let way = PathAndQuery::try_from(path).unwrap();
    let messages = stage.ask(tokio_stream::iter([message]));
    let answer = match client.streaming(messages, way, RawCodec).await {
        Ok(answer) => answer,
        Err(status) => {
            stage.saw_error(path, &status);
            return false;
        }
    };
    let mut answers = answer.into_inner();
    // one that is watched does not end
    let patience = std::time::Duration::from_millis(if method.name() == "WatchAudit" { 100 } else { 60_000 });
    while let Ok(next) = tokio::time::timeout(patience, answers.message()).await {
        match next {
            Ok(Some(bytes)) => stage.saw(format!("the answer of {path}"), bytes.to_vec()),
            Ok(None) => return true,
            Err(status) => {
                stage.saw_error(path, &status);
                return false;
            }
        }
    }
    true
}
