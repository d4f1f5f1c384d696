//! The formats of a realm, in the words of a refusal.

use crate::domain::format::{Alphabet, Checksum, Format};
use crate::domain::name::Word;
use crate::domain::realm::Realm;

/// Environments and kinds.
pub(super) fn choices(formats: &[Format]) -> String {
    let word = |word: &Option<Word>| word.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let one = |format: &Format| format!("environment {}, kind {}", word(&format.environment), word(&format.kind));
    let mut all: Vec<String> = formats.iter().map(one).collect();
    all.dedup();
    all.join("; ")
}

/// What secrets look like.
pub(super) fn shapes(realm: &Realm) -> String {
    let one = |format: &Format| {
        let (least, most) = (format.length.start(), format.length.end());
        let length = if least == most { least.to_string() } else { format!("{least} to {most}") };
        format!("{:?} and {length} characters of {}{}", format.prefix, alphabet(format.alphabet), checksum(format.checksum))
    };
    realm.formats.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn alphabet(alphabet: Alphabet) -> &'static str {
    match alphabet {
        Alphabet::Hex => "0-9 a-f",
        Alphabet::Base62 => "0-9 A-Z a-z",
        Alphabet::Base64Url => "0-9 A-Z a-z - _",
        Alphabet::Opaque => "visible ASCII but ! \" , ;",
    }
}

fn checksum(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::None => "",
        Checksum::Crc32 => " and their checksum",
    }
}
