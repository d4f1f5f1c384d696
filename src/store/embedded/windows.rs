//! Windows as they are kept, and tickets that were settled.

use prost::Message as _;
use redb::ReadableTable;

use super::disk::Stop;
use super::tables::{Owned, Tables};
use crate::domain::time::StoreTime;
use crate::domain::window::{Slot, Window, WindowId, Windows};
use crate::proto::keyward::store::v1 as stored;
use crate::store::{StoreError, SubjectName, TICKETS_LIVE};

/// The counted past of one subject.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// The newest generation of limits that it was taken from under.
    pub generation: u64,
    pub windows: Windows,
}

/// How far the sweep has come.
pub(super) type Cursor = Option<(String, String, String)>;

pub(super) fn load(windows: &impl ReadableTable<Owned, &'static [u8]>, name: &SubjectName) -> Result<Kept, Stop> {
    match windows.get(key(name))? {
        Some(bytes) => Ok(decode(bytes.value())?),
        None => Ok(Kept::default()),
    }
}

pub(super) fn store(tables: &mut Tables<'_>, name: &SubjectName, kept: &Kept) -> Result<(), Stop> {
    tables.windows.insert(key(name), encode(kept).as_slice())?;
    Ok(())
}

/// Drops subjects whose past is over, looking at the next `count` of all: repeated, it comes round, so what is kept is bounded by what
/// still counts.
pub(super) fn sweep(tables: &mut Tables<'_>, now: StoreTime, cursor: &mut Cursor, count: usize) -> Result<(), Stop> {
    let mut over = Vec::new();
    let mut last = None;
    {
        let (realm, owner, id) = cursor.as_ref().map_or(("", "", ""), |(realm, owner, id)| (realm, owner, id));
        for entry in tables.windows.range((realm, owner, id)..)?.take(count) {
            let (name, bytes) = entry?;
            let (realm, owner, id) = name.value();
            let name = (realm.to_owned(), owner.to_owned(), id.to_owned());
            // what cannot be read is left for whoever takes from it to report
            if decode(bytes.value()).is_ok_and(|kept| kept.windows.over_at() <= now) {
                over.push(name.clone());
            }
            last = Some(name);
        }
    }
    for (realm, owner, id) in &over {
        tables.windows.remove((realm.as_str(), owner.as_str(), id.as_str()))?;
    }
    *cursor = if last == *cursor { None } else { last };
    Ok(())
}

/// Forgets tickets that can be settled no more, some at a time.
pub(super) fn forget_settled(tables: &mut Tables<'_>, now: StoreTime, count: usize) -> Result<(), Stop> {
    let live = i64::try_from(TICKETS_LIVE.as_millis()).unwrap_or(i64::MAX);
    let (first, end) = ((i64::MIN, &[0; 16]), (now.0.saturating_sub(live), &[0; 16]));
    let over = tables.settled.extract_from_if(first..end, |_, ()| true)?.take(count);
    over.collect::<Result<Vec<_>, _>>()?;
    Ok(())
}

fn key(name: &SubjectName) -> (&str, &str, &str) {
    (name.realm.as_str(), name.owner.as_str(), name.key.as_ref().map_or("", |id| id.as_str()))
}

fn encode(kept: &Kept) -> Vec<u8> {
    let slot = |slot: &Slot| stored::Slot { start_ms: slot.start, last_ms: slot.last, count: slot.count };
    let window = |window: &Window| stored::Window { length_ms: window.id.0, slots: window.slots.iter().map(slot).collect() };
    let windows = kept.windows.windows.iter().map(window).collect();
    stored::Windows { generation: kept.generation, latest_ms: kept.windows.latest.0, windows }.encode_to_vec()
}

fn decode(bytes: &[u8]) -> Result<Kept, StoreError> {
    let kept = stored::Windows::decode(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let slot = |slot: stored::Slot| Slot { start: slot.start_ms, last: slot.last_ms, count: slot.count };
    let window = |window: stored::Window| Window { id: WindowId(window.length_ms), slots: window.slots.into_iter().map(slot).collect() };
    let windows = Windows { latest: StoreTime(kept.latest_ms), windows: kept.windows.into_iter().map(window).collect() };
    Ok(Kept { generation: kept.generation, windows })
}
