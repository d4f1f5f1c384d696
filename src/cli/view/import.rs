//! What became of an import.

use serde::Serialize;

use super::super::output::Shown;
use crate::proto::keyward::admin::v1::{ImportKeysResponse, RefusedField, RefusedRow};

/// Of `ImportKeysResponse`, with the rows that were not sent because they could not be read.
#[derive(Debug, Serialize)]
pub(in super::super) struct Imported {
    rows: u64,
    created: u64,
    unchanged: u64,
    refused: u64,
    owners_created: u64,
    durable_row: u64,
    refusals: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    row: u64,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Field {
    field: String,
    description: String,
}

impl Imported {
    pub(in super::super) fn new(response: ImportKeysResponse, unread: Vec<RefusedRow>) -> Self {
        let ImportKeysResponse { rows, created, unchanged, refused, owners_created, durable_row, refusals } = response;
        let not_sent = unread.len() as u64;
        let mut refusals: Vec<Refused> = refusals.into_iter().chain(unread).map(Refused::from).collect();
        refusals.sort_by_key(|refused| refused.row);
        Self { rows: rows + not_sent, created, unchanged, refused: refused + not_sent, owners_created, durable_row, refusals }
    }

    pub(in super::super) fn refused(&self) -> u64 {
        self.refused
    }

    /// A line for each field of each of them.
    pub(in super::super) fn refusals(&self) -> impl Iterator<Item = String> {
        let lines = |Refused { row, fields }: &Refused| {
            fields.iter().map(|field| format!("row {row}: {}: {}", field.field, field.description)).collect::<Vec<_>>()
        };
        self.refusals.iter().flat_map(lines)
    }
}

impl From<RefusedRow> for Refused {
    fn from(refused: RefusedRow) -> Self {
        let field = |RefusedField { field, description }| Field { field, description };
        Self { row: refused.row, fields: refused.fields.into_iter().map(field).collect() }
    }
}

impl Shown for Imported {
    fn rows(&self) -> Vec<Vec<String>> {
        let Self { rows, created, unchanged, refused, owners_created, durable_row, .. } = self;
        let counts = [
            ("rows", rows),
            ("created", created),
            ("unchanged", unchanged),
            ("refused", refused),
            ("owners created", owners_created),
            ("durable row", durable_row),
        ];
        counts.into_iter().map(|(name, count)| vec![name.to_owned(), count.to_string()]).collect()
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}
