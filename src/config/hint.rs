//! The key that was probably meant.

/// Ends a sentence about a name that is not one of those known: the nearest one, or all of them where none is near.
pub(super) fn hint(name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (distance(name, known), known)).filter(|(distance, known)| distance * 2 <= known.len());
    match near.min() {
        Some((_, nearest)) => format!("did you mean `{nearest}`?"),
        None => format!("there is {}", listed(known)),
    }
}

/// `a`, `b` or `c`, in words.
pub(super) fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => "nothing".into(),
    }
}

/// How many letters must be put in, taken out or changed to make one name of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().take(64).enumerate() {
        let mut corner = std::mem::replace(&mut row[0], above + 1);
        for (at, other) in to.iter().enumerate() {
            let changed = corner + usize::from(letter != *other);
            corner = row[at + 1];
            row[at + 1] = changed.min(corner + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named_and_a_far_one_never() {
        let known = ["realm", "routes", "when_store_is_away"];
        assert_eq!(hint("route", &known), "did you mean `routes`?");
        assert_eq!(hint("when_store_away", &known), "did you mean `when_store_is_away`?");
        assert_eq!(hint("timeout", &known), "there is `realm`, `routes` or `when_store_is_away`");
    }
}
