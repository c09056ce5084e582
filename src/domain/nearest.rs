//! What somebody probably meant. No client, no clock, no logging.

/// The candidate that is the fewest edits away, at most three and fewer than half its length.
pub fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = candidates.map(|c| (edits(&text.to_lowercase(), &c.to_lowercase()), c));
    let (distance, best) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 3 && distance * 2 < best.len()).then_some(best)
}

/// Insertions, deletions and replacements from one text to the other (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.iter().enumerate() {
            let best = (corner + usize::from(left != *right)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_are_guessed_and_other_words_are_not() {
        let near = |text| nearest(text, ["acme/web", "acme/api", "web-pr-42"].into_iter());
        assert_eq!(
            [near("acme/wbe"), near("Acme/Web"), near("web-pr-43"), near("zzz")],
            [Some("acme/web"), Some("acme/web"), Some("web-pr-42"), None]
        );
        assert_eq!((edits("kitten", "sitting"), edits("", "abc"), edits("abc", "")), (3, 3, 3));
    }
}
