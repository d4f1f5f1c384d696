//! Secrets that a test would know again anywhere: the search for them, in every form that a careless line could give them.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use aho_corasick::AhoCorasick;
use data_encoding::{BASE64, BASE64URL, HEXLOWER};
use sha2::{Digest as _, Sha256};

/// A secret to be found nowhere.
#[derive(Debug, Clone)]
pub struct Mark {
    /// What it is, for people: `minted`, `in the field etag of GetKey`.
    pub what: String,
    whole: Vec<u8>,
    /// Where its random part begins: before it is what everybody may know.
    random: usize,
    /// Whether its plain hash is looked for too.
    hashed: bool,
}

/// A mark was found where none may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub what: String,
    /// `as it is`, `hex`, ...
    pub form: &'static str,
    /// What stands round it, cut.
    pub context: String,
}

/// Looks for many marks at once.
pub struct Search {
    automaton: AhoCorasick,
    /// Of each pattern: the mark, and the form.
    patterns: Vec<(usize, &'static str)>,
    names: Vec<String>,
}

/// A text that is cut off somewhere still holds so much of its random part.
const PIECE: usize = 16;
/// Shorter ones would be found by chance.
const SHORTEST: usize = 12;

impl Mark {
    /// A text, with what begins it and is no secret.
    pub fn new(what: impl Into<String>, prefix: &str, random: &str) -> Self {
        assert!(random.len() >= SHORTEST, "too short to be known again: {random}");
        Self { what: what.into(), whole: [prefix, random].concat().into_bytes(), random: prefix.len(), hashed: true }
    }

    /// Bytes.
    pub fn bytes(what: impl Into<String>, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= SHORTEST);
        Self { what: what.into(), whole: bytes.to_vec(), random: 0, hashed: true }
    }

    /// Its plain hash may be kept.
    pub fn unhashed(self) -> Self {
        Self { hashed: false, ..self }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.whole).unwrap()
    }

    /// Every form of it: each a piece that the whole of it would hold in that form.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let random = &self.whole[self.random..];
        let head = &random[..random.len().min(PIECE)];
        let tail = &random[random.len().saturating_sub(PIECE)..];
        let hash = Sha256::digest(&self.whole);
        let pieces = [(head, FORMS), (tail, FORMS), (&hash[..PIECE], HASHED)];
        let pieces = pieces.into_iter().take(if self.hashed { 3 } else { 2 });
        let all = pieces.flat_map(|(piece, names)| names.into_iter().zip(in_every_form(piece)));
        all.filter(|(_, form)| !form.is_empty()).collect()
    }
}

const FORMS: [&str; 10] = [
    "as it is",
    "in hex",
    "in base64, from its 1st byte",
    "in base64, from its 2nd byte",
    "in base64, from its 3rd byte",
    "in base64 for URLs",
    "in base64 for URLs, from its 2nd byte",
    "percent-encoded",
    "percent-encoded to the last letter",
    "as numbers",
];
const HASHED: [&str; 10] = [
    "its SHA-256",
    "its SHA-256 in hex",
    "its SHA-256 in base64",
    "its SHA-256 in base64, from its 2nd byte",
    "its SHA-256 in base64, from its 3rd byte",
    "its SHA-256 in base64 for URLs",
    "its SHA-256 in base64 for URLs, from its 2nd byte",
    "its SHA-256 percent-encoded",
    "its SHA-256 percent-encoded to the last letter",
    "its SHA-256 as numbers",
];

/// In the order of [`FORMS`]; empty: the same as another. Hex is found in any case, for the search does not tell cases apart.
fn in_every_form(piece: &[u8]) -> [Vec<u8>; 10] {
    let standard = [0, 1, 2].map(|before| inner(piece, before));
    let [url, shifted, _] =
        standard.clone().map(|text| if text.contains(['+', '/']) { text.replace('+', "-").replace('/', "_") } else { String::new() });
    let percent: String =
        piece.iter().map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).into() } else { format!("%{byte:02X}") }).collect();
    let percent = if percent.as_bytes() == piece { String::new() } else { percent };
    let all_percent = escaped(piece);
    let numbers: Vec<String> = piece.iter().map(ToString::to_string).collect();
    let [first, second, third] = standard;
    let texts = [HEXLOWER.encode(piece), first, second, third, url, shifted, percent, all_percent, numbers.join(", ")];
    let [hex, first, second, third, url, shifted, percent, all_percent, numbers] = texts.map(String::into_bytes);
    [piece.to_vec(), hex, first, second, third, url, shifted, percent, all_percent, numbers]
}

/// What base64 of any text has that holds the piece behind so many bytes (of every three): the characters that hang on nothing else.
fn inner(piece: &[u8], before: usize) -> String {
    let text = BASE64.encode(&[&[0; 2][..before], piece].concat());
    let (from, to) = ((before * 8).div_ceil(6), (before + piece.len()) * 8 / 6);
    text[from..to].to_owned()
}

impl Search {
    pub fn new<'m>(marks: impl IntoIterator<Item = &'m Mark>) -> Self {
        let (mut patterns, mut needles, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let mut told = HashSet::new();
        for mark in marks {
            // marks that begin alike have pieces in common: the first stands for all, or the automaton takes hours to be made
            for (form, needle) in mark.forms().into_iter().filter(|(_, needle)| told.insert(needle.clone())) {
                patterns.push((names.len(), form));
                needles.push(needle);
            }
            names.push(mark.what.clone());
        }
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(needles).unwrap();
        Self { automaton, patterns, names }
    }

    /// How many marks it looks for.
    pub fn marks(&self) -> usize {
        self.names.len()
    }

    /// Every mark that stands in the bytes, once in each form.
    pub fn find(&self, bytes: &[u8]) -> Vec<Found> {
        let mut seen = std::collections::BTreeSet::new();
        let hits = self.automaton.find_iter(bytes).filter(|hit| seen.insert(hit.pattern()));
        let found = hits.map(|hit| {
            let (mark, form) = self.patterns[hit.pattern().as_usize()];
            let context = &bytes[hit.start().saturating_sub(160)..(hit.end() + 40).min(bytes.len())];
            Found { what: self.names[mark].clone(), form, context: String::from_utf8_lossy(context).into_owned() }
        });
        found.collect()
    }

    /// The same of every file below a folder, each with its name, but for those named.
    pub fn find_below(&self, folder: &Path, but: &[&str]) -> Vec<(String, Found)> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let kind = entry.file_type().unwrap();
            if but.contains(&&*name) {
                continue;
            }
            if kind.is_dir() {
                all.extend(self.find_below(&path, but));
            } else if kind.is_file() {
                let found = self.find(&fs::read(&path).unwrap_or_default());
                all.extend(found.into_iter().map(|found| (path.display().to_string(), found)));
            }
        }
        all
    }
}

/// Percent-encoded to the last letter.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// As much randomness as nobody guesses, in an alphabet.
pub fn random(alphabet: &[u8], length: usize) -> String {
    let one = || char::from(alphabet[usize::try_from(getrandom::u32().unwrap()).unwrap() % alphabet.len()]);
    (0..length).map(|_| one()).collect()
}

pub const HEX: &[u8] = b"0123456789abcdef";
pub const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
