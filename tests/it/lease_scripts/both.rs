//! The model, and the scripts on a Redis.

use keyward::domain::key::Digest;
use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::revocation::{At, Entry, Holder, Log, Mark, Registration, Renewal, Touched};
use keyward::store::entry::encode_entry;
use keyward::store::redis::lease::{read_renewal, write_acknowledgement, write_dismissal, write_renewal};
use redis::{Cmd, Connection, FromRedisValue, RedisResult, Value};

use super::model::Model;
use crate::support::redis::RedisServer;

const LOG: &str = "kw:1:{kw}:log";
const POSITION: &str = "kw:1:{kw}:position";
const LEASES: &str = "kw:1:{kw}:leases";
const SECURED: &str = "kw:1:{kw}:secured";
const ROLLED_BACK: &str = "kw:1:{kw}:rolled-back";
const ABANDONED: &str = "kw:1:{kw}:abandoned";

/// What is run.
#[derive(Clone)]
pub(super) struct Scripts {
    pub(super) renewal: String,
    pub(super) acknowledgement: String,
    pub(super) dismissal: String,
}

impl Scripts {
    pub(super) fn all(&mut self) -> [&mut String; 3] {
        [&mut self.renewal, &mut self.acknowledgement, &mut self.dismissal]
    }
}

/// Both, with the same history.
pub(super) struct Both {
    connection: Connection,
    scripts: Scripts,
    pub(super) model: Model,
    backup: Option<(Model, Dumps)>,
}

/// By their names.
type Dumps = Vec<(String, Vec<u8>)>;

impl Both {
    pub(super) fn new(server: &RedisServer, scripts: Scripts) -> Self {
        let mut both = Self { connection: server.connection(), scripts, model: Model::default(), backup: None };
        both.ask::<()>(&redis::cmd("FLUSHALL")).unwrap();
        both
    }

    /// One commit of so many changes.
    pub(super) fn commit(&mut self, changes: u64, mark: u64) {
        let head = self.model.head().position;
        let entries: Vec<Entry> = (head + 1..=head + changes).map(|position| entry(At { position, mark: Mark(mark) })).collect();
        for entry in &entries {
            let mut add = redis::cmd("XADD");
            add.arg(LOG).arg(format!("{}-0", entry.at.position)).arg("mark").arg(entry.at.mark.to_string());
            self.ask::<String>(add.arg("entry").arg(encode_entry(entry))).unwrap();
        }
        self.model.commit(&entries);
        self.set(POSITION, self.model.head());
    }

    /// What stands at the head is as durable as it has to be.
    pub(super) fn secure(&mut self) {
        self.model.secured = self.model.head();
        self.set(SECURED, self.model.secured);
    }

    pub(super) fn trim(&mut self, kept: usize) {
        self.ask::<u64>(redis::cmd("XTRIM").arg(LOG).arg("MAXLEN").arg(kept)).unwrap();
        self.model.trim(kept);
    }

    pub(super) fn back_up(&mut self) {
        let names: Vec<String> = self.ask(redis::cmd("KEYS").arg("*")).unwrap();
        let dumps = names.into_iter().map(|name| {
            let bytes = self.ask(redis::cmd("DUMP").arg(&name)).unwrap();
            (name, bytes)
        });
        let dumps = dumps.collect();
        self.backup = Some((self.model.clone(), dumps));
    }

    pub(super) fn restore(&mut self) {
        let Some((model, dumps)) = self.backup.take() else { return };
        self.ask::<()>(&redis::cmd("FLUSHALL")).unwrap();
        for (name, bytes) in dumps {
            self.ask::<()>(redis::cmd("RESTORE").arg(name).arg(0).arg(bytes)).unwrap();
        }
        self.model = model;
    }

    pub(super) fn resume(&mut self) {
        self.ask::<u64>(redis::cmd("SUNIONSTORE").arg(ABANDONED).arg(ABANDONED).arg(ROLLED_BACK)).unwrap();
        self.ask::<u64>(redis::cmd("DEL").arg(ROLLED_BACK)).unwrap();
        self.model.resume();
    }

    /// What both answer, or how they differ.
    pub(super) fn renew(&mut self, renewal: &Renewal) -> Result<Log, String> {
        let answer: Value = self.run(|scripts| &scripts.renewal, |call| write_renewal(call, renewal))?;
        let mut told = read_renewal(answer).map_err(|error| error.to_string())?;
        told.holders.sort_by(|(one, _), (other, _)| one.cmp(other));
        let log = self.model.renew(renewal);
        let ours = (&log, &self.model.secured, &self.model.holders(), &self.model.longest);
        if ours == (&told.log, &told.secured, &told.holders, &told.longest) {
            Ok(log)
        } else {
            Err(format!("the model says {ours:?}, the script {told:?}, to {renewal:?}"))
        }
    }

    pub(super) fn acknowledge(&mut self, holder: &Holder, applied: At) -> Result<(), String> {
        self.run::<()>(|scripts| &scripts.acknowledgement, |call| write_acknowledgement(call, holder, applied))?;
        self.model.acknowledge(holder, applied);
        self.compared(&format!("{holder} acknowledged {applied}"))
    }

    pub(super) fn dismiss(&mut self, holder: &Holder, renewals: u64) -> Result<(), String> {
        self.run::<()>(|scripts| &scripts.dismissal, |call| write_dismissal(call, holder, renewals))?;
        self.model.dismiss(holder, renewals);
        self.compared(&format!("{holder} was dismissed if it renewed {renewals} times"))
    }

    /// That both name the same holders.
    fn compared(&mut self, after: &str) -> Result<(), String> {
        let kept: Vec<(String, String)> = self.ask(redis::cmd("HGETALL").arg(LEASES)).map_err(|error| error.to_string())?;
        let mut kept: Vec<(Holder, String)> = kept.into_iter().map(|(holder, entry)| (holder.parse().unwrap(), entry)).collect();
        kept.sort();
        let text = |entry: Registration| format!("{}/{}/{}", entry.renewals, entry.applied, entry.lease.as_millis());
        let ours: Vec<_> = self.model.holders().into_iter().map(|(holder, entry)| (holder, text(entry))).collect();
        if ours == kept { Ok(()) } else { Err(format!("after {after} the model holds {ours:?}, Redis {kept:?}")) }
    }

    fn run<T: FromRedisValue>(&mut self, script: impl Fn(&Scripts) -> &String, rest: impl Fn(&mut Cmd)) -> Result<T, String> {
        let mut call = redis::cmd("EVAL");
        call.arg(script(&self.scripts));
        rest(&mut call);
        self.ask(&call).map_err(|error| error.to_string())
    }

    fn set(&mut self, name: &str, place: At) {
        self.ask::<()>(redis::cmd("SET").arg(name).arg(place.to_string())).unwrap();
    }

    fn ask<T: FromRedisValue>(&mut self, call: &Cmd) -> RedisResult<T> {
        call.query(&mut self.connection)
    }
}

/// Of a key or an owner, by turns.
fn entry(at: At) -> Entry {
    let realm = RealmId::parse("otesse").unwrap();
    let touched = match at.position % 2 {
        0 => Touched::Key { realm, id: KeyId::parse("key_1").unwrap(), digests: vec![Digest([7; 32])] },
        _ => Touched::Owner { realm, id: OwnerId::parse("acme").unwrap() },
    };
    Entry { at, touched, restricting: at.position.is_multiple_of(3) }
}
