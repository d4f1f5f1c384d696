//! Writing: one script applies a commit, with its audit entry and its log entry, or changes nothing; then it is made durable.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisResult, Value, from_redis_value, from_redis_value_ref};
use tokio::time::{Instant, timeout_at};

use super::footing::{self, Demand, Info, Told};
use super::pool::Pool;
use super::script::Script;
use super::secure::{self, at_once};
use super::step::{self, Steps};
use super::table::Table;
use super::turn::Turn;
use super::{audit, entries as kept, names};
use crate::domain::audit::Head;
use crate::domain::name::Word;
use crate::domain::time::StoreTime;
use crate::revocation::{Entry, Mark};
use crate::store::audit::{Appended, Told as Of, append};
use crate::store::entry::{encode_entry, entries};
use crate::store::line::Foreseen;
use crate::store::pepper::fresh;
use crate::store::{Change, Commit, Committed, Expect, Line, StoreError};

static COMMIT: Script = Script::new(concat!(include_str!("audit.lua"), include_str!("commit.lua")));
/// The same, for what takes something away: that is done where memory is full, too.
static RESTRICT: Script = Script::new(concat!("#!lua flags=allow-oom\n", include_str!("audit.lua"), include_str!("commit.lua")));

/// How long a request id is remembered.
const REQUESTS_KEPT: Duration = Duration::from_hours(24);

/// Whoever has less time left than this does not begin anew.
const NO_TIME: Duration = Duration::from_millis(100);

/// How many entries the log keeps, or a few more: who was away for longer reads everything anew.
const ENTRIES_KEPT: usize = 65_536;

/// What is there is read first, to know which digests and lists a key leaves and whether the change restricts; the script makes sure
/// that this is still so. All of it on one connection: what is waited for is what was written there.
pub(super) async fn commit(
    pool: &Pool,
    deadline: Instant,
    demand: Demand,
    (commit, line): (&Commit, &mut Line),
) -> Result<Committed, StoreError> {
    let mark = getrandom::u64().map(Mark).map_err(|error| StoreError::Unavailable(format!("no random number: {error}")))?;
    // before a connection is borrowed: whoever is waited for needs one, too
    let foreseen = if line.is_alone() {
        None
    } else {
        // what is told late leaves too little time to be sure of what became of the commit
        let now = Instant::now();
        let foreseen = timeout_at(now + deadline.saturating_duration_since(now) / 2, line.foreseen()).await.ok().flatten();
        Some(foreseen.and_then(|foreseen| Before::foreseen(foreseen, commit)).ok_or(StoreError::Late)?)
    };
    let place = &*line;
    let made = pool.run(deadline, |connection| make(connection, (demand, deadline), (commit, mark), (foreseen, place))).await?;
    if made.is_err() {
        line.late();
    }
    made
}

async fn make(
    mut connection: MultiplexedConnection,
    (demand, deadline): (Demand, Instant),
    (commit, mark): (&Commit, Mark),
    (mut foreseen, line): (Option<Before>, &Line),
) -> RedisResult<Result<Committed, StoreError>> {
    let mut turn = Turn::default();
    loop {
        let before = match foreseen.take() {
            Some(before) => before,
            None => before(&mut connection, commit).await?,
        };
        let was = before.changes(commit);
        let prepared = match was.as_deref().map_err(Clone::clone).and_then(|was| Prepared::new(commit, (&before, was), mark)) {
            Ok(prepared) => prepared,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        line.tell(Foreseen { is_made: false, ..prepared.foreseen(&before) });
        // While a node is away, waiting would only take every commit's time: it cannot end well.
        let wait = demand.wait(deadline).filter(|_| before.followers >= demand.replicas);
        let rest = |call: &mut Cmd| write(call, &turn, (commit, &prepared), (mark, at_once(demand)));
        let script = if prepared.restricts { &RESTRICT } else { &COMMIT };
        let told: Told<Vec<Value>> = footing::run(&mut connection, script, rest, (demand, wait)).await?;
        let made = match read(&told, commit, prepared.audit.end.head) {
            Ok(Some(made)) => made,
            Ok(None) if !line.is_alone() || deadline < Instant::now() + NO_TIME => return Ok(Err(StoreError::Late)),
            Ok(None) => {
                turn.was_late(&mut connection).await?;
                continue;
            }
            Err(refused) => return Ok(Err(refused)),
        };
        // again: the next may have been faster
        line.tell(prepared.foreseen(&before));
        secure::raise(&mut connection, &made.standing.at.to_string(), (demand, told.level)).await?;
        return Ok(Ok(made));
    }
}

/// What there is before the commit.
struct Before {
    audit: audit::Before,
    /// Of the log's last entry.
    position: u64,
    /// What is kept of each record.
    records: Vec<Option<Vec<u8>>>,
    /// How many nodes follow.
    followers: u32,
    /// When this was asked.
    asked: Instant,
}

impl Before {
    /// What the commit before leaves behind, for one that makes only what must not be there.
    fn foreseen(Foreseen { end, position, followers, at: (at, asked), .. }: Foreseen, commit: &Commit) -> Option<Self> {
        let makes_only = commit.changes.iter().all(|change| change.expects() == Expect::Absent);
        let records = vec![None; commit.changes.len()];
        let now = StoreTime(at.0.saturating_add(i64::try_from(asked.elapsed().as_millis()).unwrap_or(0)));
        makes_only.then(|| Self { audit: audit::Before { end, now }, position, records, followers, asked: Instant::now() })
    }

    /// What is kept of each record, as it was written.
    fn changes(&self, commit: &Commit) -> Result<Vec<Option<Change>>, StoreError> {
        let was = |(change, kept): (&Change, &Option<Vec<u8>>)| kept.as_deref().map(|kept| step::read(change, kept)).transpose();
        commit.changes.iter().zip(&self.records).map(was).collect()
    }
}

/// A commit, made of what there was.
struct Prepared<'a> {
    steps: Steps<'a>,
    /// Those of the log that replicas follow.
    entries: Vec<Vec<u8>>,
    restricts: bool,
    /// What secrets are put under that were not there before.
    peppers: BTreeSet<&'a Word>,
    audit: Appended,
}

impl<'a> Prepared<'a> {
    fn new(commit: &'a Commit, (before, was): (&Before, &'a [Option<Change>]), mark: Mark) -> Result<Self, StoreError> {
        let changes: Vec<(Option<&Change>, &Change)> = was.iter().map(Option::as_ref).zip(&commit.changes).collect();
        let mut steps = Steps::new(&commit.needs);
        for (was, change) in &changes {
            steps.add(change, *was)?;
        }
        // their positions are the script's to give: they are the ids under which they are kept
        let entries: Vec<Entry> = entries(0, mark, &changes).collect();
        // whoever repeats what took something away is answered where memory is full, as the first was
        let restricts = entries.iter().any(|entry| entry.restricting) || commit.changes.iter().any(Change::takes_away);
        let entries: Vec<Vec<u8>> = entries.iter().map(encode_entry).collect();
        let peppers = changes.iter().flat_map(|(was, change)| fresh(*was, change)).collect();
        let told = Of {
            commit: Some(commit),
            before: was.first().and_then(Option::as_ref),
            position: before.position + entries.len() as u64,
            dropped: None,
        };
        let audit = append(&commit.audit, before.audit.end.clone(), before.audit.now, told);
        Ok(Self { steps, entries, restricts, peppers, audit })
    }

    /// Where it stands when it is made.
    fn foreseen(&self, before: &Before) -> Foreseen {
        let position = before.position + self.entries.len() as u64;
        Foreseen { end: self.audit.end.clone(), position, followers: before.followers, at: (before.audit.now, before.asked), is_made: true }
    }
}

/// Where the audit log ends is read first: as long as it stands, all that is read after it does.
async fn before(connection: &mut MultiplexedConnection, commit: &Commit) -> RedisResult<Before> {
    let asked = Instant::now();
    let mut all = audit::ask();
    all.cmd("GET").arg(names::POSITION);
    // what must not be there need not be read: the script refuses it if it is
    for change in commit.changes.iter().filter(|change| change.expects() != Expect::Absent) {
        let (records, id) = step::place(change);
        all.cmd("HGET").arg(records.name()).arg(id);
    }
    all.cmd("INFO").arg("replication");
    let mut answers: Vec<Value> = all.query_async(connection).await?;
    let info: Option<String> = answers.pop().map(from_redis_value).transpose()?;
    let mut read = answers.split_off(3).into_iter();
    let of = |change: &Change| if change.expects() == Expect::Absent { Ok(None) } else { read.next().map_or(Ok(None), from_redis_value) };
    let records = commit.changes.iter().map(of).collect::<Result<_, _>>()?;
    let position: Option<String> = answers.pop().map(from_redis_value).transpose()?.flatten();
    let position = position.and_then(|head| head.split('/').next()?.parse().ok()).unwrap_or(0);
    Ok(Before { audit: audit::read(answers)?, position, records, followers: info.map_or(0, |info| Info(&info).followers()), asked })
}

/// `None`: the audit log has gone on meanwhile.
fn read(told: &Told<Vec<Value>>, commit: &Commit, audit: Head) -> Result<Option<Committed>, StoreError> {
    let odd = || StoreError::Corrupt(format!("the answer of the script that commits: {:?}", told.answer));
    let text = |value: &Value| from_redis_value_ref::<String>(value).map_err(|_| odd());
    let (word, rest) = told.answer.split_first().ok_or_else(odd)?;
    match (text(word)?.as_str(), rest) {
        (word @ ("made" | "replayed"), [position, subject, head, longest, registered]) => {
            let longest = from_redis_value_ref(longest).map_err(|_| odd())?;
            let registered: Vec<(String, String)> = from_redis_value_ref(registered).map_err(|_| odd())?;
            let (replayed, audit) = if word == "replayed" { (Some(text(subject)?), None) } else { (None, Some(audit)) };
            let standing = secure::standing(kept::place(&text(head)?)?, longest, &registered, told)?;
            Ok(Some(Committed { position: text(position)?.parse().map_err(|_| odd())?, standing, replayed, audit }))
        }
        ("reused", []) => Err(StoreError::RequestIdReused),
        ("done", []) => Err(StoreError::DoneBefore),
        ("behind", []) => Ok(None),
        ("conflict", []) => Err(StoreError::Conflict),
        ("taken", []) => Err(StoreError::SecretTaken),
        ("withdrawn", [pepper]) => Err(StoreError::PepperWithdrawn(Word::parse(&text(pepper)?).map_err(|_| odd())?)),
        ("exists", [records, id]) => {
            let (records, id) = (text(records)?, text(id)?);
            let is_there = |(table, named): (Table<'_>, &str)| named == id && table.name() == records;
            let change = commit.changes.iter().find(|change| is_there(step::place(change)));
            let (kind, id) = change.map(Change::named).ok_or_else(odd)?;
            Err(StoreError::Exists(format!("{kind} {id}")))
        }
        _ => Err(odd()),
    }
}

fn write(call: &mut Cmd, turn: &Turn, (commit, prepared): (&Commit, &Prepared<'_>), (mark, at_once): (Mark, &str)) {
    let Prepared { steps, entries, peppers, audit, .. } = prepared;
    let fixed = audit::NAMES.into_iter().chain([names::POSITION, names::LOG, names::ONCE, names::LEASES, names::LONGEST]);
    let fixed = fixed.chain([names::SECURED, names::BARRIER, names::PEPPER_USES]);
    let request = commit.request.as_ref().map(names::request);
    let keys: Vec<Cow<'_, str>> = fixed.map(Cow::Borrowed).chain(steps.names()).chain(request.map(Cow::Owned)).collect();
    call.arg(keys.len());
    for name in keys {
        call.arg(name.as_ref());
    }
    audit::write(call, turn, audit);
    call.arg(commit.request.as_ref().map_or(&b""[..], |request| &request.fingerprint));
    call.arg(commit.audit.subject()).arg(REQUESTS_KEPT.as_secs() * 1000);
    call.arg(commit.once.as_ref().map_or(&b""[..], |mark| mark));
    call.arg(mark.to_string()).arg(at_once).arg(ENTRIES_KEPT);
    call.arg(peppers.len()).arg(peppers.iter().map(|pepper| pepper.as_str()).collect::<Vec<_>>());
    call.arg(entries.len()).arg(entries);
    steps.write(call);
}
