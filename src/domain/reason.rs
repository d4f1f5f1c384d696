//! Why a request is refused. The names are those of realm files, metrics and metadata.

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $name:literal,)*) => {
        /// Why a request is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $reason,)*
        }

        impl Reason {
            /// Every reason, in the order of the ladder.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)*];

            /// The reason's name in realm files, metrics and metadata.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }
        }
    };
}

reasons! {
    /// Neither the host nor the proxy names a realm, or they name two.
    NoRealm = "no_realm",
    /// The request does not decode, or its path can be read in two ways.
    Malformed = "malformed",
    /// It came over plain HTTP, and the realm demands https.
    Insecure = "insecure",
    /// No credential where one may stand.
    Missing = "missing",
    /// More than one credential.
    Ambiguous = "ambiguous",
    /// No key has this secret.
    Unknown = "unknown",
    /// The request names no tenant, in a realm that demands one.
    TenantMissing = "tenant_missing",
    /// The client's address keeps presenting credentials that no key has, so this one was not looked up.
    Throttled = "throttled",
    /// The key was revoked.
    Revoked = "revoked",
    /// The key's time is over.
    Expired = "expired",
    /// The key's owner is disabled.
    OwnerDisabled = "owner_disabled",
    /// The tenant is not the key's.
    Tenant = "tenant",
    /// No route of the realm is the request's.
    NoRoute = "no_route",
    /// The route is not for the key's environment.
    Environment = "environment",
    /// The route is not for the key's kind.
    Kind = "kind",
    /// The key lacks a scope of the route.
    Scope = "scope",
    /// The client's address is not in the realm's or the key's list, or cannot be told.
    Address = "address",
    /// A limit is reached.
    Limited = "limited",
    /// The store is away or too slow.
    Unavailable = "unavailable",
    /// A fault of keyward's own.
    Internal = "internal",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
