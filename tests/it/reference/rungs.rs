//! The rungs that can be left out. A reference without one of them is wrong, and a run that does not notice has not tried that rung.

macro_rules! rungs {
    ($($rung:ident)*) => {
        /// A rung, or a part of one that can be missed alone.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Rung { $($rung),* }

        pub(super) const RUNGS: &[Rung] = &[$(Rung::$rung),*];
    };
}

rungs! {
    // before the first
    Method
    // 1
    NamedRealm HostOfAnotherRealm
    // 2
    LeadingSlash ForbiddenByte HighByte EmptySegment Escape DotSegment HiddenSeparator SegmentsDecoded
    // 3
    Https HttpsAgreed ForwardedOnce ForwardedHttps
    // 4
    FirstRoute Methods Extensions PlacesOfRoute
    // 5
    HeaderTwice HeaderComma QueryTwice QueryEscaped CookieTwice PlacesDiffer EmptyIsAbsent SchemeOnly SchemeAnyCase ValueDecoded
    // 6
    Missing Anonymous AnonymousLists
    // 7
    Format
    // 8
    TenantMissing TenantOnce
    // 9
    AllowList DenyList AddressTold
    // 11
    Throttled
    // 12
    Known KeyOfRealm
    // 13
    Revoked Expired ExpiredNow OwnerDisabled Tenant NoRoute Environment Kind Scope KeyAddress
    // 14
    KeyLimit OwnerLimit AllOrNothing Cost PlanOfOwner PlanOfFormat DefaultPlan
    // what goes on
    StripHeader StripQuery StripEscapedQuery StripExactQuery StripCookie StripLookalike StripOtherPlaces IdentitySet IdentityRemoved
    IdentityOfNobody
}
