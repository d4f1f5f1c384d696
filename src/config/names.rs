//! Names as readers: words of a realm's own, and the tokens of HTTP.

use super::document::{At, Read};
use crate::domain::name::Word;

/// Headers of one connection, and those that frame a message or name its host.
const FRAMING: [&str; 9] =
    ["connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

pub(super) fn word(at: &At<'_>) -> Read<Word> {
    at.parsed(Word::parse)
}

/// A token of HTTP (RFC 9110, 5.6.2): a header's name, a scheme, a cookie's name.
pub(super) fn token<'a>(at: &At<'a>) -> Read<&'a str> {
    let text = at.text()?;
    if is_token(text) { Ok(text) } else { at.must_be("a token of letters, digits and !#$%&'*+-.^_`|~") }
}

/// A header's name, in lower case. What frames a message is the proxy's alone.
pub(super) fn header_name(at: &At<'_>) -> Read<Box<str>> {
    let name = token(at)?.to_ascii_lowercase();
    if FRAMING.contains(&name.as_str()) { at.problem(format_args!("the header {name} is the proxy's own")) } else { Ok(name.into()) }
}

/// What may stand in a header: visible ASCII and spaces, so that nothing ends it or begins another.
pub(super) fn visible<'a>(at: &At<'a>) -> Read<&'a str> {
    let text = at.text()?;
    let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if visible { Ok(text) } else { at.must_be("visible ASCII, without line breaks") }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
