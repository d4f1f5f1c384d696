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

#[cfg(test)]
mod tests {
    use super::*;

    fn page(size: i32, token: &str, question: &Question) -> Option<Page> {
        let mut fields = Fields::default();
        let page = asked(&mut fields, size, token, question);
        fields.all(page).ok()
    }

    #[test]
    fn no_size_is_a_hundred_and_none_is_above_a_thousand_or_below_nothing() {
        let count = |size| page(size, "", &[1; 16]).map(|page| page.count);
        assert_eq!([0, 1, 1000, 1001, i32::MAX].map(count), [100, 1, 1000, 1000, 1000].map(Some));
        assert_eq!([-1, i32::MIN].map(count), [None, None]);
    }

    #[test]
    fn a_token_answers_its_own_question_alone() {
        let given = token("key_1", &[1; 16]);
        assert_eq!(page(7, &given, &[1; 16]).unwrap().after.as_deref(), Some("key_1"));
        assert_eq!(page(7, &given, &[2; 16]), None);
        for junk in ["x", "key_1", &given[1..], &token("", &[1; 16]), &token("a/b", &[1; 16]), &token(&"x".repeat(65), &[1; 16])] {
            assert_eq!(page(7, junk, &[1; 16]), None, "{junk}");
        }
    }
}
