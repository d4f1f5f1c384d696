//! What comes out and what goes in: four forms of a result, names, pages and standard input.

use std::io::{self, Read as _, Write as _};

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use saphyr::{LoadableYamlNode as _, Yaml, YamlEmitter};
use serde::Serialize;

use super::failure::Failure;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// The response, in the API's own field names.
    Json,
    /// The same as YAML.
    Yaml,
    /// Resource names alone, one a line.
    Name,
}

/// A result that has all forms.
pub(super) trait Shown: Serialize {
    /// Column heads; none: the rows are fields and their values.
    const HEADS: &'static [&'static str] = &[];
    fn rows(&self) -> Vec<Vec<String>>;
    fn names(&self) -> Vec<&str>;
}

impl Output {
    /// A form without room for it would lose the one sight of a new secret.
    pub(super) fn can_show_a_secret(self) -> Result<(), Failure> {
        if self == Self::Name { Err(Failure::usage("--output name would lose the secret: use table, json or yaml")) } else { Ok(()) }
    }

    /// Prints to standard output. Whoever closes it early has read enough.
    pub(super) fn print<T: Shown>(self, result: &T) -> Result<(), Failure> {
        let text = match self {
            Self::Table => table(T::HEADS, result.rows()),
            Self::Json => json(result)?,
            Self::Yaml => yaml(&json(result)?)?,
            Self::Name => result.names().join("\n"),
        };
        line(&text)
    }
}

/// One line, or several, on standard output.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Refused(format!("error: cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// All of standard input.
pub(super) fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| Failure::usage(format_args!("standard input cannot be read: {error}")))?;
    Ok(bytes)
}

/// A line of JSON.
pub(super) fn one_line<T: Serialize>(result: &T) -> Result<String, Failure> {
    serde_json::to_string(result).map_err(failed)
}

fn json<T: Serialize>(result: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(result).map_err(failed)
}

/// JSON is YAML: it is read as such, which keeps the order of its fields, and written as people write it.
fn yaml(json: &str) -> Result<String, Failure> {
    let read = Yaml::load_from_str(json).map_err(failed)?;
    let mut text = String::new();
    for document in &read {
        YamlEmitter::new(&mut text).dump(document).map_err(failed)?;
    }
    Ok(text.strip_prefix("---\n").unwrap_or(&text).to_owned())
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Refused(format!("error: {error}"))
}

fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !heads.is_empty() {
        table.set_header(heads);
    }
    table.add_rows(rows);
    // what goes on below stays below its own column
    table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Which key or owner.
#[derive(Debug, Args)]
pub(super) struct Name {
    /// Its realm; not needed beside a full name.
    #[arg(long)]
    realm: Option<String>,
    /// Its id, or its full name as `--output name` prints it.
    id: String,
}

impl Name {
    /// `realms/{realm}/{collection}/{id}`.
    pub(super) fn full(&self, collection: &str) -> Result<String, Failure> {
        if self.id.starts_with("realms/") {
            return Ok(self.id.clone());
        }
        let (parent, id) = self.parts(collection)?;
        Ok(format!("{parent}/{collection}/{id}"))
    }

    /// `realms/{realm}`, and the id.
    pub(super) fn parts(&self, collection: &str) -> Result<(String, String), Failure> {
        if let Some((parent, id)) = self.id.split_once(&format!("/{collection}/")) {
            return Ok((parent.to_owned(), id.to_owned()));
        }
        let realm = self.realm.as_ref().ok_or_else(|| Failure::usage(format_args!("which realm? --realm REALM {}", self.id)))?;
        Ok((format!("realms/{realm}"), self.id.clone()))
    }
}

/// How much of a list.
#[derive(Debug, Args)]
pub(super) struct Pages {
    /// How many are asked for at once.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(i32).range(1..=1000))]
    page_size: i32,
    /// Ends the list after so many; everything by default.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A list that is read page by page.
#[derive(Debug)]
pub(super) struct Walk {
    page_size: i32,
    left: usize,
    token: Option<String>,
}

impl Pages {
    pub(super) fn walk(&self) -> Walk {
        Walk { page_size: self.page_size, left: self.limit.unwrap_or(usize::MAX), token: Some(String::new()) }
    }
}

impl Walk {
    /// Size and token of the next page; `None`: there is none, or enough was read.
    pub(super) fn ask(&mut self) -> Option<(i32, String)> {
        let size = i32::try_from(self.left).unwrap_or(i32::MAX).min(self.page_size);
        if size == 0 { None } else { Some((size, self.token.take()?)) }
    }

    pub(super) fn got(&mut self, count: usize, next: String) {
        self.left = self.left.saturating_sub(count);
        self.token = (!next.is_empty()).then_some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn what_goes_on_below_stays_below_its_own_column() {
        let cells = |row: [&str; 2]| row.map(str::to_owned).to_vec();
        assert_eq!(table(&["KEY", "WHAT"], vec![cells(["one", "a: 1\nb: 2"]), cells(["two", ""])]), "KEY  WHAT\none  a: 1\n     b: 2\ntwo");
    }
}
