//! Custom resources of an environment that is isolated: what acts on them runs elsewhere, with rights and a way out of its
//! own. An `ExternalSecret`, for one, would bring in what the environment is not to have.

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::treatment;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !facts.target.isolated || treatment(object).is_some() {
        return None;
    }
    because("a change from a fork gets no custom resources (trust.forks: Isolated)")
}

#[cfg(test)]
mod tests {
    use crate::domain::baseline::GroupKind;
    use crate::plan::sample::{World, object};

    #[test]
    fn nobody_outside_acts_for_an_isolated_environment() {
        let world = || {
            let wanted = GroupKind { group: "external-secrets.io".into(), kind: "ExternalSecret".into() };
            World::of([object("external-secrets.io/v1", "ExternalSecret", "db")]).baseline(|b| b.selection.custom_resources = vec![wanted])
        };
        assert_eq!(world().plan().said(), ["ExternalSecret/db kept"]);
        let why = "ExternalSecret/db left out: a change from a fork gets no custom resources (trust.forks: Isolated)";
        assert!(world().isolated().plan().said().contains(&why.to_owned()));
    }
}
