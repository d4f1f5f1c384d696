//! A line for the shell, and what its `curl` brought back. The line stands as it is: a configuration file of curl's own tells it where
//! the four hosts are, whom to trust, and to keep what it gets.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::envoy::{Envoy, HOSTS};

/// Between two bodies on standard output: a control character that no JSON has.
const END: char = '\u{1e}';

/// Runs lines in a folder.
pub struct Shell {
    folder: PathBuf,
}

/// What a line brought back.
pub struct Brought {
    /// Why curl gave up, if it did.
    pub complaint: Option<String>,
    pub answers: Vec<Answer>,
}

/// One response.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Shell {
    /// Writes curl's configuration: all four hosts are this Envoy, on both ports.
    pub fn new(folder: &Path, envoy: &Envoy) -> Self {
        let authority = envoy.authority.display();
        let mut curl = format!("silent\nshow-error\nnoproxy = \"*\"\nmax-time = 60\ncacert = \"{authority}\"\n");
        write!(curl, "dump-header = \"headers\"\nwrite-out = \"{END}\"\n").unwrap();
        for (host, port, to) in HOSTS.iter().flat_map(|host| [(host, 443, envoy.tls), (host, 80, envoy.plain)]) {
            writeln!(curl, "connect-to = \"{host}:{port}:{to}\"").unwrap();
        }
        fs::write(folder.join(".curlrc"), curl).unwrap();
        Self { folder: folder.to_owned() }
    }

    pub fn run(&self, line: &str) -> Brought {
        fs::write(self.folder.join("headers"), "").unwrap();
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", line]).current_dir(&self.folder).env("CURL_HOME", &self.folder).output().unwrap();
        let bodies = String::from_utf8_lossy(&output.stdout).into_owned();
        let heads = String::from_utf8_lossy(&fs::read(self.folder.join("headers")).unwrap()).into_owned();
        let heads = heads.split("\r\n\r\n").filter_map(head).filter(|(status, _)| *status >= 200);
        let answers = heads.zip(bodies.split(END)).map(|((status, headers), body)| Answer { status, headers, body: body.into() });
        let said = || format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        Brought { complaint: (!output.status.success()).then(said), answers: answers.collect() }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn head(text: &str) -> Option<(u16, Vec<(String, String)>)> {
    let mut lines = text.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Some((status, lines.filter_map(header).collect()))
}
