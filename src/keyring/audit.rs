//! The audit log is read, by those whom it concerns, and verified.

use super::lasting::Lasting;
use super::readers::Stride;
use super::{Called, Caller, Keyring, KeyringError};
use crate::domain::audit::{Entry, Head, Link, Sealed, Tampered, Verified, Verifier};
use crate::store::{StoreError, audit};

/// So many entries are looked at for one page, whatever is looked for, or so many bytes of them: more than a response has room for.
const LOOKED_AT: u64 = 5_000;
const LOOKED_AT_BYTES: usize = 4 << 20;

/// An entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    pub entry: Entry,
    /// Its place in the chain.
    pub at: Head,
    pub sealed: Sealed,
}

/// Which entries are looked for; what is empty is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sought {
    /// `realms/{realm}`, or the name of something in it.
    pub subject: String,
    pub actor: String,
    pub action: String,
}

/// A part of the log, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub entries: Vec<Noted>,
    /// The number below which the next part begins; `None`: this was the last.
    pub before: Option<u64>,
}

impl Keyring {
    /// Entries below a number, newest first: so many, or as many as are among those that are looked at for one page.
    pub async fn audit(&self, caller: &Caller, sought: &Sought, before: Option<u64>, count: usize) -> Result<Past, KeyringError> {
        caller.is_for_more_than_its_owner(WHAT)?;
        let mut end = match before {
            Some(before) => before.saturating_sub(1),
            None => self.store.audit_head().await?.sequence,
        };
        let floor = end.saturating_sub(LOOKED_AT);
        let (mut entries, mut stride, mut bytes) = (Vec::new(), Stride::default(), 0);
        while end > floor && bytes < LOOKED_AT_BYTES {
            let start = end.saturating_sub(stride.count() as u64).max(floor);
            let page = self.entries(start, &mut stride, usize::try_from(end - start).unwrap_or(1)).await?;
            bytes += page.iter().map(|sealed| sealed.entry.len()).sum::<usize>();
            let page: Vec<Noted> = page.into_iter().map(noted).collect::<Result<_, _>>()?;
            // where the oldest were dropped the store goes on with what is above, and was told
            let below = page.into_iter().filter(|noted| noted.entry.place.sequence <= end).collect::<Vec<_>>();
            if below.is_empty() {
                return Ok(Past { entries, before: None });
            }
            for noted in below.into_iter().rev() {
                let sequence = noted.entry.place.sequence;
                entries.extend(sought.found(caller, noted));
                if entries.len() == count {
                    return Ok(Past { entries, before: Some(sequence).filter(|sequence| *sequence > 1) });
                }
            }
            end = start;
        }
        Ok(Past { entries, before: Some(end + 1).filter(|_| end > 0) })
    }

    /// Entries above a number, oldest first, and the number from which to go on.
    pub(super) async fn audit_after(
        &self,
        caller: &Caller,
        sought: &Sought,
        (after, stride): (u64, &mut Stride),
    ) -> Result<(Vec<Noted>, u64), KeyringError> {
        caller.is_for_more_than_its_owner(WHAT)?;
        let page = self.entries(after, stride, usize::MAX).await?;
        let page: Vec<Noted> = page.into_iter().map(noted).collect::<Result<_, _>>()?;
        let last = page.last().map_or(after, |last| last.entry.place.sequence);
        Ok((page.into_iter().filter_map(|noted| sought.found(caller, noted)).collect(), last))
    }

    /// Where the log ends.
    pub(super) async fn audit_ends(&self) -> Result<Head, KeyringError> {
        Ok(self.store.audit_head().await?)
    }

    /// Reads the whole log, and finds whether it was tampered with. `anchor`: where it was seen to end at another time. Its caller is judged again
    /// while it reads, and before it is told.
    pub async fn verify_audit(&self, called: Called, anchor: Option<Head>) -> Result<Result<Verified, Tampered>, KeyringError> {
        called.caller.is_unbound(WHAT)?;
        let _place = self.readers.place(&called.caller.actor)?;
        let mut lasting = self.lasting(called);
        let verdict = self.verified(&mut lasting, anchor).await?;
        lasting.is_let_in(self).await?;
        Ok(verdict)
    }

    async fn verified(&self, lasting: &mut Lasting, anchor: Option<Head>) -> Result<Result<Verified, Tampered>, KeyringError> {
        let (mut verifier, mut last, mut ends) = (Verifier::new(&self.peppers, anchor), 0, Head::default());
        let mut stride = Stride::default();
        loop {
            lasting.was_let_in_lately(self).await?;
            let page = match self.readable(last, &mut stride).await? {
                Ok(page) => page,
                Err(tampered) => return Ok(Err(tampered)),
            };
            if page.is_empty() && ends.sequence <= last {
                let now = match self.store.audit_head().await {
                    Err(StoreError::Corrupt(_)) => return Ok(Err(Tampered::Head(last))),
                    head => head?,
                };
                if now == ends || now.sequence <= last {
                    return Ok(verifier.end(now));
                }
                // more has come, or so it says
                ends = now;
                continue;
            }
            if page.is_empty() {
                return Ok(Err(Tampered::Head(ends.sequence)));
            }
            for sealed in page {
                let Ok(Noted { entry, sealed, .. }) = noted(sealed) else { return Ok(Err(Tampered::Unreadable(last + 1))) };
                if let Err(tampered) = verifier.entry(&sealed, &entry.place) {
                    return Ok(Err(tampered));
                }
                last = entry.place.sequence;
            }
        }
    }

    /// Entries above a number, as many as are read at once; where one among them cannot be read, the next alone.
    async fn readable(&self, after: u64, stride: &mut Stride) -> Result<Result<Vec<Sealed>, Tampered>, KeyringError> {
        for most in [usize::MAX, 1] {
            match self.entries(after, stride, most).await {
                Err(StoreError::Corrupt(_)) => {}
                page => return Ok(Ok(page?)),
            }
        }
        Ok(Err(Tampered::Unreadable(after + 1)))
    }

    /// Entries above a number, as many as are read at once, when it is this reader's turn.
    pub(super) async fn entries(&self, after: u64, stride: &mut Stride, most: usize) -> Result<Vec<Sealed>, StoreError> {
        let _turn = self.readers.turn().await;
        let page = self.store.audit(after, stride.count().min(most)).await?;
        stride.read(&page);
        Ok(page)
    }
}

/// For refusals.
pub(super) const WHAT: &str = "the audit log";

impl Sought {
    /// The entry, if it is one of those that are sought and the caller may know of it: with those of its subjects that concern the caller.
    fn found(&self, caller: &Caller, mut noted: Noted) -> Option<Noted> {
        let entry = &mut noted.entry;
        let is = |asked: &str, own: &str| asked.is_empty() || asked == own;
        if let Some(realm) = caller.only_realm() {
            let within = format!("realms/{realm}/");
            entry.subjects.retain(|subject| subject.starts_with(&within));
            if entry.subjects.is_empty() {
                return None;
            }
        }
        let meant = |subject: &String| {
            let rest = subject.strip_prefix(&self.subject);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_meant = self.subject.is_empty() || entry.subjects.iter().any(meant);
        (is_meant && is(&self.actor, &entry.who) && is(&self.action, &entry.action)).then_some(noted)
    }
}

fn noted(sealed: Sealed) -> Result<Noted, StoreError> {
    let entry = audit::entry(&sealed)?;
    let at = Head { sequence: entry.place.sequence, link: Link::of(&sealed.entry) };
    Ok(Noted { entry, at, sealed })
}
