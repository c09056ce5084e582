//! What names stand for in one environment: the ones that are rewritten, and those of templates.

use super::decision::{Decision, LeftOutReason};
use super::hosts::HostMap;
use super::rewrite::Names;
use super::select::Selection;
use super::types::Target;
use crate::domain::value_template::Values;

/// The names that are rewritten. Of the baseline's Services those that the environment has, copied or made there by what
/// is copied: a name of another one would lead nowhere.
pub(super) fn names(selection: &Selection<'_>, hosts: Option<&HostMap>, target: &Target<'_>) -> Names {
    let rules = &target.baseline.rewrite;
    let mut names = Names::new(&target.baseline.namespace, target.namespace, &rules.cluster_domain);
    if let Some(hosts) = hosts.filter(|_| rules.hosts) {
        names = names.with_hosts(hosts.pairs());
    }
    if !rules.service_names {
        return names;
    }
    let copied = selection.cloned.iter().filter(|o| o.group().is_empty() && o.kind() == "Service").filter_map(|o| o.text("/metadata/name"));
    names.with_services(copied.chain(selection.left_out.iter().filter_map(made_service)))
}

fn made_service(decision: &Decision) -> Option<&str> {
    match decision {
        Decision::LeftOut { object, reason: LeftOutReason::MadeBy(_) } if object.kind == "Service" && object.api_version == "v1" => {
            Some(&object.name)
        }
        _ => None,
    }
}

/// The values that templates are filled from.
pub(super) fn values(hosts: Option<&HostMap>, target: &Target<'_>) -> Values {
    let baseline = target.baseline;
    let mut values = Values::new(target.environment.as_str(), target.namespace, (&baseline.namespace, &baseline.name));
    if let Some(source) = target.source {
        values = values.with_source(source);
    }
    match hosts {
        Some(hosts) => values.with_hosts(hosts.first(), hosts.pairs().map(|(old, new)| (old.to_owned(), new.to_owned()))),
        None => values,
    }
}
