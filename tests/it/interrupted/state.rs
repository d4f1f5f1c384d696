//! All that a store keeps of keys, owners and the audit log, read behind keyward's back at one instant: of Redis in one script, of the embedded
//! store from a copy of its file, whose process is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use keyward::domain::owner::Owner;
use keyward::domain::record::Record;
use keyward::proto::keyward::store::v1 as stored;
use keyward::store::record::{decode_key, decode_owner};
use prost::Message as _;
use redb::{Database, Key, ReadableDatabase as _, ReadableTable as _, TableDefinition, Value};

use crate::support::redis::RedisServer;

/// Realm and id.
pub type Name = (String, String);

/// What is kept. What one engine has and the other has not is empty there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub engine: Engine,
    pub keys: BTreeMap<Name, Record>,
    pub owners: BTreeMap<Name, Owner>,
    /// Whose each digest is, by realm: a key's id, and on Redis its owner behind a `/`.
    pub digests: BTreeMap<(String, Vec<u8>), String>,
    /// Lists by what they are of, and the ids in them.
    pub lists: BTreeSet<(String, String)>,
    /// Keys that something is due for: what, when, and which.
    pub due: BTreeSet<(&'static str, i64, Name)>,
    pub audit: BTreeMap<u64, Vec<u8>>,
    /// Where that ends, as far as it is kept beside it.
    pub audit_head: Option<String>,
    pub log: BTreeMap<u64, stored::Entry>,
    /// The position where that ends.
    pub head: u64,
    /// What was answered, by caller and request id.
    pub answers: BTreeMap<(String, String), (String, u64)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Engine {
    #[default]
    Embedded,
    Redis,
}

pub const SECRET_ENDS: &str = "secret-ends";
pub const REVOKED: &str = "revoked";

/// Everything of keyward's in the slot that mutations are in, at one instant. Of a stream the ids and what stands under `entry`.
const DUMP: &str = "
local all = {}
for _, name in ipairs(redis.call('KEYS', 'kw:1:{kw}:*')) do
  local kind = redis.call('TYPE', name).ok
  local content = {}
  if kind == 'hash' then content = redis.call('HGETALL', name)
  elseif kind == 'zset' then content = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
  elseif kind == 'string' then content = {redis.call('GET', name)}
  elseif kind == 'stream' then
    for _, item in ipairs(redis.call('XRANGE', name, '-', '+')) do
      content[#content + 1] = item[1]
      for i = 1, #item[2], 2 do
        if item[2][i] == 'entry' then content[#content + 1] = item[2][i + 1] end
      end
    end
  end
  all[#all + 1] = {name, content}
end
return all";

impl State {
    pub fn of_redis(redis: &RedisServer) -> Self {
        let dump: Vec<(String, Vec<Vec<u8>>)> = redis::cmd("EVAL").arg(DUMP).arg(0).query(&mut redis.connection()).unwrap();
        let mut state = Self { engine: Engine::Redis, ..Self::default() };
        for (name, content) in dump {
            state.take_in(name.strip_prefix("kw:1:{kw}:").unwrap(), &content);
        }
        state
    }

    /// What stands under one name.
    fn take_in(&mut self, name: &str, content: &[Vec<u8>]) {
        let (kind, of) = name.split_once(':').unwrap_or((name, ""));
        let pairs = || content.chunks(2).map(|pair| (text(&pair[0]), &pair[1][..]));
        match kind {
            "keys" => self.keys.extend(pairs().map(|(id, kept)| ((of.into(), id), decode_key(&kept[8..]).unwrap()))),
            "owners" => self.owners.extend(pairs().map(|(id, kept)| ((of.into(), id), decode_owner(&kept[8..]).unwrap()))),
            "digests" => self.digests.extend(content.chunks(2).map(|pair| ((of.into(), pair[0].clone()), text(&pair[1])))),
            "keys-by-owner" | "owner-ids" => self.lists.extend(pairs().map(|(id, _)| (name.to_owned(), id))),
            SECRET_ENDS => self.due.extend(pairs().map(|(key, when)| due(SECRET_ENDS, &key, when))),
            REVOKED => self.due.extend(pairs().map(|(key, when)| due(REVOKED, &key, when))),
            "audit" => self.audit.extend(pairs().map(|(id, kept)| (number(&id), kept.to_vec()))),
            "audit-head" => self.audit_head = Some(text(&content[0])),
            "log" => self.log.extend(pairs().map(|(id, kept)| (number(&id), entry(number(&id), kept)))),
            "position" => self.head = number(text(&content[0]).split('/').next().unwrap()),
            "request" => {
                let fields: BTreeMap<String, &[u8]> = pairs().collect();
                let (caller, id) = of.split_once(':').unwrap().1.rsplit_once('/').unwrap();
                let answer = (text(fields["subject"]), number(&text(fields["position"])));
                self.answers.insert((caller.into(), id.into()), answer);
            }
            _ => {}
        }
    }

    /// Reads a copy of a store's file: what opening it mends must stay as it is for keyward.
    pub fn of_file(file: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.redb");
        std::fs::copy(file, &copy).unwrap();
        let database = Database::create(&copy).unwrap();
        let all = Tables(database.begin_read().unwrap());
        let named = |(realm, id): (&str, &str)| (realm.to_owned(), id.to_owned());
        let due = |what, name| all.read::<(i64, &str, &str), (), _>(name, |(when, realm, id), ()| (what, when, named((realm, id))));
        let meta: BTreeMap<String, u64> = all.read::<&str, u64, _>("meta", |name, number| (name.to_owned(), number)).collect();
        Self {
            engine: Engine::Embedded,
            keys: all.read::<(&str, &str), &[u8], _>("keys", |name, kept| (named(name), decode_key(kept).unwrap())).collect(),
            owners: all.read::<(&str, &str), &[u8], _>("owners", |name, kept| (named(name), decode_owner(kept).unwrap())).collect(),
            digests: all
                .read::<(&str, &[u8; 32]), &str, _>("digests", |(realm, digest), key| ((realm.to_owned(), digest.to_vec()), key.to_owned()))
                .collect(),
            lists: all
                .read::<(&str, &str, &str), (), _>("keys_of_owners", |(realm, owner, id), ()| (list_of(realm), format!("{owner} {id}")))
                .collect(),
            due: due(SECRET_ENDS, "secret_ends").chain(due(REVOKED, "revoked")).collect(),
            audit: all.read::<u64, &[u8], _>("audit", |sequence, kept| (sequence, kept.to_vec())).collect(),
            audit_head: None,
            log: all.read::<u64, &[u8], _>("log", |position, kept| (position, entry(position, kept))).collect(),
            head: meta.get("position").copied().unwrap_or(0),
            answers: all
                .read::<(&str, &str), (i64, &[u8]), _>("answers", |name, (_, kept)| {
                    let answer = stored::Answer::decode(kept).unwrap();
                    (named(name), (answer.subject, answer.position))
                })
                .collect(),
        }
    }
}

/// What Redis calls the list of a realm's keys.
pub fn list_of(realm: &str) -> String {
    format!("keys-by-owner:{realm}")
}

struct Tables(redb::ReadTransaction);

impl Tables {
    fn read<K: Key + 'static, V: Value + 'static, T>(
        &self,
        name: &str,
        read: impl for<'a> Fn(K::SelfType<'a>, V::SelfType<'a>) -> T,
    ) -> std::vec::IntoIter<T> {
        let definition: TableDefinition<'_, K, V> = TableDefinition::new(name);
        let table = self.0.open_table(definition).unwrap();
        let all = table.iter().unwrap().map(|item| item.map(|(key, value)| read(key.value(), value.value())).unwrap());
        all.collect::<Vec<T>>().into_iter()
    }
}

fn due(what: &'static str, key: &str, when: &[u8]) -> (&'static str, i64, Name) {
    let (realm, id) = key.split_once('/').unwrap();
    // a score, which is a float
    let when: f64 = text(when).parse().unwrap();
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds since the epoch are exact in it")]
    let when = when as i64;
    (what, when, (realm.into(), id.into()))
}

/// As both engines keep it: Redis does not write the position twice.
fn entry(position: u64, kept: &[u8]) -> stored::Entry {
    stored::Entry { position, ..stored::Entry::decode(kept).unwrap() }
}

fn number(text: &str) -> u64 {
    text.split('-').next().unwrap().parse().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
