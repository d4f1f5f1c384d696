//! All realm files together: every file's problems, and those that only show between files.

use std::path::{Path, PathBuf};

use super::admin::admin_realm;
use super::document::{At, read};
use super::hosts::host;
use super::problem::{Problem, Problems};
use super::realm::{id, realm};
use crate::domain::realm::Realm;
use crate::domain::realms::Realms;

/// Reads realm files, and the `*.yaml` files of folders, by name. The built-in realm is among the realms that come back.
pub fn realms(folders_or_files: &[PathBuf]) -> Result<Realms, Problems> {
    let mut found = Found { realms: vec![admin_realm()], ..Found::default() };
    for path in folders_or_files {
        match files(path) {
            Ok(files) => files.into_iter().for_each(|file| found.read(file)),
            Err(problem) => found.problems.push(problem),
        }
    }
    found.clashes();
    if found.problems.is_empty() {
        Realms::new(found.realms).map_err(|clash| Problem::of_file("", clash).into())
    } else {
        Err(Problems(found.problems))
    }
}

#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    realms: Vec<Realm>,
    claims: Vec<Claim>,
    problems: Vec<Problem>,
}

/// An id or a host that a file claims for its realm, and where it does so.
struct Claim {
    file: String,
    line: usize,
    key: String,
    what: String,
}

impl Found {
    /// Reads a file, once: it may be named by itself and be in a folder as well.
    fn read(&mut self, path: PathBuf) {
        if self.files.contains(&path) {
            return;
        }
        let file = path.display().to_string();
        let text = std::fs::read_to_string(&path);
        self.files.push(path);
        let text = match text {
            Ok(text) => text,
            Err(error) => return self.problems.push(Problem::of_file(&file, format_args!("cannot be read: {error}"))),
        };
        match realm(&file, &text) {
            Ok(realm) => self.realms.push(realm),
            Err(Problems(problems)) => self.problems.extend(problems),
        }
        self.claims.extend(claims(&file, &text));
    }

    /// Reports what two files claim, at the second of them.
    fn clashes(&mut self) {
        for (index, claim) in self.claims.iter().enumerate() {
            let earlier = self.claims[..index].iter().find(|earlier| earlier.what == claim.what && earlier.file != claim.file);
            let Some(earlier) = earlier else { continue };
            let says = format!("{} is in {}, line {}, too: no two realms share it", claim.what, earlier.file, earlier.line);
            self.problems.push(Problem { file: claim.file.clone(), line: claim.line, key: claim.key.clone(), says });
        }
    }
}

/// The file itself, or the files of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let name = path.display().to_string();
    let cannot = |error| Problem::of_file(&name, format_args!("cannot be read: {error}"));
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(cannot)?;
    if let Some(other) = entries.iter().map(std::fs::DirEntry::path).find(|path| path.extension().is_some_and(|ending| ending == "yml")) {
        return Err(Problem::of_file(&other.display().to_string(), "would not be read: realm files end in .yaml"));
    }
    let mut files: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).filter(|path| is_realm_file(path)).collect();
    files.sort();
    if files.is_empty() { Err(Problem::of_file(&name, "holds no *.yaml file: it must have one a realm")) } else { Ok(files) }
}

/// Hidden files are none of ours: Kubernetes keeps the files of a mounted `ConfigMap` twice, once under a hidden name.
fn is_realm_file(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "yaml")
}

/// What a file claims, whatever else is wrong in it.
fn claims(file: &str, text: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut claim = |at: &At<'_>, what: String| {
        claims.push(Claim { file: file.into(), line: at.line(), key: at.key().into(), what });
        Ok(())
    };
    // its problems were reported when the realm was read
    let _ = read(file, text, |at| {
        let mut map = at.map()?;
        let id = map.optional("realm", |at| claim(at, format!("the realm {}", id(at)?)));
        let hosts = map.optional("hosts", |at| at.list(|at| claim(at, format!("the host {}", host(at)?))));
        id.and(hosts)
    });
    claims
}
