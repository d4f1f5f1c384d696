//! Rows of keys in a file: CSV with a header row, or one JSON object a line, with the same names in both. Lists are separated by blanks in CSV, and
//! are lists in JSON; `limits` are `minute=50` or `{"minute": 50}`; metadata is a column `metadata.NAME` for each name, or an object.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::update;
use crate::proto::keyward::admin::v1::imported_key::Credential;
use crate::proto::keyward::admin::v1::{ForeignDigest, ImportedKey, Key, LimitOverride};

/// The columns, in the order in which they are written; those of a credential are only read.
const COLUMNS: [&str; 13] = [
    "id",
    "owner",
    "label",
    "scopes",
    "environment",
    "kind",
    "plan",
    "tenant",
    "limits",
    "addresses",
    "create_time",
    "expire_time",
    "revoke_time",
];
const CREDENTIAL: [&str; 4] = ["secret", "digest", "scheme", "last_four"];

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Csv,
    Jsonl,
}

/// A row as a line of JSON has it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Row {
    id: String,
    owner: String,
    label: String,
    scopes: Vec<String>,
    environment: String,
    kind: String,
    plan: String,
    tenant: String,
    limits: BTreeMap<String, u32>,
    addresses: Vec<String>,
    create_time: Option<Timestamp>,
    expire_time: Option<Timestamp>,
    revoke_time: Option<Timestamp>,
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing)]
    secret: String,
    #[serde(skip_serializing)]
    digest: String,
    #[serde(skip_serializing)]
    scheme: String,
    #[serde(skip_serializing)]
    last_four: String,
}

/// Every row of a source with its number, from 1 on, or what is wrong with it.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = (u64, Result<Row, String>)> + Send + 'a>;

/// Reads rows. A header that names what no column is called is wrong as a whole.
pub(super) fn read<'a>(source: impl Read + Send + 'a, format: Format) -> Result<Rows<'a>, Failure> {
    let rows: Rows<'a> = match format {
        Format::Csv => csv(source)?,
        Format::Jsonl => Box::new((1..).zip(jsonl(source))),
    };
    Ok(Box::new(rows.map(|(number, row)| (number, row.and_then(Row::with_one_credential)))))
}

fn jsonl(source: impl Read + Send) -> impl Iterator<Item = Result<Row, String>> + Send {
    // a source that cannot be read says so for ever; a line that is no text, once
    let mut is_over = false;
    let lines = BufReader::new(source).lines().take_while(move |line| {
        let was_over = std::mem::replace(&mut is_over, line.as_ref().is_err_and(|error| error.kind() != ErrorKind::InvalidData));
        !was_over
    });
    let lines = lines.filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()));
    // what serde says of a value may show it, and it may be a secret
    let wrong = |error: &serde_json::Error| {
        if error.is_data() {
            format!("is no row at character {}: look at its names and their kinds of values", error.column())
        } else {
            "is no JSON object".into()
        }
    };
    lines.map(move |line| {
        let line = line.map_err(|error| error.to_string())?;
        serde_json::from_str(line.trim_start_matches('\u{feff}')).map_err(|error| wrong(&error))
    })
}

fn csv<'a>(source: impl Read + Send + 'a) -> Result<Rows<'a>, Failure> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let heads = reader.headers().map_err(|error| Failure::usage(format_args!("the header row cannot be read: {error}")))?.clone();
    let is_known = |head: &str| COLUMNS.contains(&head) || CREDENTIAL.contains(&head) || head.starts_with("metadata.");
    // not what it is called: where the first row is one of keys, that may be a secret
    if let Some(at) = heads.iter().position(|head| !is_known(head)) {
        let known = [&COLUMNS[..], &CREDENTIAL].concat().join(", ");
        return Err(Failure::usage(format_args!(
            "the first row names the columns, and its name {} is none: there are {known} and metadata.NAME",
            at + 1
        )));
    }
    if let Some(twice) = heads.iter().enumerate().find_map(|(at, head)| heads.iter().take(at).find(|before| *before == head)) {
        return Err(Failure::usage(format_args!("the column {twice:?} is there twice")));
    }
    let row = move |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|_| "cannot be read: is it UTF-8, and its quotes closed?".to_owned())?;
        if record.len() != heads.len() {
            return Err(format!("has {} values, and the header row has {} names", record.len(), heads.len()));
        }
        let mut row = Row::default();
        heads.iter().zip(&record).filter(|(_, value)| !value.is_empty()).try_for_each(|(head, value)| row.set(head, value))?;
        Ok(row)
    };
    Ok(Box::new((1..).zip(reader.into_records().map(row))))
}

impl Row {
    fn with_one_credential(self) -> Result<Self, String> {
        match (self.secret.is_empty(), self.digest.is_empty()) {
            (false, false) => Err("has a secret and a digest, and is to have one of them".into()),
            _ => Ok(self),
        }
    }

    fn set(&mut self, head: &str, value: &str) -> Result<(), String> {
        let words = || value.split_whitespace().map(str::to_owned).collect();
        let instant = || value.parse().map(Some).map_err(|_| format!("has a {head} that is no instant such as 2027-01-31T12:00:00Z"));
        match head {
            "id" => self.id = value.into(),
            "owner" => self.owner = value.into(),
            "label" => self.label = value.into(),
            "scopes" => self.scopes = words(),
            "environment" => self.environment = value.into(),
            "kind" => self.kind = value.into(),
            "plan" => self.plan = value.into(),
            "tenant" => self.tenant = value.into(),
            "limits" => self.limits = value.split_whitespace().map(limit).collect::<Result<_, _>>()?,
            "addresses" => self.addresses = words(),
            "create_time" => self.create_time = instant()?,
            "expire_time" => self.expire_time = instant()?,
            "revoke_time" => self.revoke_time = instant()?,
            "secret" => self.secret = value.into(),
            "digest" => self.digest = value.into(),
            "scheme" => self.scheme = value.into(),
            "last_four" => self.last_four = value.into(),
            _ => drop(self.metadata.insert(head.trim_start_matches("metadata.").into(), value.into())),
        }
        Ok(())
    }

    /// For the server. `scheme`: of digests that do not name theirs.
    pub(super) fn sent(self, number: u64, scheme: Option<&str>) -> ImportedKey {
        let credential = if self.digest.is_empty() {
            Credential::Secret(self.secret)
        } else {
            let scheme = if self.scheme.is_empty() { scheme.unwrap_or_default().to_owned() } else { self.scheme };
            Credential::Digest(ForeignDigest { scheme, value: self.digest, last_four: self.last_four })
        };
        let [create_time, expire_time, revoke_time] =
            [self.create_time, self.expire_time, self.revoke_time].map(|at| at.map(update::instant));
        ImportedKey {
            key_id: self.id,
            owner_id: self.owner,
            label: self.label,
            scopes: self.scopes,
            environment: self.environment,
            kind: self.kind,
            plan: self.plan,
            tenant: self.tenant,
            limits: self.limits.into_iter().map(|(limit, most)| LimitOverride { limit, most }).collect(),
            allowed_addresses: self.addresses,
            create_time,
            expire_time,
            revoke_time,
            metadata: self.metadata,
            credential: Some(credential),
            row: number,
        }
    }

    /// As CSV has it, without its metadata.
    pub(super) fn cells(&self) -> Vec<String> {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let limits: Vec<String> = self.limits.iter().map(|(limit, most)| format!("{limit}={most}")).collect();
        let texts = [&self.id, &self.owner, &self.label].map(Clone::clone);
        let words = [&self.environment, &self.kind, &self.plan, &self.tenant].map(Clone::clone);
        let times = [self.create_time, self.expire_time, self.revoke_time].map(time);
        let lists = [limits.join(" "), self.addresses.join(" ")];
        texts.into_iter().chain([self.scopes.join(" ")]).chain(words).chain(lists).chain(times).collect()
    }

    /// The header row of those cells.
    pub(super) fn heads() -> &'static [&'static str] {
        &COLUMNS
    }
}

fn limit(text: &str) -> Result<(String, u32), String> {
    let pair = text.split_once('=').and_then(|(limit, most)| Some((limit.to_owned(), most.parse().ok()?)));
    pair.ok_or_else(|| "has limits that are not such as minute=50".into())
}

impl From<Key> for Row {
    /// What is known of a key but its secrets.
    fn from(key: Key) -> Self {
        let id = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        let time = |at: Option<prost_types::Timestamp>| at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
        Self {
            id: id(&key.name),
            owner: id(&key.owner),
            label: key.label,
            scopes: key.scopes,
            environment: key.environment,
            kind: key.kind,
            plan: key.plan,
            tenant: key.tenant,
            limits: key.limits.into_iter().map(|limit| (limit.limit, limit.most)).collect(),
            addresses: key.allowed_addresses,
            create_time: time(key.create_time),
            expire_time: time(key.expire_time),
            revoke_time: time(key.revoke_time),
            metadata: key.metadata,
            ..Self::default()
        }
    }
}
