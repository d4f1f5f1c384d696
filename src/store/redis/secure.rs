//! Standing: what a change stands on, and how it is made durable.

use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Cmd, RedisResult};
use tokio::time::Instant;

use super::entries::{holders, place};
use super::footing::{self, Demand, Told};
use super::pool::Pool;
use super::script::Script;
use super::{names, stored};
use crate::revocation::{At, Level, Standing};
use crate::store::{Kept, StoreError, What};

static SECURE: Script = Script::new(include_str!("secure.lua"));
static RAISE: Script = Script::new(concat!(include_str!("place.lua"), include_str!("raise.lua")));

/// Head, longest lease, who is registered, the record.
type Answer = (String, u64, Vec<(String, String)>, Option<Vec<u8>>);

pub(super) async fn secure(pool: &Pool, deadline: Instant, demand: Demand, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
    let (records, id) = match what {
        What::Key(realm, id) => (names::keys(realm), id.as_str()),
        What::Owner(realm, id) => (names::owners(realm), id.as_str()),
    };
    let names = [names::POSITION, names::LEASES, names::LONGEST, names::BARRIER, names::SECURED, &records];
    let rest = |call: &mut Cmd| {
        call.arg(names.len()).arg(&names).arg(id).arg(at_once(demand));
    };
    let work = |mut connection: MultiplexedConnection| async move {
        let told: Told<Answer> = footing::run(&mut connection, &SECURE, rest, (demand, demand.wait(deadline))).await?;
        raise(&mut connection, &told.answer.0, (demand, told.level)).await?;
        Ok(told)
    };
    let told = pool.run(deadline, work).await?;
    let (head, longest, registered, kept) = &told.answer;
    let kept = kept.as_deref().map(|kept| match what {
        What::Key(..) => stored::read_key(kept).map(Kept::Key),
        What::Owner(..) => stored::read_owner(kept).map(Kept::Owner),
    });
    Ok((kept.transpose()?, standing(place(head)?, *longest, registered, &told)?))
}

/// What an answer stands on.
pub(super) fn standing<T>(at: At, longest: u64, registered: &[(String, String)], told: &Told<T>) -> Result<Standing, StoreError> {
    let (level, footing) = (told.level, told.footing.clone());
    Ok(Standing { at, level, footing, holders: holders(registered)?, longest: Duration::from_millis(longest) })
}

/// Notes that everything up to a place is as durable as is demanded, if it is: what is answered with OK. Where a write needs no more than to be
/// answered, the script that made it has noted so itself.
pub(super) async fn raise(connection: &mut impl ConnectionLike, head: &str, (demand, level): (Demand, Level)) -> RedisResult<()> {
    if !demand.is_of_all() || demand.level.is_some_and(|demanded| level < demanded) {
        return Ok(());
    }
    let names = [names::POSITION, names::LOG, names::SECURED];
    let rest = |call: &mut Cmd| {
        call.arg(names.len()).arg(&names).arg(head);
    };
    RAISE.run(connection, rest).await
}

/// What scripts are told: whether what they write is secured by being answered.
pub(super) fn at_once(demand: Demand) -> &'static str {
    if demand.is_of_all() { "" } else { "1" }
}
