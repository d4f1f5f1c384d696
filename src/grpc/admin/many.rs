//! `RevokeKeys`: which keys are meant, and what became of them.

use super::fields::Fields;
use super::page::Question;
use super::{asked, filters, names, page, shown};
use crate::domain::name::{KeyId, RealmId};
use crate::domain::record::Cause;
use crate::keyring::{Ending, KeyringError, Run, Which, Wrong};
use crate::proto::keyward::admin::v1 as wire;

/// At most so many names.
const MOST: usize = 1000;

/// Keys that are to be revoked.
pub(super) struct Many {
    pub(super) realm: RealmId,
    pub(super) which: Which,
    pub(super) cause: Cause,
    pub(super) run: Run,
    question: Question,
}

/// Which keys, and how.
pub(super) fn asked(request: wire::RevokeKeysRequest) -> Result<Many, KeyringError> {
    let wire::RevokeKeysRequest { parent, names, filter, every_key, cause, dry_run } = request;
    let cause = asked::cause(cause)?;
    let mut fields = Fields::default();
    let realm = fields.take("parent", names::realm(&parent));
    let mut question = Question::default();
    let which = match filter {
        Some(_) if !names.is_empty() => fields.take("names", Err("must be empty beside a filter")),
        None => fields.take("names", listed(&names, realm.as_ref())).map(Which::Named),
        Some(filter) if !filter.parent.is_empty() && filter.parent != parent => {
            fields.take("filter.parent", Err("must be empty, or the parent beside it"))
        }
        Some(filter) => {
            let filter = wire::ListKeysRequest { parent, ..filter };
            question = asked::question("RevokeKeys", &wire::ListKeysRequest { page_size: 0, page_token: String::new(), ..filter.clone() });
            found(&mut fields, &filter, every_key, &question)
        }
    };
    let run = if dry_run { Run::Dry } else { Run::Real };
    fields.all(realm.zip(which).map(|(realm, which)| Many { realm, which, cause, run, question }))
}

impl Many {
    /// What became of them.
    pub(super) fn answered(&self, ending: Ending) -> wire::RevokeKeysResponse {
        let named = |ids: Vec<KeyId>| ids.iter().map(|id| names::of_key(&self.realm, id)).collect();
        wire::RevokeKeysResponse {
            names: named(ending.keys),
            revoked_before: u32::try_from(ending.ended_before).unwrap_or(u32::MAX),
            not_found: ending.missing.iter().map(|id| format!("realms/{}/keys/{}", self.realm, id.in_a_name())).collect(),
            next_page_token: page::token(ending.next.as_deref(), &self.question),
            position: ending.position.unwrap_or(0),
            guarantee: ending.guarantee.map(shown::guarantee),
        }
    }
}

fn listed(given: &[String], realm: Option<&RealmId>) -> Result<Vec<KeyId>, String> {
    if given.is_empty() || given.len() > MOST {
        return Err(format!("must be 1 to {MOST}, or there must be a filter"));
    }
    let id = |name: &String| {
        let target = names::key(name)?;
        let is_of_realm = realm.is_none_or(|realm| target.realm == *realm);
        if is_of_realm { Ok(target.id) } else { Err("must be keys of the parent".to_owned()) }
    };
    // once each: a commit cannot change one of them twice
    let mut listed = Vec::new();
    for id in given.iter().map(id) {
        let id = id?;
        if !listed.contains(&id) {
            listed.push(id);
        }
    }
    Ok(listed)
}

fn found(fields: &mut Fields, filter: &wire::ListKeysRequest, every_key: bool, question: &Question) -> Option<Which> {
    let page = page::asked(fields, filter.page_size, &filter.page_token, question);
    let order = filters::order(fields, "owner", &filter.order_by);
    let keys = filters::keys(fields, filter)?;
    if !keys.filter.says_which() && keys.owner.is_none() && !every_key {
        fields.refuse(Wrong::new(
            "filter",
            "must say which keys: it finds every key of the realm that works; if that is meant, set every_key",
        ));
    }
    Some(Which::Found(keys, crate::store::Page { order: order?, ..page? }))
}
