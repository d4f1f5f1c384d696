//! A naive reader of a `CheckRequest`, which may have one flaw: the control of the comparison.

use crate::support::decoded::{Pair, View};

/// A mistake that a reader of protobuf could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    FirstTextCounts,
    LastPartReplaces,
    PartsAreGlued,
    PartsAreUnread,
    JoinedFormAlone,
    RawFormAlone,
    RawValueOverlooked,
    EntryOnceAName,
    LastFormOverlooked,
    UnknownRefused,
    GroupRefused,
    EndOfAnyGroup,
    DeepGroupTaken,
    ShallowGroupRefused,
    WrongKindSkipped,
    NumberZeroTaken,
    LongVarintTaken,
    PaddedVarintRefused,
    CutOffTaken,
    TextAlone,
}

use Flaw::{
    CutOffTaken, DeepGroupTaken, EndOfAnyGroup, EntryOnceAName, FirstTextCounts, GroupRefused, JoinedFormAlone, LastFormOverlooked,
    LastPartReplaces, LongVarintTaken, NumberZeroTaken, PaddedVarintRefused, PartsAreGlued, PartsAreUnread, RawFormAlone,
    RawValueOverlooked, ShallowGroupRefused, TextAlone, UnknownRefused, WrongKindSkipped,
};

pub(super) const FLAWS: [Flaw; 20] = [
    FirstTextCounts,
    LastPartReplaces,
    PartsAreGlued,
    PartsAreUnread,
    JoinedFormAlone,
    RawFormAlone,
    RawValueOverlooked,
    EntryOnceAName,
    LastFormOverlooked,
    UnknownRefused,
    GroupRefused,
    EndOfAnyGroup,
    DeepGroupTaken,
    ShallowGroupRefused,
    WrongKindSkipped,
    NumberZeroTaken,
    LongVarintTaken,
    PaddedVarintRefused,
    CutOffTaken,
    TextAlone,
];

pub(super) fn read(message: &[u8], flaw: Option<Flaw>) -> Option<View> {
    let naive = Naive(flaw);
    let attributes = naive.all(&naive.fields(message, 0, &[1])?, 1, 1, &[1, 4, 10])?;
    let http = naive.all(&naive.all(&attributes, 4, 2, &[2])?, 2, 3, &[2, 3, 4, 5, 6, 13])?;
    let mut headers = naive.entries(&http, 3, 4)?;
    let raw = naive.all(&http, 13, 4, &[1])?;
    let raw = values(&raw, 1).into_iter().map(|header| naive.raw_header(header)).collect::<Option<Vec<_>>>()?;
    match flaw {
        Some(JoinedFormAlone) => {}
        Some(RawFormAlone) => headers = raw,
        _ => headers.extend(raw),
    }
    if flaw == Some(EntryOnceAName) {
        headers.dedup_by(|one, other| one.0 == other.0);
    }
    let peer = naive.peer(&attributes)?;
    let view = View {
        texts: [2, 4, 5, 6].map(|number| naive.text(&http, number)),
        headers,
        peer: std::str::from_utf8(&peer).ok().and_then(|text| text.parse().ok()),
        context: naive.entries(&attributes, 10, 2)?,
    };
    let is_text = view.texts.iter().all(|text| std::str::from_utf8(text).is_ok());
    (flaw != Some(TextAlone) || is_text).then_some(view)
}

type Fields = Vec<(u64, Vec<u8>)>;

fn values(fields: &Fields, number: u64) -> Vec<&Vec<u8>> {
    fields.iter().filter(|(other, _)| *other == number).map(|(_, value)| value).collect()
}

struct Naive(Option<Flaw>);

impl Naive {
    fn has(&self, flaw: Flaw) -> bool {
        self.0 == Some(flaw)
    }

    /// The fields of a message that may come in parts, each of which is a message.
    fn all(&self, outer: &Fields, number: u64, depth: usize, wanted: &[u64]) -> Option<Fields> {
        let mut parts = values(outer, number);
        if self.has(PartsAreGlued) {
            let glued: Vec<u8> = parts.into_iter().flatten().copied().collect();
            return self.fields(&glued, depth, wanted);
        }
        if self.has(PartsAreUnread) {
            parts.truncate(1);
        }
        let mut parts = parts.into_iter().map(|part| self.fields(part, depth, wanted)).collect::<Option<Vec<_>>>()?;
        if self.has(LastPartReplaces) {
            parts.drain(..parts.len().saturating_sub(1));
        }
        Some(parts.concat())
    }

    fn text(&self, fields: &Fields, number: u64) -> Vec<u8> {
        let values = values(fields, number);
        let counts = if self.has(FirstTextCounts) { values.first() } else { values.last() };
        counts.map(|value| (*value).clone()).unwrap_or_default()
    }

    fn entries(&self, fields: &Fields, number: u64, depth: usize) -> Option<Vec<Pair>> {
        let entry = |value: &Vec<u8>| {
            let entry = self.fields(value, depth, &[1, 2])?;
            Some((self.text(&entry, 1), self.text(&entry, 2)))
        };
        values(fields, number).into_iter().map(entry).collect()
    }

    fn raw_header(&self, header: &[u8]) -> Option<Pair> {
        let header = self.fields(header, 5, &[1, 2, 3])?;
        let (text, raw) = (self.text(&header, 2), self.text(&header, 3));
        Some((self.text(&header, 1), if raw.is_empty() || self.has(RawValueOverlooked) { text } else { raw }))
    }

    fn peer(&self, attributes: &Fields) -> Option<Vec<u8>> {
        let mut forms = self.all(&self.all(attributes, 1, 2, &[1])?, 1, 3, &[1, 2, 3])?;
        // What does not hold must still decode.
        self.all(&forms, 1, 4, &[2])?;
        if let Some(other) = forms.iter().rposition(|(number, _)| *number != 1).filter(|_| !self.has(LastFormOverlooked)) {
            forms.drain(..=other);
        }
        Some(self.text(&self.all(&forms, 1, 4, &[2])?, 2))
    }

    fn fields(&self, mut bytes: &[u8], depth: usize, wanted: &[u64]) -> Option<Fields> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let (number, kind) = self.key(&mut bytes)?;
            let is_wanted = wanted.contains(&number);
            if is_wanted && kind != 2 && !self.has(WrongKindSkipped) || !is_wanted && self.has(UnknownRefused) {
                return None;
            }
            let value = self.value(&mut bytes, number, kind, depth)?;
            if is_wanted && kind == 2 {
                fields.push((number, value));
            }
        }
        Some(fields)
    }

    fn key(&self, bytes: &mut &[u8]) -> Option<(u64, u64)> {
        let key = self.varint(bytes)?;
        (u32::try_from(key).is_ok() && (key >= 8 || self.has(NumberZeroTaken))).then_some((key >> 3, key & 7))
    }

    /// What follows a key, taken off.
    fn value(&self, bytes: &mut &[u8], number: u64, kind: u64, depth: usize) -> Option<Vec<u8>> {
        let deepest = match self.0 {
            Some(DeepGroupTaken) => 1000,
            Some(ShallowGroupRefused) => 94,
            _ => 100,
        };
        let length = match kind {
            _ if depth >= deepest => return None,
            0 => self.varint(bytes).map(|_| 0)?,
            1 => 8,
            2 => usize::try_from(self.varint(bytes)?).ok()?,
            3 if !self.has(GroupRefused) => loop {
                let (inner, kind) = self.key(bytes)?;
                if kind == 4 && (inner == number || self.has(EndOfAnyGroup)) {
                    break 0;
                }
                self.value(bytes, inner, kind, depth + 1)?;
            },
            5 => 4,
            _ => return None,
        };
        let length = if self.has(CutOffTaken) { length.min(bytes.len()) } else { length };
        let (value, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(value.to_vec())
    }

    fn varint(&self, bytes: &mut &[u8]) -> Option<u64> {
        let mut value = 0_u64;
        for at in 0..if self.has(LongVarintTaken) { 20 } else { 10 } {
            let (first, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u64::from(first & 0x7f).checked_shl(7 * at).unwrap_or(0);
            if *first < 0x80 {
                let is_padded = at > 0 && *first == 0;
                let is_too_much = at == 9 && *first > 1;
                let is_refused = is_padded && self.has(PaddedVarintRefused) || is_too_much && !self.has(LongVarintTaken);
                return (!is_refused).then_some(value);
            }
        }
        None
    }
}
