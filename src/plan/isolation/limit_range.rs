//! The LimitRange of an environment: what a container gets that does not say what it needs, so that the quota takes it.

use serde_json::{Value, json};

use super::demand::{amounts, filled_in, loads};
use super::quota::given;
use super::{Extra, object, written};
use crate::api::names::OWN_OBJECT;
use crate::domain::baseline::isolation::{Amounts, Limits};
use crate::domain::quantity::Quantity;
use crate::plan::admission::Template;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;

/// The LimitRange, where the Baseline wants one.
pub fn limit_range(planned: &[&Manifest], context: &Context<'_>) -> Option<Extra> {
    let limits = effective(planned, context)?;
    let fields = [("defaultRequest", &limits.default_request), ("default", &limits.default), ("max", &limits.max)];
    let mut item = json!({"type": "Container"});
    for (field, amounts) in fields.into_iter().filter(|(_, amounts)| !amounts.is_empty()) {
        item[field] = written(amounts);
    }
    let mut manifest = object("v1", "LimitRange", OWN_OBJECT);
    manifest.set(&[], "spec", json!({"limits": [item]}));
    Some(Extra { manifest, why: "what a container gets that does not say what it needs".to_owned() })
}

/// The limits of the Baseline, and where its quota counts limits that nobody gives, a share of what is left for each
/// container without one: a quota refuses what has none.
pub fn effective(planned: &[&Manifest], context: &Context<'_>) -> Option<Limits> {
    let usual = context.target.isolated.then(Limits::usual);
    let mut limits = context.target.baseline.isolation.limits.clone().or(usual)?;
    let given = given(context).unwrap_or_default();
    for (key, hard) in &given {
        if let Some(resource) = key.strip_prefix("limits.").filter(|resource| !limits.default.contains_key(*resource))
            && let Some(amount) = share(planned, &limits, (resource, *hard))
        {
            limits.default.insert(resource.to_owned(), amount);
        }
    }
    Some(limits)
}

/// The share of each container without a limit, and at least what the greediest of them requests. Nothing where all have
/// one.
fn share(planned: &[&Manifest], limits: &Limits, (resource, hard): (&str, Quantity)) -> Option<Quantity> {
    let (mut left, mut open, mut least) = (hard, 0, Quantity::ZERO);
    for (container, times) in containers(planned) {
        if let Some(limit) = amounts(container, "limits").get(resource) {
            left = left - *limit * times;
        } else {
            open += times;
            least = least.max(filled_in(container, Some(limits)).0.get(resource).copied().unwrap_or_default());
        }
    }
    let unit = if resource == "cpu" { Quantity::milli(1) } else { Quantity::mebi(1) };
    (open > 0).then(|| left.share(open).in_steps_of(unit).max(least))
}

/// Every container of the plan, with how many of it there can be at once.
fn containers<'a>(planned: &'a [&Manifest]) -> impl Iterator<Item = (&'a Value, i64)> {
    planned.iter().flat_map(|object| {
        let times = loads(object, None).first().map_or(0, |load| load.times + load.surge);
        Template::of(object).into_iter().flat_map(|template| template.containers()).map(move |(_, container)| (container, times))
    })
}

/// Why the API server would refuse a container under these limits: the path below the pod's spec, and the reason.
pub fn refusal(template: &Template<'_>, limits: &Limits) -> Option<String> {
    template.containers().find_map(|(list, container)| {
        let why = too_much(container, limits)?;
        Some(format!("{why} ({}.{list}[{}].resources)", template.path, text(container, "name").unwrap_or("?")))
    })
}

fn too_much(container: &Value, range: &Limits) -> Option<String> {
    let (requests, limits) = filled_in(container, Some(range));
    let above = |asked: &Amounts, most: &Amounts| {
        let pairs = asked.iter().filter_map(|(name, amount)| Some((name.clone(), *amount, *most.get(name)?)));
        pairs.into_iter().find(|(_, amount, most)| amount > most)
    };
    if let Some((name, amount, most)) = above(&limits, &range.max).or_else(|| above(&requests, &range.max)) {
        return Some(format!("asks for {amount} of {name} in one container, and isolation.limitRange allows {most}"));
    }
    let (name, amount, limit) = above(&requests, &limits)?;
    Some(format!("requests {amount} of {name} where isolation.limitRange sets a limit of {limit}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::Manifest;
    use crate::plan::sample::{World, deployment, isolated};

    fn made(objects: Vec<Manifest>, isolation: Value) -> crate::plan::sample::Made {
        World::of(objects).baseline(|b| b.isolation = isolated(isolation)).plan()
    }

    fn with(resources: Value) -> Manifest {
        deployment("web").with("/spec/template/spec/containers/0/resources", resources)
    }

    fn range(objects: Vec<Manifest>, isolation: Value) -> Value {
        made(objects, isolation).find("LimitRange/preview-env-isolation").value()["spec"]["limits"][0].clone()
    }

    #[test]
    fn requests_have_a_default_and_limits_have_none() {
        assert_eq!(range(vec![], json!({})), json!({"type": "Container", "defaultRequest": {"cpu": "10m", "memory": "32Mi"}}));
    }

    #[test]
    fn a_quota_of_limits_gives_every_container_its_share() {
        let limited = with(json!({"limits": {"memory": "256Mi"}}));
        let (open, greedy) = (deployment("api"), deployment("big"));
        let quota = json!({"quota": {"hard": {"limits.memory": "1Gi"}}});
        // Two of each while they are updated: 2 x 256Mi are taken, and the rest is for two containers.
        assert_eq!(range(vec![limited.clone(), open.clone()], quota.clone())["default"], json!({"memory": "256Mi"}));
        assert_eq!(range(vec![limited.clone()], quota.clone()).get("default"), None, "all have one");
        let greedy = greedy.with("/spec/template/spec/containers/0/resources", json!({"requests": {"memory": "300Mi"}}));
        assert_eq!(range(vec![limited, open, greedy], quota)["default"], json!({"memory": "300Mi"}), "no less than it requests");
    }

    #[test]
    fn what_is_above_the_range_is_left_out_with_its_path() {
        let max = json!({"limitRange": {"max": {"cpu": "1"}}});
        let said = made(vec![with(json!({"limits": {"cpu": "2"}}))], max).said();
        let why = "Deployment/web left out: asks for 2 of cpu in one container, and isolation.limitRange allows 1 \
            (spec.template.spec.containers[web].resources)";
        assert!(said.contains(&why.to_owned()), "{said:?}");
        let default = json!({"limitRange": {"default": {"cpu": "1"}}});
        let said = made(vec![with(json!({"requests": {"cpu": "2"}}))], default).said();
        assert!(said.iter().any(|line| line.contains("requests 2 of cpu where isolation.limitRange sets a limit of 1")), "{said:?}");
    }

    #[test]
    fn without_a_quota_there_is_no_range_unless_it_is_asked_for() {
        let has_range = |isolation: Value| made(vec![], isolation).objects().any(|o| o.kind() == "LimitRange");
        assert!(!has_range(json!({"quota": {"mode": "None"}})));
        assert!(has_range(json!({"quota": {"mode": "None"}, "limitRange": {"max": {"cpu": "4"}}})));
    }
}
