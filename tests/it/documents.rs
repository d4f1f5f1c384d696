//! The guide is run: its lines, in their order, as a reader would paste them.

use std::path::Path;
use std::process::Command;

use crate::support::redis::RedisServer;

#[test]
fn every_line_of_the_guide_works_in_its_order() {
    guide(|lines| lines);
}

#[test]
fn every_line_of_the_guide_works_on_redis_too() {
    let redis = RedisServer::start();
    let store =
        format!("store: {{redis: {{url: {:?}, timeout: 400ms}}}}\npepper_file: data/pepper\nbootstrap_file: data/bootstrap", redis.url());
    let files = "mkdir data\necho \"1:$(head -c 32 /dev/urandom | base64 -w0)\" > data/pepper\necho 'a one-time secret of this test' > data/bootstrap";
    guide(|lines| {
        assert!(lines.contains(EMBEDDED), "the guide has a store to be replaced");
        format!("{files}\n{}", lines.replace(EMBEDDED, &store))
    });
}

const EMBEDDED: &str = "store: {embedded: {folder: data}}";

/// Runs it, as a test has changed it.
fn guide(edit: impl FnOnce(String) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{}", edit(lines("docs/guide.md")));
    let output = Command::new("bash").args(["-c", &script]).current_dir(&folder).env("PATH", path).output().unwrap();
    let said = || format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{}", said(), std::fs::read_to_string(folder.path().join("keyward.log")).unwrap_or_default());
    assert!(folder.path().join("data/pepper").exists());
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut broken = Vec::new();
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/guide.md",
        "docs/realms.md",
        "docs/operations.md",
        "docs/faults.md",
        "docs/benchmarks.md",
        "docs/benchmarks-peers.md",
        "docs/settlement.md",
    ] {
        let text = std::fs::read_to_string(document).unwrap();
        let folder = Path::new(document).parent().unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local = links.filter(|link| !link.is_empty() && !link.starts_with("http"));
        broken.extend(local.filter(|link| !folder.join(link).exists()).map(|link| format!("{document}: {link}")));
    }
    assert!(broken.is_empty(), "{broken:?}");
}

/// The `sh` blocks of a document.
fn lines(document: &str) -> String {
    let text = std::fs::read_to_string(document).unwrap();
    let blocks: Vec<&str> = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 3, "the guide has its lines in sh blocks");
    blocks.join("\n")
}
