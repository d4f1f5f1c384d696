//! A realm: one API's contract. It finds its requests, their credential, their route, and the words to refuse them with.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::address::{AddressList, AddressSource};
use super::bearer::Bearer;
use super::credential::{self, Place, Presented};
use super::denial::{Denial, told_as};
use super::foreign::Foreign;
use super::format::Format;
use super::identity::{IdentityHeader, Onward, Who};
use super::life::KeyLife;
use super::limit::{self, InForce, Plan};
use super::name::{RealmId, Scope, Word};
use super::path::Target;
use super::reason::Reason;
use super::request::{Occurs, Request};
use super::route::Route;

/// The contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Realm {
    pub id: RealmId,
    /// Lower case, without port; `*.example.com` stands for every name below it.
    pub hosts: Vec<Box<str>>,
    pub transport: Transport,
    pub places: Vec<Place>,
    pub formats: Vec<Format>,
    /// What its keys may have been imported with: other systems' digests of their secrets.
    pub imported: Vec<Foreign>,
    /// How long its keys live.
    pub life: KeyLife,
    pub tenant: Option<TenantHeader>,
    pub client_address: AddressSource,
    /// Empty: any address.
    pub allowed_addresses: AddressList,
    pub denied_addresses: AddressList,
    /// The first that matches is the request's.
    pub routes: Vec<Route>,
    /// Every scope that a key of this realm may be given.
    pub scopes: Vec<Scope>,
    pub plans: Vec<Plan>,
    pub default_plan: Option<Word>,
    /// What callers are told of limits in; empty: they are told none of it.
    pub limit_headers: Vec<LimitHeaders>,
    /// The limits that the proxy's own rate limit filter is told of.
    pub feed_envoy: Vec<Word>,
    pub identity: Vec<IdentityHeader>,
    pub denials: HashMap<Reason, Denial>,
    pub when_away: WhenAway,
    /// `None`: whoever fails may go on.
    pub failing_sources: Option<FailureRate>,
}

/// Whether plain HTTP passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Any,
    /// `scheme` must be https, and `x-forwarded-proto` too where there is one: over plain HTTP/2 a client may write any `:scheme`.
    Https,
    /// `x-forwarded-proto` must be https: a proxy before Envoy ends TLS, and Envoy trusts it.
    HttpsForwarded,
}

/// A family of headers that tell how the tightest limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitHeaders {
    /// `x-ratelimit-limit`, `x-ratelimit-remaining`, `x-ratelimit-reset`: the usual ones, the last in seconds from now.
    XRateLimit,
    /// `ratelimit`, `ratelimit-policy`: those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers-10).
    RateLimit,
}

/// The header that names the tenant. What it names must be the key's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantHeader {
    /// Lower case.
    pub name: Box<str>,
    pub required: bool,
}

/// How often one source may present what no key has, before it is throttled: so many look-ups in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRate {
    pub look_ups: NonZeroU32,
    pub per: Duration,
}

impl Default for FailureRate {
    fn default() -> Self {
        Self { look_ups: NonZeroU32::MIN.saturating_add(299), per: Duration::from_mins(1) }
    }
}

impl LimitHeaders {
    /// The headers of the family, in lower case.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::XRateLimit => &["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
            Self::RateLimit => &["ratelimit", "ratelimit-policy"],
        }
    }
}

/// The two stances when the store is away: a record that cannot be read is not a limit that cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WhenAway {
    pub records: RecordStance,
    pub limits: LimitStance,
}

/// What becomes of a check whose record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStance {
    /// Refused, whatever the proxy's failure mode.
    Deny,
    /// An error to the proxy, so that its `failure_mode_allow` decides.
    Defer,
}

/// What becomes of a check whose limits cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitStance {
    Deny,
    /// Passes uncounted: gives up the promise of the limits, and says so in metadata and metrics.
    Allow,
}

impl Realm {
    /// Whether the request came as the realm demands.
    pub fn transport_of(&self, request: &Request<'_>) -> Result<(), Reason> {
        let https = |value: &[u8]| value.eq_ignore_ascii_case(b"https");
        let secure = match (self.transport, request.headers.one("x-forwarded-proto")) {
            (Transport::Any, _) => true,
            (Transport::Https, Occurs::Never) => https(request.scheme),
            (Transport::Https, Occurs::Once(forwarded)) => https(request.scheme) && https(forwarded),
            (Transport::HttpsForwarded, Occurs::Once(forwarded)) => https(forwarded),
            (Transport::Https, Occurs::Often) | (Transport::HttpsForwarded, Occurs::Never | Occurs::Often) => false,
        };
        if secure { Ok(()) } else { Err(Reason::Insecure) }
    }

    /// The first route that is the request's.
    #[must_use]
    pub fn route(&self, request: &Request<'_>, target: &Target<'_>) -> Option<&Route> {
        self.routes.iter().find(|route| route.matches(request, target))
    }

    /// What the request presents, where the route, or else the realm, lets a credential stand.
    pub fn credential<'a>(
        &self,
        route: Option<&Route>,
        request: &Request<'a>,
        target: &Target<'a>,
    ) -> Result<Option<Presented<'a>>, Reason> {
        credential::find(self.places_on(route), request, target).map_err(|_| Reason::Ambiguous)
    }

    /// Where a credential may stand in requests of this route, or of none.
    #[must_use]
    pub fn places_on<'a>(&'a self, route: Option<&'a Route>) -> &'a [Place] {
        route.and_then(|route| route.places.as_ref()).unwrap_or(&self.places)
    }

    /// The format of what was presented: the first that it fits.
    pub fn format(&self, presented: &Presented<'_>) -> Result<&Format, Reason> {
        self.formats.iter().find(|format| format.fits(&presented.0)).ok_or(Reason::Unknown)
    }

    /// The tenant that the request names; `None` in a realm without tenants, or where none is named and none is required.
    pub fn tenant<'a>(&self, request: &Request<'a>) -> Result<Option<&'a [u8]>, Reason> {
        let Some(tenant) = &self.tenant else { return Ok(None) };
        match request.headers.one(&tenant.name) {
            Occurs::Once(value) if !value.is_empty() => Ok(Some(value)),
            Occurs::Often => Err(Reason::Ambiguous),
            _ if tenant.required => Err(Reason::TenantMissing),
            _ => Ok(None),
        }
    }

    /// Whether the realm's own lists let the client's address in.
    pub fn address(&self, request: &Request<'_>) -> Result<Option<std::net::IpAddr>, Reason> {
        let address = self.client_address.read(request);
        let listed = self.allowed_addresses.0.is_empty() || self.allowed_addresses.holds(address);
        let banned = !self.denied_addresses.0.is_empty() && (address.is_none() || self.denied_addresses.holds(address));
        if listed && !banned { Ok(address) } else { Err(Reason::Address) }
    }

    /// The limits that a check of this key takes from.
    #[must_use]
    pub fn limits(&self, bearer: &Bearer, format: &Format) -> Vec<InForce<'_>> {
        limit::of(&self.plans, bearer, format.plan.as_ref(), self.default_plan.as_ref())
    }

    /// Whether anybody is told how the limits stand of a request that passes.
    #[must_use]
    pub fn tells_of_limits(&self) -> bool {
        !self.limit_headers.is_empty() || !self.feed_envoy.is_empty()
    }

    /// Who asks, with the plan in force.
    #[must_use]
    pub fn who<'a>(&'a self, bearer: &'a Bearer, format: &'a Format) -> Who<'a> {
        let plan = limit::plan_of(bearer, format.plan.as_ref());
        Who { bearer, plan: plan.or(self.default_plan.as_ref()) }
    }

    /// What changes in a granted request: identity set, every credential taken away.
    #[must_use]
    pub fn onward(&self, request: &Request<'_>, target: &Target<'_>, who: Option<&Who<'_>>) -> Onward {
        let mut onward = Onward::default();
        onward.remove.push("x-envoy-auth-failure-mode-allowed".into());
        onward.identify(&self.identity, request, &self.id, who);
        self.tenant.iter().for_each(|tenant| onward.remove_look_alikes(&tenant.name, request));
        let looks_secret = |value: &[u8]| self.formats.iter().any(|format| format.fits(value));
        let mut holding = self.every_place();
        holding.retain(|place| place.holds(request, target, looks_secret));
        onward.strip(&holding, request, target);
        onward
    }

    /// The words for a reason.
    #[must_use]
    pub fn denial(&self, reason: Reason) -> Option<&Denial> {
        self.denials.get(&reason)
    }

    /// The name of a reason, as far as the contract tells it apart from others.
    #[must_use]
    pub fn told_as(&self, reason: Reason) -> Reason {
        told_as(reason, |one, other| self.denial(one) == self.denial(other))
    }

    fn every_place(&self) -> Vec<&Place> {
        let mut every: Vec<&Place> = Vec::new();
        for place in self.places.iter().chain(self.routes.iter().filter_map(|route| route.places.as_ref()).flatten()) {
            if !every.contains(&place) {
                every.push(place);
            }
        }
        every
    }
}
