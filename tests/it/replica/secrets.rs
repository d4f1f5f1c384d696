//! A key under rotation has several secrets. One whose time is over opens nothing any more, whether it is remembered or read; the others go on.

use std::time::Duration;

use keyward::domain::name::Word;
use keyward::domain::record::{Holder, KeptSecret};
use keyward::domain::time::StoreTime;
use keyward::grpc::check_server::Answers as _;
use keyward::grpc::ext_authz::Authorizer;
use prost::Message as _;
use tonic::codegen::http::HeaderMap;

use super::stage::{Stage, key, owner};
use crate::support::check;
use crate::support::seed::peppers;

const OLD: &str = "st_0123456789abcdef0123456789abcdef";
const NEW: &str = "st_fedcba9876543210fedcba9876543210";

/// Why it is refused; `None`: it may pass.
type Refused = Option<String>;

#[tokio::test]
async fn an_old_secret_opens_its_key_until_its_grace_is_over_and_the_new_one_afterwards() {
    for remembered in ["remembered", "read when it is over"] {
        let stage = Stage::set().await;
        let ends = StoreTime(stage.replica.session.now().0 + 30_000);
        stage.store.put(&rotated(Some(ends)));
        stage.applied().await;
        let gate = stage.authorizer();
        if remembered == "remembered" {
            stage.clock.pass(Duration::from_millis(29_999));
            assert_eq!([ask(&gate, OLD).await, ask(&gate, NEW).await], [None, None]);
            stage.clock.pass(Duration::from_millis(1));
        } else {
            stage.clock.pass(Duration::from_secs(30));
        }
        assert_eq!(ask(&gate, OLD).await.as_deref(), Some("expired"), "{remembered}");
        assert_eq!(ask(&gate, NEW).await, None, "{remembered}: the other one has no end");
    }
}

#[tokio::test]
async fn control_without_an_end_the_old_secret_goes_on() {
    let stage = Stage::set().await;
    stage.store.put(&rotated(None));
    stage.applied().await;
    let gate = stage.authorizer();
    stage.clock.pass(Duration::from_secs(30));
    assert_eq!([ask(&gate, OLD).await, ask(&gate, NEW).await], [None, None]);
}

/// A key with two secrets, the older of which ends then.
fn rotated(ends: Option<StoreTime>) -> Holder {
    let mut holder = key(1, &owner("acme"));
    let first = holder.record.secrets.remove(0);
    let digest = |secret: &str| peppers().newest().digest(&holder.record.realm, secret.as_bytes());
    let kept =
        |number, secret, ends| KeptSecret { digest: digest(secret), number, ends, pepper: Word::parse("1").unwrap(), ..first.clone() };
    holder.record.secrets = vec![kept(2, NEW, None), kept(1, OLD, ends)];
    holder
}

async fn ask(gate: &Authorizer, secret: &str) -> Refused {
    let request = check::request("GET", "stage.test", "/", &[("x", secret)]).encode_to_vec();
    let response = gate.answer(request.into(), &HeaderMap::new()).await.message();
    let response = envoy_types::pb::envoy::service::auth::v3::CheckResponse::decode(response).unwrap();
    (!check::admits(&response)).then(|| check::metadata(&response, "reason").unwrap())
}
