//! The pepper and the bootstrap secret of an embedded store are made at its first start. On Redis both are the operator's: a replica that
//! made its own would know none of the others' keys.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use zeroize::Zeroizing;

use crate::config::{Config, StoreConfig};
use crate::store::embedded::Embedded;

/// Where the two secrets are.
pub(super) struct Files {
    pub(super) peppers: PathBuf,
    /// `None`: no bootstrap.
    pub(super) bootstrap: Option<PathBuf>,
}

/// The files that the configuration names, or those beside the embedded store's data, made where they are not there yet.
pub(super) fn files(config: &Config) -> anyhow::Result<Files> {
    let StoreConfig::Embedded { folder } = &config.store else {
        let Some(peppers) = config.pepper_file.clone() else { bail!("pepper_file: is needed with redis") };
        return Ok(Files { peppers, bootstrap: config.bootstrap_file.clone() });
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    let peppers = config.pepper_file.clone().unwrap_or_else(|| folder.join("pepper"));
    let bootstrap = config.bootstrap_file.clone().unwrap_or_else(|| folder.join("bootstrap"));
    if peppers.exists() && !Embedded::is_in(folder) {
        tracing::warn!(folder = %folder.display(), "there is a pepper and no store: an empty one is made; if this is not the first start, stop keyward and restore the file");
    }
    make_once(&peppers, || Ok(format!("1:{}\n", BASE64.encode(&random()?[..])))).context("the pepper file cannot be made")?;
    make_once(&bootstrap, || Ok(format!("{}\n", BASE64URL_NOPAD.encode(&random()?[..])))).context("the bootstrap file cannot be made")?;
    Ok(Files { peppers, bootstrap: Some(bootstrap) })
}

/// Durable before it is used: keys are made under the pepper at once. Never put in the place of one that is there, even where two processes
/// start at one time.
fn make_once(file: &Path, content: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<()> {
    let unfinished = file.with_extension(format!("{}.part", std::process::id()));
    if file.try_exists()? {
        return Ok(());
    }
    let mut made = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    made.write_all(Zeroizing::new(content()?).as_bytes())?;
    made.sync_all()?;
    match std::fs::hard_link(&unfinished, file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => std::fs::remove_file(&unfinished)?,
    }
    // the parent of a name alone is empty, and stands for where this runs
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(std::fs::File::open(folder)?.sync_all()?)
}

fn random() -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut bytes[..]).context("the operating system gives no randomness")?;
    Ok(bytes)
}
