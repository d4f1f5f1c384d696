//! `make demo` is the first thing that a newcomer runs: it must not rot.
#![allow(clippy::unwrap_used, reason = "a test's own parts fail loudly")]

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::support::eventually;
use crate::support::process::Process;

/// The script on ports and in a folder of the test's own, with the keyward that is built already.
fn demo(state: &Path) -> Command {
    let mut demo = Command::new("scripts/demo.sh");
    demo.current_dir(env!("CARGO_MANIFEST_DIR"));
    demo.env("DEMO_STATE", state).env("DEMO_PORTS", "any").env("KEYWARD_BINARY", env!("CARGO_BIN_EXE_keyward"));
    demo
}

/// The lines that are to be pasted.
fn curls(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with("curl ")).collect()
}

/// Where the admin port is, or was.
fn admin(said: &str) -> &str {
    said.split("KEYWARD_SERVER=http://").nth(1).unwrap().split_whitespace().next().unwrap()
}

#[test]
fn the_demo_tries_a_good_and_a_refused_line_of_every_realm_and_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&folder.path().join("state")).env("DEMO_ONCE", "1").output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complained}");
    for realm in ["Ocote", "Otesse", "Ocus", "Azotte"] {
        assert!(said.contains(&format!("# {realm}: 200, the upstream saw GET /")), "{said}");
        assert!(said.contains(&format!("# {realm}: 40")), "{said}");
    }
    assert_eq!(curls(&said).len(), 9, "{said}");
    assert!(TcpStream::connect(admin(&said)).is_err(), "keyward still runs");
}

#[test]
fn the_demos_lines_work_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start("the demo", &mut demo(&folder.path().join("state")), &folder.path().join("log"));
    process.wait_for("readiness", || process_says(folder.path(), "everything runs"));
    let said = process.said();
    let pasted = Command::new("sh").args(["-c", &format!("{} -sf", curls(&said)[0])]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&pasted.stdout).unwrap();
    assert_eq!(answer["headers"]["x-ocote-company"], "company-a");
    process.stop();
    eventually("keyward ends with the demo", || TcpStream::connect(admin(&said)).is_err().then_some(()));
}

#[test]
fn a_demo_of_which_a_part_does_not_start_says_so_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&folder.path().join("state")).env("DEMO_ONCE", "1").env("KEYWARD_ENVOY", "/bin/false").output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(complained.contains("envoy does not start"), "{complained}");
}

fn process_says(folder: &Path, words: &str) -> Option<()> {
    std::fs::read_to_string(folder.join("log")).unwrap().contains(words).then_some(())
}
