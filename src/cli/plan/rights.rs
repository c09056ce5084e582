//! `preview plan --rights`: what the service may do in the namespace of a Baseline, for `kubectl apply -f -`.

use serde_json::{Value, json};

use super::PlanArgs;
use crate::cli::Global;
use crate::cli::cluster::Cluster;
use crate::cli::errors::{Exit, Failure};
use crate::cli::output::print;
use crate::cli::target;
use crate::domain::Baseline;
use crate::plan::sources;

/// What `deploy/` has for every baseline's namespace, with a Role whose list of Secrets is to be filled in.
const ACCESS: &str = include_str!("../../../deploy/baseline-access.yaml");
/// Name of that Role and of its RoleBinding.
const SECRETS: &str = "preview-env:baseline-secrets";
/// The namespace of the service, where nobody says another one.
pub const SERVICE_NAMESPACE: &str = "preview-env";

/// Runs it.
pub async fn run(global: &Global, args: &PlanArgs) -> Result<Exit, Failure> {
    let cluster = Cluster::connect(global).await?;
    let baselines = target::usable(&cluster.namespace, &cluster.baselines().await?, args.baseline.as_deref())?;
    match baselines.as_slice() {
        [only] => print(&text(only, SERVICE_NAMESPACE)?)?,
        several => {
            let names: Vec<&str> = several.iter().map(|b| b.name.as_str()).collect();
            let failure = Failure::new(Exit::Usage, format!("namespace {} has {}", cluster.namespace, names.join(", ")));
            return Err(failure.next("name one: --baseline NAME"));
        }
    }
    Ok(Exit::Done)
}

/// The objects as one YAML stream, for a service that runs in that namespace.
pub fn text(baseline: &Baseline, service: &str) -> Result<String, Failure> {
    let mut text = format!("# What lets the service read namespace {0} for its Baseline {1}.\n", baseline.namespace, baseline.name);
    for object in objects(baseline, service)? {
        let document = serde_saphyr::to_string(&object).map_err(|why| Failure::failed(format!("cannot write the rights: {why}")))?;
        text.push_str("---\n");
        text.push_str(&document);
    }
    Ok(text)
}

/// The RoleBinding that lets the namespace be read, and where Secrets are copied a Role for exactly those.
pub fn objects(baseline: &Baseline, service: &str) -> Result<Vec<Value>, Failure> {
    let all: Vec<Value> = serde_saphyr::from_multiple(ACCESS).map_err(|why| Failure::failed(format!("cannot read the rights: {why}")))?;
    let secrets = sources(&baseline.secrets);
    let is_meant = |object: &Value| !secrets.is_empty() || object["metadata"]["name"] != SECRETS;
    let mut meant: Vec<Value> = all.into_iter().filter(is_meant).collect();
    for object in &mut meant {
        object["metadata"]["namespace"] = json!(baseline.namespace);
        if object["kind"] == "Role" {
            object["rules"][0]["resourceNames"] = json!(secrets);
        } else {
            object["subjects"][0]["namespace"] = json!(service);
        }
    }
    Ok(meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    fn rights(secrets: &Value) -> Vec<Value> {
        let spec = json!({"repositories": [{"name": "acme/web"}], "clone": {"secrets": secrets}});
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        objects(&Baseline::try_from(&object).unwrap(), "previews").unwrap()
    }

    #[test]
    fn exactly_the_secrets_that_are_read_are_granted_and_each_by_its_name() {
        let all =
            rights(&json!([{"name": "db", "from": "preview-db"}, {"name": "mail"}, {"name": "own", "set": {"KEY": "x"}, "keys": []}]));
        let role = all.iter().find(|object| object["kind"] == "Role").unwrap();
        let by_name = json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mail", "preview-db"], "verbs": ["get"]});
        assert_eq!(role["rules"], json!([by_name]));
        assert!(all.iter().all(|object| object["metadata"]["namespace"] == "shop"));
        let subjects: Vec<&Value> = all.iter().filter_map(|object| object.get("subjects")).collect();
        assert_eq!(subjects, [&json!([{"kind": "ServiceAccount", "name": "preview-env", "namespace": "previews"}]); 2]);
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn without_secrets_nothing_is_granted_on_any() {
        let all = rights(&json!([]));
        assert_eq!(all.iter().map(|o| o["metadata"]["name"].as_str().unwrap()).collect::<Vec<_>>(), ["preview-env:baseline-reader"]);
        assert!(!all.iter().any(|object| object.to_string().contains("secrets")));
    }
}
