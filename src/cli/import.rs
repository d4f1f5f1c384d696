//! `keyward keys import` and `keyward keys export`.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::client::ClientArgs;
use super::failure::Failure;
use super::output::Output;
use super::rows::{self, Format, Row, Rows};
use super::view::Imported;
use crate::proto::keyward::admin::v1::{
    ImportKeysRequest, ImportOptions, ImportedKey, ListKeysRequest, OnConflict, RefusedField, RefusedRow,
};

/// Rows in a message.
const TOGETHER: usize = 500;
/// Bytes in a message, or those of one row: less than the server takes, which is 4 MiB.
const MOST_BYTES: usize = 1 << 20;
/// Messages that are ready before the server takes them.
const AHEAD: usize = 4;
/// Refused rows that are printed.
const PRINTED: usize = 100;

/// Imports keys of another system from a file, CSV with a header row or JSON lines: columns id, owner (required), label, scopes, environment, kind,
/// plan, tenant, limits, addresses, `create_time`, `expire_time`, `revoke_time`, metadata.NAME, and secret, or digest, scheme and `last_four`. Rows whose keys
/// are there already change nothing, so that an import that was cut can be repeated.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file; `-`: standard input.
    file: PathBuf,
    /// The realm that the keys are to be in.
    #[arg(long)]
    realm: String,
    /// How the file is written; by default as its name ends, or else CSV.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The scheme of digests whose rows name none: sha-256, sha-512 or hmac-sha-256. The realm's file must list it.
    #[arg(long, value_name = "SCHEME")]
    digest: Option<String>,
    /// Makes owners that are not there.
    #[arg(long)]
    create_owners: bool,
    /// Says what would become of every row, and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// What becomes of a row whose id or secret another key has.
    #[arg(long, value_enum, default_value_t = Conflict::Skip)]
    on_conflict: Conflict,
    /// Begins behind this row: where an import was cut, the error tells the last one that is done.
    #[arg(long, value_name = "ROW", default_value_t = 0, hide_default_value = true)]
    resume: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Conflict {
    /// It is refused, and the import goes on.
    Skip,
    /// The import ends before it.
    Fail,
}

impl Import {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let bar = bar(&self.file);
        let rows = rows::read(bar.wrap_read(source(&self.file)?), self.format())?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let mut service = client.importing().await?;
        let (first, digest, resume) = (self.first(), self.digest.clone(), self.resume);
        let reading = tokio::task::spawn_blocking(move || send(rows, first, &Sent { digest, resume }, &sender));
        let answer = service.import_keys(ReceiverStream::new(receiver)).await;
        bar.finish_and_clear();
        let response = answer.map_err(client.failed())?.into_inner();
        let unread = reading.await.map_err(|error| Failure::Refused(format!("error: the file could not be read: {error}")))?;
        let imported = Imported::new(response, unread);
        output.print(&imported)?;
        // nobody may be there to read them
        imported.refusals().take(PRINTED).for_each(|line| drop(writeln!(io::stderr(), "{line}")));
        match imported.refused() {
            0 => Ok(()),
            refused => Err(Failure::Refused(format!("error: {refused} rows were refused"))),
        }
    }

    fn format(&self) -> Format {
        let ends = |ending: &str| self.file.extension().is_some_and(|own| own == ending);
        self.format.unwrap_or(if ends("jsonl") || ends("ndjson") { Format::Jsonl } else { Format::Csv })
    }

    fn first(&self) -> ImportKeysRequest {
        let on_conflict = if self.on_conflict == Conflict::Fail { OnConflict::Fail } else { OnConflict::Skip };
        let options = ImportOptions { on_conflict: on_conflict.into(), create_owners: self.create_owners, dry_run: self.dry_run };
        ImportKeysRequest { parent: format!("realms/{}", self.realm), options: Some(options), rows: Vec::new() }
    }
}

/// What is sent of a row.
struct Sent {
    digest: Option<String>,
    resume: u64,
}

/// Sends every row, and says which could not be read. Whoever takes them no more says why itself.
fn send(rows: Rows<'_>, first: ImportKeysRequest, how: &Sent, to: &mpsc::Sender<ImportKeysRequest>) -> Vec<RefusedRow> {
    let (mut message, mut unread, mut bytes) = (first, Vec::new(), 0);
    for (number, row) in rows.filter(|(number, _)| *number > how.resume) {
        match row {
            Ok(row) => {
                let row = row.sent(number, how.digest.as_deref());
                bytes += row.encoded_len();
                message.rows.push(row);
            }
            Err(description) => unread.push(RefusedRow { row: number, fields: vec![RefusedField { field: "row".into(), description }] }),
        }
        if message.rows.len() == TOGETHER || bytes >= MOST_BYTES {
            bytes = 0;
            let rows: Vec<ImportedKey> = std::mem::take(&mut message.rows);
            let full = ImportKeysRequest { rows, ..std::mem::take(&mut message) };
            if to.blocking_send(full).is_err() {
                return unread;
            }
        }
    }
    // an empty import is one too: its realm may not be there
    let _ = to.blocking_send(message);
    unread
}

fn source(file: &PathBuf) -> Result<Box<dyn Read + Send>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let opened = File::open(file).map_err(|error| Failure::usage(format_args!("{} cannot be read: {error}", file.display())))?;
    Ok(Box::new(opened))
}

/// How far the file was read, on a terminal.
fn bar(file: &PathBuf) -> ProgressBar {
    let length = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let shown = if length.is_some() { "{bar:40} {percent}% {bytes_per_sec} {eta} left" } else { "{spinner} {bytes} {bytes_per_sec}" };
    if let Ok(style) = ProgressStyle::with_template(shown) {
        bar.set_style(style);
    }
    bar
}

/// Writes all keys of realms, with everything that is known of them but their secrets and digests, as `keyward keys import` reads them.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Whose keys; may be given more than once.
    #[arg(long = "realm", value_name = "REALM", required = true)]
    realms: Vec<String>,
    /// How they are written. CSV has no metadata.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

impl Export {
    pub(super) async fn run(self, client: &ClientArgs) -> Result<(), Failure> {
        let mut service = client.keys().await?;
        if self.format == Format::Csv {
            csv_line(Row::heads())?;
        }
        for realm in &self.realms {
            let mut page_token = String::new();
            loop {
                let request =
                    ListKeysRequest { parent: format!("realms/{realm}"), page_size: 1000, page_token, ..ListKeysRequest::default() };
                let page = service.list_keys(request).await.map_err(client.failed())?.into_inner();
                page.keys.into_iter().map(Row::from).try_for_each(|row| self.write(&row))?;
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn write(&self, row: &Row) -> Result<(), Failure> {
        match self.format {
            Format::Csv => csv_line(&row.cells()),
            Format::Jsonl => written(serde_json::to_string(row).map_err(io::Error::from).and_then(|line| writeln!(io::stdout(), "{line}"))),
        }
    }
}

fn csv_line<T: AsRef<[u8]>>(cells: &[T]) -> Result<(), Failure> {
    let mut line = csv::Writer::from_writer(Vec::new());
    let made = line.write_record(cells).map_err(io::Error::from);
    written(made.and_then(|()| line.into_inner().map_err(csv::IntoInnerError::into_error)).and_then(|line| io::stdout().write_all(&line)))
}

fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    outcome.map_err(|error| Failure::Refused(format!("error: cannot write the keys: {error}")))
}
