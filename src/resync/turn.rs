//! Whose turn it is among what a list does not have any more. No client, no clock, no logging.

use std::collections::BTreeSet;

/// Pull requests that are asked for one by one in one round of a repository, and so many branches: what the list does not have
/// any more. Of `n` that are missing each is asked about at least once in `n / 50` rounds, rounded up.
pub(super) const SINGLE_QUESTIONS: usize = 50;

/// Goes around what is missing, from round to round.
#[derive(Debug)]
pub(super) struct Turn<T> {
    last: Option<T>,
    /// Those that were asked about since they are missing.
    asked: BTreeSet<T>,
}

impl<T> Default for Turn<T> {
    fn default() -> Self {
        Self { last: None, asked: BTreeSet::new() }
    }
}

impl<T: Clone + Ord> Turn<T> {
    /// Those whose turn it is in this round: the ones after the last that was asked about, then the ones before it.
    pub(super) fn next(&mut self, missing: &BTreeSet<T>) -> Vec<T> {
        self.asked.retain(|one| missing.contains(one));
        let is_later = |one: &&T| self.last.as_ref().is_none_or(|last| *one > last);
        let later = missing.iter().filter(is_later);
        later.chain(missing.iter().filter(|one| !is_later(one))).take(SINGLE_QUESTIONS).cloned().collect()
    }

    /// It is asked about now, whatever comes of that.
    pub(super) fn asked(&mut self, one: T) {
        self.asked.insert(one.clone());
        self.last = Some(one);
    }

    /// Whether it was asked about since it is missing.
    pub(super) fn has_asked(&self, one: &T) -> bool {
        self.asked.contains(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_get_their_turn_within_the_stated_rounds_and_none_twice_in_one() {
        for count in [0, 1, 50, 51, 120, 150] {
            let missing: BTreeSet<usize> = (0..count).collect();
            let (mut turn, mut asked) = (Turn::default(), BTreeSet::new());
            for _ in 0..count.div_ceil(SINGLE_QUESTIONS) {
                let round = turn.next(&missing);
                assert!(round.len() <= SINGLE_QUESTIONS && round.iter().collect::<BTreeSet<_>>().len() == round.len());
                for one in round {
                    turn.asked(one);
                    asked.insert(one);
                }
            }
            assert_eq!(asked, missing);
        }
    }

    #[test]
    fn one_that_cannot_be_asked_about_holds_up_the_others_for_one_round() {
        let missing: BTreeSet<usize> = (0..60).collect();
        let mut turn = Turn::default();
        turn.asked(3);
        assert_eq!(turn.next(&missing)[..2], [4, 5]);
    }

    #[test]
    fn one_that_is_missing_again_was_not_asked_about_yet() {
        let mut turn = Turn::default();
        turn.asked(3);
        assert!(turn.has_asked(&3) && !turn.has_asked(&4));
        assert_eq!((turn.next(&BTreeSet::from([3])), turn.has_asked(&3)), (vec![3], true));
        turn.next(&BTreeSet::new());
        assert!(!turn.has_asked(&3));
    }
}
