//! The pepper file: what it holds, and that no problem shows any of it.

use std::path::Path;

use data_encoding::BASE64;
use keyward::config::{self, Problems};
use keyward::domain::name::RealmId;

fn written(text: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn pepper(byte: u8, length: usize) -> String {
    BASE64.encode(&vec![byte; length])
}

fn problems(text: &[u8]) -> Vec<(usize, String)> {
    let Problems(problems) = config::peppers(written(text).path()).unwrap_err();
    problems.into_iter().map(|problem| (problem.line, problem.says)).collect()
}

#[test]
fn peppers_come_newest_first_and_comments_and_blank_lines_are_nothing() {
    let text = format!("# newest first\n\n  2025-06:{}  \r\n\n1: {}\n", pepper(7, 32), pepper(8, 64));
    let peppers = config::peppers(written(text.as_bytes()).path()).unwrap();
    let versions: Vec<_> = peppers.iter().map(|pepper| pepper.version.to_string()).collect();
    assert_eq!(versions, ["2025-06", "1"]);
    let realm = RealmId::parse("a").unwrap();
    let alone = config::peppers(written(format!("x:{}", pepper(8, 64)).as_bytes()).path()).unwrap();
    assert_eq!(peppers.digests(&realm, b"s")[1], alone.newest().digest(&realm, b"s"));
}

#[test]
fn every_line_that_is_no_pepper_is_reported_and_none_is_shown() {
    let (short, good) = (pepper(b'S', 31), pepper(b'G', 32));
    let swapped = good.trim_end_matches('=');
    let unpadded = format!("{good}x");
    let text = format!("1:{short}\n{good}\n2:{good}\n{good}:3\n4:{unpadded}\n2:{good}\n{swapped}:5\n");
    let found = problems(text.as_bytes());
    let expected = [
        (1, "has a pepper of fewer than 32 bytes"),
        (2, "must be `version:base64`"),
        (4, "has a version that is not"),
        (5, "has a pepper that is no base64"),
        (6, "has the version of line 3"),
        (7, "has a pepper that is no base64"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((line, says), (expected_line, expected)) in found.iter().zip(expected) {
        assert!(*line == expected_line && says.starts_with(expected), "{line} {says}");
        assert!(!says.contains(&good[..8]) && !says.contains(&short[..8]) && !says.contains(swapped), "{says}");
    }
}

#[test]
fn a_file_without_a_pepper_is_a_problem() {
    for text in [&b""[..], b"# nothing\n"] {
        assert!(problems(text)[0].1.starts_with("holds no pepper"));
    }
    assert!(problems(b"1:\xff\n")[0].1.starts_with("is no text"));
    let gone = config::peppers(Path::new("/nowhere/pepper")).unwrap_err().to_string();
    assert!(gone.starts_with("pepper_file: names a file that cannot be read:") && !gone.contains("nowhere"), "{gone}");
}
