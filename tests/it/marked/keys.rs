//! Secrets that are keys': minted, imported, rotated, reported.

use std::fmt::Write as _;

use data_encoding::{BASE64, HEXLOWER};
use keyward::domain::foreign::Foreign;
use keyward::proto::keyward::admin::v1::leak_service_client::LeakServiceClient;
use keyward::proto::keyward::admin::v1::{CreateKeyRequest, Key, ReportLeakRequest, RotateKeyRequest};
use prost::Message as _;
use serde_json::Value;

use super::stage::Stage;
use crate::support::marks::{BASE62, HEX};

const MINTED: usize = 120;

/// By calls, and by the command line in each of its forms.
pub(super) async fn minted(stage: &mut Stage) {
    let mut keys = stage.keys().await;
    for number in 0..MINTED {
        let (environment, kind) = [("live", "secret"), ("test", "secret"), ("live", "publishable")][number % 3];
        let key = Key {
            owner: "realms/marked/owners/acme".into(),
            label: format!("minted {number}"),
            environment: environment.into(),
            kind: kind.into(),
            scopes: vec!["read".into()],
            ..Key::default()
        };
        let request = CreateKeyRequest { parent: "realms/marked".into(), key: Some(key), ..CreateKeyRequest::default() };
        let mut made = keys.create_key(stage.ask(request)).await.unwrap().into_inner();
        let secret = std::mem::take(&mut made.secret);
        stage.learn(format!("minted ({environment}, {kind})"), &secret);
        stage.saw("the answer of CreateKey but for the secret", made.encode_to_vec());
    }
    for output in ["table", "json", "yaml"] {
        for realm in ["marked", "bare", "keyward"] {
            printed(stage, realm, output);
        }
    }
}

/// What a command prints of a key that it makes: the secret in one place, and nothing of it in any other.
fn printed(stage: &mut Stage, realm: &str, output: &str) {
    let owner = if realm == "keyward" { "admins" } else { "acme" };
    let more: &[&str] = match realm {
        "marked" => &["--environment", "live", "--kind", "secret", "--scope", "read"],
        "keyward" => &["--scope", "viewer", "--expire-time", "2090-01-01T00:00:00Z"],
        _ => &[],
    };
    let line = [&["keys", "create", "--realm", realm, "--owner", owner, "--output", output][..], more].concat();
    let made = stage.command(&line, "");
    let made = String::from_utf8(made.stdout).unwrap();
    let words = made.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
    let is_secret = |word: &&str| word.len() >= 40 && !word.starts_with("key_");
    let secret = words.clone().find(is_secret).unwrap_or_else(|| panic!("no secret in {made}")).to_owned();
    stage.learn(format!("minted and printed as {output}"), &secret);
    stage.saw(format!("what `keys create --output {output}` prints but for the secret"), made.replacen(&secret, "", 1));
}

/// As they are and as foreign digests; a row's mistakes must not show what stands in it.
pub(super) fn imported(stage: &mut Stage) {
    let theirs = Foreign::HmacSha256(std::fs::read(stage.keyward.at("realms/theirs")).unwrap().into());
    let mut csv = "id,owner,secret,scheme,digest,last_four,scopes,environment,kind\n".to_owned();
    for number in 0..120 {
        let secret = stage.draw("imported", "mk_live_", BASE62, 40);
        let (scheme, digest) = match number % 4 {
            0 => ("", String::new()),
            1 => ("sha-256", HEXLOWER.encode(&Foreign::Sha256.digest(secret.as_bytes()))),
            2 => ("sha-512", BASE64.encode(&Foreign::Sha512.digest(secret.as_bytes()))),
            _ => ("hmac-sha-256", HEXLOWER.encode(&theirs.digest(secret.as_bytes()))),
        };
        let (plain, last_four) = if number % 4 == 0 { (&*secret, "") } else { ("", &secret[secret.len() - 4..]) };
        writeln!(csv, "old_{number},acme,{plain},{scheme},{digest},{last_four},read,live,secret").unwrap();
    }
    let done = stage.line(&["keys", "import", "-", "--realm", "marked", "--output", "json"], &csv);
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done["created"], 120, "{done}");
    for line in [&["--dry-run"][..], &["--on-conflict", "fail"], &["--output", "yaml"], &["--resume", "7"]] {
        stage.line(&[&["keys", "import", "-", "--realm", "marked"][..], line].concat(), &csv);
    }
    wrong_rows(stage);
}

/// Rows that are refused, each with a secret in a column that is for something else, and files that are none.
fn wrong_rows(stage: &mut Stage) {
    let columns = ["id", "owner", "label", "scopes", "environment", "kind", "plan", "tenant", "limits", "addresses"];
    let more = ["create_time", "expire_time", "revoke_time", "secret", "digest", "scheme", "last_four", "metadata.a"];
    for column in columns.into_iter().chain(more) {
        for length in [24, 90] {
            let mark = stage.draw(format!("imported in the column {column}"), "", HEX, length);
            let csv = format!("{column},secret_too,owner\n{mark},x,acme\n")
                .replace("secret_too", if column == "secret" { "label" } else { "secret" });
            let csv = if column == "owner" { csv.replacen(",owner\n", ",label\n", 1) } else { csv };
            stage.line(&["keys", "import", "-", "--realm", "marked", "--dry-run"], &csv);
            let line = serde_json::json!({"owner": "acme", column: mark});
            stage.line(&["keys", "import", "-", "--realm", "marked", "--format", "jsonl", "--dry-run"], &format!("{line}\n"));
        }
    }
    let mark = stage.draw("imported as the number of a limit", "", HEX, 40);
    stage.line(&["keys", "import", "-", "--realm", "marked", "--dry-run"], &format!("owner,limits\nacme,minute={mark}\n"));
    for number in 0..4 {
        let mark = stage.draw("in a file that is none", "", HEX, 40);
        let file = [
            format!("id,owner,{mark}\nx,acme,y\n"),
            format!("owner,secret\nacme,{mark},{mark}\n"),
            format!("owner,secret\nacme,\"{mark}\n"),
            format!("{{\"owner\": \"acme\", \"secret\": \"{mark}\", \"{mark}\": 1}}\n{{{mark}\n"),
        ];
        let format = if number == 3 { "jsonl" } else { "csv" };
        stage.line(&["keys", "import", "-", "--realm", "marked", "--format", format], &file[number]);
    }
}

/// Old secrets beside new ones, and both reported; the wrong ones reported too.
pub(super) async fn rotated_and_reported(stage: &mut Stage) {
    let listed = stage.line(&["keys", "list", "--realm", "marked", "--label-prefix", "minted", "--output", "name"], "");
    let names: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(ToOwned::to_owned).take(40).collect();
    let (mut keys, mut leaks) = (stage.keys().await, LeakServiceClient::new(stage.admin().await));
    for (number, name) in names.iter().enumerate() {
        let grace = (number % 2 == 0).then_some(prost_types::Duration { seconds: 3600, nanos: 0 });
        let request = RotateKeyRequest { name: name.clone(), grace, ..RotateKeyRequest::default() };
        let mut made = keys.rotate_key(stage.ask(request)).await.unwrap().into_inner();
        let secret = std::mem::take(&mut made.secret);
        stage.learn("made by a rotation", &secret);
        stage.saw("the answer of RotateKey but for the secret", made.encode_to_vec());
        if number % 4 == 0 {
            match leaks.report_leak(ReportLeakRequest { secret, parent: "realms/marked".into() }).await {
                Ok(answer) => stage.saw("the answer of ReportLeak", answer.get_ref().encode_to_vec()),
                Err(status) => stage.saw_error("ReportLeak", &status),
            }
        }
    }
    for output in ["table", "json", "yaml"] {
        let made = stage.command(&["keys", "rotate", &names[1], "--grace", "1h", "--output", output], "");
        let made = String::from_utf8(made.stdout).unwrap();
        let secret = made.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_-".contains(letter)).find(|word| word.len() >= 40);
        let secret = secret.unwrap_or_else(|| panic!("no secret in {made}")).to_owned();
        stage.learn("made by a rotation and printed", &secret);
        stage.saw("what `keys rotate` prints but for the secret", made.replacen(&secret, "", 1));
    }
    for number in 0..20 {
        let unknown = if number % 2 == 0 {
            stage.draw("reported, and nobody's", "mk_live_", BASE62, 40)
        } else {
            stage.hex("reported, and no secret")
        };
        stage.line(&["report-leak"], &unknown);
    }
}
