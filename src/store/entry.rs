//! Entries of the log: what a change leaves there, and how the engines keep it.

use prost::Message as _;

use super::commit::is_restricting;
use super::{Change, StoreError};
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::proto::keyward::store::v1 as stored;
use crate::revocation::{At, Entry, Mark, Touched};

/// The entry of a change that replaces `before`.
#[must_use]
pub fn entry(at: At, before: Option<&Change>, after: &Change) -> Entry {
    let touched = match after {
        Change::Key { record, .. } => {
            let mut digests: Vec<Digest> = after.digests().collect();
            let lost: Vec<Digest> = before.into_iter().flat_map(Change::digests).filter(|digest| !digests.contains(digest)).collect();
            digests.extend(lost);
            Touched::Key { realm: record.realm.clone(), id: record.id.clone(), digests }
        }
        Change::Removed { realm, id, .. } => {
            let digests = before.into_iter().flat_map(Change::digests).collect();
            Touched::Key { realm: realm.clone(), id: id.clone(), digests }
        }
        Change::Owner { owner, .. } => Touched::Owner { realm: owner.realm.clone(), id: owner.id.clone() },
    };
    Entry { at, touched, restricting: is_restricting(before, after) }
}

/// An entry as bytes.
#[must_use]
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let (kind, realm, id, digests) = match &entry.touched {
        Touched::Key { realm, id, digests } => ("key", realm.to_string(), id.to_string(), digests.as_slice()),
        Touched::Owner { realm, id } => ("owner", realm.to_string(), id.to_string(), &[][..]),
        Touched::Anything => ("anything", String::new(), String::new(), &[][..]),
    };
    stored::Entry {
        position: entry.at.position,
        realm,
        kind: kind.into(),
        id,
        restricting: entry.restricting,
        digests: digests.iter().map(|digest| digest.0.to_vec()).collect(),
        mark: entry.at.mark.0,
    }
    .encode_to_vec()
}

/// An entry from bytes. One of a kind that a newer version writes may touch anything: it must not take the lease of those who do not know it.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, StoreError> {
    let entry = stored::Entry::decode(bytes).map_err(corrupt)?;
    let realm = || RealmId::parse(&entry.realm).map_err(corrupt);
    let touched = match entry.kind.as_str() {
        "key" => {
            let digests = entry.digests.iter().map(|bytes| bytes.as_slice().try_into().map(Digest)).collect::<Result<_, _>>();
            let digests = digests.map_err(|_| corrupt("a digest in the log is not 32 bytes"))?;
            Touched::Key { realm: realm()?, id: KeyId::parse(&entry.id).map_err(corrupt)?, digests }
        }
        "owner" => Touched::Owner { realm: realm()?, id: OwnerId::parse(&entry.id).map_err(corrupt)? },
        _ => Touched::Anything,
    };
    Ok(Entry { at: At { position: entry.position, mark: Mark(entry.mark) }, touched, restricting: entry.restricting })
}

#[allow(clippy::needless_pass_by_value, reason = "to be named in `map_err`")]
fn corrupt(error: impl ToString) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let realm = RealmId::parse("otesse").unwrap();
        let key = |digests| Touched::Key { realm: realm.clone(), id: KeyId::parse("key_1").unwrap(), digests };
        let owner = Touched::Owner { realm: realm.clone(), id: OwnerId::parse("acme").unwrap() };
        for touched in [key(vec![]), key(vec![Digest([1; 32]), Digest([2; 32])]), owner] {
            for restricting in [false, true] {
                let entry = Entry { at: At { position: u64::MAX, mark: Mark(u64::MAX - 1) }, touched: touched.clone(), restricting };
                assert_eq!(decode_entry(&encode_entry(&entry)), Ok(entry));
            }
        }
    }

    #[test]
    fn an_entry_of_a_kind_that_is_not_known_touches_anything() {
        let newer = stored::Entry { position: 7, kind: "pepper".into(), mark: 9, ..Default::default() };
        let entry = decode_entry(&newer.encode_to_vec()).unwrap();
        assert_eq!((entry.at, entry.touched), (At { position: 7, mark: Mark(9) }, Touched::Anything));
    }

    #[test]
    fn what_cannot_be_read_is_corrupt() {
        let good = stored::Entry { realm: "otesse".into(), kind: "key".into(), id: "key_1".into(), ..Default::default() };
        assert!(decode_entry(&good.encode_to_vec()).is_ok());
        let bad = [
            stored::Entry { realm: String::new(), ..good.clone() },
            stored::Entry { id: "/".into(), ..good.clone() },
            stored::Entry { digests: vec![vec![1; 31]], ..good },
        ];
        for entry in bad {
            assert!(matches!(decode_entry(&entry.encode_to_vec()), Err(StoreError::Corrupt(_))), "{entry:?}");
        }
    }
}
