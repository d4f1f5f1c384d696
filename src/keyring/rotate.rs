//! One secret takes over from another: a key keeps its id, and for as long as its holder needs it has two secrets.

use std::time::Duration;

use super::edit::{ATTEMPTS, Edit, Effect};
use super::guarantee::Promise;
use super::kept::Kept as _;
use super::{Caller, Changed, Keyring, KeyringError, Target, Terms, Wrong, contract};
use crate::domain::key::Secret;
use crate::domain::name::KeyId;
use crate::domain::record::{KeptSecret, Record};
use crate::domain::time::StoreTime;

/// So many secrets may open one key at one time.
const MOST_SECRETS: usize = 8;

/// The longest that an old secret may be let live.
const LONGEST_GRACE: Duration = Duration::from_hours(24 * 366);

/// A key whose secret was made anew, now or under the same request id before.
#[derive(Debug)]
pub struct Rotated {
    pub changed: Changed<Record>,
    /// What was minted; `None` where it was shown before.
    pub secret: Option<Secret>,
}

impl Keyring {
    /// Mints another secret for a key. Those that it has open it for `grace` longer, or as long as they would have, if that is less.
    pub async fn rotate(&self, caller: &Caller, target: &Target<KeyId>, grace: Duration, terms: &Terms) -> Result<Rotated, KeyringError> {
        if grace > LONGEST_GRACE {
            return Err(KeyringError::Invalid(vec![Wrong::new("grace", "must be at most 366 days")]));
        }
        for _ in 0..ATTEMPTS {
            match self.rotate_as_seen(caller, target, grace, terms).await {
                // whether it can go on as it is now is to be looked at too
                Err(KeyringError::EtagOld) if terms.seen.is_none() => {}
                rotated => return rotated,
            }
        }
        Err(KeyringError::Busy)
    }

    /// What is changed is the key of which it was found that it can go on, and not what somebody else has made of it since.
    async fn rotate_as_seen(
        &self,
        caller: &Caller,
        target: &Target<KeyId>,
        grace: Duration,
        terms: &Terms,
    ) -> Result<Rotated, KeyringError> {
        let realm = self.realm_to_change(caller, &target.realm)?;
        let before: Record = self.read(caller, target).await?;
        let now = self.store.now().await?;
        let refused = can_go_on(&before, now).err();
        let seen = match &refused {
            Some(refused) if terms.once.is_none() => return Err(refused.clone()),
            // one that was done before is answered, whatever stands in the way of another: of the revision 0 is nothing that could be changed
            Some(_) => 0,
            None => terms.seen.unwrap_or(before.revision),
        };
        let format = contract::of_another_secret(realm, &before)?;
        let secret = format.mint(self.randomness)?;
        let fresh = self.kept((&target.realm, format, now), &secret);
        let change = |record: &mut Record, now: StoreTime| {
            if record.revoked.is_none() {
                let grace = Grace { now, span: grace, key_ends: record.expires };
                take_over(&mut record.secrets, &fresh, &grace);
            }
        };
        let edit = Edit { caller, action: "RotateKey", effect: Effect::Restricts, target, change: &change };
        let changed = self.edit(edit, &Terms { seen: Some(seen), ..terms.clone() }).await.map_err(|error| match refused {
            Some(refused) if error == KeyringError::EtagOld => refused,
            _ => error,
        })?;
        if changed.now.secrets.iter().any(|kept| kept.digest == fresh.digest) {
            return Ok(Rotated { changed, secret: Some(secret) });
        }
        opens(&changed.now, now)?;
        Ok(Rotated { changed: self.held(caller, target, changed).await?, secret: None })
    }

    /// Ends secrets of a key now: those with these numbers, or all but the newest. The newest stays, or nothing would open the key.
    pub async fn retire(
        &self,
        caller: &Caller,
        target: &Target<KeyId>,
        numbers: &[u32],
        terms: &Terms,
    ) -> Result<Changed<Record>, KeyringError> {
        let before: Record = self.read(caller, target).await?;
        if let Some(at) = numbers.iter().position(|number| Some(*number) == newest(&before)) {
            let says = "must not be the key's newest secret: rotate the key, or revoke it";
            return Err(KeyringError::Invalid(vec![Wrong::new(format!("secrets[{at}]"), says)]));
        }
        let change = |record: &mut Record, _: StoreTime| {
            let newest = newest(record);
            let is_meant = |kept: &KeptSecret| numbers.is_empty() || numbers.contains(&kept.number);
            record.secrets.retain(|kept| Some(kept.number) == newest || !is_meant(kept));
        };
        self.edit(Edit { caller, action: "RetireSecrets", effect: Effect::Restricts, target, change: &change }, terms).await
    }

    /// What was done under the same request id holds too, though what it made may have been made anew since.
    async fn held(&self, caller: &Caller, target: &Target<KeyId>, changed: Changed<Record>) -> Result<Changed<Record>, KeyringError> {
        let begun = self.guard.clock.boot();
        let (now, standing) = self.secured(caller, target).await?;
        let position = changed.position.unwrap_or(standing.at.position);
        let promise = Promise { rpc: "RotateKey", name: Record::name(target), position, standing: &standing, begun };
        Ok(Changed { now, position: changed.position, guarantee: Some(self.guaranteed(promise).await?) })
    }
}

/// The number of its newest secret.
pub(super) fn newest(record: &Record) -> Option<u32> {
    record.secrets.iter().map(|kept| kept.number).max()
}

/// What opens nothing needs no other secret.
fn opens(record: &Record, now: StoreTime) -> Result<(), KeyringError> {
    if record.revoked.is_some() {
        return Err(KeyringError::KeyRevoked(record.realm.clone(), record.id.clone()));
    }
    if record.expires.is_some_and(|expires| expires <= now) {
        return Err(KeyringError::KeyExpired(record.realm.clone(), record.id.clone()));
    }
    Ok(())
}

fn can_go_on(record: &Record, now: StoreTime) -> Result<(), KeyringError> {
    opens(record, now)?;
    let live = record.secrets.iter().filter(|kept| kept.ends.is_none_or(|ends| ends > now)).count();
    if live >= MOST_SECRETS { Err(KeyringError::TooManySecrets(MOST_SECRETS)) } else { Ok(()) }
}

/// How long the old secrets may stay.
struct Grace {
    now: StoreTime,
    span: Duration,
    /// None lives longer for the fresh one, by which the key may be given a later end: or it could outlive what its realm allows.
    key_ends: Option<StoreTime>,
}

impl Grace {
    fn end(&self) -> StoreTime {
        let end = StoreTime(self.now.0.saturating_add(i64::try_from(self.span.as_millis()).unwrap_or(i64::MAX)));
        self.key_ends.map_or(end, |own| own.min(end))
    }
}

/// Done twice it is as done once, for the fresh secret is there then.
fn take_over(secrets: &mut Vec<KeptSecret>, fresh: &KeptSecret, grace: &Grace) {
    if secrets.iter().any(|kept| kept.digest == fresh.digest) {
        return;
    }
    let number = secrets.iter().map(|kept| kept.number).max().unwrap_or(0) + 1;
    let (now, end) = (grace.now, grace.end());
    for kept in secrets.iter_mut() {
        kept.ends = Some(kept.ends.map_or(end, |own| own.min(end)));
    }
    secrets.retain(|kept| kept.ends.is_some_and(|ends| ends > now));
    secrets.push(KeptSecret { number, ..fresh.clone() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::{Digest, Scheme};
    use crate::domain::name::Word;

    fn kept(byte: u8, number: u32, ends: Option<i64>) -> KeptSecret {
        KeptSecret {
            digest: Digest([byte; 32]),
            pepper: Word::parse("1").unwrap(),
            prefix: String::new(),
            last_four: String::new(),
            created: StoreTime(1),
            number,
            ends: ends.map(StoreTime),
            scheme: Scheme::Secret,
        }
    }

    fn after(secrets: Vec<KeptSecret>, span: Duration) -> Vec<(u32, Option<i64>)> {
        after_in_a_key(None, secrets, span)
    }

    /// Of a key that ends.
    fn after_in_a_key(ends: Option<i64>, mut secrets: Vec<KeptSecret>, span: Duration) -> Vec<(u32, Option<i64>)> {
        for now in [1_000, 5_000] {
            take_over(&mut secrets, &kept(9, 0, None), &Grace { now: StoreTime(now), span, key_ends: ends.map(StoreTime) });
        }
        secrets.iter().map(|kept| (kept.number, kept.ends.map(|ends| ends.0))).collect()
    }

    #[test]
    fn the_old_secrets_end_after_the_grace_or_when_they_would_have_and_the_fresh_one_has_the_next_number() {
        let grace = Duration::from_secs(1);
        assert_eq!(after(vec![kept(1, 1, None)], grace), [(1, Some(2_000)), (2, None)]);
        assert_eq!(after(vec![kept(1, 4, Some(1_500)), kept(2, 5, None)], grace), [(4, Some(1_500)), (5, Some(2_000)), (6, None)]);
        assert_eq!(after(vec![kept(1, 4, Some(999)), kept(2, 5, None)], grace), [(5, Some(2_000)), (6, None)]);
        assert_eq!(after(vec![kept(1, 1, None)], Duration::ZERO), [(2, None)]);
        assert_eq!(after_in_a_key(Some(1_200), vec![kept(1, 1, None)], grace), [(1, Some(1_200)), (2, None)], "with the key, as it was");
        assert_eq!(after_in_a_key(Some(9_000), vec![kept(1, 1, None)], grace), [(1, Some(2_000)), (2, None)]);
    }
}
