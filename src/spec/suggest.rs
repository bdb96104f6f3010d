//! What a mistyped word may have meant.
//!
//! Lives here: the distance between two words.
//! Must not: know which words there are.
//! Called by: `cli`, `build`.
//! Always true: a suggestion is near enough that it is likelier a slip than
//! another word.

/// Returns the candidate nearest to a word, if one is near.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let longest = word.chars().count();
    if longest > 64 {
        return None;
    }
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance * 3 <= longest.max(candidate.chars().count()) && *distance < longest
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Counts the letters put in, left out, changed or swapped with their neighbour; case does not count.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_mended_and_another_word_is_not() {
        let words = || ["build", "run", "start", "images", "name", "env"].into_iter();
        for (typed, meant) in [
            ("buile", Some("build")),
            ("strat", Some("start")),
            ("image", Some("images")),
            ("nmae", Some("name")),
            ("rnu", Some("run")),
            ("xyz", None),
            ("r", None),
            ("completely", None),
        ] {
            assert_eq!(nearest(typed, words()), meant, "{typed}");
        }
    }
}
