//! Makes up requests: first one that the rules admit, or nearly; then, for two of three, one to three things about it are changed.

use super::dice::Dice;
use super::draft::{ADDRESSES, Draft, Form, Peer};
use super::mutate;
use super::plain::{Https, Key, Paths, Realm, Route, World};

/// The request that a seed stands for.
pub(super) fn draft(world: &World, seed: u64) -> Draft<'_> {
    let mut dice = Dice::new(seed);
    let mut draft = valid(world, &mut dice);
    let changes = *dice.pick(&[0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 3]);
    for _ in 0..changes {
        mutate::one(&mut draft, world, &mut dice);
    }
    draft
}

fn valid<'w>(world: &'w World, dice: &mut Dice) -> Draft<'w> {
    let realm = dice.pick(&world.realms);
    let route = dice.pick(&realm.routes);
    let mut draft = Draft {
        realm,
        route: Some(route),
        extensions: extensions(realm, route, dice),
        method: dice.text(if route.methods.is_empty() { &["GET", "POST", "DELETE", "PATCH"] } else { route.methods }),
        path: path(route.paths, dice),
        query: (0..dice.below(3)).map(|_| dice.text(&["a=1", "flag", "page=2&size=9", "q=%7Bx%7D", "z="])).collect(),
        host: host(realm, dice),
        scheme: dice.text(if realm.https == Https::Required { &["https"] } else { &["https", "http"] }),
        headers: Vec::new(),
        peer: Peer::Untold,
        form: *dice.pick(&[Form::Map, Form::Raw, Form::Raw, Form::RawJoined]),
        secret: None,
    };
    if realm.https == Https::Forwarded || dice.chance(15) {
        draft.add("x-forwarded-proto", "https");
    }
    if dice.chance(30) {
        draft.add("content-type", *dice.pick(&["application/json", "application/grpc", "application/grpc+proto"]));
    }
    let key = (!route.anonymous || dice.chance(50)).then(|| key(world, realm, route, dice));
    present(&mut draft, key, dice);
    draft
}

/// The key's credential, its tenant, and an address that it may come from.
fn present(draft: &mut Draft<'_>, key: Option<&Key>, dice: &mut Dice) {
    if let Some(key) = key {
        let secret = dice.pick(&key.secrets).clone();
        let place = *dice.pick(draft.places());
        draft.present(place, &secret, dice);
        draft.secret = Some(secret);
    }
    if let Some(tenant) = &draft.realm.tenant {
        let own = key.and_then(|key| key.tenant);
        match own {
            Some(own) if tenant.required || dice.chance(50) => draft.add(tenant.header, own),
            None if tenant.required && key.is_some() => draft.add(tenant.header, "tenant_one"),
            _ => {}
        }
    }
    let realm = draft.realm;
    let allowed = |text: &&&str| {
        let address = text.parse().expect("an address");
        (realm.allow.is_empty() || realm.allow.iter().any(|block| block.holds(address)))
            && !realm.deny.iter().any(|block| block.holds(address))
            && key.is_none_or(|key| key.addresses.is_empty() || key.addresses.iter().any(|block| block.holds(address)))
    };
    let allowed: Vec<&str> = ADDRESSES.iter().filter(allowed).copied().collect();
    let address = if allowed.is_empty() { *dice.pick(&ADDRESSES) } else { *dice.pick(&allowed) };
    draft.come_from(address, dice);
}

/// Most often a key that the route is open to and that no small limit holds back.
fn key<'w>(world: &'w World, realm: &Realm, route: &Route, dice: &mut Dice) -> &'w Key {
    let among = |demanded: &[&str], has: Option<&str>| demanded.is_empty() || has.is_some_and(|has| demanded.contains(&has));
    let suits = |key: &&Key| {
        let alive = !key.revoked && key.expires.is_none_or(|at| at > world.now) && !world.owner_of(key).disabled;
        let may = route.scopes.iter().all(|scope| key.scopes.contains(scope));
        alive && may && among(route.kinds, key.kind) && among(route.environments, key.environment)
    };
    let free = |key: &&Key| {
        let limited = |plan: Option<&str>| realm.plan(plan).iter().any(|limit| limit.most < 1_000_000);
        !limited(key.plan) && (key.plan.is_some() || realm.plans.is_empty()) && !limited(world.owner_of(key).plan)
    };
    let mine: Vec<&Key> = world.keys.iter().filter(|key| key.realm == realm.name).collect();
    let chosen: Vec<&Key> = match dice.below(100) {
        0..76 => mine.iter().copied().filter(suits).filter(free).collect(),
        76..80 => mine.iter().copied().filter(suits).collect(),
        80..86 => mine.iter().copied().filter(suits).filter(|key| !free(key)).collect(),
        _ => Vec::new(),
    };
    let among: &[&'w Key] = if chosen.is_empty() { &mine } else { &chosen };
    among[dice.below(among.len())]
}

fn extensions(realm: &Realm, route: &Route, dice: &mut Dice) -> Vec<(String, String)> {
    let mut extensions: Vec<(String, String)> =
        route.extensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if dice.chance(40) {
        extensions.push(("realm".to_owned(), realm.name.to_owned()));
    }
    if dice.chance(20) {
        extensions.push(("vh".to_owned(), "main".to_owned()));
    }
    extensions
}

pub(super) fn path(paths: Paths, dice: &mut Dice) -> String {
    let (pattern, below) = match paths {
        Paths::Any => ("", 1),
        Paths::Whole(pattern) => (pattern, 0),
        Paths::Below(pattern) => (pattern, dice.below(3)),
    };
    let mut path = String::new();
    for segment in pattern.split('/').filter(|segment| !segment.is_empty()) {
        path.push('/');
        path.push_str(&if segment.starts_with('{') { word(dice) } else { segment.to_owned() });
    }
    for _ in 0..below {
        path.push('/');
        path.push_str(&word(dice));
    }
    if path.is_empty() {
        path.push('/');
    }
    path
}

/// A segment that means nothing.
fn word(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => "%C3%A9t%C3%A9".to_owned(),
        1 => "a%20b".to_owned(),
        2 => "today".to_owned(),
        3 => "...".to_owned(),
        _ => {
            let length = 1 + dice.below(9);
            dice.word(b"abcXYZ019-_~.", length).trim_start_matches('.').to_owned() + "x"
        }
    }
}

fn host(realm: &Realm, dice: &mut Dice) -> String {
    let pattern = dice.pick(realm.hosts);
    match pattern.strip_prefix('*') {
        Some(below) => format!("{}{below}", dice.pick(&["api", "a.b", "x-1"])),
        None => (*pattern).to_owned(),
    }
}
