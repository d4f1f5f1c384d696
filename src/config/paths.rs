//! Paths in a file.

use std::path::{Path, PathBuf};

use super::document::{At, Read};

/// A path; a relative one begins at `base`, the folder of the file that it stands in.
pub(super) fn path(at: &At<'_>, base: &Path) -> Read<PathBuf> {
    let text = at.text()?;
    if text.is_empty() { at.must_be("a path") } else { Ok(base.join(text)) }
}
