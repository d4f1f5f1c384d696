//! Usage: texts beside an owner's windows, in its slot, each with an end. One call of a script adds a piece, once: what was added last of each
//! replica stands in a text of the owner.

use ::redis::{Cmd, Value};
use tokio::time::Instant;

use super::calls::{Ask, Ways};
use super::names;
use super::script::Script;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::usage::{Granularity, LastUse};
use crate::store::usage::{LAST_KEPT, address, by, by_text, kept, latest, read_last, text_of};
use crate::store::{StoreError, SubjectName, Usage, UsagePiece, UsageRange};

static ADD: Script = Script::new(include_str!("usage.lua"));

/// Several texts of one owner; those that are not there are empty.
static READ: Script =
    Script::new("local texts = {} for i, name in ipairs(KEYS) do texts[i] = redis.call('GET', name) or '' end return texts");

pub(super) async fn add(ways: Ways<'_>, deadline: Instant, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let pieces: Vec<Piece<'_>> = pieces.iter().map(Piece).collect();
    Ok(ways.ask(deadline, &pieces).await?.into_iter().map(|answer| answer.map(|_| ())).collect())
}

pub(super) async fn usage(ways: Ways<'_>, deadline: Instant, of: &SubjectName, range: &UsageRange) -> Result<Usage, StoreError> {
    let counts = range.texts().map(|text| names::counts(of, range.granularity, text));
    let texts = Texts { owner: of, names: counts.chain([names::last_used(of)]).collect() };
    let mut texts = ways.ask(deadline, &[texts]).await?.pop().map_or_else(|| Err(odd()), |answer| answer.and_then(read))?;
    let last = read_last(&texts.pop().ok_or_else(odd)?)?;
    let series = range.series(range.texts().zip(texts.iter().map(String::as_str)))?;
    Ok(Usage { series, last: last.into_iter().collect() })
}

pub(super) async fn last_used(
    ways: Ways<'_>,
    deadline: Instant,
    realm: &RealmId,
    keys: &[(KeyId, OwnerId)],
) -> Result<Vec<Option<LastUse>>, StoreError> {
    let subject = |(key, owner): &(KeyId, OwnerId)| SubjectName { realm: realm.clone(), owner: owner.clone(), key: Some(key.clone()) };
    let subjects: Vec<SubjectName> = keys.iter().map(subject).collect();
    let asks: Vec<Texts<'_>> = subjects.iter().map(|of| Texts { owner: of, names: vec![names::last_used(of)] }).collect();
    let last = |answer: Result<Value, StoreError>| {
        let texts = answer.and_then(read)?;
        Ok(latest(read_last(texts.first().ok_or_else(odd)?)?.into_values()))
    };
    ways.ask(deadline, &asks).await?.into_iter().map(last).collect()
}

struct Piece<'a>(&'a UsagePiece);

impl Piece<'_> {
    fn subject_of(&self, key: Option<&KeyId>) -> SubjectName {
        SubjectName { key: key.cloned(), ..self.0.owner.clone() }
    }
}

impl Ask for Piece<'_> {
    fn script() -> &'static Script {
        &ADD
    }

    fn subject(&self) -> Option<&SubjectName> {
        Some(&self.0.owner)
    }

    fn write(&self, call: &mut Cmd) {
        let added = names::counts(&self.0.owner, Granularity::Minute, text_of(Granularity::Minute, self.0.at));
        let (mut texts, mut counts, mut last) = (vec![added], Vec::new(), Vec::new());
        for of in &self.0.counts {
            let subject = self.subject_of(of.key.as_ref());
            for granularity in [Granularity::Minute, Granularity::Day] {
                for (text, places) in by_text(granularity, &of.minutes) {
                    texts.push(names::counts(&subject, granularity, text));
                    counts.push((ms(kept(granularity)), places));
                }
            }
        }
        for of in self.0.counts.iter().filter(|of| !of.last.is_empty()) {
            texts.push(names::last_used(&self.subject_of(of.key.as_ref())));
            last.push(&of.last);
        }
        call.arg(texts.len()).arg(texts).arg(by(self.0)).arg(self.0.number).arg(ms(kept(Granularity::Minute))).arg(counts.len());
        for (kept, places) in counts {
            call.arg(kept).arg(places.len());
            for (place, tally) in places {
                let counted: Vec<_> = tally.counted().filter_map(|(counter, count)| Some((counter.place()?, count))).collect();
                call.arg(place).arg(counted.len());
                for (counter, count) in counted {
                    call.arg(counter).arg(count);
                }
            }
        }
        for uses in last {
            call.arg(ms(LAST_KEPT)).arg(uses.len());
            for (secret, last) in uses {
                call.arg(*secret).arg(last.at.0).arg(address(last));
            }
        }
    }
}

struct Texts<'a> {
    /// Or one of its keys.
    owner: &'a SubjectName,
    names: Vec<String>,
}

impl Ask for Texts<'_> {
    fn script() -> &'static Script {
        &READ
    }

    fn subject(&self) -> Option<&SubjectName> {
        Some(self.owner)
    }

    fn write(&self, call: &mut Cmd) {
        call.arg(self.names.len()).arg(&self.names);
    }
}

fn read(answer: Value) -> Result<Vec<String>, StoreError> {
    ::redis::from_redis_value(answer).map_err(|_| odd())
}

fn odd() -> StoreError {
    StoreError::Corrupt("the answer of the script that reads usage".into())
}

fn ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
