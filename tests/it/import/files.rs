//! Files as the command line reads and writes them.

use std::fs;

use serde_json::Value;

use crate::cli::{members, message, server, text};
use crate::support::keyward::Keyward;

const IMPORT: [&str; 5] = ["keys", "import", "--realm", "otesse", "--create-owners"];

fn import(server: &Keyward, line: &[&str], stdin: &str) -> (Option<i32>, Value, String) {
    let output = server.run(&[&IMPORT, line, &["--output", "json"]].concat(), stdin);
    let said = text(&output.stderr).to_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}")), said)
}

#[test]
fn both_forms_say_the_same_and_what_is_exported_holds_no_secret() {
    let server = server();
    let csv = "id,owner,label,scopes,limits,addresses,create_time,expire_time,metadata.team,secret\n\
        a_1,acme,\"Zapier, old\",bookings:read bookings:write,minute=50 hour=7,192.0.2.0/24 192.0.2.7,2020-01-01T00:00:00Z,2090-01-01T00:00:00Z,north,otesse_live_sk_aaaaaaaaaaaaaaaaaaaaaaaa0001\n";
    let json = r#"{"id": "a_1", "owner": "acme", "label": "Zapier, old", "scopes": ["bookings:read", "bookings:write"], "limits": {"minute": 50, "hour": 7}, "addresses": ["192.0.2.0/24", "192.0.2.7"], "create_time": "2020-01-01T00:00:00Z", "expire_time": "2090-01-01T00:00:00Z", "metadata": {"team": "north"}, "secret": "otesse_live_sk_aaaaaaaaaaaaaaaaaaaaaaaa0001"}"#;
    let (code, first, said) = import(&server, &["-"], csv);
    assert_eq!((code, members(&first)), (Some(0), message("ImportKeysResponse")), "{said}");
    assert_eq!((&first["created"], &first["owners_created"], said.as_str()), (&1.into(), &1.into(), ""));
    fs::write(server.at("keys.jsonl"), format!("{json}\n\n")).unwrap();
    let (_, again, _) = import(&server, &["keys.jsonl"], "");
    assert_eq!((&again["rows"], &again["unchanged"]), (&1.into(), &1.into()), "both forms have one content: {again}");
    for (form, lines) in [("jsonl", 1), ("csv", 2)] {
        let exported = server.run(&["keys", "export", "--realm", "otesse", "--format", form], "");
        let shown = text(&exported.stdout);
        assert_eq!((exported.status.code(), shown.lines().count()), (Some(0), lines), "{shown}");
        assert!(shown.contains("a_1") && shown.contains("192.0.2.7/32") && !shown.contains("aaaaaaaa"), "{shown}");
    }
}

#[test]
fn rows_that_cannot_be_read_are_refused_by_their_number_and_the_others_are_taken() {
    let server = server();
    let csv = "owner,secret,create_time\nacme,otesse_live_sk_aaaaaaaaaaaaaaaaaaaaaaaa0001,\nacme,otesse_live_sk_aaaaaaaaaaaaaaaaaaaaaaaa0002,soon\n\
        acme\nacme,short,\nacme,otesse_live_sk_aaaaaaaaaaaaaaaaaaaaaaaa0003,\n";
    let (code, report, said) = import(&server, &["-"], csv);
    let rows: Vec<_> = report["refusals"].as_array().unwrap().iter().map(|refused| refused["row"].as_u64().unwrap()).collect();
    assert_eq!((code, rows, &report["created"], &report["rows"]), (Some(1), vec![2, 3, 4], &2.into(), &5.into()));
    assert!(said.contains("row 2: row: has a create_time that is no instant") && said.contains("row 4: secret: "), "{said}");
    assert!(said.ends_with("error: 3 rows were refused\n") && !said.contains("aaaaaaaa"), "{said}");
    let (_, rest, _) = import(&server, &["-", "--resume", "4"], csv);
    assert_eq!((&rest["rows"], &rest["unchanged"], &rest["durable_row"]), (&1.into(), &1.into(), &5.into()));
    let json = "{\"owner\": \"acme\", \"secret\": 7777777}\nno json\n";
    let (_, report, said) = import(&server, &["-", "--format", "jsonl"], json);
    assert_eq!(report["refused"], 2);
    assert!(!said.contains("7777777"), "what may be a secret is not shown: {said}");
}

#[test]
fn rows_that_weigh_much_are_sent_in_messages_that_the_server_takes() {
    let server = server();
    let metadata = (0..40).map(|name| format!("\"name_{name}\": \"{}\"", "v".repeat(250))).collect::<Vec<_>>().join(", ");
    let row = |number| format!("{{\"owner\": \"acme\", \"secret\": \"otesse_live_sk_{number:032}\", \"metadata\": {{{metadata}}}}}\n");
    let rows: String = (0..600).map(row).collect();
    assert!(rows.len() > 5 << 20, "more than a message may have");
    let (code, report, said) = import(&server, &["-", "--format", "jsonl"], &rows);
    assert_eq!((code, &report["created"]), (Some(0), &600.into()), "{said}");
}

#[test]
fn a_source_that_cannot_be_read_ends_and_a_mark_at_its_beginning_is_none_of_it() {
    let server = server();
    let json = "\u{feff}{\"owner\": \"acme\", \"secret\": \"otesse_live_sk_aaaaaaaaaaaaaaaaaaaaaaaa0001\"}\n";
    let (code, report, said) = import(&server, &["-", "--format", "jsonl"], json);
    assert_eq!((code, &report["created"]), (Some(0), &1.into()), "{said}");
    fs::create_dir(server.at("folder.jsonl")).unwrap();
    let (code, report, said) = import(&server, &["folder.jsonl"], "");
    assert_eq!((code, &report["refused"]), (Some(1), &1.into()), "{said}");
    let both = "owner,secret,scheme,digest\nacme,otesse_live_sk_aaaaaaaaaaaaaaaaaaaaaaaa0002,sha-256,00\n";
    let (code, _, said) = import(&server, &["-"], both);
    assert!(code == Some(1) && said.contains("has a secret and a digest"), "{said}");
}

#[test]
fn what_is_wrong_with_the_whole_is_said_before_anything_is_done() {
    let server = server();
    let refused = |line: &[&str], stdin: &str| {
        let output = server.run(&[&IMPORT, line].concat(), stdin);
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let (code, said) = refused(&["-"], "owner,password\nacme,x\n");
    assert!(code == Some(2) && said.contains("its name 2 is none") && !said.contains("password"), "{said}");
    let (code, said) = refused(&["-"], "owner,secret,secret\nacme,x,y\n");
    assert!(code == Some(2) && said.contains("the column \"secret\" is there twice"), "{said}");
    let (code, said) = refused(&["absent.csv"], "");
    assert!(code == Some(2) && said.contains("absent.csv cannot be read"), "{said}");
    let output = server.run(&["keys", "import", "-", "--realm", "nowhere"], "owner,secret\n");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
}
