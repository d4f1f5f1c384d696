//! The search sees: a secret that is put into each of the places is found there, in each form.

use std::fs;
use std::sync::{Arc, Mutex};

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use sha2::{Digest as _, Sha256};
use tonic::transport::server::TcpIncoming;

use super::stage::{Engine, Stage};
use crate::support::keyward::{Keyward, NewKey, Store};
use crate::support::marks::{BASE62, Mark, Search, escaped, random};
use crate::support::redis::RedisServer;

/// As a line of a log, a metric, an error, a detail or a value might have it.
fn planted(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let digest = Sha256::digest(secret.as_bytes());
    let with = |before: &str| [before.as_bytes(), secret.as_bytes()].concat();
    let debug = format!("{:?}", secret.as_bytes());
    vec![
        ("as it is", with("")),
        ("within words", with("secret=")),
        ("cut off", with("")[..8 + 20].to_vec()),
        ("its end", secret.as_bytes()[secret.len() - 20..].to_vec()),
        ("lower case", secret.to_lowercase().into_bytes()),
        ("hex", HEXLOWER.encode(secret.as_bytes()).into_bytes()),
        ("hex in capitals", HEXUPPER.encode(secret.as_bytes()).into_bytes()),
        ("base64", BASE64.encode(secret.as_bytes()).into_bytes()),
        ("base64 behind one byte", BASE64.encode(&with("a")).into_bytes()),
        ("base64 behind two bytes", BASE64.encode(&with("ab")).into_bytes()),
        ("base64 of a longer text", BASE64.encode(&[&with("Basic name:")[..], b" and more"].concat()).into_bytes()),
        ("base64 for URLs", BASE64URL.encode(&with("\u{ff}?")).into_bytes()),
        ("percent-encoded", escaped(secret.as_bytes()).into_bytes()),
        ("numbers", debug.into_bytes()),
        ("a plain hash", digest.to_vec()),
        ("a plain hash in hex", HEXLOWER.encode(&digest).into_bytes()),
        ("a plain hash in base64", BASE64.encode(&digest).into_bytes()),
        ("a plain hash within base64", BASE64.encode(&[b"x", &digest[..]].concat()).into_bytes()),
    ]
}

#[test]
fn the_control_a_secret_is_found_in_every_form_among_a_thousand_and_nothing_where_there_is_none() {
    let marks: Vec<Mark> = (0..1000).map(|number| Mark::new(format!("{number}"), "mk_live_", &random(BASE62, 40))).collect();
    let search = Search::new(&marks);
    assert_eq!(search.marks(), 1000);
    for mark in [&marks[0], &marks[499], &marks[999]] {
        for (form, bytes) in planted(mark.text()) {
            let line = [b"{\"level\":\"TRACE\",\"fields\":{\"a\":\"", &bytes[..], b"\"}}\n"].concat();
            let found = search.find(&line);
            assert!(found.iter().any(|found| found.what == mark.what), "{form} is not found");
            assert!(found.iter().all(|found| found.what == mark.what), "{form}: {found:?}");
        }
        assert_eq!(search.find(b"mk_live_ and the last four"), [], "what everybody may know");
    }
    let nobodys: Vec<u8> = (0..4000).flat_map(|_| random(BASE62, 40).into_bytes()).collect();
    assert_eq!(search.find(&nobodys), []);
}

/// A label is kept for people: a secret that somebody puts there is found wherever labels are, so the stage sees what comes out of the server.
#[tokio::test(flavor = "multi_thread")]
async fn the_control_what_is_kept_is_found_in_answers_and_in_the_embedded_stores_file() {
    label_is_found(Engine::Embedded);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_what_is_kept_is_found_in_answers_and_in_redis_and_its_files() {
    label_is_found(Engine::Redis);
}

fn label_is_found(engine: Engine) {
    let mut stage = Stage::set(engine);
    let secret = stage.draw("a label", "mk_live_", BASE62, 40);
    stage.line(
        &["keys", "create", "--realm", "bare", "--owner", "acme", "--secret-stdin", "--label", &secret],
        &random(b"0123456789abcdef", 40),
    );
    stage.line(&["keys", "list", "--realm", "bare", "--output", "json"], "");
    let wrong = stage.draw("a command's argument", "", BASE62, 40);
    stage.line(&["keys", "get", "--realm", &wrong, "key_1"], "");
    let search = stage.search();
    let found = |what: &str, place: &str| {
        let at = stage.seen().iter().filter(|(seen, _)| seen.starts_with(place));
        at.flat_map(|(_, bytes)| search.find(bytes)).any(|found| found.what == what)
    };
    assert!(found("a label", "standard output of `keys list"), "the list shows labels");
    assert!(found("a command's argument", "standard error of `keys get") || !found("a label", "standard error"));
    let kept = stage.found_in_the_store();
    for place in stage.kinds_of_places() {
        assert!(kept.iter().any(|(at, found)| at.contains(place) && found.what == "a label"), "not in {place}: {kept:?}");
    }
    // in a line of the log, in a metric and in a span, as a careless line would put it there
    stage.scraped();
    for mut told in stage.told() {
        assert_eq!(search.find(&told), [], "the control's control");
        told.extend_from_slice(secret.as_bytes());
        assert!(search.find(&told).iter().any(|found| found.what == "a label"));
    }
}

/// Whatever a test does with its servers, they are looked through when they go: so this test fails at its end.
#[test]
#[should_panic(expected = "secrets of this test's server are where none may be")]
fn the_control_a_server_that_keeps_a_secret_fails_its_test_when_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bare.yaml"), super::stage::BARE).unwrap();
    let keyward = Keyward::start(folder.path(), &Store::Embedded);
    keyward.create_owner("bare", "acme", None);
    let made = keyward.create_key("bare", &NewKey { owner: "acme", label: "one", ..NewKey::default() });
    // a label is kept for people, and this one is a secret
    keyward.create_key("bare", &NewKey { owner: "acme", label: &made.secret, ..NewKey::default() });
}

/// Why libraries say nothing below `info`: they print what they cannot read.
#[tokio::test]
async fn the_control_libraries_print_paths_and_headers_that_they_cannot_read() {
    let written = Written::default();
    let to = written.clone();
    let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || to.clone()).finish();
    let _everything = tracing::subscriber::set_default(everything);
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    tokio::spawn(tonic::transport::Server::builder().add_service(health).serve_with_incoming(incoming));
    for number in [6, 7, 8] {
        let mark = Mark::new("odd", "", &random(b"0123456789abcdef", 40));
        super::calls::sent(address, super::calls::odd(number, mark.text())).await;
        assert_ne!(Search::new([&mark]).find(&written.0.lock().unwrap()), [], "nothing was printed of {number}");
    }
}

#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Redis's own files hold what it was told, and legibly: else nothing could be found there.
#[test]
fn the_control_a_secret_in_a_value_of_redis_is_found_in_both_of_its_files() {
    let server = RedisServer::with(super::stage::LEGIBLE);
    let mark = Mark::new("a value", "", &random(BASE62, 60));
    let digest = Sha256::digest(mark.text().as_bytes()).to_vec();
    let mut redis = server.connection();
    let values = [mark.text().as_bytes().to_vec(), digest, HEXLOWER.encode(mark.text().as_bytes()).into_bytes()];
    let search = Search::new([&mark]);
    for (number, value) in values.iter().enumerate() {
        let _: () = redis::cmd("HSET").arg("a").arg(number).arg(value).query(&mut redis).unwrap();
    }
    let _: String = redis::cmd("SAVE").query(&mut redis).unwrap();
    let found = search.find_below(server.folder(), &[]);
    for (file, forms) in [(".aof", 3), (".rdb", 3)] {
        let of_file = fs::read_dir(server.folder()).unwrap().count();
        let forms_found: std::collections::BTreeSet<_> =
            found.iter().filter(|(at, _)| at.ends_with(file)).map(|(_, found)| found.form).collect();
        assert!(of_file > 0 && forms_found.len() >= forms, "{file}: {found:?}");
    }
}
