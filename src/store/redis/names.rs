//! Names of what is kept in Redis. `kw:1:` is the layout's version. All state of keys and owners is in the hash slot of `{kw}`, so that every
//! mutation is one script in one slot; windows are spread, each owner's in a slot of its own together with those of its keys.
//!
//! No name can be read in two ways: ids hold none of the characters `/ : { }`, and what people choose freely stands last.

use crate::domain::name::RealmId;
use crate::domain::usage::Granularity;
use crate::store::{RequestId, SubjectName};

/// The hash tag of everything but windows.
pub(super) const TAG: &str = "kw";

/// The log's head: the place of the last change, `position/mark`.
pub(super) const POSITION: &str = "kw:1:{kw}:position";
/// What replicas follow: a stream whose ids are positions.
pub(super) const LOG: &str = "kw:1:{kw}:log";
/// Who holds a lease: a hash of `renewals/applied/lease` by `replica:incarnation`. Nothing in it ends by itself.
pub(super) const LEASES: &str = "kw:1:{kw}:leases";
/// The longest lease that was ever granted, in milliseconds.
pub(super) const LONGEST: &str = "kw:1:{kw}:lease";
/// The last place that is as durable as it has to be.
pub(super) const SECURED: &str = "kw:1:{kw}:secured";
/// Secured places that were found lost, until an operator says to go on: a set. While there is one, nobody gets a lease.
pub(super) const ROLLED_BACK: &str = "kw:1:{kw}:rolled-back";
/// Those of them after that: a set.
pub(super) const ABANDONED: &str = "kw:1:{kw}:abandoned";
/// The primary that a replica has seen for a whole lease.
pub(super) const VOUCHED: &str = "kw:1:{kw}:vouched";
/// Written behind what was committed before, by whoever waits until it is durable.
pub(super) const BARRIER: &str = "kw:1:{kw}:barrier";
/// Who did what: a stream whose ids are the entries' numbers.
pub(super) const AUDIT: &str = "kw:1:{kw}:audit";
/// Where that ends: `number/hash`.
pub(super) const AUDIT_HEAD: &str = "kw:1:{kw}:audit-head";
/// Whose turn it is to append there, if somebody took it: a string that expires.
pub(super) const TURN: &str = "kw:1:{kw}:turn";
/// Realms that have owners, in their order: a sorted set without scores.
pub(super) const REALMS: &str = "kw:1:{kw}:realms";
/// Keys with a secret that ends, `realm/key` by when: a sorted set.
pub(super) const SECRET_ENDS: &str = "kw:1:{kw}:secret-ends";
/// Keys that are revoked, `realm/key` by since when: a sorted set.
pub(super) const REVOKED: &str = "kw:1:{kw}:revoked";
/// Marks of what can be done only once: a set.
pub(super) const ONCE: &str = "kw:1:{kw}:once";
/// Check values of peppers by version: a hash.
pub(super) const PEPPERS: &str = "kw:1:{kw}:peppers";
/// Since when peppers are in use and since when they are withdrawn, `ms/ms` by version, 0 where they are not: a hash.
pub(super) const PEPPER_USES: &str = "kw:1:{kw}:pepper-uses";
/// Which peppers replicas have, `/version/version/` by `replica:incarnation`: a hash.
pub(super) const PEPPERS_KNOWN: &str = "kw:1:{kw}:peppers-known";

/// Keys' records by id: a hash.
pub(super) fn keys(realm: &RealmId) -> String {
    format!("kw:1:{{kw}}:keys:{realm}")
}

/// Owners' records by id: a hash.
pub(super) fn owners(realm: &RealmId) -> String {
    format!("kw:1:{{kw}}:owners:{realm}")
}

/// `<owner> <key>` by digest: a hash.
pub(super) fn digests(realm: &RealmId) -> String {
    format!("kw:1:{{kw}}:digests:{realm}")
}

/// `<owner> <key>` of a realm's keys in their order: a sorted set without scores.
pub(super) fn keys_by_owner(realm: &RealmId) -> String {
    format!("kw:1:{{kw}}:keys-by-owner:{realm}")
}

/// Ids of a realm's owners in their order: a sorted set without scores.
pub(super) fn owner_ids(realm: &RealmId) -> String {
    format!("kw:1:{{kw}}:owner-ids:{realm}")
}

/// What a request was answered: a hash that expires. A caller's name may hold anything, so its length stands before it.
pub(super) fn request(request: &RequestId) -> String {
    request_of(&request.caller.to_string(), &request.id)
}

/// The same, of a caller as it is written.
pub(super) fn request_of(caller: &str, id: &str) -> String {
    format!("kw:1:{{kw}}:request:{}:{caller}/{id}", caller.len())
}

/// The hash tag of an owner's windows, and of those of its keys.
pub(super) fn tag(subject: &SubjectName) -> String {
    format!("{}/{}", subject.realm, subject.owner)
}

/// A subject's windows: a string that expires. There is one for every live key, so its name is short.
pub(super) fn windows(subject: &SubjectName) -> String {
    let (realm, owner) = (&subject.realm, &subject.owner);
    match &subject.key {
        Some(key) => format!("kw:1:{{{realm}/{owner}}}{key}"),
        None => format!("kw:1:{{{realm}/{owner}}}"),
    }
}

/// Ids of tickets that were settled, of an owner and all its keys: a set that expires. `together`: which ten minutes they were minted in.
pub(super) fn settled(subject: &SubjectName, together: i64) -> String {
    format!("kw:1:{{{}}}:settled:{together}", tag(subject))
}

/// What was counted of a subject in an hour's minutes, or in 32 days, by their number since the epoch: a string that expires.
pub(super) fn counts(subject: &SubjectName, granularity: Granularity, text: i64) -> String {
    let letter = match granularity {
        Granularity::Minute => 'm',
        Granularity::Day => 'd',
    };
    format!("kw:1:{{{}}}:{letter}:{text}/{}", tag(subject), subject.key.as_ref().map_or("", |key| key.as_str()))
}

/// When a subject was used last: a string that expires.
pub(super) fn last_used(subject: &SubjectName) -> String {
    format!("kw:1:{{{}}}:last:/{}", tag(subject), subject.key.as_ref().map_or("", |key| key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{KeyId, OwnerId};

    #[test]
    fn whatever_is_counted_of_an_owner_and_of_its_keys_is_in_one_hash_slot() {
        let owner = SubjectName { realm: RealmId::parse("otesse").unwrap(), owner: OwnerId::parse("acme").unwrap(), key: None };
        let key = SubjectName { key: Some(KeyId::parse("key_1").unwrap()), ..owner.clone() };
        assert_eq!(windows(&owner), "kw:1:{otesse/acme}");
        assert_eq!(windows(&key), "kw:1:{otesse/acme}key_1");
        assert_eq!(settled(&key, 2_983_333), "kw:1:{otesse/acme}:settled:2983333");
        assert_eq!(counts(&key, Granularity::Minute, 500_000), "kw:1:{otesse/acme}:m:500000/key_1");
        assert_eq!(counts(&owner, Granularity::Day, 651), "kw:1:{otesse/acme}:d:651/");
        assert_eq!([last_used(&key), last_used(&owner)], ["kw:1:{otesse/acme}:last:/key_1", "kw:1:{otesse/acme}:last:/"]);
    }
}
