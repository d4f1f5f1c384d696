//! YAML to nodes that know their line, whatever a file repeats. The parser stops at the second key of one name; here that key is
//! told apart by a mark, so that it is one problem among all the others of its file.

use std::fmt;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, ScanError, YamlData};

/// A value and where it stands.
pub(super) type Node = MarkedYaml<'static>;

/// What stands in a node.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Nothing,
    Flag(bool),
    Whole(i64),
    Float(f64),
    Text(&'a str),
    List(&'a [Node]),
    Map(Vec<(&'a Node, &'a Node)>),
    /// What YAML can say and a configuration need not: tags.
    Odd,
}

/// Why a text is no document: the line, or 0, and a sentence.
type Unreadable = (usize, String);

/// Columns that may stand before a line's first word. Every level of a nested block takes one, and some of the parser's stack.
const DEEPEST: usize = 200;
/// Repeated keys that are told apart in one file before reading gives up.
const REPEATED: usize = 50;
/// Stands before a repeated key. A character for private use: no key begins with it.
const MARK: char = '\u{e000}';

/// The one document of a text.
pub(super) fn parse(text: &str) -> Result<Node, Unreadable> {
    if let Some(above) = text.lines().position(|line| line.split('\r').any(is_too_deep)) {
        return Err((above + 1, format!("begins beyond column {DEEPEST}: nest less deeply")));
    }
    let mut documents = load(text).map_err(|error| (error.marker().line(), format!("is no YAML: {}", error.info())))?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document),
        (Some(second), false) => Err((second.span.start.line(), "begins a second document: one file holds one".into())),
        (None, _) => Err((0, "is empty".into())),
    }
}

/// A key's name without the mark of a repeated one.
pub(super) fn name_of(key: &str) -> &str {
    key.trim_start_matches(MARK)
}

pub(super) fn value(node: &Node) -> Value<'_> {
    match &node.data {
        YamlData::Value(Scalar::Null) => Value::Nothing,
        YamlData::Value(Scalar::Boolean(flag)) => Value::Flag(*flag),
        YamlData::Value(Scalar::Integer(number)) => Value::Whole(*number),
        YamlData::Value(Scalar::FloatingPoint(number)) => Value::Float(number.into_inner()),
        YamlData::Value(Scalar::String(text)) => Value::Text(text),
        YamlData::Sequence(items) => Value::List(items),
        YamlData::Mapping(pairs) => Value::Map(pairs.iter().collect()),
        YamlData::Tagged(..) | YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => Value::Odd,
    }
}

/// Loads the documents, marking each repeated key until no two are equal.
fn load(text: &str) -> Result<Vec<Node>, ScanError> {
    let mut text = text.to_owned();
    for _ in 0..REPEATED {
        match Node::load_from_str(&text) {
            Err(error) if error.info().contains("duplicated key") => {
                let at = text.char_indices().nth(error.marker().index()).map_or(text.len(), |(at, _)| at);
                text.insert(at, MARK);
            }
            result => return result,
        }
    }
    Node::load_from_str(&text)
}

fn is_too_deep(line: &str) -> bool {
    line.bytes().take_while(|byte| b" \t-?:".contains(byte)).count() > DEEPEST
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "{:?}", text.chars().take(80).collect::<String>()),
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a map"),
            Self::Odd => f.write_str("tagged"),
        }
    }
}
