//! Hosts: by which a request finds its realm.

use super::document::{At, Read};

/// A name, or `*.` and a name for all below it; in lower case, as they are compared.
pub(super) fn host(at: &At<'_>) -> Read<Box<str>> {
    let host = at.text()?.to_ascii_lowercase();
    let name = host.strip_prefix("*.").unwrap_or(&host);
    let fits = host.len() <= 253 && name.split('.').all(is_label);
    if fits { Ok(host.into()) } else { at.must_be("a name without scheme, port and path, such as api.example.com or *.example.com") }
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
}
