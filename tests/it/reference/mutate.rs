//! One thing about a request is changed. Some changes are harmless, most are not; the rules say which.

use super::dice::Dice;
use super::draft::{ADDRESSES, Draft, Form, Peer, any_secret};
use super::generate;
use super::plain::{Client, Place, Realm, World};
use super::{credentials, people};

type Change = fn(&mut Draft<'_>, &World, &mut Dice);

/// With how often each is taken.
const CHANGES: &[(usize, Change)] = &[
    (8, host),
    (6, extension),
    (14, path),
    (5, byte_of_path),
    (8, query),
    (5, scheme),
    (5, method),
    (30, credentials::change),
    (8, tenant),
    (10, address),
    (5, identity),
    (6, noise),
    (2, form),
];

pub(super) fn one(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    let all: usize = CHANGES.iter().map(|(often, _)| often).sum();
    let mut at = dice.below(all);
    for (often, change) in CHANGES {
        if at < *often {
            return change(draft, world, dice);
        }
        at -= often;
    }
}

fn host(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    let host = draft.host.clone();
    draft.host = match dice.below(14) {
        0 | 1 => host.to_ascii_uppercase(),
        2 | 3 => format!("{host}:443"),
        4 => format!("{host}."),
        5 => format!("{host}.:8443"),
        6 => format!("{host}.."),
        7 => format!("x.{host}"),
        8 => format!("{host}.evil.test"),
        9 => String::new(),
        10 => (*dice.pick(&["beta.test", ".beta.test", "xbeta.test", "203.0.113.1", "[::1]:443", "nowhere.test", ":443", "."])).to_owned(),
        _ => {
            let other: &Realm = dice.pick(&world.realms);
            dice.pick(other.hosts).replace('*', "www")
        }
    };
}

fn extension(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    match dice.below(8) {
        0 => draft.extensions.retain(|(name, _)| name != "policy"),
        1 => draft.extensions.push(("policy".to_owned(), dice.text(&["search", "admin", "open", "", "SEARCH"]))),
        2 => draft.extensions.push(("realm".to_owned(), dice.text(&["keyward", "", "nothing", "ALPHA", "alpha "]))),
        3 | 4 => {
            let other: &Realm = dice.pick(&world.realms);
            draft.extensions.push(("realm".to_owned(), other.name.to_owned()));
        }
        5 => draft.extensions.clear(),
        _ => {
            draft.extensions.push(("realm".to_owned(), draft.realm.name.to_owned()));
            draft.host = dice.text(&["", "nowhere.test", "10.0.0.1:8080", "beta.test"]);
        }
    }
}

fn path(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    let path = draft.path.clone();
    let after = |what: &str| format!("{path}{what}");
    draft.path = match dice.below(24) {
        0 | 1 => after("/"),
        2 => after("//"),
        3 => path.replacen('/', "//", 1),
        4 => after(&dice.text(&["/.", "/..", "/./x", "/../x", "/%2e", "/%2E%2e", "/.%2E/x", "/..."])),
        5 => after(&dice.text(&["%2F", "/a%2fb", "/a%5Cb", "/a\\b", "%00", "/a%1fb", "/a%7Fb"])),
        6 => after(&dice.text(&[";v=1", "/;", ";", "/a%3Bb", "/x;../y"])),
        7 => after(&dice.text(&["%", "%4", "%zz", "/%G0", "/%%41", "/%u0041"])),
        8 => after(&dice.text(&["#top", "/#", "/\u{e9}", "\u{7f}", "/a b", "/a\tb", "/\n", "\r\nx", "\u{0}"])),
        9 => after(&dice.text(&["/%23", "/%20", "/%C3%A9", "/%FF", "/%25", "/%252e%252e", "/%3F", "/a+b", "/a:b@c"])),
        10 => path.to_ascii_uppercase(),
        11 => path.trim_start_matches('/').to_owned(),
        12 => dice.text(&["", "*", "/", "//", "?", "x", "http://alpha.test/status", "/?", "."]),
        13 => after("/more"),
        14 => path.rsplit_once('/').map_or(String::new(), |(above, _)| above.to_owned()),
        15 => after("x"),
        16..20 => {
            let realm: &Realm = dice.pick(&world.realms);
            generate::path(dice.pick(&realm.routes).paths, dice)
        }
        _ => one_letter_escaped(&path, dice),
    };
}

fn one_letter_escaped(path: &str, dice: &mut Dice) -> String {
    let letters: Vec<usize> = path.char_indices().filter(|(_, letter)| letter.is_ascii_alphanumeric()).map(|(at, _)| at).collect();
    if letters.is_empty() || path.contains('%') {
        return path.to_owned();
    }
    let at = *dice.pick(&letters);
    format!("{}%{:02x}{}", &path[..at], path.as_bytes()[at], &path[at + 1..])
}

fn byte_of_path(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    let mut letters: Vec<char> = draft.path.chars().collect();
    let at = dice.below(letters.len() + 1);
    let letter = char::from(dice.byte());
    if at < letters.len() && dice.chance(50) {
        letters[at] = letter;
    } else {
        letters.insert(at, letter);
    }
    draft.path = letters.into_iter().collect();
}

fn query(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    let odd =
        ["", "&", "=", "=x", "a=b=c", "?", "x?y=1", "a b", "%", "%zz=1", "key", "\u{e9}=1", "#", "k", "a;b", "%6", "api_key", "b\u{1}"];
    let piece = if dice.chance(70) { (*dice.pick(&odd)).to_owned() } else { dice.word(b"abk=&%?+;/.1", 9) };
    let at = dice.below(draft.query.len() + 1);
    draft.query.insert(at, piece);
}

fn scheme(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    if dice.chance(50) {
        draft.scheme = dice.text(&["HTTPS", "hTtPs", "http", "", "ws", "https ", "httpss"]);
        return;
    }
    match dice.below(5) {
        0 => draft.remove("x-forwarded-proto"),
        1 => draft.add("x-forwarded-proto", "http"),
        2 => draft.add("x-forwarded-proto", "https"),
        3 => draft.set("x-forwarded-proto", "http"),
        _ => draft.set("x-forwarded-proto", *dice.pick(&["HTTPS", "hTTps", " https ", "", "https,https", "https,http", "wss"])),
    }
}

fn method(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    draft.method = dice.text(&["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "get", "", "G\u{cb}T"]);
    if draft.method == "CONNECT" && dice.chance(50) {
        draft.path = String::new();
        draft.query.clear();
    }
}

fn tenant(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    let name = draft.realm.tenant.as_ref().map_or("x-tn", |tenant| tenant.header);
    match dice.below(8) {
        0 | 1 => draft.remove(name),
        2 => draft.set(name, ""),
        3 => draft.set(name, "tenant_two"),
        4 => draft.set(name, *dice.pick(&["TENANT_ONE", "tenant_one2", "tenant_on", "tenant_one,tenant_one", "*", " tenant_one ", "  "])),
        5 => draft.add(name, "tenant_one"),
        6 => draft.add(name, "tenant_two"),
        _ => draft.set(name, b"tenant_\xff"),
    }
}

fn address(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    let address = *dice.pick(&ADDRESSES);
    let four = !address.contains(':');
    match dice.below(12) {
        0..5 => draft.come_from(address, dice),
        5 if four => draft.come_from(&format!("::ffff:{address}"), dice),
        6 => {
            let odd =
                *dice.pick(&["", "unknown", "999.1.1.1", "10.1.2", "0x0a000001", "10.1.2.3/8", "::g", "-", " 10.1.2.3 ", "192.0.2.3\t"]);
            draft.come_from(odd, dice);
        }
        7 => draft.peer = dice.pick(&[Peer::Pipe, Peer::Internal, Peer::Untold, Peer::Socket("@pipe".to_owned())]).clone(),
        8 if matches!(draft.realm.client, Client::ForwardedFor(_)) => {
            let written = match (four, dice.below(6)) {
                (true, 0..3) => format!("{address}:4711"),
                (true, 3) => format!("{address}:port"),
                (true, 4) | (false, 2) => format!("{address}%eth0"),
                (false, 0) => format!("[{address}]"),
                (false, 1) => format!("[{address}]:4711"),
                (false, 3) => format!("[{address}%eth0]:4711"),
                (false, 4) => format!("[{address}]4711"),
                _ => format!("\"{address}\""),
            };
            draft.come_from(&written, dice);
        }
        9 => draft.remove("x-forwarded-for"),
        10 => draft.set("x-forwarded-for", address),
        _ => {
            let name = match draft.realm.client {
                Client::Header(name) => name,
                Client::ForwardedFor(_) => "x-forwarded-for",
                _ => "x-envoy-external-address",
            };
            draft.add(name, address);
        }
    }
}

/// A client that says who it is.
fn identity(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    let realm = draft.realm;
    for (name, _) in realm.identity {
        if dice.chance(50) {
            draft.add(name, "somebody-else");
            if dice.chance(20) {
                draft.add(name, "twice");
            }
        }
    }
}

fn noise(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    match dice.below(9) {
        0 => draft.add("user-agent", "curl/8 (x, y)"),
        1 => draft.add("x-odd", b"\xff\xfe\x01"),
        2 => draft.add("cookie", "theme=dark; gsessx=1"),
        3 => draft.add("cookie", *dice.pick(&["a=b=c", ";;", "=", "lone", "gsess", "gsess=", "a=1,b=2", " x = y ", ""])),
        4 => draft.set("content-type", "application/grpc"),
        5 => draft.add("", "nameless"),
        6 => draft.add("x-api-keys", any_secret(world, dice)),
        7 => draft.add("referer", "https://alpha.test/?key=1,2"),
        _ => draft.headers.reverse(),
    }
}

fn form(draft: &mut Draft<'_>, _: &World, dice: &mut Dice) {
    draft.form = *dice.pick(&[Form::NoHttp, Form::NoRequest, Form::NoAttributes, Form::Map, Form::Raw]);
}

/// Any place of any realm, and a secret that fits here or nowhere.
pub(super) fn anything(draft: &Draft<'_>, world: &World, dice: &mut Dice) -> (Place, String) {
    let realm: &Realm = if dice.chance(70) { draft.realm } else { dice.pick(&world.realms) };
    let place = *dice.pick(&realm.all_places());
    let secret = match dice.below(5) {
        0 => any_secret(world, dice).to_owned(),
        1 => "something-else".to_owned(),
        2 => people::secret(dice.pick(&draft.realm.formats), dice),
        _ => draft.secret.clone().unwrap_or_else(|| "nothing".to_owned()),
    };
    (place, secret)
}
