//! What is changed about the credential of a request.

use super::dice::Dice;
use super::draft::{Draft, any_secret};
use super::mutate::anything;
use super::people;
use super::plain::{Place, World};

pub(super) fn change(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    match dice.below(10) {
        0 => take_away(draft),
        1..4 => another(draft, world, dice),
        4..6 => beside(draft, world, dice),
        6..8 => written_oddly(draft, dice),
        8 => moved(draft, world, dice),
        _ => value(draft, dice, |value, dice| {
            let at = dice.below(value.len() + 1);
            match dice.below(3) {
                0 => value.truncate(at),
                1 => value.insert(at, dice.byte()),
                _ if at < value.len() => value[at] = dice.byte(),
                _ => value.push(b','),
            }
        }),
    }
}

fn take_away(draft: &mut Draft<'_>) {
    for place in draft.realm.all_places() {
        match place {
            Place::Header(name, _) => draft.remove(name),
            Place::Query(name) | Place::ExactQuery(name) => draft.query.retain(|piece| !piece.starts_with(&format!("{name}="))),
            Place::Cookie(_) => draft.remove("cookie"),
        }
    }
    draft.secret = None;
}

/// Another secret in the same kind of place.
fn another(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    let secret = match dice.below(8) {
        0 => any_secret(world, dice).to_owned(),
        1 => String::new(),
        2 => dice.text(&["x", "odt_", "odt_xxx", "Bearer", "sk_dev_", "<YOUR_API_KEY>", "null"]),
        3 => format!("{}0", people::secret(dice.pick(&draft.realm.formats), dice)),
        4 => people::secret(dice.pick(&draft.realm.formats), dice).to_ascii_uppercase(),
        5 => {
            let mut almost = draft.secret.clone().unwrap_or_default();
            almost.pop();
            almost + *dice.pick(&["0", "Z", "-", ""])
        }
        6 => {
            let mine: Vec<_> = world.keys.iter().filter(|key| key.realm == draft.realm.name).collect();
            dice.pick(&mine).secrets[0].clone()
        }
        _ => people::secret(dice.pick(&draft.realm.formats), dice),
    };
    take_away(draft);
    let place = *dice.pick(draft.places());
    draft.present(place, &secret, dice);
    draft.secret = Some(secret);
}

/// A second one, the same or not, in any place.
fn beside(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    let (mut place, secret) = anything(draft, world, dice);
    if dice.chance(40) {
        place = *dice.pick(draft.places());
    }
    draft.present(place, &secret, dice);
}

/// Away from where the rules look, or to where they look too.
fn moved(draft: &mut Draft<'_>, world: &World, dice: &mut Dice) {
    let secret = draft.secret.clone().unwrap_or_else(|| any_secret(world, dice).to_owned());
    let (place, _) = anything(draft, world, dice);
    take_away(draft);
    draft.present(place, &secret, dice);
    draft.secret = Some(secret);
}

fn written_oddly(draft: &mut Draft<'_>, dice: &mut Dice) {
    let places = draft.realm.all_places();
    match *dice.pick(&places) {
        Place::Header(_, None) => value(draft, dice, |value, dice| match dice.below(4) {
            0 => value.insert(0, b' '),
            1 => value.push(b' '),
            2 => value.extend(b",x"),
            _ => value.push(b','),
        }),
        Place::Header(name, Some(scheme)) => {
            let secret = draft.secret.clone().unwrap_or_default();
            let written = match dice.below(12) {
                0 => format!("{} {secret}", scheme.to_ascii_uppercase()),
                1 => format!("{} {secret}", scheme.to_ascii_lowercase()),
                2 => format!("Basic {secret}"),
                3 => format!("{scheme}{secret}"),
                4 => format!("{scheme}\t{secret}"),
                5 => scheme.to_owned(),
                6 => format!("{scheme} "),
                7 => secret,
                8 => format!("  {scheme} {secret} "),
                9 => format!("{scheme} {scheme} {secret}"),
                10 => format!("{scheme}  {secret}"),
                _ => format!("Basic x,{scheme} {secret}"),
            };
            draft.set(name, written);
        }
        Place::Query(name) | Place::ExactQuery(name) => {
            let secret = draft.secret.clone().unwrap_or_default();
            let piece = match dice.below(6) {
                0 => format!("%{:02x}{}={secret}", name.as_bytes()[0], &name[1..]),
                1 => format!("{}={secret}", name.to_ascii_uppercase()),
                2 => format!("{name}={secret}%zz"),
                3 => format!("{name}={secret}%20"),
                4 => format!("{name}="),
                _ => name.to_owned(),
            };
            if dice.chance(50) {
                take_away(draft);
            }
            draft.query.push(piece);
        }
        Place::Cookie(name) => {
            let secret = draft.secret.clone().unwrap_or_default();
            let line = match dice.below(5) {
                0 => format!("{name}=\"{secret}\""),
                1 => format!("{}={secret}", name.to_ascii_uppercase()),
                2 => format!("{name}={secret}; {name}={secret}"),
                3 => format!("{name}=;x={secret}"),
                _ => format!("{name}={secret}"),
            };
            draft.add("cookie", line);
        }
    }
}

/// The first header that holds the credential.
fn value(draft: &mut Draft<'_>, dice: &mut Dice, change: impl FnOnce(&mut Vec<u8>, &mut Dice)) {
    let names: Vec<&str> =
        draft.realm.all_places().iter().filter_map(|place| if let Place::Header(name, _) = place { Some(*name) } else { None }).collect();
    if let Some((_, value)) = draft.headers.iter_mut().find(|(name, _)| names.contains(&name.as_str())) {
        change(value, dice);
    }
}
