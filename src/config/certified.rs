//! `admin`: who is let in to the admin API by a client certificate, and with which rights.

use super::document::{At, Read};
use super::listen::Listen;
use crate::domain::actor::{Certified, San};
use crate::domain::name::{Scope, admin_realm};
use crate::domain::realms::Realms;
use crate::domain::record::Binding;

/// The scopes of admin tokens.
const ROLES: [(&str, &str); 4] = [("viewer", "viewer"), ("issuer", "issuer"), ("revoker", "revoker"), ("admin", "admin")];

/// What stands elsewhere in the file, as far as it can be read.
pub(super) struct Beside<'a> {
    pub(super) realms: Option<&'a Realms>,
    pub(super) listen: Option<&'a Listen>,
}

/// `{identities: [...]}`.
pub(super) fn admin(at: &At<'_>, beside: &Beside<'_>) -> Read<Vec<Certified>> {
    let mut map = at.map()?;
    let identities = map.or_default("identities", |at| identities(at, beside));
    map.finish().and(identities)
}

fn identities(at: &At<'_>, beside: &Beside<'_>) -> Read<Vec<Certified>> {
    let all = at.list_in_order(|at, before: &[Read<Certified>]| {
        let one = identity(at, beside)?;
        let twice = before.iter().flatten().any(|other| other.san == one.san);
        if twice { at.problem("has a `san` that stands here twice: give each one all of its roles") } else { Ok(one) }
    });
    let asks = |listen: &Listen| listen.admin.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    match (&all, beside.listen) {
        (Ok(all), Some(listen)) if !all.is_empty() && !asks(listen) => {
            at.problem("lets nobody in: without `client_ca` in `listen.admin.tls` no client is asked for a certificate")
        }
        _ => all,
    }
}

fn identity(at: &At<'_>, beside: &Beside<'_>) -> Read<Certified> {
    let mut map = at.map()?;
    let san = map.required("san", |at| at.parsed(San::parse));
    let scopes = map.required("roles", |at| at.some()?.distinct(role));
    let binding = map.optional("bound_to", |at| bound_to(at, beside.realms));
    map.finish()?;
    Ok(Certified { san: san?, scopes: scopes?, binding: binding? })
}

fn role(at: &At<'_>) -> Read<Scope> {
    let role = at.one_of(&ROLES)?;
    Scope::parse(role).or_else(|error| at.problem(error))
}

fn bound_to(at: &At<'_>, realms: Option<&Realms>) -> Read<Binding> {
    let binding = at.parsed(Binding::parse)?;
    if binding.realm == admin_realm() {
        return at.problem("must not be the realm keyward: whoever may make admin tokens may do everything");
    }
    if realms.is_some_and(|realms| realms.get(&binding.realm).is_none()) {
        return at.problem(format_args!("must be a realm, or an owner of one, and no realm file is of a realm {}", binding.realm));
    }
    Ok(binding)
}
