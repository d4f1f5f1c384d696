//! The pepper file: one `version:base64` a line, newest first, or `version:lost` of a pepper that nobody has any more. No problem ever shows a part of a line.

use std::path::Path;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::problem::{Problem, Problems};
use crate::domain::key::{Pepper, Peppers};
use crate::domain::name::Word;

/// Reads the peppers, or reports every line that is none.
pub fn peppers(path: &Path) -> Result<Peppers, Problems> {
    let file = path.display().to_string();
    let whole = |says: String| Problem::of_file(&file, says);
    // what names no file may be the pepper itself
    let unread = |error| Problem::of_file("pepper_file", format_args!("names a file that cannot be read: {error}"));
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(unread)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| whole("is no text: it must have one `version:base64` a line".into()))?;
    let lines = text.lines().enumerate().map(|(above, line)| (above + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));

    let (mut peppers, mut lost): (Vec<(usize, Pepper)>, Vec<Word>) = (Vec::new(), Vec::new());
    let mut problems = Vec::new();
    for (line, text) in lines {
        if let Some(version) = lost_one(text) {
            lost.push(version);
            continue;
        }
        match pepper(text).and_then(|pepper| alone(pepper, &peppers)) {
            Ok(pepper) => peppers.push((line, pepper)),
            Err(says) => problems.push(Problem { line, ..whole(says) }),
        }
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let newest_first = peppers.into_iter().map(|(_, pepper)| pepper).collect();
    Peppers::new(newest_first)
        .map(|peppers| peppers.without(lost))
        .ok_or_else(|| whole("holds no pepper: it must have one `version:base64` a line, newest first".into()).into())
}

/// The version of a pepper that is lost.
fn lost_one(line: &str) -> Option<Word> {
    let (version, key) = line.split_once(':')?;
    if key.trim() == "lost" { Word::parse(version.trim()).ok() } else { None }
}

/// A line's pepper. Even its version is not shown where it does not read: the two sides may have been swapped.
fn pepper(line: &str) -> Result<Pepper, String> {
    let (version, key) = line.split_once(':').ok_or("must be `version:base64`")?;
    let version = Word::parse(version.trim()).map_err(|_| "has a version that is not 1 to 64 of A-Z a-z 0-9 . _ -")?;
    let key = BASE64.decode(key.trim().as_bytes()).map_err(|_| "has a pepper that is no base64, which comes with its padding")?;
    Pepper::new(version, key).ok_or_else(|| "has a pepper of fewer than 32 bytes".into())
}

fn alone(pepper: Pepper, before: &[(usize, Pepper)]) -> Result<Pepper, String> {
    match before.iter().find(|(_, other)| other.version == pepper.version) {
        Some((line, _)) => Err(format!("has the version of line {line}: each has its own")),
        None => Ok(pepper),
    }
}
