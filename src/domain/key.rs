//! Secrets, peppers and digests. A secret is what a caller presents, a digest is what is kept; the pepper stands between them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::name::{RealmId, Word};

/// A secret in the clear. Wiped when dropped, never printed, never compared: only its digest is looked up.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

/// HMAC-SHA-256 (RFC 2104) of a secret under a pepper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// What a digest is made of: the secret itself, or what another system kept of it, so that its keys go on working here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    #[default]
    Secret,
    Sha256,
    Sha512,
    HmacSha256,
}

/// The key of the digests: 32 bytes or more, from a file, one per version.
#[derive(Clone)]
pub struct Pepper {
    pub version: Word,
    /// What HMAC makes of the key, once for all digests; wiped when it is dropped.
    keyed: Hmac<Sha256>,
}

/// Every live pepper, newest first.
#[derive(Clone, Debug)]
pub struct Peppers {
    all: Vec<Pepper>,
    /// The place of the one in use. Clones share it.
    used: Arc<AtomicUsize>,
    /// Versions of which nothing but the name is left.
    lost: Vec<Word>,
}

impl Scheme {
    pub const ALL: [Self; 4] = [Self::Secret, Self::Sha256, Self::Sha512, Self::HmacSha256];

    /// Its name in files and records; that of the secret itself is empty.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "",
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
            Self::HmacSha256 => "hmac-sha-256",
        }
    }

    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }
}

impl Secret {
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the caller who may see them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The last four characters, kept to recognise a key by.
    #[must_use]
    pub fn last_four(&self) -> String {
        String::from_utf8_lossy(&self.0[self.0.len().saturating_sub(4)..]).into_owned()
    }
}

impl Pepper {
    /// `None` where the key has fewer than 32 bytes.
    #[must_use]
    pub fn new(version: Word, key: Vec<u8>) -> Option<Self> {
        let key = Zeroizing::new(key);
        let keyed = Hmac::new_from_slice(&key).ok().filter(|_| key.len() >= 32)?;
        Some(Self { version, keyed })
    }

    /// HMAC(pepper, realm ‖ 0 ‖ secret): the same secret in two realms has two digests.
    #[must_use]
    pub fn digest(&self, realm: &RealmId, secret: &[u8]) -> Digest {
        Digest(self.mac(&[realm.as_str().as_bytes(), &[0], secret]))
    }

    /// HMAC(pepper, realm ‖ 0 ‖ 0 ‖ scheme ‖ 0 ‖ digest of another system). No secret of any format has a zero byte, so it is no secret's digest.
    #[must_use]
    pub fn foreign_digest(&self, realm: &RealmId, scheme: Scheme, theirs: &[u8]) -> Digest {
        Digest(self.mac(&[realm.as_str().as_bytes(), &[0, 0], scheme.name().as_bytes(), &[0], theirs]))
    }

    /// A value that two replicas compare to know that they hold the same pepper; it tells nothing of it.
    #[must_use]
    pub fn check_value(&self) -> [u8; 32] {
        self.mac(&[b"keyward pepper check value"])
    }

    /// What shows that these bytes were written by someone who holds the pepper. No realm's name has a blank, so it is no digest either.
    pub(super) fn seal(&self, bytes: &[u8]) -> [u8; 16] {
        let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.mac(&[b"keyward ticket", &[0], bytes]);
        first
    }

    /// Whether this is their seal, found out in the same time whatever it is.
    pub(super) fn sealed(&self, bytes: &[u8], seal: &[u8]) -> bool {
        self.seal(bytes).ct_eq(seal).into()
    }

    /// What shows that an entry of the audit log was written by someone who holds the pepper.
    pub(super) fn seal_audit(&self, link: &[u8; 32]) -> [u8; 32] {
        self.mac(&[b"keyward audit", &[0], link])
    }

    /// Whether this is its seal, found out in the same time whatever it is.
    pub(super) fn audit_sealed(&self, link: &[u8; 32], seal: &[u8; 32]) -> bool {
        self.seal_audit(link).ct_eq(seal).into()
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Peppers {
    /// `None` where the list is empty: there is always a pepper to make new digests under.
    #[must_use]
    pub fn new(newest_first: Vec<Pepper>) -> Option<Self> {
        (!newest_first.is_empty()).then(|| Self { all: newest_first, used: Arc::default(), lost: Vec::new() })
    }

    /// The same, and it is known that peppers of these versions are lost, with what is under them.
    #[must_use]
    pub fn without(self, lost: Vec<Word>) -> Self {
        Self { lost, ..self }
    }

    /// Versions of peppers that are lost.
    #[must_use]
    pub fn lost(&self) -> &[Word] {
        &self.lost
    }

    /// The newest that is in use: that of new digests and seals. The first of all, unless it was said otherwise.
    #[must_use]
    pub fn newest(&self) -> &Pepper {
        &self.all[self.used.load(Ordering::Acquire)]
    }

    /// From now on this one is in use, whatever is before it: others may not know that yet. `false`: it is none of these.
    #[must_use]
    pub fn use_version(&self, version: &Word) -> bool {
        let place = self.all.iter().position(|pepper| pepper.version == *version);
        place.inspect(|place| self.used.store(*place, Ordering::Release)).is_some()
    }

    /// All of them, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Pepper> {
        self.all.iter()
    }

    /// Of a secret's [`digests`](Self::digests) the one under the pepper in use, with that one's version.
    #[must_use]
    pub fn newest_of(&self, digests: &[Digest]) -> Option<(Digest, &Word)> {
        let place = self.used.load(Ordering::Acquire);
        Some((*digests.get(place)?, &self.all[place].version))
    }

    /// The secret's digest under every live pepper, newest first.
    #[must_use]
    pub fn digests(&self, realm: &RealmId, secret: &[u8]) -> Vec<Digest> {
        self.all.iter().map(|pepper| pepper.digest(realm, secret)).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper({})", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pepper(byte: u8) -> Pepper {
        Pepper::new(Word::parse("1").unwrap(), vec![byte; 32]).unwrap()
    }

    #[test]
    fn a_digest_is_of_pepper_realm_and_secret_together() {
        let (a, b) = (RealmId::parse("a").unwrap(), RealmId::parse("b").unwrap());
        let one = pepper(1).digest(&a, b"secret");
        assert_eq!(one, pepper(1).digest(&a, b"secret"));
        assert_ne!(one, pepper(2).digest(&a, b"secret"));
        assert_ne!(one, pepper(1).digest(&b, b"secret"));
        assert_ne!(one, pepper(1).digest(&a, b"Secret"));
    }

    #[test]
    fn a_digest_is_hmac_sha_256_of_realm_zero_secret() {
        let digest = pepper(b'k').digest(&RealmId::parse("ocote").unwrap(), b"odt_x");
        let hex = data_encoding::HEXLOWER.encode(&digest.0);
        // printf 'ocote\0odt_x' | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
        assert_eq!(hex, DIGEST_BY_OPENSSL);
    }

    const DIGEST_BY_OPENSSL: &str = "a8af8845c3c059e9a41de1fbde9e13debf5138c926953d19b8209f371f623456";

    #[test]
    fn nothing_that_is_secret_prints() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Secret::new(b"hush".to_vec()),
            pepper(b'h'),
            pepper(1).digest(&RealmId::parse("a").unwrap(), b"hush")
        );
        assert_eq!(shown, "Secret(..) Pepper(1) Digest(..)");
    }

    #[test]
    fn new_digests_are_under_the_pepper_that_is_in_use_wherever_it_stands() {
        let named = |version: &str, byte| Pepper { version: Word::parse(version).unwrap(), ..pepper(byte) };
        let peppers = Peppers::new(vec![named("2", 2), named("1", 1)]).unwrap();
        let (realm, clone) = (RealmId::parse("a").unwrap(), peppers.clone());
        let digests = peppers.digests(&realm, b"secret");
        assert_eq!(peppers.newest().version.as_str(), "2");
        assert!(peppers.use_version(&Word::parse("1").unwrap()) && !peppers.use_version(&Word::parse("3").unwrap()));
        assert_eq!(clone.newest().version.as_str(), "1");
        assert_eq!(clone.newest_of(&digests), Some((digests[1], &Word::parse("1").unwrap())));
        assert_eq!(peppers.digests(&realm, b"secret"), digests, "those that are looked for are in the order of the file");
    }

    #[test]
    fn a_short_pepper_is_no_pepper() {
        assert!(Pepper::new(Word::parse("1").unwrap(), vec![0; 31]).is_none());
    }
}
