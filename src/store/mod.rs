//! Where state is kept. One contract, every engine: each sentence of [`Store`] is a test of that name, run on all of them.

pub mod audit;
mod changed;
pub mod charge;
pub mod claimed;
pub mod commit;
pub mod copy;
pub mod due;
pub mod embedded;
pub mod entry;
pub mod error;
pub mod line;
pub mod observed;
pub mod page;
pub mod pepper;
pub mod record;
pub mod redis;
pub mod round;
pub mod together;
pub mod usage;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use audit::AuditNote;
pub use charge::{Charge, Generations, Return, Settled, Settlement, Subject, SubjectName, TICKETS_LIVE, Taken, undo};
pub use commit::{Change, Commit, Committed, Expect, Needs, RequestId};
pub use due::{Due, DueKey};
pub use error::StoreError;
pub use line::Line;
pub use page::{Order, Page, by_owner};
pub use pepper::{Knows, PepperClaim, PepperUse};
pub use round::Round;
pub use usage::{Counts, Usage, UsagePiece, UsageRange};

pub use crate::domain::audit::Head as AuditHead;
use crate::domain::audit::Sealed;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Holder;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::domain::usage::LastUse;
use crate::revocation::{At, Footing, Holder as LeaseHolder, Pushed, Registration, Renewal, Renewed, Standing};

/// A store, shared.
pub type SharedStore = Arc<dyn Store>;

/// What keyward asks of a store.
///
/// Every method ends within the store's own timeout. A store that cannot answer says [`StoreError::Unavailable`], comes back without a
/// restart, and never says that something is not there when it could not look.
#[async_trait]
pub trait Store: Send + Sync {
    /// Finds the key that one of these digests belongs to, with its owner.
    ///
    /// - a committed key is found by each of its secrets' digests, in its own realm only
    /// - the position is read no later than the record
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError>;

    /// Takes tokens for each charge from all windows of all its subjects, in the order given, with the rule of
    /// [`window::take`](crate::domain::window::take).
    ///
    /// - a charge takes from all of its windows or from none
    /// - no window ever holds more than its limit, whatever takes at once
    /// - returns are applied before anything is taken, and a return of what is gone changes nothing
    /// - a charge that names an older generation than its subject's is stale
    /// - a generation that is confirmed holds against a newer one that only windows have heard of
    /// - a charge that knows only periods that are over is behind
    /// - no token outlives the calendar period that it was counted in
    /// - a shadow counts what it would admit and refuses nothing
    /// - what was granted is still counted after a crash
    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError>;

    /// Says of each charge by itself what [`take`](Self::take) would answer. For people who ask how windows stand: no check waits for it.
    ///
    /// - a peek says what a take would answer, and takes nothing
    /// - a peek gives nothing back and has windows hear of nothing
    async fn peek(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError>;

    /// Which part of the store has an owner's windows: whoever takes from several had better ask each by itself, for a call is answered when its
    /// slowest part is.
    fn part(&self, _: &SubjectName) -> u64 {
        0
    }

    /// Gives back what settled tickets do not count.
    ///
    /// - a ticket is settled once, whoever settles it
    /// - a ticket that is too old is settled no more
    /// - a settlement that was acknowledged is not repeated after a crash
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError>;

    /// Adds to what is counted of owners and their keys, and says of each piece what became of it.
    ///
    /// - usage is summed whoever adds it by the minute and by the day
    /// - a piece that is added again is counted once
    /// - the latest use of each secret is kept whatever comes last
    async fn add_usage(&self, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError>;

    /// What was counted of a key, or of an owner: by the minute for two hours, by the day for a year.
    ///
    /// - a range has what was counted in it and nothing else
    async fn usage(&self, of: &SubjectName, range: &UsageRange) -> Result<Usage, StoreError>;

    /// When each of these keys of a realm was used last, and where from; `None`: not for a year, or never.
    ///
    /// - last uses are told in the order of the keys asked for
    async fn last_used(&self, realm: &RealmId, keys: &[(KeyId, OwnerId)]) -> Result<Vec<Option<LastUse>>, StoreError>;

    /// Applies all changes of a commit, each with its entry in the log, and appends one entry to the audit log, or does nothing.
    ///
    /// - a commit that expects another revision is a conflict and changes nothing
    /// - a secret that another key of the realm has is refused and changes nothing
    /// - a digest that is to be free and that a key of its realm has is refused and changes nothing
    /// - a commit that needs an owner who is not there is a conflict and changes nothing
    /// - the same request id with the same content is done once; with other content it is an error
    /// - a commit marked as once is done once, whoever races for it
    /// - positions go up by one with every entry of the log
    /// - every commit has one entry in the audit log, which follows the one before and is sealed
    /// - an entry that follows one which no pepper of its maker has sealed says so
    /// - a key that was removed is found and listed no more, and its secrets are free
    /// - every change has its entry in the log, with the digests that its key had and has
    /// - new keys that stand one after another in a commit have one entry in the log together, and so have new owners
    /// - a commit names everyone who holds a lease
    /// - what was acknowledged is there after a crash
    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.commit_in_line(commit, &mut Line::default()).await
    }

    /// The same, right behind another commit that is being made, and only if that one is made; [`StoreError::Late`]: it was not made so, or somebody
    /// came between. Nothing has changed then, and whoever calls again waits for where it stands now; unless it will not be told any more, or
    /// the engine cannot foresee it: then the place stands alone, and whoever calls again has to have waited for the other.
    ///
    /// - a commit in a line is made right behind the one before it or not at all
    /// - a line goes on behind a commit that was late and came later
    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError>;

    /// Reads one key's record.
    ///
    /// - a key is read in its own realm only
    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError>;

    /// Reads one owner's record.
    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError>;

    /// Reads several owners' records, in any order.
    ///
    /// - several owners are read as one is, and who is not there is left out
    async fn owners_of(&self, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, StoreError>;

    /// Reads several keys' records, in any order and each once: those under these ids, and those that have one of these digests.
    ///
    /// - several keys are read as one is, by their ids and by their digests, and who is not there is left out
    async fn keys_of(&self, realm: &RealmId, ids: &[KeyId], digests: &[Digest]) -> Result<Vec<Record>, StoreError>;

    /// Lists keys of a realm, or of one of its owners: by their owners, and each one's by their ids.
    ///
    /// - a page of an owner's keys holds none of others, wherever it is to begin
    /// - pages follow one another without gap or repetition, in either order
    /// - pages go on while keys are added
    /// - a page that is not full is the last one
    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError>;

    /// Lists owners of a realm, as keys are listed.
    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError>;

    /// The realms that have owners, and so all that have keys, in the order of their names.
    ///
    /// - every realm that has an owner is named once, whoever serves it
    async fn realms(&self) -> Result<Vec<RealmId>, StoreError>;

    /// Keeps the check values of all of a replica's peppers, or compares them with those that are kept.
    ///
    /// - a pepper of a known version and another check value is refused
    /// - peppers none of which is known are refused where others are
    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError>;

    /// Notes which peppers a replica has, and says which one new digests are to be under: the one that was taken into use last.
    ///
    /// - the first pepper of a replica is taken into use once everyone who holds a lease has it
    /// - a replica that lacks a pepper in use is refused
    /// - a withdrawn pepper is never taken into use again
    async fn agree_on_pepper(&self, knows: &Knows) -> Result<Word, StoreError>;

    /// Withdraws a pepper, with an entry in the audit log. One that is withdrawn already stays as it is, without an entry.
    ///
    /// - the pepper in use is not withdrawn
    /// - no secret is put under a withdrawn pepper, and those that are there stay
    async fn withdraw_pepper(&self, version: &Word, audit: &AuditNote) -> Result<(), StoreError>;

    /// Every pepper that was ever claimed.
    async fn peppers(&self) -> Result<Vec<PepperUse>, StoreError>;

    /// The store's time.
    ///
    /// - it never goes backwards
    async fn now(&self) -> Result<StoreTime, StoreError>;

    /// Renews a replica's lease and brings it what it has to apply for it.
    ///
    /// - a renewal registers its holder
    /// - a renewal acknowledges what its holder has applied and knows to be secured
    /// - a renewal brings the entries that follow the place applied, in their order and without gaps
    /// - a renewal without a place, or with one that is trimmed away, jumps to the head
    /// - a place that is not in the log is lost
    /// - a secured place that is not in the log is rolled back, for everyone until an operator says to go on
    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError>;

    /// Waits until the log has entries after this place, but no longer than `patience`, and tells what is secured then.
    ///
    /// - entries come as soon as they are committed
    /// - a place that is not in the log is followed by nothing
    /// - without any it ends with none when its patience is over
    async fn follow(&self, after: At, patience: Duration) -> Result<Pushed, StoreError>;

    /// Notes that a holder has applied the log up to this place.
    ///
    /// - an acknowledgement counts for its own incarnation and of its own log only
    async fn acknowledge(&self, holder: &LeaseHolder, applied: At) -> Result<(), StoreError>;

    /// Everyone registered.
    async fn holders(&self) -> Result<Vec<(LeaseHolder, Registration)>, StoreError>;

    /// Removes a holder whose lease has ended.
    ///
    /// - a holder that has renewed since is not dismissed
    async fn dismiss(&self, holder: &LeaseHolder, renewals: u64) -> Result<(), StoreError>;

    /// Notes that a replica has seen the primary of this footing for a whole lease: whoever holds one is registered there.
    ///
    /// - what was vouched for is told with every footing of the same primary
    async fn vouch(&self, footing: &Footing) -> Result<(), StoreError>;

    /// Makes everything that was committed as durable as the store can, and reads one record there.
    ///
    /// - what is secured stands where its record is read
    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError>;

    /// Goes on with the log as it is, after it was found rolled back. `audit`: by whom; where there was nothing to do, nobody is told.
    ///
    /// - after a resumption replicas jump to the head
    async fn resume(&self, audit: &AuditNote) -> Result<(), StoreError>;

    /// Appends an entry to the audit log of what changed no record.
    ///
    /// - a note is one entry more, in its order among those of commits
    async fn note(&self, audit: &AuditNote) -> Result<AuditHead, StoreError>;

    /// Reads entries of the audit log with numbers above `after`, at most `count`, in their order.
    ///
    /// - entries are read as they were written
    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError>;

    /// Where the audit log ends, as far as the store says.
    async fn audit_head(&self) -> Result<AuditHead, StoreError>;

    /// Drops entries of the audit log up to this one, and appends one that says so. What is not there is not dropped.
    ///
    /// - what was dropped from the audit log for its age is told in the log itself
    async fn drop_audit(&self, through: u64, audit: &AuditNote) -> Result<(), StoreError>;

    /// Keys that something is due for before this instant, the longest due first, from behind `after` on.
    ///
    /// - a key is due for what it has to do, until it has done it
    /// - what is due is walked on whatever became of what was there
    async fn due(&self, what: Due, before: StoreTime, after: Option<&DueKey>, count: usize) -> Result<Vec<DueKey>, StoreError>;
}

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Key(RealmId, KeyId),
    Owner(RealmId, OwnerId),
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are of the largest, and none is kept")]
pub enum Kept {
    Key(Record),
    Owner(Owner),
}

/// What [`Store::find`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub holder: Option<Holder>,
    /// The log's head when the record was read, or before.
    pub at: At,
    /// The store's time.
    pub now: StoreTime,
}
