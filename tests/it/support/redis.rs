//! A `redis-server` of a test's own: on a unix socket in a folder of its own, and on a port only where a test asks for one. Ended by its pid.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use keyward::store::redis::{RedisStore, Settings};
use redis::{Connection, FromRedisValue};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Runs until dropped.
pub(crate) struct RedisServer {
    folder: TempDir,
    /// A file of settings; the arguments come after it. The server gets a copy: it may write into it.
    file: Option<PathBuf>,
    arguments: Vec<String>,
    running: Option<Child>,
}

/// How long it may take to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

impl RedisServer {
    /// One that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One that has a write on disk before it acknowledges it.
    pub(crate) fn durable() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One with more arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { folder, file: None, arguments: arguments.iter().map(ToString::to_string).collect(), running: None };
        server.restart();
        server
    }

    /// One with the settings that are shipped in `deploy/redis`, and more arguments.
    pub(crate) fn shipped(file: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Some(copied(&shipped(file), folder.path()));
        let mut server = Self { folder, file, arguments: arguments.iter().map(ToString::to_string).collect(), running: None };
        server.restart();
        server
    }

    /// One that listens on a port of the loopback interface too, which the kernel chose: `argument` is `--port` or `--tls-port`. Somebody
    /// else may take the port first, so it is tried again.
    pub(crate) fn on_a_port(argument: &str, arguments: &[&str]) -> (Self, u16) {
        Self::from_on_a_port(None, argument, arguments)
    }

    /// The same, with the settings that are shipped in `deploy/redis`.
    pub(crate) fn shipped_on_a_port(file: &str, arguments: &[&str]) -> (Self, u16) {
        Self::from_on_a_port(Some(&shipped(file)), "--port", arguments)
    }

    fn from_on_a_port(file: Option<&Path>, argument: &str, arguments: &[&str]) -> (Self, u16) {
        let attempt = || {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (folder, port_text) = (tempfile::tempdir().unwrap(), port.to_string());
            let arguments = [&[argument, &port_text, "--bind", "127.0.0.1"], arguments].concat();
            let arguments = arguments.into_iter().map(String::from).collect();
            let file = file.map(|file| copied(file, folder.path()));
            let mut server = Self { folder, file, arguments, running: None };
            server.spawn().then_some((server, port))
        };
        (0..20).find_map(|_| attempt()).expect("redis-server finds a free port")
    }

    /// The socket it listens on.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Where it keeps what it has on disk.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A store on it, that waits long enough for a busy machine.
    pub(crate) fn store(&self) -> Arc<RedisStore> {
        Arc::new(RedisStore::connect(&settings(self.url())).unwrap())
    }

    /// Asks the server itself.
    pub(crate) fn ask<T: FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query(&mut self.connection()).unwrap()
    }

    pub(crate) fn connection(&self) -> Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill().unwrap();
            running.wait().unwrap();
        }
    }

    /// Starts it again where it was, on what it has on disk.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(self.socket());
        assert!(self.spawn(), "redis-server does not start: is it installed?");
    }

    /// Makes it stand still: the kernel goes on accepting connections for it.
    pub(crate) fn pause(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(self.running.as_ref().unwrap())
    }

    /// Whether it came up.
    fn spawn(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        if let Some(file) = &self.file {
            let copy = self.folder.path().join("redis.conf");
            if !copy.exists() {
                std::fs::copy(file, &copy).unwrap();
            }
            command.arg(copy);
        }
        command.arg("--unixsocket").arg(self.socket()).arg("--dir").arg(self.folder.path());
        command.args(["--port", "0", "--save", "", "--daemonize", "no"]).args(&self.arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("redis-server is installed");
        let up = up(child.stdout.take().unwrap());
        self.running = Some(child);
        up.recv_timeout(PATIENCE).is_ok()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sentinels have the file of a node rewritten.
fn copied(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join("redis.conf");
    std::fs::copy(file, &copy).unwrap();
    copy
}

/// A file of `deploy/redis`.
pub(crate) fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/redis").join(file)
}

/// What a user may do, by deploy/redis/users.acl: one rule a word, but for those in brackets.
pub(crate) fn rights(user: &str) -> Vec<String> {
    let text = std::fs::read_to_string(shipped("users.acl")).unwrap();
    let start = format!("user {user} on ");
    let rules = text.lines().find_map(|line| line.strip_prefix(&start)).expect("the user has a line");
    let mut whole: Vec<String> = Vec::new();
    for word in rules.split(' ') {
        match whole.last_mut() {
            Some(open) if open.starts_with('(') && !open.ends_with(')') => {
                open.push(' ');
                open.push_str(word);
            }
            _ => whole.push(word.to_owned()),
        }
    }
    whole
}

/// The users of deploy/redis/users.acl, each with its name for a password, in a file; but the default user may do everything.
pub(crate) fn users(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(shipped("users.acl")).unwrap();
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["user", "default", ..] => "user default on nopass ~* &* +@all\n".to_owned(),
        ["user", name, "on", ..] => line.replacen(" on ", &format!(" on >{name} "), 1) + "\n",
        _ => panic!("a line that is no user's: {line}"),
    };
    let file = folder.join("users.acl");
    std::fs::write(&file, text.lines().map(line).collect::<String>()).unwrap();
    file
}

/// Settings under which a busy machine's Redis is not taken for one that is away.
pub(crate) fn settings(url: String) -> Settings {
    Settings { connect_timeout: Duration::from_secs(10), timeout: Duration::from_secs(10), ..Settings::at(url) }
}

/// Tells when the server says that it accepts connections; nothing is told where it ends without having said so. What it says further is
/// read and dropped, or it would stop when nobody reads.
fn up(output: ChildStdout) -> Receiver<()> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line.to_lowercase().contains("ready to accept connections") {
                let _ = tell.send(());
            }
        }
    });
    told
}
