//! Every server that a test starts as a process is watched: when it goes, its log, its metrics and what its store keeps are searched for the
//! secrets that the test learnt of it. With `KEYWARD_MARKED` servers and commands say all that they can be made to say (`make marked`).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use data_encoding::BASE64;
use serde_json::Value;

use super::marks::{Found, Mark, Search};

/// What a test knows of its server's secrets.
#[derive(Debug, Default)]
pub struct Watched(Mutex<BTreeSet<String>>);

/// Whether everything is to be said.
pub fn says_everything() -> bool {
    std::env::var_os("KEYWARD_MARKED").is_some()
}

/// Of a longer list of names only these are dumped: a test of a million keys is about something else.
const DUMPED: usize = 20_000;
/// Of more secrets some are looked for, evenly out of all.
const WATCHED: usize = 5_000;
/// A larger store is not read.
const LARGEST: u64 = 256 << 20;

impl Watched {
    /// What was said to a command and by it: secrets that are in JSON under a name of theirs, or were given as such.
    pub fn heard(&self, line: &[&str], stdin: &str, stdout: &[u8]) {
        if let Ok(printed) = serde_json::from_slice::<Value>(stdout) {
            self.told(&printed);
        }
        if line.contains(&"--secret-stdin") {
            self.learn(stdin.trim_end());
        }
        if line.contains(&"import") {
            stdin.lines().filter_map(|line| serde_json::from_str(line).ok()).for_each(|row: Value| self.told(&row));
            let column = stdin.lines().next().and_then(|heads| heads.split(',').position(|head| head == "secret"));
            let cells = stdin.lines().skip(1).filter_map(|row| row.split(',').nth(column?));
            cells.for_each(|cell| self.learn(cell));
        }
    }

    fn told(&self, json: &Value) {
        for name in ["secret", "token"] {
            json[name].as_str().into_iter().for_each(|secret| self.learn(secret));
        }
    }

    fn learn(&self, secret: &str) {
        self.0.lock().unwrap().insert(secret.to_owned());
    }

    /// Looks for all of them in what is left of the server: its log and metrics, and its folder's files.
    pub fn looks_at(&self, folder: &Path, told: &[(&str, Vec<u8>)]) {
        // files that commands and lines of a shell wrote
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_json = entry.path().extension().is_some_and(|ending| ending == "json");
            let text = if is_json { fs::read(entry.path()).unwrap_or_default() } else { Vec::new() };
            if let Ok(json) = serde_json::from_slice::<Value>(&text) {
                self.told(&json);
            }
        }
        let learnt = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let some = learnt.iter().step_by(learnt.len().div_ceil(WATCHED).max(1));
        let marks: Vec<Mark> = some.filter_map(|secret| mark(secret)).chain(peppers(folder)).collect();
        counted(marks.len());
        if marks.is_empty() {
            return;
        }
        let search = Search::new(&marks);
        let told = told.iter().flat_map(|(place, bytes)| search.find(bytes).into_iter().map(|found| ((*place).to_owned(), found)));
        let found: Vec<(String, Found)> = told.chain(kept(folder, &search)).collect();
        assert!(found.is_empty(), "secrets of this test's server are where none may be: {found:#?}");
    }
}

/// What can be told from chance: secrets that tests make up are often neither long nor mixed.
fn mark(secret: &str) -> Option<Mark> {
    let known = secret.rfind('_').map_or(0, |end| end + 1);
    // base64url has the character too
    let known = if secret.len() - known < 20 { secret.find('_').map_or(0, |end| end + 1) } else { known };
    let random = &secret[known..];
    let pieces = [random.get(..16), random.len().checked_sub(16).and_then(|from| random.get(from..))];
    let is_mixed = |piece: Option<&str>| piece.is_some_and(|piece| piece.bytes().collect::<BTreeSet<_>>().len() >= 8);
    pieces
        .into_iter()
        .all(is_mixed)
        .then(|| Mark::new(format!("a secret that ends with {}", &secret[secret.len() - 4..]), &secret[..known], random))
}

fn peppers(folder: &Path) -> Vec<Mark> {
    let files = ["pepper", "data/pepper"].into_iter().filter_map(|file| fs::read_to_string(folder.join(file)).ok());
    let lines: Vec<String> = files.flat_map(|text| text.lines().map(ToOwned::to_owned).collect::<Vec<_>>()).collect();
    let bytes = lines.iter().filter_map(|line| BASE64.decode(line.split_once(':')?.1.trim().as_bytes()).ok());
    let mixed = bytes.filter(|bytes| bytes.len() >= 32 && bytes[..16].iter().collect::<BTreeSet<_>>().len() >= 8);
    mixed.map(|bytes| Mark::bytes("a pepper", &bytes)).collect()
}

/// Where the embedded store is, or the Redis that the configuration names.
fn kept(folder: &Path, search: &Search) -> Vec<(String, Found)> {
    let store = folder.join("data/keyward.redb");
    if fs::metadata(&store).is_ok_and(|file| file.len() <= LARGEST) {
        return search.find_below(&folder.join("data"), &["pepper", "bootstrap"]);
    }
    let config = fs::read_to_string(folder.join("keyward.yaml")).unwrap_or_default();
    let url = config.split('"').find(|text| text.starts_with("unix://")).map(ToOwned::to_owned);
    url.and_then(|url| kept_by_redis(&url, search).ok()).unwrap_or_default()
}

/// It may be away, or stand still: other tests are about that.
fn kept_by_redis(url: &str, search: &Search) -> redis::RedisResult<Vec<(String, Found)>> {
    let patience = std::time::Duration::from_secs(2);
    let mut redis = redis::Client::open(url)?.get_connection_with_timeout(patience)?;
    redis.set_read_timeout(Some(patience))?;
    let count: usize = redis::cmd("DBSIZE").query(&mut redis)?;
    if count > DUMPED {
        return Ok(Vec::new());
    }
    let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut redis)?;
    let _: redis::Value = redis::cmd("CONFIG").arg("SET").arg("rdbcompression").arg("no").query(&mut redis)?;
    let mut found = Vec::new();
    for name in names {
        let dump: Option<Vec<u8>> = redis::cmd("DUMP").arg(&name).query(&mut redis)?;
        let of = search.find(&[&name[..], b" ", &dump.unwrap_or_default()].concat());
        found.extend(of.into_iter().map(|found| (format!("Redis's {}", String::from_utf8_lossy(&name)), found)));
    }
    Ok(found)
}

/// A line of how many were looked for, where somebody adds them up.
fn counted(marks: usize) {
    let Some(file) = std::env::var_os("KEYWARD_MARKED").filter(|file| !file.is_empty() && file != "1") else { return };
    let mut file = fs::File::options().create(true).append(true).open(file).unwrap();
    writeln!(file, "{marks}").unwrap();
}
