//! Names like a misspelt one.

/// At most three of `candidates` that `name` may have meant, best first: the same letters in
/// another case, then those within a third of the name's length in edits (at least one).
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let mut close: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter_map(|candidate| {
            let same_letters = candidate.eq_ignore_ascii_case(name);
            let distance = if same_letters { 0 } else { edit_distance(name, candidate) };
            (distance <= limit).then_some((distance, candidate))
        })
        .collect();
    close.sort();
    close.dedup();
    close.into_iter().map(|(_, candidate)| candidate).take(3).collect()
}

/// A help sentence that states the names like `name`, if there are any.
pub fn nearest_help<'a>(
    what: &str,
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let found = nearest(name, candidates);
    let quoted: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => None,
        [one] => {
            let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            Some(format!("{article} {what} with a similar name exists: {one}"))
        }
        many => Some(format!("{what}s with similar names exist: {}", many.join(", "))),
    }
}

/// Damerau–Levenshtein distance with adjacent transpositions (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_come_first() {
        let names = ["program_id", "num_programs", "load", "store", "dot"];
        assert_eq!(nearest("progam_id", names), ["program_id"]);
        assert_eq!(nearest("laod", names), ["load"]);
        assert_eq!(nearest("Load", names), ["load"]);
        assert!(nearest("frobnicate", names).is_empty());
    }
}
