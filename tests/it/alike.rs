//! Where a realm's contract does not tell them apart, nobody can tell by the answer whether a key never was, was revoked, has expired, was
//! retired, or was deleted: the same bytes from keyward, and the same status, headers and body behind a real Envoy. What differs is keyward's
//! dynamic metadata, which is Envoy's own and goes to no caller.

use std::path::Path;

use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;

use crate::support::check::{self, Checks};
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::keyward::{Keyward, Made, NewKey, Store};
use crate::support::redis::RedisServer;
use crate::support::shell::Shell;
use crate::support::upstream::Upstream;

/// A realm, and how its keys are shown.
struct Contract {
    realm: &'static str,
    host: &'static str,
    path: &'static str,
    /// The header, and what stands before the secret.
    shown: (&'static str, &'static str),
    more: &'static [(&'static str, &'static str)],
    key: NewKey<'static>,
    never: &'static str,
}

fn ocote() -> Contract {
    Contract {
        realm: "ocote",
        host: "ocote.io",
        path: "/api/connect/status/x",
        shown: ("authorization", "Bearer "),
        more: &[],
        key: NewKey { owner: "acme", ..NewKey::default() },
        never: "odt_0123456789abcdef0123456789abcdef0123456789abcdef01234567",
    }
}

fn azotte() -> Contract {
    Contract {
        realm: "azotte",
        host: "api.azotte.com",
        path: "/v1/subscriptions",
        shown: ("x-api-key", ""),
        more: &[("x-tn", "north")],
        key: NewKey { owner: "acme", environment: Some("live"), kind: Some("secret"), tenant: Some("north"), ..NewKey::default() },
        never: "sk_live_0123456789abcdefghijklmnopqrstuv",
    }
}

fn ocus() -> Contract {
    Contract {
        realm: "ocus",
        host: "api.ocus.io",
        path: "/v3/projects",
        shown: ("x-api-key", ""),
        more: &[],
        key: NewKey { owner: "acme", ..NewKey::default() },
        never: "0123456789abcdefghijklmnopqrstuvwxyzABCD",
    }
}

#[test]
fn at_ocote_and_azotte_nobody_can_tell_what_has_become_of_a_key_on_the_embedded_store() {
    tell_nothing(&Store::Embedded);
}

#[test]
fn at_ocote_and_azotte_nobody_can_tell_what_has_become_of_a_key_on_redis() {
    let redis = RedisServer::start();
    tell_nothing(&Store::Redis(&redis.url()));
}

fn tell_nothing(store: &Store<'_>) {
    let scene = Scene::set(store);
    for contract in [ocote(), azotte()] {
        let told = scene.play(&contract);
        let (_, unknown) = &told[0];
        for (what, answer) in &told {
            assert_eq!(answer, unknown, "{}: {what}", contract.realm);
        }
        assert!(told.len() >= 6 && unknown.status == 401);
    }
    // the control: a contract that tells them apart
    let told = scene.play(&ocus());
    let status = |what: &str| told.iter().find(|(name, _)| *name == what).unwrap().1.status;
    assert_eq!([status("unknown"), status("revoked"), status("expired"), status("deleted")], [401, 403, 403, 401]);
    let of = |what: &str| &told.iter().find(|(name, _)| *name == what).unwrap().1;
    assert_ne!((of("revoked"), of("revoked").checked.clone()), (of("unknown"), of("unknown").checked.clone()));
    assert_eq!(of("retired"), of("unknown"), "a secret that was retired is nobody's");
}

/// What a caller can see.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    /// The check's whole answer, but for its dynamic metadata.
    checked: Vec<u8>,
}

struct Scene {
    keyward: Keyward,
    shell: Shell,
    runtime: tokio::runtime::Runtime,
    checks: Checks,
    _upstream: Upstream,
    _envoy: Envoy,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn set(store: &Store<'_>) -> Self {
        let keyward = Keyward::start_edited(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms"), store, |config| {
            config.replace(r#"redis: {url: "#, "redis: {timeout: 1s, url: ") + "check_deadline: 3s\n"
        });
        let upstream = Upstream::start();
        let envoy = Envoy::start_edited(keyward.envoy, upstream.address, |bootstrap| bootstrap.replace("timeout: 0.25s", "timeout: 10s"));
        let folder = tempfile::tempdir().unwrap();
        let shell = Shell::new(folder.path(), &envoy);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let checks = runtime.block_on(check::connect(keyward.envoy));
        Self { keyward, shell, runtime, checks, _upstream: upstream, _envoy: envoy, _folder: folder }
    }

    /// What callers are told whose keys were in every state there is, each asked twice: not remembered, and remembered.
    fn play(&self, contract: &Contract) -> Vec<(&'static str, Told)> {
        let (realm, keyward) = (contract.realm, &self.keyward);
        keyward.create_owner(realm, "acme", None);
        let end = Timestamp::now().checked_add(SignedDuration::from_secs(5)).unwrap();
        let expired = keyward.create_key(realm, &NewKey { expire_time: Some(&end.to_string()), ..again(&contract.key) });
        let [revoked, warm, retired, deleted, reported] = [(); 5].map(|()| keyward.create_key(realm, &again(&contract.key)));
        for made in [&warm, &retired, &deleted] {
            assert_eq!(self.ask(contract, &made.secret).status, 200, "the control: {realm} admits a good key");
        }
        for made in [&revoked, &warm] {
            keyward.revoke_key(realm, &made.id);
        }
        keyward.cli(&["keys", "rotate", "--realm", realm, &retired.id, "--grace", "0s", "--output", "json"]);
        keyward.cli(&["keys", "delete", "--realm", realm, &deleted.id, "--output", "json"]);
        let cause = ["keys", "revoke", "--realm", realm, &reported.id, "--leaked", "--output", "json"];
        keyward.cli(&cause);
        // not by asking, which the key's limits would count
        let is_over = || Timestamp::now().duration_since(end) > SignedDuration::from_millis(500);
        eventually("the key has expired", || is_over().then_some(()));
        let secret = |made: &Made| made.secret.clone();
        let all = [
            ("unknown", contract.never.to_owned()),
            ("revoked", secret(&revoked)),
            ("revoked after it was used", secret(&warm)),
            ("leaked", secret(&reported)),
            ("expired", secret(&expired)),
            ("retired", secret(&retired)),
            ("deleted", secret(&deleted)),
        ];
        all.iter().chain(&all).map(|(what, secret)| (*what, self.ask(contract, secret))).collect()
    }

    fn ask(&self, contract: &Contract, secret: &str) -> Told {
        let (name, before) = contract.shown;
        let own = [(name, format!("{before}{secret}"))];
        let more = contract.more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let headers: Vec<(&str, String)> = own.into_iter().chain(more).collect();
        let words: Vec<String> = headers.iter().map(|(name, value)| format!("-H '{name}: {value}'")).collect();
        let line = format!("curl 'https://{}{}' {}", contract.host, contract.path, words.join(" "));
        let brought = self.shell.run(&line);
        assert_eq!(brought.complaint, None);
        let answer = brought.answers.into_iter().next_back().unwrap();
        let borrowed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let checked = self.check(check::request("GET", contract.host, contract.path, &borrowed));
        let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
        Told { status: answer.status, headers, body: answer.body, checked }
    }

    fn check(&self, request: CheckRequest) -> Vec<u8> {
        let mut checks = self.checks.clone();
        let answer = self.runtime.block_on(async move { checks.check(request).await.unwrap().into_inner() });
        CheckResponse { dynamic_metadata: None, ..answer }.encode_to_vec()
    }
}

fn again(key: &NewKey<'static>) -> NewKey<'static> {
    NewKey { owner: key.owner, environment: key.environment, kind: key.kind, tenant: key.tenant, ..NewKey::default() }
}
