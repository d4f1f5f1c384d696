//! A realm's file, part by part: what each value is read to, and what a value that cannot work is called.

use std::time::Duration;

use keyward::config;
use keyward::domain::address::AddressSource;
use keyward::domain::credential::{Place, QueryRemoval};
use keyward::domain::format::{Alphabet, Checksum};
use keyward::domain::life::KeyLife;
use keyward::domain::limit::Per;
use keyward::domain::name;
use keyward::domain::realm::{FailureRate, LimitStance, RecordStance, Transport};
use keyward::domain::reason::Reason;

use super::{VALID, problems, read, refused, refused_at, with};

#[test]
fn the_example_of_the_reference_is_accepted_and_has_every_key_that_there_is() {
    let reference = include_str!("../../../docs/realms.md");
    let (_, rest) = reference.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let realm = read(example);
    assert_eq!(realm.id.as_str(), "otesse");
    let every = "realm hosts https credentials header scheme query removal cookie keys prefix alphabet length min max minted checksum \
                 environment kind plan tenant required client_address addresses allow deny scopes routes path methods extensions kinds \
                 environments cost anonymous plans limit per most window zone counts only except shadow default_plan limit_headers feed_envoy identity denials status headers json grpc code \
                 message when_store_is_away records limits failing_sources look_ups imported_digests key_life max_lifetime rotate_after";
    for key in every.split_whitespace() {
        assert!(example.contains(&format!("{key}:")), "{key}");
    }
}

#[test]
fn every_value_of_a_file_arrives_in_the_realm() {
    let realm = read(VALID);
    assert_eq!(realm.hosts, ["api.example.com", "*.example.org"].map(Box::<str>::from));
    assert_eq!(realm.transport, Transport::Https);
    let header = |name: &str, scheme: Option<&str>| Place::Header { name: name.into(), scheme: scheme.map(Into::into) };
    let query = Place::Query { name: "key".into(), removal: QueryRemoval::Sorted };
    assert_eq!(realm.places, [header("authorization", Some("Bearer")), query, Place::Cookie { name: "session_key".into() }]);
    let [live, bare] = &realm.formats[..] else { panic!("two formats") };
    assert_eq!((&*live.prefix, live.alphabet, live.length.clone(), live.minted), ("live_", Alphabet::Base62, 20..=64, 40));
    assert_eq!((live.environment.as_ref().unwrap().as_str(), live.kind.as_ref().unwrap().as_str()), ("live", "secret"));
    assert_eq!((&*bare.prefix, bare.length.clone(), bare.minted, bare.checksum), ("", 56..=56, 56, Checksum::None));
    assert_eq!((&*realm.tenant.clone().unwrap().name, realm.tenant.unwrap().required), ("x-tenant", true));
    assert_eq!(realm.client_address, AddressSource::ExternalAddress);
    assert_eq!(realm.allowed_addresses.0[0].to_string(), "192.0.2.0/24");
    assert_eq!(realm.denied_addresses.0[0].to_string(), "192.0.2.7/32");
    let [one, all] = &realm.routes[..] else { panic!("two routes") };
    assert_eq!(one.methods, ["GET", "HEAD"].map(Box::<str>::from));
    assert_eq!(one.extensions, [("policy".into(), "search".into())]);
    assert_eq!((one.demands.scopes[0].as_str(), one.demands.kinds[0].as_str(), one.cost.get()), ("a:read", "secret", 5));
    assert_eq!(one.places, Some(vec![header("x-api-key", None)]));
    assert_eq!((all.places.as_ref(), all.cost.get(), all.anonymous, all.methods.len()), (None, 1, false, 0));
    let limits: Vec<_> = realm.plans[0].limits.iter().map(|limit| (limit.name.as_str(), limit.per, limit.most, limit.window().0)).collect();
    assert_eq!(limits, [("minute", Per::Key, 5, 60_000), ("hour", Per::Owner, 100, 3_600_000)]);
    assert_eq!(realm.default_plan.unwrap().as_str(), "small");
    assert_eq!(&*realm.identity[0].name, "x-owner");
    assert_eq!((realm.when_away.records, realm.when_away.limits), (RecordStance::Deny, LimitStance::Deny));
}

#[test]
fn the_least_that_a_realm_says_is_enough_and_the_rest_is_strict() {
    let realm = read(
        "realm: a\nhosts: [A.example.com]\ncredentials: [{header: X-Api-Key}]\nkeys: [{alphabet: opaque, length: 40}]\nroutes: [{}]\n",
    );
    assert_eq!(*realm.hosts[0], *"a.example.com");
    assert_eq!(realm.places, [Place::Header { name: "x-api-key".into(), scheme: None }]);
    assert_eq!((realm.transport, realm.client_address), (Transport::Https, AddressSource::Peer));
    assert_eq!((realm.when_away.records, realm.when_away.limits), (RecordStance::Deny, LimitStance::Deny));
    assert_eq!(realm.failing_sources, Some(FailureRate { look_ups: 300.try_into().unwrap(), per: Duration::from_mins(1) }));
    assert!(realm.tenant.is_none() && realm.plans.is_empty() && !realm.routes[0].anonymous && realm.routes[0].path.is_none());
}

#[test]
fn each_choice_is_read_to_what_it_names() {
    assert_eq!(read(&with("https: required", "https: forwarded")).transport, Transport::HttpsForwarded);
    assert_eq!(read(&with("https: required", "https: any")).transport, Transport::Any);
    let stances = read(&with("{records: deny, limits: deny}", "{records: defer, limits: allow}")).when_away;
    assert_eq!((stances.records, stances.limits), (RecordStance::Defer, LimitStance::Allow));
    for (text, source) in [
        ("peer", AddressSource::Peer),
        ("{forwarded_for: 2}", AddressSource::ForwardedFor { from_right: 2 }),
        ("{header: X-Real-Ip}", AddressSource::Header("x-real-ip".into())),
    ] {
        let text = with("client_address: external_address", &format!("client_address: {text}"));
        assert_eq!(read(&text).client_address, source);
    }
    let exact = read(&with("  - query: key\n", "  - query: key\n    removal: exact\n"));
    assert_eq!(exact.places[1], Place::Query { name: "key".into(), removal: QueryRemoval::Exact });
    let optional = read(&with("{header: x-tenant}", "{header: X-Tenant, required: false}")).tenant.unwrap();
    assert_eq!((&*optional.name, optional.required), ("x-tenant", false));
    let checked = read(&with("    alphabet: hex\n", "    alphabet: base64url\n    checksum: crc32\n"));
    assert_eq!((checked.formats[1].alphabet, checked.formats[1].checksum), (Alphabet::Base64Url, Checksum::Crc32));
}

#[test]
fn sources_that_keep_failing_have_a_rate_or_none() {
    let said = |text: &str| read(&format!("{VALID}failing_sources: {text}\n")).failing_sources;
    assert_eq!(said("off"), None);
    assert_eq!(said("{look_ups: 5, per: 10s}"), Some(FailureRate { look_ups: 5.try_into().unwrap(), per: Duration::from_secs(10) }));
    assert_eq!(said("{per: 1h}").unwrap().look_ups.get(), 300);
    let line = VALID.lines().count() + 1;
    for (text, key, says) in [
        ("on", "failing_sources", "must be `off` or a map"),
        ("{look_ups: 0}", "failing_sources.look_ups", "must be a number from 1 to 1000000"),
        ("{per: 1d}", "failing_sources.per", "must be a time from 1s to 1h"),
    ] {
        refused_at(&format!("{VALID}failing_sources: {text}\n"), line, key, says);
    }
}

#[test]
fn a_realm_says_how_long_its_keys_live_or_does_not() {
    let said = |text: &str| read(&format!("{VALID}key_life: {text}\n")).life;
    let days = |days: u64| Some(Duration::from_hours(24 * days));
    assert_eq!(read(VALID).life, KeyLife::default());
    assert_eq!(said("{max_lifetime: 90d, rotate_after: 1440h}"), KeyLife { longest: days(90), rotate_after: days(60) });
    assert_eq!(said("{rotate_after: 1h}"), KeyLife { longest: None, rotate_after: Some(Duration::from_hours(1)) });
    let line = VALID.lines().count() + 1;
    for (text, key, says) in [
        ("90d", "key_life", "must be a map"),
        ("{max_lifetime: 59m}", "key_life.max_lifetime", "must be a time from 1h to 3660d, such as 24h or 90d"),
        ("{max_lifetime: 3661d}", "key_life.max_lifetime", "must be a time from 1h to 3660d"),
        ("{rotate_after: never}", "key_life.rotate_after", "must be a time"),
        ("{rotate_after: 999999999999999999999d}", "key_life.rotate_after", "must be a time"),
        ("{max_lifetime: 90d, rotate_after: 2160h}", "key_life.rotate_after", "must be below max_lifetime, which is 90d"),
        ("{longest: 90d}", "key_life.longest", ""),
    ] {
        refused_at(&format!("{VALID}key_life: {text}\n"), line, key, says);
    }
}

#[test]
fn a_realms_name_and_hosts_are_such_that_a_request_can_find_it() {
    refused("realm: example", "realm: Example", "realm", "a realm's id must be 1 to 64 of a-z 0-9 -");
    refused("realm: example", "realm: keyward", "realm", "is the realm of the admin tokens");
    let hosts = |host: &str, says: &str| refused("\"*.example.org\"]", &format!("{host:?}]"), "hosts[1]", says);
    let odd =
        ["", "https://a.com", "a.com:443", "a.com/x", "*", "*.", "a.*.com", "a..com", ".a.com", "a.com.", "-a.com", "a_.com ", "é.com"];
    for host in odd {
        hosts(host, "must be a name without scheme, port and path");
    }
    hosts(&format!("{}.com", "a".repeat(64)), "must be a name");
    hosts("API.example.com", "stands here twice");
    refused_at(&with("hosts: [api.example.com, \"*.example.org\"]", "hosts: []"), 2, "hosts", "is empty");
}

#[test]
fn no_place_of_a_credential_is_listed_twice_or_is_one_that_no_request_may_choose() {
    let second = |place: &str, key: &str, says: &str| refused("  - query: key\n", &format!("  - {place}\n"), key, says);
    second("{header: Authorization, scheme: bearer}", "credentials[1]", "is a place that a line above has already");
    second("{header: authorization}", "credentials[1]", "is a place that a line above has already");
    refused(
        "  - cookie: session_key\n",
        "  - {query: key, removal: exact}\n",
        "credentials[2]",
        "is a place that a line above has already",
    );
    let cookies = with("  - cookie: session_key\n", "  - cookie: a\n  - cookie: b\n  - cookie: b\n");
    refused_at(&cookies, 10, "credentials[4]", "is a place that a line above has already");
    read(&with("  - query: key\n", "  - {header: authorization, scheme: ApiKey}\n"));
    for name in ["host", "Connection", "content-length", "transfer-encoding"] {
        second(&format!("{{header: {name}}}"), "credentials[1].header", "is the proxy's own");
    }
    second("{header: ':path'}", "credentials[1].header", "must be a token");
    second("{header: 'x key'}", "credentials[1].header", "must be a token");
    second("{header: cookie}", "credentials[1].header", "name the cookie");
    second("{header: x-a, scheme: 'a b'}", "credentials[1].scheme", "must be a token");
    second("{query: 'a&b'}", "credentials[1].query", "must be a parameter's name");
    second("{query: key, removal: never}", "credentials[1].removal", "must be `sorted` or `exact`");
    second("{cookie: 'a=b'}", "credentials[1].cookie", "must be a token");
    second("{query: key, header: x-key}", "credentials[1].query", "is one too many");
    refused("[{header: x-api-key}]", "[]", "routes[0].credentials", "is empty");
}

#[test]
fn a_minted_secret_has_128_random_bits_and_a_length_that_its_format_takes() {
    let hex = |length: &str, key: &str, says: &str| refused("length: 56", &format!("length: {length}"), key, says);
    hex("31", "keys[1].length", "makes secrets of 124 random bits: 128 are the least, which is 32 characters");
    refused("    length: 56", "    minted: 41\n    length: {min: 32, max: 40}", "keys[1].minted", "is 41, which is not within length");
    refused_at(&with("length: 56", "length: {min: 8, max: 40}"), 17, "keys[1].minted", "is missing");
    hex("{min: 40, max: 8}", "keys[1].length", "has a min above its max");
    hex("0", "keys[1].length", "must be a number from 1 to 4096");
    read(&with("length: 56", "length: 32"));
    refused("minted: 40", "minted: 21", "keys[0].minted", "makes secrets of 125 random bits");
    read(&with("minted: 40", "minted: 22"));
    refused("alphabet: hex", "alphabet: HEX", "keys[1].alphabet", "must be `hex`, `base62`, `base64url` or `opaque`");
    refused("alphabet: hex", "alphabet: hex\n    checksum: sha", "keys[1].checksum", "must be `none` or `crc32`");
    for prefix in ["a b", "a,b", "é", "a;b"] {
        refused("prefix: \"\"", &format!("prefix: {prefix:?}"), "keys[1].prefix", "must be at most 64 of visible ASCII");
    }
    refused("    plan: small", "    plan: smaal", "keys[0].plan", "there is no plan smaal");
}

#[test]
fn addresses_are_blocks_that_an_address_can_be_in() {
    let allow = |block: &str, key: &str, says: &str| refused("allow: [192.0.2.0/24]", &format!("allow: [{block}]"), key, says);
    allow("192.0.2.256", "addresses.allow[0]", "must be an address or a block");
    allow("192.0.2.0/33", "addresses.allow[0]", "must be an address or a block");
    allow("192.0.2.7/24", "addresses.allow[0]", "write 192.0.2.0/24");
    allow("'::ffff:192.0.2.0/120'", "addresses.allow[0]", "is IPv4 written as IPv6");
    allow("192.0.2.7, 192.0.2.7/32", "addresses.allow[1]", "stands here twice");
    allow("", "addresses.allow", "is empty");
    read(&with("allow: [192.0.2.0/24]", "allow: ['2001:db8::/32', '::1']"));
    let source =
        |text: &str, key: &str, says: &str| refused("client_address: external_address", &format!("client_address: {text}"), key, says);
    source("{forwarded_for: 0}", "client_address.forwarded_for", "must be a number from 1 to 100");
    source("forwarded_for", "client_address", "must be `peer`, `external_address`");
    source("{header: 'x y'}", "client_address.header", "must be a token");
    source("{}", "client_address", "must have `forwarded_for` or `header`");
}

#[test]
fn a_route_demands_only_what_a_key_of_the_realm_can_have() {
    refused("    scopes: [a:read]", "    scopes: [a:raed]", "routes[0].scopes[0]", "is not listed in the realm's scopes");
    refused("    scopes: [a:read]", "    scopes: [a:read, a:read]", "routes[0].scopes[1]", "stands here twice");
    refused("kinds: [secret]", "kinds: [publishable]", "routes[0].kinds[0]", "no format of the realm's keys says publishable");
    refused("environments: [live]", "environments: [test]", "routes[0].environments[0]", "no format of the realm's keys says test");
    refused("cost: 5", "cost: 6", "routes[0].cost", "is more than the limit minute of the plan small ever lets through");
    refused("cost: 5", "cost: 0", "routes[0].cost", "must be a number from 1");
    for (list, key) in [("kinds: [secret]", "kinds"), ("environments: [live]", "environments"), ("methods: [GET, HEAD]", "methods")] {
        refused(list, &format!("{key}: []"), &format!("routes[0].{key}"), "is empty");
    }
}

#[test]
fn a_part_that_is_wrong_is_not_reported_again_by_what_builds_on_it() {
    refused("scopes: [a:read, a:write]", "scopes: [a:read, 'a write']", "scopes[1]", "a scope must be");
    refused("scopes: [a:read, a:write]", "scopes: all", "scopes", "must be a list");
    refused("    environment: live", "    environmet: live", "keys[0].environmet", "did you mean `environment`?");
    refused("  small:", "  'very small':", "plans.very small", "a name must be");
    refused("most: 5,", "most: 0,", "plans.small[0].most", "must be a number");
}

#[test]
fn a_route_that_an_earlier_one_hides_is_refused() {
    let hidden = |first: &str| {
        let text = with("routes:\n", &format!("routes:\n  - {first}\n"));
        let found: Vec<_> = problems(&text).into_iter().map(|(line, key, says)| format!("{line} {key} {says}")).collect();
        let says = "is never reached: routes[0] takes all of its requests";
        assert_eq!(found, [format!("26 routes[1] {says}"), format!("35 routes[2] {says}")], "{first}");
    };
    for first in ["{}", "{prefix: /}", "{anonymous: true}", "{prefix: /v1}", "{prefix: /v1/a, scopes: [a:write]}"] {
        hidden(first);
    }
    for first in ["{methods: [GET]}", "{extensions: {policy: other}}", "{path: /}", "{prefix: /v2}"] {
        read(&with("routes:\n", &format!("routes:\n  - {first}\n")));
    }
    read(&with("  - prefix: /v1/a\n", "  - prefix: /v1/a\n  - {}\n"));
}

#[test]
fn paths_and_methods_are_such_that_a_request_can_match_them() {
    refused("path: /v1/a/{id}", "path: v1/a", "routes[0].path", "is no path: it must begin with `/`");
    refused("path: /v1/a/{id}", "path: /v1/a?x", "routes[0].path", "is no path");
    refused("  - prefix: /v1/a\n", "  - prefix: /v1/../a\n", "routes[1].prefix", "is no path");
    refused("    methods: [GET, HEAD]", "    prefix: /v1\n    methods: [GET, HEAD]", "routes[0].prefix", "is one too many");
    refused("[GET, HEAD]", "[GET, head]", "routes[0].methods[1]", "must be upper case");
    refused("[GET, HEAD]", "[GET, 'A B']", "routes[0].methods[1]", "must be a token");
    refused("[GET, HEAD]", "[GET, GET]", "routes[0].methods[1]", "stands here twice");
}

#[test]
fn a_plan_has_one_limit_of_a_name_and_one_of_a_window() {
    let hour = "{limit: hour, per: owner, most: 100, window: 1h}";
    let second = |limit: &str, key: &str, says: &str| refused(hour, limit, key, says);
    second("{limit: minute, per: owner, most: 100, window: 1h}", "plans.small[1]", "has the name of another limit");
    second("{limit: hour, per: key, most: 100, window: 60s}", "plans.small[1]", "counts in the window of the limit minute");
    read(&with(hour, "{limit: hour, per: owner, most: 100, window: 60s}"));
    for window in ["999ms", "25h", "86401s", "1d", "60", "0s", "1 m"] {
        let text = format!("{{limit: hour, per: owner, most: 100, window: {window}}}");
        let says = if window == "60" { "must be text" } else { "must be a time from 1s to 24h" };
        second(&text, "plans.small[1].window", says);
    }
    for window in ["1s", "24h", "1440m", "1500ms"] {
        read(&with(hour, &format!("{{limit: hour, per: owner, most: 100, window: {window}}}")));
    }
    second("{limit: hour, per: user, most: 100, window: 1h}", "plans.small[1].per", "must be `key` or `owner`");
    second("{limit: hour, per: owner, most: 4294967296, window: 1h}", "plans.small[1].most", "must be a number from 1");
    refused("default_plan: small", "default_plan: large", "default_plan", "there is no plan large");
    read(&with("default_plan: small\n", ""));
}

#[test]
fn an_identity_header_is_never_one_that_something_else_is_done_with() {
    let header = |name: &str, says: &str| refused("  x-owner:", &format!("  {name}:"), &format!("identity.{name}"), says);
    header("authorization", "a credential stands in this header");
    header("X-Api-Key", "a credential stands in this header");
    header("cookie", "a credential stands in this header");
    for name in ["host", "te", "connection", "upgrade", "content-length", "keep-alive"] {
        header(name, "is the proxy's own");
    }
    header("x_owner", "use `-`");
    header("x-envoy-owner", "Envoy keeps");
    header("x owner", "must be a token");
    refused("${owner.id}", "${owner.name}", "identity.x-owner", "there is no value `${owner.name}` here");
    refused("${owner.id}", "${owner.id", "identity.x-owner", "is not closed");
    refused("${owner.id}", "é", "identity.x-owner", "must be visible ASCII");
    refused("  x-owner: ${owner.id}", "  x-owner: ${owner.id}\n  X-Owner: ${key.id}", "identity.X-Owner", "stands here twice");
    for value in ["key.id", "owner.id", "realm", "key.environment", "key.kind", "key.tenant", "key.scopes", "key.plan"] {
        read(&with("${owner.id}", &format!("${{{value}}}")));
    }
}

#[test]
fn the_realm_of_the_admin_tokens_is_built_in_and_like_no_other() {
    let realm = config::admin_realm();
    assert_eq!(realm.id, name::admin_realm());
    assert!(realm.hosts.is_empty() && realm.routes.is_empty());
    assert_eq!(realm.scopes.iter().map(name::Scope::as_str).collect::<Vec<_>>(), ["admin", "viewer", "issuer", "revoker"]);
    assert_eq!(realm.places, [Place::Header { name: "authorization".into(), scheme: Some("Bearer".into()) }]);
    let [format] = &realm.formats[..] else { panic!("one format") };
    assert_eq!((&*format.prefix, format.alphabet, format.minted, format.checksum), ("kwa_", Alphabet::Base62, 40, Checksum::Crc32));
    let mut byte = 0_u8;
    let random = |bytes: &mut [u8]| {
        for place in bytes {
            byte = byte.wrapping_add(37);
            *place = byte;
        }
        Ok::<_, ()>(())
    };
    let token = format.mint(random).unwrap();
    assert!(format.fits(token.expose()) && token.expose().len() == 50);
    assert!(Reason::ALL.iter().all(|reason| realm.denial(*reason).is_some()));
}
