//! The tables, and one write transaction's hold on all of them.

use redb::{Database, ReadableDatabase as _, ReadableTable, Table, TableDefinition, TableHandle as _, WriteTransaction};

use super::disk::Stop;
use crate::domain::name::RealmId;
use crate::domain::time::StoreTime;
use crate::revocation::{At, Mark};
use crate::store::StoreError;

/// Realm and id.
pub(super) type Named = (&'static str, &'static str);
/// Realm, owner, and a key's id, or nothing for the owner itself.
pub(super) type Owned = (&'static str, &'static str, &'static str);
/// When a ticket was minted, and its id.
type Minted = (i64, &'static [u8; 16]);
/// When, and a key.
type Dued = (i64, &'static str, &'static str);
/// Which text of counts, realm, owner, and a key's id, or nothing for the owner itself.
pub(super) type Timed = (i64, &'static str, &'static str, &'static str);
/// Position and mark.
type Place = (u64, u64);

pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
pub(super) const KEYS: TableDefinition<Named, &[u8]> = TableDefinition::new("keys");
pub(super) const OWNERS: TableDefinition<Named, &[u8]> = TableDefinition::new("owners");
/// Which keys an owner has.
pub(super) const KEYS_OF_OWNERS: TableDefinition<Owned, ()> = TableDefinition::new("keys_of_owners");
/// Realm and a secret's digest, to the id of its key.
pub(super) const DIGESTS: TableDefinition<(&str, &[u8; 32]), &str> = TableDefinition::new("digests");
/// By their numbers.
pub(super) const AUDIT: TableDefinition<u64, &[u8]> = TableDefinition::new("audit");
pub(super) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// Places, by position and mark, that were promised to somebody and are not in this log: nobody admits while there are any.
pub(super) const ROLLED_BACK: TableDefinition<Place, ()> = TableDefinition::new("rolled_back");
/// Those that an operator went on without.
pub(super) const ABANDONED: TableDefinition<Place, ()> = TableDefinition::new("abandoned");
/// Keys with a secret that ends, by when.
pub(super) const SECRET_ENDS: TableDefinition<Dued, ()> = TableDefinition::new("secret_ends");
/// Keys that are revoked, by since when.
pub(super) const REVOKED: TableDefinition<Dued, ()> = TableDefinition::new("revoked");
/// Caller and request id, to when it is forgotten and what was answered.
pub(super) const ANSWERS: TableDefinition<Named, (i64, &[u8])> = TableDefinition::new("answers");
pub(super) const ANSWERS_BY_END: TableDefinition<(i64, &str, &str), ()> = TableDefinition::new("answers_by_end");
/// Marks that no other commit may carry, and when they were made.
pub(super) const MARKS: TableDefinition<&[u8; 32], i64> = TableDefinition::new("marks");
pub(super) const PEPPERS: TableDefinition<&str, &[u8; 32]> = TableDefinition::new("peppers");
/// Since when peppers are in use and since when they are withdrawn; 0 where they are not.
pub(super) const PEPPER_USES: TableDefinition<&str, (i64, i64)> = TableDefinition::new("pepper_uses");
pub(super) const WINDOWS: TableDefinition<Owned, &[u8]> = TableDefinition::new("windows");
/// Tickets that are settled, by when they were minted: kept as long as they could be settled again.
pub(super) const SETTLED: TableDefinition<Minted, ()> = TableDefinition::new("settled");
/// What was counted, by the minute and by the day.
pub(super) const MINUTES: TableDefinition<Timed, &str> = TableDefinition::new("usage_by_minute");
pub(super) const DAYS: TableDefinition<Timed, &str> = TableDefinition::new("usage_by_day");
pub(super) const LAST_USED: TableDefinition<Owned, &str> = TableDefinition::new("last_used");

const SCHEMA: &str = "schema";
const SCHEMA_VERSION: u64 = 1;
/// Of the log's last entry.
const POSITION: &str = "position";
const MARK: &str = "mark";
/// The latest store time told when a transaction was written.
const TIME: &str = "time";

/// Keys by when something is due.
pub(super) type Dues<'t> = Table<'t, Dued, ()>;

/// Every table, open for writing.
pub(super) struct Tables<'t> {
    pub meta: Table<'t, &'static str, u64>,
    pub keys: Table<'t, Named, &'static [u8]>,
    pub owners: Table<'t, Named, &'static [u8]>,
    pub keys_of_owners: Table<'t, Owned, ()>,
    pub digests: Table<'t, (&'static str, &'static [u8; 32]), &'static str>,
    pub audit: Table<'t, u64, &'static [u8]>,
    pub log: Table<'t, u64, &'static [u8]>,
    pub rolled_back: Table<'t, Place, ()>,
    pub abandoned: Table<'t, Place, ()>,
    pub secret_ends: Dues<'t>,
    pub revoked: Dues<'t>,
    pub answers: Table<'t, Named, (i64, &'static [u8])>,
    pub answers_by_end: Table<'t, (i64, &'static str, &'static str), ()>,
    pub marks: Table<'t, &'static [u8; 32], i64>,
    pub peppers: Table<'t, &'static str, &'static [u8; 32]>,
    pub pepper_uses: Table<'t, &'static str, (i64, i64)>,
    pub windows: Table<'t, Owned, &'static [u8]>,
    pub settled: Table<'t, Minted, ()>,
    pub minutes: Table<'t, Timed, &'static str>,
    pub days: Table<'t, Timed, &'static str>,
    pub last_used: Table<'t, Owned, &'static str>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(txn: &'t WriteTransaction) -> Result<Self, Stop> {
        Ok(Self {
            meta: txn.open_table(META)?,
            keys: txn.open_table(KEYS)?,
            owners: txn.open_table(OWNERS)?,
            keys_of_owners: txn.open_table(KEYS_OF_OWNERS)?,
            digests: txn.open_table(DIGESTS)?,
            audit: txn.open_table(AUDIT)?,
            log: txn.open_table(LOG)?,
            rolled_back: txn.open_table(ROLLED_BACK)?,
            abandoned: txn.open_table(ABANDONED)?,
            secret_ends: txn.open_table(SECRET_ENDS)?,
            revoked: txn.open_table(REVOKED)?,
            answers: txn.open_table(ANSWERS)?,
            answers_by_end: txn.open_table(ANSWERS_BY_END)?,
            marks: txn.open_table(MARKS)?,
            peppers: txn.open_table(PEPPERS)?,
            pepper_uses: txn.open_table(PEPPER_USES)?,
            windows: txn.open_table(WINDOWS)?,
            settled: txn.open_table(SETTLED)?,
            minutes: txn.open_table(MINUTES)?,
            days: txn.open_table(DAYS)?,
            last_used: txn.open_table(LAST_USED)?,
        })
    }

    pub(super) fn head(&self) -> Result<At, Stop> {
        head(&self.meta)
    }

    pub(super) fn set_head(&mut self, head: At) -> Result<(), Stop> {
        self.meta.insert(POSITION, head.position)?;
        self.meta.insert(MARK, head.mark.0)?;
        Ok(())
    }

    pub(super) fn set_time(&mut self, now: StoreTime) -> Result<(), Stop> {
        self.meta.insert(TIME, now.0.cast_unsigned())?;
        Ok(())
    }

    /// Whose secret this is.
    pub(super) fn holder(&self, realm: &RealmId, digest: &[u8; 32]) -> Result<Option<String>, Stop> {
        Ok(self.digests.get((realm.as_str(), digest))?.map(|id| id.value().to_owned()))
    }
}

/// A transaction whose commit reaches the disk, and after whose crash the file opens without being read in whole.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, Stop> {
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    Ok(txn)
}

/// What a store knows when it is opened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Persisted {
    /// The latest time told before.
    pub time: StoreTime,
    /// The log's.
    pub head: At,
}

/// Makes the tables where they are absent.
pub(super) fn prepare(database: &Database) -> Result<Persisted, StoreError> {
    let (persisted, whole) = prepared(database)?;
    if !whole {
        make(database)?;
    }
    Ok(persisted)
}

/// The log's last entry.
pub(super) fn head(meta: &impl ReadableTable<&'static str, u64>) -> Result<At, Stop> {
    let number = |name| Ok::<_, Stop>(meta.get(name)?.map_or(0, |number| number.value()));
    Ok(At { position: number(POSITION)?, mark: Mark(number(MARK)?) })
}

/// And whether all tables are there: an older version made fewer.
fn prepared(database: &Database) -> Result<(Persisted, bool), Stop> {
    let txn = database.begin_read()?;
    let meta = match txn.open_table(META) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok((Persisted::default(), false)),
        meta => meta?,
    };
    let names: Vec<String> = txn.list_tables()?.map(|table| table.name().to_owned()).collect();
    let whole = [LAST_USED.name(), PEPPER_USES.name()].iter().all(|last| names.iter().any(|name| name == last));
    match meta.get(SCHEMA)?.map(|version| version.value()) {
        Some(SCHEMA_VERSION) => {
            let time = StoreTime(meta.get(TIME)?.map_or(0, |time| time.value().cast_signed()));
            Ok((Persisted { time, head: head(&meta)? }, whole))
        }
        other => {
            let other = other.map_or_else(|| "none".to_owned(), |version| version.to_string());
            let says = format!("schema version {other}, not {SCHEMA_VERSION}: start the version of keyward that wrote it");
            Err(StoreError::Corrupt(says).into())
        }
    }
}

fn make(database: &Database) -> Result<(), Stop> {
    let txn = begin(database)?;
    Tables::open(&txn)?.meta.insert(SCHEMA, SCHEMA_VERSION)?;
    Ok(txn.commit()?)
}
