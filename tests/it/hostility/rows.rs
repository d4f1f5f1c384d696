//! Messages of the admin API that are small on the wire and large in memory.

use std::fs;

use bytes::Bytes;
use futures_util::stream;
use keyward::grpc::counted::MOST_FIELDS;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::{ImportKeysRequest, ImportedKey, Key, ListKeysRequest, UpdateKeyRequest};
use prost::Message as _;
use prost_types::FieldMask;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use super::peak;
use crate::admin::world::{fields, reason, with};
use crate::overload::server;
use crate::support::campaign::figure;
use crate::support::keyward::{Keyward, Store};
use crate::support::raw_codec::RawCodec;

/// What a process may grow by at its peak: 64 MiB.
const BOUND: u64 = 64 << 20;

/// Of two bytes each they fill the longest message that is taken.
const VERY_MANY: usize = 2_000_000;

/// Before, one such message took 1.3 GB: two bytes of it are a row of more than 600.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_very_many_empty_rows_is_refused_before_it_takes_memory() {
    let (keyward, _) = server(&Store::Embedded, |config| config);
    let before = peak(&keyward);
    let refused = import(&keyward, [0x1a, 0].repeat(VERY_MANY)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(refused.message().contains("more than 10000 fields: send its rows"), "{refused:?}");
    let grown = peak(&keyward).saturating_sub(before) >> 20;
    figure("T17", "2 000 000 empty rows in one message: growth", &format!("{grown} MiB"));
    assert!(grown < BOUND >> 20, "it grew by {grown} MiB");

    let most = ImportKeysRequest { parent: "realms/plain".into(), options: None, rows: vec![ImportedKey::default(); MOST_FIELDS - 1] };
    import(&keyward, most.encode_to_vec()).await.expect("the control: as many as may be are looked at, each of them");
}

/// Before, each of the scopes had its line in the answer, for which the process grew by 1.5 GB, and the client ended the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_very_much_that_is_wrong_only_so_much_is_told() {
    let (keyward, _) = server(&Store::Embedded, |config| config);
    let before = peak(&keyward);
    let channel = Endpoint::from_shared(format!("http://{}", keyward.admin)).unwrap().connect().await.unwrap();
    let keys = KeyServiceClient::new(channel);
    let update = async |paths, scopes| {
        let key = Key { name: "realms/plain/keys/key_1".into(), scopes, ..Key::default() };
        let request = UpdateKeyRequest { key: Some(key), update_mask: Some(FieldMask { paths }), ..UpdateKeyRequest::default() };
        let refused = keys.clone().update_key(as_admin(&keyward, request)).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::InvalidArgument, "INVALID".into()));
        fields(&refused)
    };
    assert_eq!(update(vec!["scopes".into()], vec![String::new(); VERY_MANY]).await, ["key.scopes"]);
    let told = update(vec!["nothing".into(); VERY_MANY / 5], Vec::new()).await.len();
    assert!((1..20).contains(&told), "{told} are told");
    let grown = peak(&keyward).saturating_sub(before) >> 20;
    figure("T17", "2 000 000 wrong scopes of one key: growth", &format!("{grown} MiB"));
    assert!(grown < 3 * (BOUND >> 20), "it grew by {grown} MiB");
    let few = update(vec!["scopes".into(), "nothing".into()], vec![String::new(); 3]).await;
    assert_eq!(
        few,
        ["update_mask.paths[1]", "key.scopes[0]", "key.scopes[1]", "key.scopes[2]"],
        "the control: all of it, where it is not much"
    );
}

/// Every path is looked for with every field of every key of the answer: before, four such calls stopped a replica's checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_mask_of_more_paths_than_there_are_fields_is_refused() {
    let (keyward, _) = server(&Store::Embedded, |config| config);
    let channel = Endpoint::from_shared(format!("http://{}", keyward.admin)).unwrap().connect().await.unwrap();
    let mut keys = KeyServiceClient::new(channel);
    for (paths, refused) in [(20, false), (21, true), (150_000, true)] {
        let read_mask = Some(FieldMask { paths: vec!["name".into(); paths] });
        let request = ListKeysRequest { parent: "realms/plain".into(), read_mask, ..ListKeysRequest::default() };
        let listed = keys.list_keys(as_admin(&keyward, request)).await.map(drop);
        let said = listed.err().map(|status| fields(&status));
        assert_eq!(said, refused.then(|| vec!["read_mask".to_owned()]), "{paths}");
    }
}

fn as_admin<T>(keyward: &Keyward, message: T) -> Request<T> {
    with(&fs::read_to_string(keyward.at("token")).unwrap(), message)
}

async fn import(keyward: &Keyward, message: Vec<u8>) -> Result<(), Status> {
    let channel = Endpoint::from_shared(format!("http://{}", keyward.admin)).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let request = as_admin(keyward, stream::iter([Bytes::from(message)]));
    client.client_streaming(request, "/keyward.admin.v1.KeyService/ImportKeys".parse().unwrap(), RawCodec).await.map(drop)
}
