//! Which digests of other systems a realm's keys may have been imported with.

use zeroize::Zeroizing;

use super::document::{At, Read};
use super::paths::path;
use super::yaml::Value;
use crate::domain::foreign::Foreign;

/// Each costs every look-up in the store a digest more.
const MOST: usize = 4;

const WHAT: &str = "sha-256, sha-512 or {hmac-sha-256: {secret_file: FILE}}";

/// A list of them, in the order in which they are tried.
pub(super) fn imported(at: &At<'_>) -> Read<Vec<Foreign>> {
    let ways = at.distinct(way)?;
    if ways.len() <= MOST {
        Ok(ways)
    } else {
        at.problem(format_args!("has {} entries: {MOST} are the most, for each is tried", ways.len()))
    }
}

fn way(at: &At<'_>) -> Read<Foreign> {
    match at.value() {
        Value::Text("sha-256") => Ok(Foreign::Sha256),
        Value::Text("sha-512") => Ok(Foreign::Sha512),
        Value::Map(_) => {
            let mut map = at.map()?;
            let way = map.required("hmac-sha-256", keyed);
            map.finish().and(way)
        }
        _ => at.problem(format_args!("must be {WHAT}")),
    }
}

fn keyed(at: &At<'_>) -> Read<Foreign> {
    let mut map = at.map()?;
    let key = map.required("secret_file", secret);
    map.finish()?;
    Ok(Foreign::HmacSha256(key?))
}

/// The file's bytes, but for a line break at their end. Nothing of them is ever shown, nor what names the file: it may be the secret itself.
fn secret(at: &At<'_>) -> Read<Zeroizing<Vec<u8>>> {
    let file = path(at, at.folder())?;
    let mut bytes = match std::fs::read(&file) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) => return at.problem(format_args!("names a file that cannot be read: {error}")),
    };
    if bytes.ends_with(b"\n") {
        bytes.pop();
        bytes.pop_if(|byte| *byte == b'\r');
    }
    if bytes.is_empty() { at.problem("names a file that is empty") } else { Ok(bytes) }
}
