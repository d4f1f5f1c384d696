//! Pages (AIP-158). A token says after which item the next page begins, and which question it belongs to.

use data_encoding::BASE64URL_NOPAD;
use prost::Message;

use super::fields::Fields;
use crate::domain::name::Word;
use crate::store::Page;

const USUAL: usize = 100;
const MOST: usize = 1000;
/// Bytes of a response's items: many clients take no message above 4 MiB.
const ROOM: usize = 3 << 20;

/// The start of SHA-256 of a list's question: everything but the page's size and token.
pub(super) type Question = [u8; 16];

/// Which page is asked for.
pub(super) fn asked(fields: &mut Fields, size: i32, token: &str, question: &Question) -> Option<Page> {
    let count = fields.take("page_size", usize::try_from(size).map_err(|_| "must not be negative"));
    let wrong = "must be the next_page_token of a response to the same question, or empty";
    let after = fields.unless_empty("page_token", token, |token| read(token, question).ok_or(wrong));
    Some(Page { after, count: if count? == 0 { USUAL } else { count?.min(MOST) }, ..Page::default() })
}

/// The token of the page after this item, or none after the last.
pub(super) fn token(last: Option<&str>, question: &Question) -> String {
    last.map(|last| BASE64URL_NOPAD.encode(&[question, last.as_bytes()].concat())).unwrap_or_default()
}

/// As many as a response has room for, at least one, and after which item the next page begins: `next`, where all have room.
pub(super) fn cut<T: Message>(items: impl Iterator<Item = (String, T)>, next: Option<String>) -> (Vec<T>, Option<String>) {
    let (mut page, mut bytes, mut last) = (Vec::new(), 0, None);
    for (place, item) in items {
        bytes += item.encoded_len();
        if bytes > ROOM && last.is_some() {
            return (page, last);
        }
        page.push(item);
        last = Some(place);
    }
    (page, next)
}

fn read(token: &str, question: &Question) -> Option<String> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    let after = std::str::from_utf8(bytes.strip_prefix(question)?).ok()?;
    let is_item = after.split(' ').all(|word| Word::parse(word).is_ok());
    is_item.then(|| after.to_owned())
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
    fn a_page_that_would_be_too_large_for_a_message_ends_before() {
        let items = |count: usize, bytes| (0..count).map(move |number| (number.to_string(), "x".repeat(bytes)));
        let ends = |count, bytes| {
            let (page, next) = cut(items(count, bytes), Some("next".into()));
            (page.len(), next.unwrap())
        };
        assert_eq!(ends(3, 1 << 10), (3, "next".into()));
        assert_eq!(ends(9, 1 << 20), (2, "1".into()), "each is a little more than its text");
        assert_eq!(ends(2, 4 << 20), (1, "0".into()), "one there is always");
        assert_eq!(cut(items(0, 0), None), (Vec::new(), None));
    }

    #[test]
    fn a_token_answers_its_own_question_alone() {
        let given = token(Some("key_1"), &[1; 16]);
        assert_eq!(page(7, &given, &[1; 16]).unwrap().after.as_deref(), Some("key_1"));
        assert_eq!(page(7, &given, &[2; 16]), None);
        for junk in
            ["x", "key_1", &given[1..], &token(Some(""), &[1; 16]), &token(Some("a/b"), &[1; 16]), &token(Some(&"x".repeat(65)), &[1; 16])]
        {
            assert_eq!(page(7, junk, &[1; 16]), None, "{junk}");
        }
    }
}
