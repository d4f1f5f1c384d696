//! Digests that another system kept of its keys, so that these go on working here. They are not kept as they come: whoever steals the store must not
//! get what the other system would let in, so the pepper stands before them too.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use super::key::{Digest, Peppers, Scheme};
use super::name::RealmId;

/// How another system made its digests: fast, for each is made anew for every secret that a replica does not know.
#[derive(Clone, PartialEq, Eq)]
pub enum Foreign {
    Sha256,
    Sha512,
    /// With the key that it had.
    HmacSha256(Zeroizing<Vec<u8>>),
}

impl Foreign {
    /// What is written with a secret whose digest was made so.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Sha256 => Scheme::Sha256,
            Self::Sha512 => Scheme::Sha512,
            Self::HmacSha256(_) => Scheme::HmacSha256,
        }
    }

    /// What the other system kept of this secret.
    #[must_use]
    pub fn digest(&self, secret: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(secret).to_vec(),
            Self::Sha512 => Sha512::digest(secret).to_vec(),
            Self::HmacSha256(key) => keyed(key, secret),
        }
    }
}

/// The digests under which a secret may have been imported, one for each way and each live pepper.
#[must_use]
pub fn digests(ways: &[Foreign], peppers: &Peppers, realm: &RealmId, secret: &[u8]) -> Vec<Digest> {
    let of = |way: &Foreign| {
        let theirs = way.digest(secret);
        peppers.iter().map(|pepper| pepper.foreign_digest(realm, way.scheme(), &theirs)).collect::<Vec<_>>()
    };
    ways.iter().flat_map(of).collect()
}

/// All digests of a secret: its own, the newest first, and then those.
#[must_use]
pub fn every(ways: &[Foreign], peppers: &Peppers, realm: &RealmId, secret: &[u8]) -> Vec<Digest> {
    peppers.digests(realm, secret).into_iter().chain(digests(ways, peppers, realm, secret)).collect()
}

/// HMAC takes a key of any length.
fn keyed(key: &[u8], secret: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(secret).finalize().into_bytes().to_vec()).unwrap_or_default()
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foreign({})", self.scheme().name())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::super::key::Pepper;
    use super::super::name::Word;
    use super::*;

    #[test]
    fn digests_are_those_that_other_systems_make() {
        let shown = |way: Foreign| HEXLOWER.encode(&way.digest(b"abc"));
        // printf abc | openssl dgst -sha256, and -sha512, and -sha256 -hmac key
        assert_eq!(shown(Foreign::Sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(shown(Foreign::Sha512).starts_with("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"));
        let keyed = Foreign::HmacSha256(b"key".to_vec().into());
        assert_eq!(shown(keyed), "9c196e32dc0175f86f4b1cb89289d6619de6bee699e4c378e68309ed97a1a6ab");
    }

    #[test]
    fn what_is_kept_of_a_foreign_digest_is_neither_it_nor_that_of_a_secret_that_looks_like_it() {
        let realm = RealmId::parse("r").unwrap();
        let peppers = Peppers::new(vec![Pepper::new(Word::parse("1").unwrap(), vec![7; 32]).unwrap()]).unwrap();
        let theirs = Foreign::Sha256.digest(b"abc");
        let [kept] = digests(&[Foreign::Sha256], &peppers, &realm, b"abc")[..] else { panic!("one way, one pepper") };
        assert_ne!(kept.0[..], theirs);
        let looks_like_it = [b"sha-256".as_slice(), &[0], &theirs].concat();
        for secret in [b"abc".as_slice(), &theirs, &looks_like_it, HEXLOWER.encode(&theirs).as_bytes()] {
            assert_ne!(peppers.newest().digest(&realm, secret), kept);
        }
        assert_ne!(peppers.newest().foreign_digest(&realm, Scheme::HmacSha256, &theirs), kept);
    }

    #[test]
    fn the_key_of_another_system_does_not_print() {
        assert_eq!(format!("{:?}", Foreign::HmacSha256(b"hush".to_vec().into())), "Foreign(hmac-sha-256)");
    }
}
