//! An Ingress or a route whose every path an older one answers. Controllers let the oldest win; ingress-nginx refuses
//! the second one at admission, and copies are all of one age.
//! <https://kubernetes.github.io/ingress-nginx/how-it-works/#building-the-nginx-model> and
//! <https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule>

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::hosts::serves_hosts;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !serves_hosts(object) {
        return None;
    }
    let winner = facts.answers.as_ref()?.answered_by_others(object)?;
    because(format!("all of its paths are answered by {winner}, which is older"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::Manifest;
    use crate::plan::sample::{World, http_route, object};

    fn ingress(name: &str, created: &str, host: &str) -> Manifest {
        object("networking.k8s.io/v1", "Ingress", name)
            .with("/metadata/creationTimestamp", json!(created))
            .with("/spec/rules", json!([{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix"}]}}]))
    }

    #[test]
    fn the_older_of_two_answers() {
        let said = World::of([ingress("a", "2026-02-01", "shop.io"), ingress("b", "2026-01-01", "shop.io")]).plan().said();
        assert_eq!(said[0], "Ingress/a left out: all of its paths are answered by Ingress/b, which is older");
        let aged = |name: &str, created: &str| http_route(name, &["shop.io"]).with("/metadata/creationTimestamp", json!(created));
        let said = World::of([aged("a", "2026-02-01"), aged("b", "2026-01-01")]).plan().said();
        assert_eq!(said[0], "HTTPRoute/a left out: all of its paths are answered by HTTPRoute/b, which is older");
    }

    #[test]
    fn an_ingress_and_a_route_do_not_meet() {
        let plan = World::of([ingress("a", "2026-01-01", "shop.io"), http_route("a", &["shop.io"])]).plan();
        assert_eq!(plan.objects().count(), 2);
    }
}
