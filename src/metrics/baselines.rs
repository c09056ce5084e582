//! The name of a Baseline as a label, for no more than so many of them. No client, no clock, no logging.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// As many Baselines are counted each by itself, from the start of the program on; those that are gone are among them. With
/// the times to applied and to ready that is about a hundred series for each.
pub const BASELINES: usize = 200;
/// What all Baselines after these are counted under. None has that name: they all have a `/`.
pub const OTHERS: &str = "others";

/// Namespace and name of a Baseline.
pub type Named<'a> = (&'a str, &'a str);

/// The Baselines that are counted each by itself.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashSet<String>>);

impl Names {
    /// `namespace/name`, or [`OTHERS`]. It is the same each time, so that what was counted up can be counted down.
    pub(super) fn label(&self, (namespace, name): Named<'_>) -> String {
        let label = format!("{namespace}/{name}");
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&label) {
            label
        } else if known.len() < BASELINES {
            known.insert(label.clone());
            label
        } else {
            OTHERS.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_so_many_have_a_label_of_their_own_and_keep_it() {
        let names = Names::default();
        for number in 0..BASELINES {
            assert_eq!(names.label(("shop", &number.to_string())), format!("shop/{number}"));
        }
        assert_eq!(names.label(("shop", "one-more")), OTHERS);
        assert_eq!(names.label(("shop", "0")), "shop/0");
        assert_eq!(names.label(("shop", "one-more")), OTHERS);
    }
}
