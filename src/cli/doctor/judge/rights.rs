//! Does the service hold what it needs, and no more? No client, no clock, no logging.

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::cli::doctor::finding::{Fact, Finding, Unseen, some_of};
use crate::cli::doctor::shipped::{ENVIRONMENT, Right, rights_of};

const RIGHTS: &str = "rights";
const EXCESS: &str = "excess";
/// As many rights as one line names.
const NAMED: usize = 4;
const APPLY: &str = "kubectl apply -f deploy/rbac.yaml, or helm upgrade, of the service's version";

/// A right, and whether it is held.
pub type Held = (Right, bool);

/// What the service holds everywhere and in its own namespace.
pub fn own(held: &Fact<Vec<Held>>) -> Finding {
    complete(held, "the service holds each right that it needs").map_or_else(|finding| finding, |finding| finding.mend(APPLY))
}

/// What it holds in a baseline's namespace.
pub fn in_baseline(namespace: &str, held: &Fact<Vec<Held>>) -> Finding {
    let mend = format!("as whoever administers {namespace}: preview plan -n {namespace} --rights | kubectl apply -f -");
    let judged = complete(held, "the service may read what is cloned here");
    judged.map_or_else(|finding| finding, |finding| finding.mend(mend)).about(namespace)
}

/// `Err` is one that needs no mending.
fn complete(held: &Fact<Vec<Held>>, well: &str) -> Result<Finding, Finding> {
    let held = held.as_ref().map_err(|why| Finding::not_checked(RIGHTS, why))?;
    let missing: Vec<&Right> = held.iter().filter(|(_, is_held)| !is_held).map(|(right, _)| right).collect();
    if missing.is_empty() {
        return Err(Finding::ok(RIGHTS, format!("{well} ({})", held.len())));
    }
    Ok(Finding::failure(RIGHTS, format!("the service may not {}", some_of(&missing, NAMED))))
}

/// What the ClusterRole gives that it is bound to inside environments.
pub fn in_environments(wanted: &[Right], rules: &Fact<Option<Vec<PolicyRule>>>) -> Finding {
    let rules = match rules {
        Ok(Some(rules)) => rules,
        Ok(None) => return Finding::failure(RIGHTS, format!("there is no ClusterRole {ENVIRONMENT}")).mend(APPLY),
        Err(why) => return Finding::not_checked(RIGHTS, why),
    };
    let given = rights_of(rules, None);
    let missing: Vec<&Right> = wanted.iter().filter(|wanted| !given.iter().any(|given| covers(given, wanted))).collect();
    if missing.is_empty() {
        return Finding::ok(RIGHTS, format!("environments give the service what it needs in them ({})", wanted.len()));
    }
    Finding::failure(RIGHTS, format!("in environments the service may not {}", some_of(&missing, NAMED))).mend(APPLY)
}

fn covers(given: &Right, wanted: &Right) -> bool {
    let fits = |given: &str, wanted: &str| given == wanted || given == "*";
    let named = given.name.is_none() || given.name == wanted.name;
    named && fits(&given.verb, &wanted.verb) && fits(&given.group, &wanted.group) && fits(&given.resource, &wanted.resource)
}

/// What nobody who follows `deploy/` gives it, worst first.
pub fn excessive() -> Vec<Right> {
    [
        ("*", "*", "*"),
        ("list", "", "secrets"),
        ("create", "", "pods"),
        ("impersonate", "", "users"),
        ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
    ]
    .map(|(verb, group, resource)| Right::everywhere(verb, group, resource))
    .into()
}

/// Whether it holds any of that.
pub fn excess(held: &Fact<Vec<Held>>) -> Finding {
    let held = match held {
        Ok(held) => held,
        Err(why) => return Finding::not_checked(EXCESS, why),
    };
    let too_much: Vec<&Right> = held.iter().filter(|(_, is_held)| *is_held).map(|(right, _)| right).collect();
    let mend = "find what gives it: kubectl get clusterrolebindings -o wide | grep preview-env; and delete that binding";
    match too_much.first() {
        None => Finding::ok(EXCESS, "the service is no cluster-admin, and lists no Secrets"),
        Some(all) if all.verb == "*" => {
            Finding::failure(EXCESS, "the service is cluster-admin: whoever took it over would have the cluster").mend(mend)
        }
        Some(_) => {
            Finding::warning(EXCESS, format!("the service may {} everywhere, and needs none of it", some_of(&too_much, NAMED))).mend(mend)
        }
    }
}

/// Without the service's account there is nobody to ask about.
pub fn nobody(why: &Unseen) -> Vec<Finding> {
    [RIGHTS, EXCESS].map(|check| Finding::not_checked(check, why)).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::doctor::finding::Verdict;

    fn right(verb: &str, group: &str, resource: &str) -> Right {
        Right::everywhere(verb, group, resource)
    }

    #[test]
    fn a_right_that_is_missing_is_named() {
        let nodes = (right("list", "", "nodes"), false);
        let routes = (right("watch", "gateway.networking.k8s.io", "httproutes"), false);
        let held = (right("list", "", "services"), true);
        assert_eq!(own(&Ok(vec![held.clone()])).result, Verdict::Ok);
        let missing = own(&Ok(vec![nodes.clone(), held.clone(), routes]));
        assert_eq!(missing.message, "the service may not list nodes, watch httproutes.gateway.networking.k8s.io");
        assert!(missing.result == Verdict::Failure && missing.mend.is_some());
        let there = in_baseline("shop", &Ok(vec![nodes]));
        assert!(there.mend.is_some_and(|mend| mend.contains("preview plan -n shop --rights")));
        assert_eq!(own(&Err(Unseen::new("you may not"))).result, Verdict::NotChecked);
    }

    #[test]
    fn cluster_admin_is_too_much() {
        let of = |held: [bool; 5]| excess(&Ok(excessive().into_iter().zip(held).collect()));
        assert_eq!(of([false; 5]).result, Verdict::Ok);
        assert_eq!(of([true; 5]).result, Verdict::Failure);
        let secrets = of([false, true, false, false, false]);
        assert!(secrets.result == Verdict::Warning && secrets.message.contains("list secrets"), "{secrets:?}");
    }

    #[test]
    fn what_environments_give_is_read_from_the_role() {
        let rules = |rules| Ok(Some(serde_json::from_value::<Vec<PolicyRule>>(rules).unwrap()));
        let wanted = [right("create", "apps", "deployments"), right("bind", "rbac.authorization.k8s.io", "clusterroles")];
        let named = json!({"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["view"]});
        let all = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
        assert_eq!(in_environments(&wanted, &rules(json!([all]))).result, Verdict::Ok);
        let missing = in_environments(&wanted, &rules(json!([named])));
        assert_eq!(
            missing.message,
            "in environments the service may not create deployments.apps, bind clusterroles.rbac.authorization.k8s.io"
        );
        assert_eq!(in_environments(&wanted, &Ok(None)).result, Verdict::Failure);
    }
}
