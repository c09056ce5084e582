//! Are the admission policies in force that hold the service to its own namespaces? No client, no clock, no logging.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::ResourceExt;

use crate::cli::doctor::finding::{Fact, Finding, some_of};
use crate::cli::doctor::shipped::{Identity, Shipped};

const POLICIES: &str = "policies";
const NAMED: usize = 3;
const APPLY: &str = "kubectl apply -f deploy/rbac.yaml, or helm upgrade, of the service's version";
const FAIL: &str = "Fail";
const DENY: &str = "Deny";

/// What the cluster has.
pub struct There<'a> {
    /// The policies.
    pub policies: &'a Fact<Vec<ValidatingAdmissionPolicy>>,
    /// What puts them into force.
    pub bindings: &'a Fact<Vec<ValidatingAdmissionPolicyBinding>>,
}

/// Compares what the cluster has with what is shipped for a service of that identity.
pub fn policies(shipped: &Shipped, identity: &Identity, there: &There<'_>) -> Finding {
    let (policies, bindings) = match (there.policies, there.bindings) {
        (Ok(policies), Ok(bindings)) => (policies, bindings),
        (Err(why), _) | (_, Err(why)) => return Finding::not_checked(POLICIES, why),
    };
    let (mut missing, mut others, mut differ) = (Vec::new(), Vec::new(), Vec::new());
    let all = shipped.policies();
    for wanted in &all {
        let name = wanted.name_any();
        match policies.iter().find(|policy| policy.name_any() == name) {
            None => missing.push(name),
            Some(found) if !names(found, wanted, identity) => others.push(name),
            Some(found) if fails_open(found) || rules(found) != rules(wanted) => differ.push(name),
            Some(_) => {}
        }
    }
    let unbound = shipped.bindings().into_iter().filter(|wanted| !bindings.iter().any(|found| binds(found, wanted)));
    let unbound: Vec<String> = unbound.map(|wanted| wanted.name_any()).filter(|name| !missing.contains(name)).collect();
    let fails = |why: &str, which: &[String]| Finding::failure(POLICIES, format!("{why}: {}", some_of(which, NAMED))).mend(APPLY);
    if !missing.is_empty() {
        fails("what holds the service to its own namespaces is not there", &missing)
    } else if !unbound.is_empty() {
        fails("policies are there and not in force, for want of a binding that denies", &unbound)
    } else if !others.is_empty() {
        fails(&format!("policies are about another account than {identity}"), &others)
    } else if !differ.is_empty() {
        Finding::warning(POLICIES, format!("policies are others than this preview's: {}", some_of(&differ, NAMED))).mend(APPLY)
    } else {
        Finding::ok(POLICIES, format!("all {} admission policies are in force", all.len()))
    }
}

fn binds(found: &ValidatingAdmissionPolicyBinding, wanted: &ValidatingAdmissionPolicyBinding) -> bool {
    let denies = found.spec.validation_actions.iter().any(|action| action == DENY);
    found.spec.policy_name == wanted.spec.policy_name && denies && found.spec.match_resources.is_none()
}

fn fails_open(policy: &ValidatingAdmissionPolicy) -> bool {
    policy.spec.as_ref().and_then(|spec| spec.failure_policy.as_deref()).is_some_and(|policy| policy != FAIL)
}

/// Whether a policy is about this service, where the one that is shipped is about it.
fn names(found: &ValidatingAdmissionPolicy, wanted: &ValidatingAdmissionPolicy, identity: &Identity) -> bool {
    let account = format!("'{identity}'");
    let has = |policy: &ValidatingAdmissionPolicy| rules(policy).iter().any(|rule| rule.contains(&account));
    !has(wanted) || has(found)
}

/// Every expression, however it is broken into lines.
fn rules(policy: &ValidatingAdmissionPolicy) -> BTreeSet<String> {
    let Some(spec) = &policy.spec else { return BTreeSet::new() };
    let conditions = spec.match_conditions.iter().flatten().map(|condition| &condition.expression);
    let variables = spec.variables.iter().flatten().map(|variable| &variable.expression);
    let validations = spec.validations.iter().flatten().map(|validation| &validation.expression);
    let plain = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    conditions.chain(variables).chain(validations).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::{Unseen, Verdict};

    fn identity(namespace: &str) -> Identity {
        Identity { namespace: namespace.into(), account: "preview-env".into() }
    }

    fn judged(change: impl FnOnce(&mut Vec<ValidatingAdmissionPolicy>, &mut Vec<ValidatingAdmissionPolicyBinding>)) -> Finding {
        let shipped = Shipped::to(&identity("previews"));
        let (mut policies, mut bindings) = (shipped.policies(), shipped.bindings());
        change(&mut policies, &mut bindings);
        super::policies(&shipped, &identity("previews"), &There { policies: &Ok(policies), bindings: &Ok(bindings) })
    }

    #[test]
    fn each_policy_is_there_in_force_and_about_this_service() {
        assert_eq!(judged(|_, _| ()).result, Verdict::Ok);
        let missing = judged(|policies, _| policies.retain(|policy| policy.name_any() != "preview-env-roles"));
        assert!(missing.result == Verdict::Failure && missing.message.ends_with("not there: preview-env-roles"), "{missing:?}");
        let warns = judged(|_, bindings| bindings[0].spec.validation_actions = vec!["Warn".into()]);
        assert!(warns.result == Verdict::Failure && warns.message.contains("a binding that denies"), "{warns:?}");
        let unbound = judged(|_, bindings| bindings.clear());
        assert!(unbound.message.contains("and 2 more"), "{unbound:?}");
        let other = judged(|policies, _| *policies = Shipped::to(&identity("elsewhere")).policies());
        assert!(other.result == Verdict::Failure && other.message.contains("another account"), "{other:?}");
        let open = judged(|policies, _| policies[0].spec.as_mut().unwrap().failure_policy = Some("Ignore".into()));
        assert_eq!(open.result, Verdict::Warning);
        let old = judged(|policies, _| drop(policies[0].spec.as_mut().unwrap().validations.as_mut().unwrap().pop()));
        assert_eq!(old.result, Verdict::Warning);
    }

    #[test]
    fn who_may_not_look_is_told_so() {
        let (shipped, who) = (Shipped::to(&identity("previews")), identity("previews"));
        let (policies, bindings) = (Err(Unseen::new("you may not")), Ok(Vec::new()));
        assert_eq!(super::policies(&shipped, &who, &There { policies: &policies, bindings: &bindings }).result, Verdict::NotChecked);
    }
}
