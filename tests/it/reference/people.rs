//! Owners and keys of the five realms, in every state that a rung asks about.

use super::dice::Dice;
use super::plain::{Alphabet, Format, Key, Owner, Realm, block};
use super::reading;
use super::world::NOW;

/// The same on every run.
const SEED: u64 = 0x0A11_CE00;

pub(super) fn people(realms: &[Realm]) -> (Vec<Owner>, Vec<Key>) {
    let mut made = People { owners: Vec::new(), keys: Vec::new(), dice: Dice::new(SEED) };
    for realm in realms {
        made.owners(realm);
        for format in &realm.formats {
            made.keys(realm, format);
        }
    }
    made.shared_secrets(realms);
    (made.owners, made.keys)
}

/// A secret that has a format.
pub(super) fn secret(format: &Format, dice: &mut Dice) -> String {
    let length = format.min + dice.below(format.max - format.min + 1);
    let mut secret = format!("{}{}", format.prefix, dice.word(letters(format.alphabet), length));
    if format.crc32 {
        secret.push_str(&reading::checksum(secret.as_bytes()));
    }
    secret
}

fn letters(alphabet: Alphabet) -> &'static [u8] {
    match alphabet {
        Alphabet::Hex => b"0123456789abcdef",
        Alphabet::Base62 => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        Alphabet::Base64url => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_",
        Alphabet::Opaque => b"#$%&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    }
}

struct People {
    owners: Vec<Owner>,
    keys: Vec<Key>,
    dice: Dice,
}

impl People {
    /// Two without a plan, one disabled, and one with each plan.
    fn owners(&mut self, realm: &Realm) {
        let plain = |id, plan, disabled| Owner { realm: realm.name, id, plan, disabled };
        self.owners.push(plain("acme", None, false));
        self.owners.push(plain("Blue.Co-1", None, false));
        self.owners.push(plain("closed", None, true));
        for (id, plan) in ["planned_0", "planned_1", "planned_2"].into_iter().zip(&realm.plans) {
            self.owners.push(plain(id, Some(plan.name), false));
        }
    }

    fn keys(&mut self, realm: &Realm, format: &Format) {
        // Without limits, where the realm has a way to say so: these are most of what is asked for.
        let free = realm.plans.iter().find(|plan| plan.limits.iter().all(|limit| limit.most > 1_000_000)).map(|plan| plan.name);
        for owner in ["acme", "acme", "Blue.Co-1"] {
            self.key(realm, format, |key| (key.owner, key.plan) = (owner, free));
        }
        self.key(realm, format, |_| {});
        self.states(realm, format, free);
        for plan in &realm.plans {
            self.key(realm, format, |key| key.plan = Some(plan.name));
        }
        for owner in ["planned_0", "planned_1", "planned_2"].into_iter().take(realm.plans.len()) {
            for _ in 0..2 {
                self.key(realm, format, |key| key.owner = owner);
            }
        }
    }

    fn states(&mut self, realm: &Realm, format: &Format, free: Option<&'static str>) {
        self.key(realm, format, |key| key.revoked = true);
        self.key(realm, format, |key| (key.revoked, key.expires, key.owner) = (true, Some(NOW - 9), "closed"));
        self.key(realm, format, |key| key.expires = Some(NOW));
        self.key(realm, format, |key| key.expires = Some(NOW - 86_400_000));
        self.key(realm, format, |key| (key.expires, key.plan) = (Some(NOW + 1), free));
        self.key(realm, format, |key| (key.expires, key.owner) = (Some(NOW - 1), "closed"));
        self.key(realm, format, |key| key.owner = "closed");
        self.key(realm, format, |key| (key.scopes, key.plan) = (vec![], free));
        self.key(realm, format, |key| (key.scopes, key.plan) = (vec!["bookings:read"], free));
        self.key(realm, format, |key| (key.tenant, key.plan) = (None, free));
        self.key(realm, format, |key| (key.tenant, key.plan) = (Some("tenant_two"), free));
        self.key(realm, format, |key| (key.environment, key.kind, key.plan) = (None, None, free));
        let lists = [vec![block("192.0.2.0/28")], vec![block("10.1.0.0/16"), block("2001:db8:10:1::/64"), block("203.0.113.7/32")]];
        for addresses in lists {
            self.key(realm, format, |key| (key.addresses, key.plan) = (addresses, free));
        }
        let another = secret(format, &mut self.dice);
        self.key(realm, format, |key| {
            key.secrets.push(another);
            key.plan = free;
        });
    }

    /// One more key; the ordinary one, then changed.
    fn key(&mut self, realm: &Realm, format: &Format, change: impl FnOnce(&mut Key)) {
        let scopes: &[_] = match realm.name {
            "beta" => &["bookings:read", "bookings:write", "invoices:read"],
            "epsilon" => &["admin"],
            _ => &[],
        };
        let mut key = Key {
            realm: realm.name,
            id: format!("k_{}_{}", realm.name, self.keys.len()),
            owner: "acme",
            environment: format.environment,
            kind: format.kind,
            plan: None,
            tenant: realm.tenant.is_some().then_some("tenant_one"),
            scopes: scopes.to_vec(),
            addresses: vec![],
            expires: None,
            revoked: false,
            secrets: vec![secret(format, &mut self.dice)],
        };
        change(&mut key);
        self.keys.push(key);
    }

    /// Secrets of one realm that have a format of another: in `epsilon` nobody has them, in `gamma` one is another key's.
    fn shared_secrets(&mut self, realms: &[Realm]) {
        let gamma = realms.iter().find(|realm| realm.name == "gamma").expect("gamma is there");
        let of_alpha = self.keys.iter().find(|key| key.realm == "alpha").expect("alpha has keys").secrets[0].clone();
        self.key(gamma, &gamma.formats[0], |key| {
            key.owner = "Blue.Co-1";
            key.secrets = vec![of_alpha];
        });
    }
}
