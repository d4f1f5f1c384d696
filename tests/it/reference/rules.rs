//! The gate's rules once more, as naively as they can be written: from "The decision, rung by rung" of `docs/realms.md` alone, sharing
//! nothing with the gate. Where that text leaves room, a comment says what was taken.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::onward::{self, Edits};
use super::plain::{Client, Format, Https, Key, Owner, Plain, Realm, Route, World};
use super::reading::{self, Seen};
use super::rungs::Rung;

/// What the rules say of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Refused(&'static str),
    Granted(Grant),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) realm: String,
    /// `None` on an anonymous route.
    pub(super) key: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) edits: Edits,
}

/// The rules, and what was taken from limits so far.
pub(super) struct Reference<'w> {
    world: &'w World,
    /// The rung that is left out, in a reference that must turn out to be wrong.
    off: Option<Rung>,
    /// By realm, subject and limit. Nothing ever leaves: the windows are longer than any run.
    taken: HashMap<(&'w str, String, &'w str), u64>,
    /// Of the request before: limits, and what is left of each, of which as little is left in proportion as of any other. It says no more.
    pub(super) tightest: Vec<(u64, u64)>,
    /// By realm: secrets that were looked up before. Nothing is forgotten, for no clock goes.
    looked_up: HashSet<(&'w str, Vec<u8>)>,
    /// By realm and source: look-ups that found nothing.
    failed: HashMap<(&'w str, String), u64>,
}

impl<'w> Reference<'w> {
    pub(super) fn new(world: &'w World, off: Option<Rung>) -> Self {
        Self { world, off, taken: HashMap::new(), tightest: Vec::new(), looked_up: HashSet::new(), failed: HashMap::new() }
    }

    pub(super) fn decide(&mut self, request: &Plain) -> Answer {
        self.tightest.clear();
        match self.ladder(request) {
            Ok(grant) => Answer::Granted(grant),
            Err(reason) => Answer::Refused(reason),
        }
    }

    /// The realm that a request is in, for what a refused caller is told.
    pub(super) fn realm_of(&self, request: &Plain) -> Option<&'w Realm> {
        self.realm(request).ok().filter(|_| !request.method.is_empty())
    }

    fn on(&self, rung: Rung) -> bool {
        self.off != Some(rung)
    }

    fn ladder(&mut self, request: &Plain) -> Result<Grant, &'static str> {
        // Of what is no HTTP request at all the ladder says nothing: it is malformed, wherever it was sent.
        if request.method.is_empty() && self.on(Rung::Method) {
            return Err("malformed");
        }
        let realm = self.realm(request)?;
        let segments = reading::segments(&request.path, self.off).ok_or("malformed")?;
        self.secure(realm, request)?;
        let route = self.route(realm, request, &segments);
        let Some(secret) = self.credential(realm, route, request)? else {
            return self.without_key(realm, route, request);
        };
        let format = realm.formats.iter().find(|format| reading::fits(format, &secret));
        if format.is_none() && self.on(Rung::Format) {
            return Err("unknown");
        }
        let tenant = self.tenant(realm, request)?;
        let address = address(realm, request);
        self.realm_lists(realm, address)?;
        let Some(key) = self.look_up(realm, &secret, address)? else {
            return if self.on(Rung::Known) { Err("unknown") } else { Ok(self.grant(realm, request, Some(&secret), None)) };
        };
        let owner = self.world.owner_of(key);
        self.state(key, owner, tenant.as_deref())?;
        self.demands(route, key, address)?;
        self.charge(realm, key, owner, (format, route))?;
        Ok(self.grant(realm, request, Some(&secret), Some((key, owner, format))))
    }

    fn realm(&self, request: &Plain) -> Result<&'w Realm, &'static str> {
        let host = reading::host(&request.host);
        let hosts_it = self.world.realms.iter().find(|realm| realm.hosts.iter().any(|pattern| reading::host_fits(pattern, &host)));
        let Some((_, name)) = request.extensions.iter().rfind(|(name, _)| name == b"realm") else {
            return hosts_it.ok_or("no_realm");
        };
        let Some(named) = self.world.realm(name) else {
            return if self.on(Rung::NamedRealm) { Err("no_realm") } else { hosts_it.ok_or("no_realm") };
        };
        match hosts_it {
            Some(other) if other.name != named.name && self.on(Rung::HostOfAnotherRealm) => Err("no_realm"),
            _ => Ok(named),
        }
    }

    fn secure(&self, realm: &Realm, request: &Plain) -> Result<(), &'static str> {
        let secure = match realm.https {
            Https::Any => true,
            Https::Required => {
                let said = reading::header(request, "x-forwarded-proto");
                let agreed = said.is_empty() || (said.len() == 1 && said[0].eq_ignore_ascii_case(b"https"));
                (request.scheme.eq_ignore_ascii_case(b"https") || !self.on(Rung::Https)) && (agreed || !self.on(Rung::HttpsAgreed))
            }
            // A scheme has no case, whoever tells it.
            Https::Forwarded => {
                let said = reading::header(request, "x-forwarded-proto");
                let one = said.len() == 1 || !self.on(Rung::ForwardedOnce);
                (one && said.iter().any(|value| value.eq_ignore_ascii_case(b"https"))) || !self.on(Rung::ForwardedHttps)
            }
        };
        if secure { Ok(()) } else { Err("insecure") }
    }

    fn route(&self, realm: &'w Realm, request: &Plain, segments: &[Vec<u8>]) -> Option<&'w Route> {
        let mut matching = realm.routes.iter().filter(|route| {
            let extension = |(name, value): &(&str, &str)| reading::extension(request, name) == Some(value.as_bytes());
            reading::path_fits(route.paths, segments)
                && (route.methods.is_empty()
                    || route.methods.iter().any(|method| method.as_bytes() == request.method)
                    || !self.on(Rung::Methods))
                && (route.extensions.iter().all(extension) || !self.on(Rung::Extensions))
        });
        if self.on(Rung::FirstRoute) { matching.next() } else { matching.next_back() }
    }

    fn credential(&self, realm: &Realm, route: Option<&Route>, request: &Plain) -> Result<Option<Vec<u8>>, &'static str> {
        let own = route.and_then(|route| route.places.as_ref()).filter(|_| self.on(Rung::PlacesOfRoute));
        let mut found: Option<Vec<u8>> = None;
        let mut ambiguous = false;
        for place in own.unwrap_or(&realm.places) {
            match reading::seen(place, request, self.off) {
                Seen::Absent => {}
                Seen::Twice => ambiguous = true,
                Seen::Once(value) => match &found {
                    Some(other) if *other != value && self.on(Rung::PlacesDiffer) => ambiguous = true,
                    Some(_) => {}
                    None => found = Some(value),
                },
            }
        }
        if ambiguous { Err("ambiguous") } else { Ok(found) }
    }

    /// Rung 6. The tenant is not asked for: the request passes after rung 9's realm lists, and after nothing else.
    fn without_key(&self, realm: &'w Realm, route: Option<&Route>, request: &Plain) -> Result<Grant, &'static str> {
        let anonymous = route.is_some_and(|route| route.anonymous) && self.on(Rung::Anonymous);
        if !anonymous && self.on(Rung::Missing) {
            return Err("missing");
        }
        if self.on(Rung::AnonymousLists) {
            self.realm_lists(realm, address(realm, request))?;
        }
        Ok(self.grant(realm, request, None, None))
    }

    /// Rung 8. A value with a comma is a value: only of credentials is it said that a comma makes them ambiguous.
    fn tenant(&self, realm: &Realm, request: &Plain) -> Result<Option<Vec<u8>>, &'static str> {
        let Some(rule) = &realm.tenant else { return Ok(None) };
        let said = reading::header(request, rule.header);
        if said.len() > 1 && self.on(Rung::TenantOnce) {
            return Err("ambiguous");
        }
        match said.first().filter(|value| !value.is_empty()) {
            None if rule.required && self.on(Rung::TenantMissing) => Err("tenant_missing"),
            named => Ok(named.cloned()),
        }
    }

    fn realm_lists(&self, realm: &Realm, address: Option<IpAddr>) -> Result<(), &'static str> {
        if realm.allow.is_empty() && realm.deny.is_empty() {
            return Ok(());
        }
        let Some(address) = address else {
            return if self.on(Rung::AddressTold) { Err("address") } else { Ok(()) };
        };
        let outside = !realm.allow.is_empty() && !realm.allow.iter().any(|block| block.holds(address));
        let denied = realm.deny.iter().any(|block| block.holds(address));
        if (outside && self.on(Rung::AllowList)) || (denied && self.on(Rung::DenyList)) { Err("address") } else { Ok(()) }
    }

    /// Rungs 11 and 12. What was looked up once is known, be it a key or nobody's, and costs its source nothing.
    fn look_up(&mut self, realm: &'w Realm, secret: &[u8], address: Option<IpAddr>) -> Result<Option<&'w Key>, &'static str> {
        let key = self.key(realm, secret);
        if self.looked_up.contains(&(realm.name, secret.to_vec())) {
            return Ok(key);
        }
        if let (Some(most), Some(address)) = (realm.failing, address) {
            let failed = self.failed.entry((realm.name, source(address))).or_default();
            if *failed >= most && self.off != Some(Rung::Throttled) {
                return Err("throttled");
            }
            *failed += u64::from(key.is_none());
        }
        self.looked_up.insert((realm.name, secret.to_vec()));
        Ok(key)
    }

    fn key(&self, realm: &Realm, secret: &[u8]) -> Option<&'w Key> {
        let mine = |key: &&Key| key.realm == realm.name || !self.on(Rung::KeyOfRealm);
        self.world.keys.iter().filter(mine).find(|key| key.secrets.iter().any(|kept| kept.as_bytes() == secret))
    }

    fn state(&self, key: &Key, owner: &Owner, tenant: Option<&[u8]>) -> Result<(), &'static str> {
        if key.revoked && self.on(Rung::Revoked) {
            return Err("revoked");
        }
        let over = |at: i64| at < self.world.now || (at == self.world.now && self.on(Rung::ExpiredNow));
        if key.expires.is_some_and(over) && self.on(Rung::Expired) {
            return Err("expired");
        }
        if owner.disabled && self.on(Rung::OwnerDisabled) {
            return Err("owner_disabled");
        }
        if tenant.is_some() && tenant != key.tenant.map(str::as_bytes) && self.on(Rung::Tenant) {
            return Err("tenant");
        }
        Ok(())
    }

    fn demands(&self, route: Option<&Route>, key: &Key, address: Option<IpAddr>) -> Result<(), &'static str> {
        let Some(route) = route else {
            return if self.on(Rung::NoRoute) { Err("no_route") } else { Ok(()) };
        };
        let among = |demanded: &[&str], has: Option<&str>| demanded.is_empty() || has.is_some_and(|has| demanded.contains(&has));
        if !among(route.environments, key.environment) && self.on(Rung::Environment) {
            return Err("environment");
        }
        if !among(route.kinds, key.kind) && self.on(Rung::Kind) {
            return Err("kind");
        }
        if !route.scopes.iter().all(|scope| key.scopes.contains(scope)) && self.on(Rung::Scope) {
            return Err("scope");
        }
        let listed = || address.is_some_and(|address| key.addresses.iter().any(|block| block.holds(address)));
        if !key.addresses.is_empty() && !listed() && self.on(Rung::KeyAddress) {
            return Err("address");
        }
        Ok(())
    }

    /// Rung 13. The limits `per: key` of the key's plan, and the limits `per: owner` of the owner's plan.
    fn charge(&mut self, realm: &'w Realm, key: &Key, owner: &Owner, by: (Option<&Format>, Option<&Route>)) -> Result<(), &'static str> {
        let cost = by.1.map_or(1, |route| route.cost);
        let mut counts = Vec::new();
        for limit in realm.plan(self.plan_of(realm, key, owner, by.0)).iter().filter(|limit| !limit.per_owner && self.on(Rung::KeyLimit)) {
            counts.push(((realm.name, format!("key {}", key.id), limit.name), limit.most));
        }
        let of_owner = owner.plan.or(realm.default_plan);
        for limit in realm.plan(of_owner).iter().filter(|limit| limit.per_owner && self.on(Rung::OwnerLimit)) {
            counts.push(((realm.name, format!("owner {}", owner.id), limit.name), limit.most));
        }
        let cost = if self.on(Rung::Cost) { cost } else { 1 };
        let fits = |taken: &HashMap<_, u64>, (name, most): &(_, u64)| taken.get(name).copied().unwrap_or(0) + cost <= *most;
        let all = counts.iter().all(|count| fits(&self.taken, count));
        for count in &counts {
            if all || (!self.on(Rung::AllOrNothing) && fits(&self.taken, count)) {
                *self.taken.entry(count.0.clone()).or_default() += cost;
            }
        }
        if !all {
            return Err("limited");
        }
        let left: Vec<_> = counts.iter().map(|(name, most)| (*most, most.saturating_sub(self.taken[name]))).collect();
        let least =
            |one: &(u64, u64)| left.iter().all(|other| u128::from(one.1) * u128::from(other.0) <= u128::from(other.1) * u128::from(one.0));
        self.tightest = left.iter().copied().filter(least).collect();
        Ok(())
    }

    fn plan_of(&self, realm: &Realm, key: &Key, owner: &Owner, format: Option<&Format>) -> Option<&'static str> {
        let of_owner = owner.plan.filter(|_| self.on(Rung::PlanOfOwner));
        let of_format = format.and_then(|format| format.plan).filter(|_| self.on(Rung::PlanOfFormat));
        let default = realm.default_plan.filter(|_| self.on(Rung::DefaultPlan));
        key.plan.or(of_owner).or(of_format).or(default)
    }

    fn grant(&self, realm: &Realm, request: &Plain, secret: Option<&[u8]>, of: Option<(&Key, &Owner, Option<&Format>)>) -> Grant {
        let plan = of.and_then(|(key, owner, format)| self.plan_of(realm, key, owner, format));
        let known = onward::known(realm, of.map(|(key, owner, _)| (key, owner)), plan);
        Grant {
            realm: realm.name.to_owned(),
            key: of.map(|(key, ..)| key.id.clone()),
            owner: of.map(|(_, owner, _)| owner.id.to_owned()),
            edits: onward::edits(realm, request, (secret, &known), self.off),
        }
    }
}

/// An IPv4 address, or the first half of an IPv6 one.
fn source(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{:x?}", &v6.segments()[..4]),
    }
}

/// Rung 9: where the client is.
fn address(realm: &Realm, request: &Plain) -> Option<IpAddr> {
    match realm.client {
        Client::Peer => reading::bare_address(&request.peer),
        Client::External => match reading::header(request, "x-envoy-external-address").as_slice() {
            [] => reading::bare_address(&request.peer),
            [one] => reading::bare_address(reading::trimmed(one)),
            _ => None,
        },
        Client::ForwardedFor(from_the_right) => {
            let lines = reading::header(request, "x-forwarded-for");
            let entries: Vec<&[u8]> = lines.iter().flat_map(|line| line.split(|byte| *byte == b',')).collect();
            let at = entries.len().checked_sub(from_the_right)?;
            reading::forwarded_address(entries[at])
        }
        Client::Header(name) => match reading::header(request, name).as_slice() {
            [one] => reading::bare_address(reading::trimmed(one)),
            _ => None,
        },
    }
}
