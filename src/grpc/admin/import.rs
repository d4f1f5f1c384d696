//! Rows of an import, from the wire to the keyring, and what became of them.

use std::sync::Arc;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use tokio::task::yield_now;
use tonic::{Status, Streaming};

use super::asked::{block, numbers};
use super::fields::{self, Fields};
use super::{names, status};
use crate::domain::address::AddressList;
use crate::domain::key::{Scheme, Secret};
use crate::domain::name::{KeyId, OwnerId, Scope, Word};
use crate::keyring::{
    Called, Credential, ImportReport, ImportTerms, KeyDraft, Keyring, KeyringError, MissingOwners, Mode, OnConflict, RefusedRow, Row, Wrong,
};
use crate::proto::keyward::admin::v1 as wire;
use crate::proto::keyward::admin::v1::imported_key;

/// So many rows are checked before others have their turn: what is written meanwhile is not to wait for a whole message.
const AT_ONE_GO: usize = 32;

/// From the first message to the last.
pub(super) async fn import(
    keyring: &Arc<Keyring>,
    called: Called,
    mut stream: Streaming<wire::ImportKeysRequest>,
) -> Result<wire::ImportKeysResponse, Status> {
    let mut message = stream.message().await?.unwrap_or_default();
    let parent = message.parent.clone();
    let mut import = keyring.import(called, terms(&parent, message.options.take())?).await?;
    let mut number = 0;
    loop {
        if !message.parent.is_empty() && message.parent != parent {
            let why = KeyringError::Invalid(vec![Wrong::new("parent", "must be that of the first message, or empty")]);
            return Err(import.cut(why).await.into());
        }
        for (passed, key) in message.rows.into_iter().enumerate() {
            number = if key.row == 0 { u64::saturating_add(number, 1) } else { key.row };
            import.take(number, row(key)).await?;
            if passed % AT_ONE_GO == 0 {
                yield_now().await;
            }
        }
        match stream.message().await {
            Ok(Some(next)) => message = next,
            Ok(None) => return Ok(told(import.finish().await?)),
            Err(unread) => return Err(status::unread_behind(&unread, import.end().await?)),
        }
    }
}

fn terms(parent: &str, options: Option<wire::ImportOptions>) -> Result<ImportTerms, KeyringError> {
    let wire::ImportOptions { on_conflict, create_owners, dry_run } = options.unwrap_or_default();
    let mut fields = Fields::default();
    let realm = fields.take("parent", names::realm(parent));
    let on_conflict = match wire::OnConflict::try_from(on_conflict) {
        Ok(wire::OnConflict::Unspecified | wire::OnConflict::Skip) => Ok(OnConflict::Skip),
        Ok(wire::OnConflict::Fail) => Ok(OnConflict::Fail),
        Err(_) => Err("must be one that this server knows"),
    };
    let on_conflict = fields.take("options.on_conflict", on_conflict);
    let owners = if create_owners { MissingOwners::Made } else { MissingOwners::Refused };
    let mode = if dry_run { Mode::Dry } else { Mode::Real };
    let terms = |(realm, on_conflict)| ImportTerms { realm, on_conflict, owners, mode };
    fields.all(realm.zip(on_conflict).map(terms))
}

fn row(key: wire::ImportedKey) -> Result<Row, Vec<Wrong>> {
    let mut fields = Fields::default();
    let id = fields.unless_empty("key_id", &key.key_id, KeyId::parse);
    let owner = fields.take("owner_id", OwnerId::parse(&key.owner_id));
    let [environment, kind, plan] = [("environment", &key.environment), ("kind", &key.kind), ("plan", &key.plan)]
        .map(|(field, word)| fields.unless_empty(field, word, Word::parse));
    let limits = numbers(&mut fields, "limits", &key.limits);
    let scopes = fields.each("scopes", &key.scopes, Scope::parse);
    let addresses = AddressList(fields.each("allowed_addresses", &key.allowed_addresses, block));
    let [created, expires, revoked] =
        [("create_time", key.create_time), ("expire_time", key.expire_time), ("revoke_time", key.revoke_time)]
            .map(|(field, at)| at.and_then(|at| fields.take(field, fields::instant(&at))));
    let credential = match key.credential {
        Some(imported_key::Credential::Secret(secret)) if !secret.is_empty() => Some(Credential::Secret(Secret::new(secret.into_bytes()))),
        Some(imported_key::Credential::Digest(digest)) => fields.take("digest", foreign(digest)),
        _ => fields.take("secret", Err("must be set, or a digest of it")),
    };
    let tenant = (!key.tenant.is_empty()).then_some(key.tenant);
    let (label, metadata) = (key.label, key.metadata);
    let draft = owner.map(|owner| KeyDraft {
        owner,
        label,
        environment,
        kind,
        plan,
        limits,
        tenant,
        scopes,
        addresses,
        expires,
        metadata,
        binding: None,
    });
    let made = draft.zip(credential).map(|(key, credential)| Row { id, key, created, revoked, credential });
    fields.all(made).map_err(|error| match error {
        KeyringError::Invalid(wrong) => wrong,
        other => vec![Wrong::new("row", other.to_string())],
    })
}

/// What slow hashes begin with, as the crypt functions and the common frameworks write them; and their names, as a scheme.
const SLOW: [&str; 14] =
    ["$2a$", "$2b$", "$2x$", "$2y$", "$argon2", "$scrypt$", "$7$", "$pbkdf2", "pbkdf2", "{pbkdf2", "$5$", "$6$", "bcrypt", "scrypt"];

const WHY_NOT: &str = "must be of a fast hash, and this is a slow one (bcrypt, argon2, scrypt, PBKDF2 or crypt): a check must cost microseconds, and \
                       those cost a thousand times that on purpose, which helps against guessed passwords and not for keys that nobody can guess. Import the secrets \
                       themselves, or make new keys for these clients";

fn foreign(digest: wire::ForeignDigest) -> Result<Credential, String> {
    let wire::ForeignDigest { scheme, value, last_four } = digest;
    let is_slow = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.starts_with("argon2") || SLOW.iter().any(|slow| text.starts_with(slow))
    };
    if is_slow(&value) || is_slow(&scheme) {
        return Err(WHY_NOT.into());
    }
    let scheme = Scheme::of(&scheme).filter(|scheme| *scheme != Scheme::Secret);
    let scheme = scheme.ok_or("must have the scheme sha-256, sha-512 or hmac-sha-256")?;
    let theirs = bytes(value.trim(), if scheme == Scheme::Sha512 { 64 } else { 32 })?;
    if last_four.len() > 4 || !last_four.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must have at most four visible ASCII characters as last_four".into());
    }
    Ok(Credential::Digest { scheme, theirs, last_four })
}

/// So many bytes in hex or one of the forms of base64. No text of that length can be read in two ways.
fn bytes(text: &str, length: usize) -> Result<Vec<u8>, String> {
    let forms = [HEXLOWER_PERMISSIVE, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD];
    let read = forms.iter().filter_map(|form| form.decode(text.as_bytes()).ok()).find(|bytes| bytes.len() == length);
    read.ok_or_else(|| format!("must be {length} bytes in hex or base64, as its scheme has them"))
}

fn told(report: ImportReport) -> wire::ImportKeysResponse {
    let field = |wrong: Wrong| wire::RefusedField { field: wrong.field, description: wrong.says };
    let refused = |RefusedRow { number, wrong }| wire::RefusedRow { row: number, fields: wrong.into_iter().map(field).collect() };
    wire::ImportKeysResponse {
        rows: report.rows,
        created: report.created,
        unchanged: report.unchanged,
        refused: report.refused,
        owners_created: report.owners,
        durable_row: report.durable_row,
        refusals: report.told.into_iter().map(refused).collect(),
    }
}
