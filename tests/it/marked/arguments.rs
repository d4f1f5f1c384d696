//! What a command reads and does not print: standard input, files and the environment.

use std::fs;

use tokio::task::block_in_place;

use super::stage::Stage;
use crate::support::marks::{BASE62, HEX};

const FORMS: [&str; 4] = ["table", "json", "yaml", "name"];

pub(super) fn on_standard_input(stage: &mut Stage) {
    for form in FORMS {
        given(stage, form);
        asked(stage, form);
    }
    tokens(stage);
    lists(stage);
}

/// Secrets that a key is to be made with: good ones, those that another key has, and those that fit nothing.
fn given(stage: &mut Stage, form: &str) {
    let create = ["keys", "create", "--realm", "marked", "--owner", "acme", "--scope", "read", "--secret-stdin", "--output", form];
    for (prefix, length) in [("mk_live_", 40), ("mk_live_", 19), ("mk_test_", 40), ("otesse_live_sk_", 40), ("", 300)] {
        let secret = stage.draw(format!("given to keys create, {prefix} and {length}"), prefix, BASE62, length);
        stage.line(&create, &secret);
        stage.line(&[&create[..], &["--environment", "test"]].concat(), &secret);
        stage.line(&create, &format!("{secret}\n\n{secret}"));
    }
    let secret = stage.hex("given for a key of the bare realm");
    stage.line(&["keys", "create", "--realm", "bare", "--owner", "acme", "--secret-stdin", "--output", form], &secret);
    // not UTF-8 would be none; nobody there
    stage.line(&["keys", "create", "--realm", "bare", "--owner", "nobody", "--secret-stdin", "--output", form], &secret);
}

fn asked(stage: &mut Stage, form: &str) {
    for (prefix, alphabet, length) in [("mk_live_", BASE62, 40), ("", HEX, 24), ("", BASE62, 400)] {
        let secret = stage.draw(format!("asked about, {prefix} and {length}"), prefix, alphabet, length);
        for verb in [&["check", "--gate-secret-file", "gate"][..], &["keys", "explain"]] {
            for more in
                [&["--realm", "marked", "--path", "/read"][..], &["--host", "marked.test", "--path", "/read?a=1", "--method", "PUT"]]
            {
                stage.line(&[verb, more, &["--key-stdin", "--output", form]].concat(), &secret);
            }
            stage.line(&[verb, &["--realm", "nowhere", "--path", "/read", "--key-stdin"]].concat(), &secret);
        }
    }
}

/// Tokens that are none, from everywhere that one may come from; and one-time secrets.
fn tokens(stage: &mut Stage) {
    for (prefix, alphabet) in [("kwa_", BASE62), ("kwa_", HEX), ("", BASE62), ("mk_live_", BASE62)] {
        let secret = stage.draw("a token that is none", prefix, alphabet, 40);
        stage.line(&["keys", "list", "--realm", "marked", "--token-file", "-"], &secret);
        stage.line(&["bootstrap", "--secret-file", "-"], &secret);
        stage.line(&["check", "--realm", "marked", "--path", "/", "--gate-secret-file", "-"], &secret);
        stage.line(&["keys", "list", "--realm", "marked", "--token-file", "-"], &format!("{secret}\n\u{1}{secret}"));
        fs::write(stage.keyward.at("token-none"), &secret).unwrap();
        let lines = "export KEYWARD_TOKEN=$(cat token-none); unset KEYWARD_TOKEN_FILE; keyward keys list --realm marked; keyward audit list; \
                     keyward keys list --help; keyward --help; keyward keys create --realm x; KEYWARD_SERVER=http://127.0.0.1:1 keyward audit verify";
        let said = block_in_place(|| stage.keyward.shell(lines));
        stage.saw("commands with a wrong token in the environment", [said.stdout, said.stderr].concat());
        fs::remove_file(stage.keyward.at("token-none")).unwrap();
    }
}

/// Secrets where ids are expected.
fn lists(stage: &mut Stage) {
    for alphabet in [HEX, BASE62] {
        let mark = stage.draw("among ids to be revoked", "", alphabet, 40);
        for form in FORMS {
            let line = ["keys", "revoke-many", "--realm", "bare", "--from", "-", "--dry-run", "--output", form];
            stage.line(&line, &format!("{mark}\n"));
            stage.line(&line, &format!("realms/bare/keys/{mark}\n{mark} {mark}\n"));
        }
    }
}
