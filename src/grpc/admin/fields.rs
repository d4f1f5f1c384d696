//! Taking a request apart, field by field: all that is wrong is said at once, each with its path.

use std::fmt::Display;

use prost_types::Timestamp;

use crate::domain::time::StoreTime;
use crate::keyring::{KeyringError, Wrong, too_many};

/// More than an answer has room for.
const TOLD: usize = 100;

/// What was wrong so far, the first of it.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Wrong>);

impl Fields {
    /// A field's value, if it is one.
    pub(super) fn take<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.refuse(Wrong::new(field, error.to_string()))).ok()
    }

    /// Something that is wrong.
    pub(super) fn refuse(&mut self, wrong: Wrong) {
        if self.0.len() < TOLD {
            self.0.push(wrong);
        }
    }

    /// The value of a field that may be empty.
    pub(super) fn unless_empty<T, E: Display>(&mut self, field: &str, text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        if text.is_empty() { None } else { self.take(field, parse(text)) }
    }

    /// The values of a repeated field.
    pub(super) fn each<T, E: Display>(&mut self, field: &str, texts: &[String], parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        let texts = self.not_too_many(field, texts);
        let values = texts.iter().enumerate().filter_map(|(at, text)| self.take(&format!("{field}[{at}]"), parse(text)));
        values.collect()
    }

    /// The entries of a repeated field, unless there are more than a key or an owner may have.
    pub(super) fn not_too_many<'a, T>(&mut self, field: &str, entries: &'a [T]) -> &'a [T] {
        match too_many(field, entries.len()) {
            None => entries,
            Some(wrong) => {
                self.refuse(wrong);
                &[]
            }
        }
    }

    /// What was made of the fields, if nothing was wrong with any.
    pub(super) fn all<T>(self, made: Option<T>) -> Result<T, KeyringError> {
        made.filter(|_| self.0.is_empty()).ok_or(KeyringError::Invalid(self.0))
    }
}

/// The millisecond that an instant is in: a key never lives longer than it was told to.
pub(super) fn instant(at: &Timestamp) -> Result<StoreTime, &'static str> {
    const YEAR_9999: i64 = 253_402_300_799;
    let fits = (0..=YEAR_9999).contains(&at.seconds) && (0..1_000_000_000).contains(&at.nanos);
    fits.then(|| StoreTime(at.seconds * 1000 + i64::from(at.nanos / 1_000_000))).ok_or("must be an instant between the years 1970 and 9999")
}

/// The revision in an etag that this server gave.
pub(super) fn revision(etag: &str) -> Result<u64, &'static str> {
    let digits = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    digits.and_then(|digits| digits.parse().ok()).ok_or("must be an etag as a response had it, quotes included")
}
