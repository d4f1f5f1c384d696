//! Pages (AIP-158). A token says after which id the next page begins, and which question it belongs to.

use data_encoding::BASE64URL_NOPAD;

use super::fields::Fields;
use crate::domain::name::Word;
use crate::store::Page;

const USUAL: usize = 100;
const MOST: usize = 1000;

/// The start of SHA-256 of a list's question: everything but the page's size and token.
pub(super) type Question = [u8; 16];

/// Which page is asked for.
pub(super) fn asked(fields: &mut Fields, size: i32, token: &str, question: &Question) -> Option<Page> {
    let count = fields.take("page_size", usize::try_from(size).map_err(|_| "must not be negative"));
    let wrong = "must be the next_page_token of a response to the same question, or empty";
    let after = fields.unless_empty("page_token", token, |token| read(token, question).ok_or(wrong));
    Some(Page { after, count: if count? == 0 { USUAL } else { count?.min(MOST) } })
}

/// The token of the page after this id.
pub(super) fn token(last: &str, question: &Question) -> String {
    BASE64URL_NOPAD.encode(&[question, last.as_bytes()].concat())
}

fn read(token: &str, question: &Question) -> Option<String> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    let after = std::str::from_utf8(bytes.strip_prefix(question)?).ok()?;
    Word::parse(after).ok().map(|after| after.to_string())
}
