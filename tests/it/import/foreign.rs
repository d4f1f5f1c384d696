//! Keys that were imported with foreign digests open the gate by their secrets, where the realm tries such digests, and nowhere else.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use keyward::domain::foreign::Foreign;
use tempfile::TempDir;

use crate::support::check::{self, Checks};
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

const ALL: &str = "imported_digests: [sha-256, sha-512, {hmac-sha-256: {secret_file: theirs}}]\n";
const THEIRS: &[u8] = b"the key of the other system\xff";

/// The realm `plain`, whose secrets are 24 characters.
fn realms(lines: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "realm: plain\nhosts: [plain.test]\nhttps: any\ncredentials: [{{header: x-api-key}}]\n\
         keys: [{{alphabet: base62, length: {{min: 24, max: 40}}, minted: 24}}]\nroutes: [{{prefix: /}}]\n{lines}"
    );
    fs::write(folder.path().join("plain.yaml"), text).unwrap();
    fs::write(folder.path().join("theirs"), [THEIRS, b"\n"].concat()).unwrap();
    folder
}

fn server(realms: &Path, store: &Store<'_>) -> Keyward {
    let edit = |config: String| config.replace("redis: {url", "redis: {timeout: 400ms, url") + "check_deadline: 10s\nlease: 2s\n";
    Keyward::start_edited(realms, store, edit)
}

fn secret(number: usize) -> String {
    format!("foreignSecretOfANumber{number:04}")
}

async fn admits(checks: &mut Checks, secret: &str) -> bool {
    let request = check::request("GET", "plain.test", "/", &[("x-api-key", secret)]);
    check::admits(&checks.check(request).await.unwrap().into_inner())
}

/// Four keys, one of each kind.
fn csv() -> String {
    let theirs = Foreign::HmacSha256(THEIRS.to_vec().into());
    let digests = [
        ("sha-256", HEXLOWER.encode(&Foreign::Sha256.digest(secret(0).as_bytes()))),
        ("sha-512", BASE64.encode(&Foreign::Sha512.digest(secret(1).as_bytes()))),
        ("hmac-sha-256", HEXLOWER.encode(&theirs.digest(secret(2).as_bytes())).to_uppercase()),
    ];
    let mut text = "id,owner,secret,scheme,digest,last_four\n".to_owned();
    for (number, (scheme, digest)) in digests.iter().enumerate() {
        writeln!(text, "old_{number},acme,,{scheme},{digest},000{number}").unwrap();
    }
    text + &format!("old_3,acme,{},,,\n", secret(3))
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_keys_open_by_their_secrets_where_the_realm_tries_their_digests() {
    let redis = RedisServer::start();
    let listing = realms(ALL);
    for store in [Store::Embedded, Store::Redis(&redis.url())] {
        let server = server(listing.path(), &store);
        let mut checks = check::connect(server.envoy).await;
        for number in 0..4 {
            assert!(!admits(&mut checks, &secret(number)).await, "the control: nobody has it before the import");
        }
        let imported = server.run(&["keys", "import", "-", "--realm", "plain", "--create-owners", "--output", "json"], &csv());
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        for _ in 0..2 {
            for number in 0..4 {
                assert!(admits(&mut checks, &secret(number)).await, "{number}: at once, and when it is remembered");
            }
        }
        for number in 4..8 {
            assert!(!admits(&mut checks, &secret(number)).await);
        }
        let stolen = HEXLOWER.encode(&Foreign::Sha256.digest(secret(0).as_bytes()));
        assert!(!admits(&mut checks, &stolen[..40]).await, "what the other system kept opens nothing");
        server.revoke_key("plain", "old_1");
        assert!(!admits(&mut checks, &secret(1)).await, "a revocation reaches what was remembered of an imported key");
        assert!(admits(&mut checks, &secret(0)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_that_does_not_list_a_scheme_tries_no_digest_of_it() {
    let redis = RedisServer::start();
    let (url, all) = (redis.url(), realms(ALL));
    let store = Store::Redis(&url);
    let listing = server(all.path(), &store);
    listing.run(&["keys", "import", "-", "--realm", "plain", "--create-owners"], &csv());
    for (lines, open) in [("", &[3][..]), ("imported_digests: [sha-512]\n", &[1, 3]), (ALL, &[0, 1, 2, 3])] {
        let folder = realms(lines);
        let other = Keyward::without_token(folder.path(), &store, |config| config + "check_deadline: 10s\n");
        let mut checks = check::connect(other.envoy).await;
        for number in 0..4 {
            assert_eq!(admits(&mut checks, &secret(number)).await, open.contains(&number), "{lines}: {number}");
        }
    }
}

#[test]
fn slow_hashes_are_refused_with_the_reason_and_so_is_a_scheme_that_the_realm_does_not_list() {
    let folder = realms("imported_digests: [sha-512]\n");
    let server = server(folder.path(), &Store::Embedded);
    let slow = [
        ("", "$2b$12$KIXQ4r3v1b8eQ0b6r1Jp0e"),
        ("bcrypt", "abc"),
        ("sha-256", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ"),
        ("pbkdf2-sha256", "00"),
        ("", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q"),
    ];
    let mut csv = "owner,scheme,digest\n".to_owned();
    for (scheme, digest) in slow {
        writeln!(csv, "acme,{scheme},\"{digest}\"").unwrap();
    }
    writeln!(csv, "acme,sha-256,{}\nacme,sha-512,abcd\nacme,sha-1,abcd\nacme,,", "0".repeat(64)).unwrap();
    let output = server.run(&["keys", "import", "-", "--realm", "plain", "--create-owners"], &csv);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.matches("a check must cost microseconds").count()), (Some(1), slow.len()), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[5].contains("row 6: digest: must be one that the realm tries: put sha-256 among `imported_digests`"), "{said}");
    assert!(lines[6].contains("row 7: digest: must be 64 bytes in hex or base64"), "{said}");
    assert!(lines[7].contains("row 8: digest: must have the scheme") && lines[8].contains("row 9: secret: must be set"), "{said}");
    assert!(said.ends_with("error: 9 rows were refused\n"), "{said}");
}

/// Its control: the key that was reported first is ended by itself where nobody else has the secret (`old_2`).
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_several_keys_have_is_ended_in_all_of_them_by_whoever_shows_it() {
    let redis = RedisServer::start();
    let listing = realms(ALL);
    for store in [Store::Embedded, Store::Redis(&redis.url())] {
        let server = server(listing.path(), &store);
        let digest = |way: &Foreign| HEXLOWER.encode(&way.digest(secret(3).as_bytes()));
        let twins = format!(
            "id,owner,scheme,digest\ntwin_1,globex,sha-256,{}\ntwin_2,globex,sha-512,{}\n",
            digest(&Foreign::Sha256),
            digest(&Foreign::Sha512)
        );
        for rows in [csv(), twins] {
            let imported = server.run(&["keys", "import", "-", "--realm", "plain", "--create-owners"], &rows);
            assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        }
        let mut checks = check::connect(server.envoy).await;
        assert!(admits(&mut checks, &secret(3)).await && admits(&mut checks, &secret(2)).await);
        for number in [3, 2] {
            let told = server.run(&["report-leak", "--realm", "plain"], &secret(number));
            assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
            assert!(!admits(&mut checks, &secret(number)).await);
        }
        for (id, is_ended) in [("old_3", true), ("twin_1", true), ("twin_2", true), ("old_2", true), ("old_0", false)] {
            assert_eq!(server.get_key("plain", id)["key"]["revoke_time"].is_string(), is_ended, "{id}");
        }
    }
}
