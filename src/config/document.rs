//! A document, read value by value with everything that is wrong collected. A reader that reported a problem gives [`Reported`]; so its
//! caller goes on with what else there is to read, and only then puts the parts together with `?`.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use super::hint::listed;
use super::problem::{Problem, Problems};
use super::yaml::{self, Node, Value};

/// A value of a document and the way to it.
#[derive(Clone)]
pub(super) struct At<'a> {
    found: &'a RefCell<Vec<Problem>>,
    file: &'a str,
    node: &'a Node,
    line: usize,
    key: String,
}

/// What a reader gives: a value, or word that the reason why there is none has been reported.
pub(super) type Read<T> = Result<T, Reported>;

/// A problem was reported where it was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

/// Reads a text, or reports all of its problems in the order of its lines.
pub(super) fn read<T>(file: &str, text: &str, reader: impl FnOnce(&At<'_>) -> Read<T>) -> Result<T, Problems> {
    let node = yaml::parse(text).map_err(|(line, says)| Problem { line, ..Problem::of_file(file, says) })?;
    let found = RefCell::new(Vec::new());
    let value = reader(&At { found: &found, file, node: &node, line: node.span.start.line(), key: String::new() });
    let mut found = found.into_inner();
    found.sort();
    match value {
        Ok(value) if found.is_empty() => Ok(value),
        _ => Err(Problems(found)),
    }
}

impl<'a> At<'a> {
    /// Reports what is wrong here.
    pub(super) fn problem<T>(&self, says: impl Display) -> Read<T> {
        let (file, key, says) = (self.file.to_owned(), self.key.clone(), says.to_string());
        self.found.borrow_mut().push(Problem { file, line: self.line, key, says });
        Err(Reported)
    }

    /// Reports what stands here instead of what must.
    pub(super) fn must_be<T>(&self, what: impl Display) -> Read<T> {
        self.problem(format_args!("must be {what}, and is {}", self.value()))
    }

    /// The folder of the file, which relative paths in it begin at.
    pub(super) fn folder(&self) -> &'a Path {
        Path::new(self.file).parent().unwrap_or(Path::new(""))
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn value(&self) -> Value<'a> {
        yaml::value(self.node)
    }

    /// A text. What YAML takes for something else is none: whoever means the text `1.0` quotes it.
    pub(super) fn text(&self) -> Read<&'a str> {
        match self.value() {
            Value::Text(text) => Ok(text),
            Value::Flag(_) | Value::Whole(_) | Value::Float(_) => self.must_be("text (put it in quotes)"),
            _ => self.must_be("text"),
        }
    }

    /// A text that may be a secret: what stands there instead is not shown either, such as a password of digits.
    pub(super) fn secret_text(&self) -> Read<&'a str> {
        if let Value::Text(text) = self.value() { Ok(text) } else { self.problem("must be text: put it in quotes") }
    }

    /// A text of some form.
    pub(super) fn parsed<T, E: Display>(&self, parse: impl FnOnce(&'a str) -> Result<T, E>) -> Read<T> {
        parse(self.text()?).or_else(|error| self.problem(error))
    }

    /// A text that is one of a few.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Read<T> {
        let chosen = match self.value() {
            Value::Text(text) => choices.iter().find(|(name, _)| *name == text),
            _ => None,
        };
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        chosen.map_or_else(|| self.must_be(listed(&names)), |(_, choice)| Ok(*choice))
    }

    pub(super) fn flag(&self) -> Read<bool> {
        match self.value() {
            Value::Flag(flag) => Ok(flag),
            _ => self.must_be("true or false"),
        }
    }

    pub(super) fn number<N: TryFrom<i64> + PartialOrd + Display>(&self, range: RangeInclusive<N>) -> Read<N> {
        let number = match self.value() {
            Value::Whole(number) => N::try_from(number).ok().filter(|number| range.contains(number)),
            _ => None,
        };
        number.map_or_else(|| self.must_be(format_args!("a number from {} to {}", range.start(), range.end())), Ok)
    }

    /// The same place under another name.
    pub(super) fn named(self, key: String) -> Self {
        Self { key, ..self }
    }

    /// A value that is left out has no line but that of its key.
    pub(super) fn on_line_of(self, key: &Self) -> Self {
        let line = if matches!(self.value(), Value::Nothing) { key.line } else { self.line };
        Self { line, ..self }
    }

    /// Another value of the same document.
    pub(super) fn sub(&self, key: String, node: &'a Node) -> Self {
        Self { node, line: node.span.start.line(), key, ..self.clone() }
    }

    /// A key below this one that is not there: it stands where the map begins.
    pub(super) fn absent(&self, key: &str) -> Self {
        Self { key: self.below(key), ..self.clone() }
    }

    /// The whole name of a key below this one.
    pub(super) fn below(&self, key: &str) -> String {
        if self.key.is_empty() { key.into() } else { format!("{}.{key}", self.key) }
    }
}
