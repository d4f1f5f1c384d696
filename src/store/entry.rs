//! Entries of the log: what a change leaves there, and how the engines keep it.

use prost::Message as _;

use super::commit::is_restricting;
use super::{Change, Expect, StoreError};
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::proto::keyward::store::v1 as stored;
use crate::revocation::{At, Entry, Mark, Touched};

const KEY: &str = "key";
const NEW_KEYS: &str = "new keys";
const OWNER: &str = "owner";
const NEW_OWNERS: &str = "new owners";

/// A change, with what it replaces.
type Replaced<'a> = (Option<&'a Change>, &'a Change);

/// What the changes of a commit leave in the log, in their order, from the position after `last` on. New keys that stand one after another have one
/// entry together, and so have new owners: a thousand of them are no more to replicas than one.
pub fn entries<'a>(last: u64, mark: Mark, changes: &[Replaced<'a>]) -> impl Iterator<Item = Entry> {
    let alike = |(before, one): &Replaced<'a>, (_, next): &Replaced<'a>| before.is_none() && are_new_alike(one, next);
    changes.chunk_by(alike).zip(last + 1..).map(move |(together, position)| Entry {
        at: At { position, mark },
        touched: touched(together),
        restricting: together.iter().any(|(before, after)| is_restricting(*before, after)),
    })
}

/// Whether both are of one kind and realm, and nothing was there before.
fn are_new_alike(one: &Change, next: &Change) -> bool {
    let both_new = one.expects() == Expect::Absent && next.expects() == Expect::Absent;
    both_new && one.named().0 == next.named().0 && one.realm() == next.realm()
}

fn touched(together: &[Replaced<'_>]) -> Touched {
    match together {
        [(before, after)] => touched_alone(*before, after),
        [(_, Change::Owner { owner, .. }), ..] => {
            let id = |(_, new): &Replaced<'_>| if let Change::Owner { owner, .. } = new { Some(owner.id.clone()) } else { None };
            Touched::NewOwners { realm: owner.realm.clone(), ids: together.iter().filter_map(id).collect() }
        }
        _ => Touched::NewKeys { digests: together.iter().flat_map(|(_, new)| new.digests()).collect() },
    }
}

fn touched_alone(before: Option<&Change>, after: &Change) -> Touched {
    match after {
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
    }
}

/// An entry as bytes.
#[must_use]
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let position = entry.at.position;
    let stored = stored::Entry { position, mark: entry.at.mark.0, restricting: entry.restricting, ..stored::Entry::default() };
    let bytes = |digests: &[Digest]| digests.iter().map(|digest| digest.0.to_vec()).collect();
    let stored = match &entry.touched {
        Touched::Key { realm, id, digests } => {
            stored::Entry { kind: KEY.into(), realm: realm.to_string(), id: id.to_string(), digests: bytes(digests), ..stored }
        }
        Touched::NewKeys { digests } => stored::Entry { kind: NEW_KEYS.into(), digests: bytes(digests), ..stored },
        Touched::Owner { realm, id } => stored::Entry { kind: OWNER.into(), realm: realm.to_string(), id: id.to_string(), ..stored },
        Touched::NewOwners { realm, ids } => {
            let ids = ids.iter().map(ToString::to_string).collect();
            stored::Entry { kind: NEW_OWNERS.into(), realm: realm.to_string(), ids, ..stored }
        }
        Touched::Anything => stored::Entry { kind: "anything".into(), ..stored },
    };
    stored.encode_to_vec()
}

/// An entry from bytes. One of a kind that a newer version writes may touch anything: it must not take the lease of those who do not know it.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, StoreError> {
    let entry = stored::Entry::decode(bytes).map_err(corrupt)?;
    let realm = || RealmId::parse(&entry.realm).map_err(corrupt);
    let digests = || entry.digests.iter().map(|bytes| bytes.as_slice().try_into().map(Digest)).collect::<Result<_, _>>();
    let digests = || digests().map_err(|_| corrupt("a digest in the log is not 32 bytes"));
    let touched = match entry.kind.as_str() {
        KEY => Touched::Key { realm: realm()?, id: KeyId::parse(&entry.id).map_err(corrupt)?, digests: digests()? },
        NEW_KEYS => Touched::NewKeys { digests: digests()? },
        OWNER => Touched::Owner { realm: realm()?, id: OwnerId::parse(&entry.id).map_err(corrupt)? },
        NEW_OWNERS => {
            let ids = entry.ids.iter().map(|id| OwnerId::parse(id)).collect::<Result<_, _>>();
            Touched::NewOwners { realm: realm()?, ids: ids.map_err(corrupt)? }
        }
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
        let two = vec![Digest([1; 32]), Digest([2; 32])];
        let owners = Touched::NewOwners { realm: realm.clone(), ids: ["acme", "other"].map(|id| OwnerId::parse(id).unwrap()).into() };
        for touched in [key(vec![]), key(two.clone()), Touched::NewKeys { digests: two }, owner, owners] {
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
            stored::Entry { digests: vec![vec![1; 31]], ..good.clone() },
            stored::Entry { kind: NEW_KEYS.into(), digests: vec![vec![1; 31]], ..good.clone() },
            stored::Entry { kind: NEW_OWNERS.into(), ids: vec!["acme".into(), "/".into()], ..good },
        ];
        for entry in bad {
            assert!(matches!(decode_entry(&entry.encode_to_vec()), Err(StoreError::Corrupt(_))), "{entry:?}");
        }
    }
}
