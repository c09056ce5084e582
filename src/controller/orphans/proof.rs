//! Whether a namespace is provably one that the service made, and what it was made for. No client, no clock, no logging.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::api::baseline::ForgeKind;
use crate::api::names::{
    ANNOTATION_SOURCES, LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_MANAGED_BY, MANAGED_BY,
};
use crate::domain::names::{Subject, namespace_names};
use crate::domain::{Environment, EnvironmentName};

/// A pull request or branch that an environment was made for, as its namespace says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeFor {
    /// The forge.
    pub forge: ForgeKind,
    /// The repository's number.
    pub repository_id: i64,
    /// The repository's name at that time.
    pub repository: String,
    /// Number of the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<i64>,
    /// Name of the branch, where it was made for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

impl MadeFor {
    /// The pull request or branch.
    pub fn subject(&self) -> Option<Subject> {
        self.pull.map(Subject::Pull).or_else(|| self.branch.clone().map(Subject::Branch))
    }
}

/// What an environment is made for, as the annotation of its namespace.
pub fn made_for(environment: &Environment) -> Option<String> {
    let made_for = |source: &crate::domain::environment::Source| {
        let (pull, branch) = match &source.subject {
            Subject::Pull(number) => (Some(*number), None),
            Subject::Branch(name) => (None, Some(name.clone())),
        };
        let repository = source.repository.as_str().to_owned();
        MadeFor { forge: source.forge, repository_id: source.repository_id, repository, pull, branch }
    };
    let all: Vec<MadeFor> = environment.sources.iter().map(made_for).collect();
    serde_json::to_string(&all).ok().filter(|_| !all.is_empty())
}

/// A namespace that is ours by everything that can be known of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proven {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// UID of its environment.
    pub environment_uid: String,
    /// Namespace of its environment and of that one's Baseline.
    pub baseline_namespace: String,
    /// What it was made for: at least one.
    pub made_for: Vec<MadeFor>,
}

/// Proves that a namespace is ours, or says what speaks against it. A label alone can come with a copied manifest: the name has
/// to be one that we would have given to what the labels say, too.
pub fn proven(metadata: &ObjectMeta) -> Result<Proven, &'static str> {
    let label = |name: &str| metadata.labels.as_ref().and_then(|labels| labels.get(name)).filter(|value| !value.is_empty());
    if label(LABEL_MANAGED_BY).map(String::as_str) != Some(MANAGED_BY) {
        return Err("its label app.kubernetes.io/managed-by is not this service's");
    }
    let (Some(environment_uid), Some(environment), Some(baseline_namespace)) =
        (label(LABEL_ENVIRONMENT_UID), label(LABEL_ENVIRONMENT), label(LABEL_BASELINE_NAMESPACE))
    else {
        return Err("it does not carry all of this service's labels");
    };
    let (Some(name), Some(uid)) = (metadata.name.clone(), metadata.uid.clone()) else { return Err("it has no name or no UID") };
    let names = namespace_names(baseline_namespace, &EnvironmentName::recorded(environment));
    if name != names.preferred && name != names.hashed {
        return Err("its name is none that this service gives to the environment that its labels name");
    }
    let sources = metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_SOURCES));
    // Earlier releases wrote none. Nobody can be asked whether what it was made for has ended.
    let sources = sources.ok_or("nothing says what it was made for: it has no annotation preview-env.dev/sources")?;
    let made_for: Vec<MadeFor> = serde_json::from_str(sources).map_err(|_| "what it was made for cannot be read")?;
    if made_for.is_empty() {
        return Err("nothing says what it was made for: its annotation preview-env.dev/sources is empty");
    }
    Ok(Proven { name, uid, environment_uid: environment_uid.clone(), baseline_namespace: baseline_namespace.clone(), made_for })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn namespace() -> serde_json::Value {
        json!({"name": "shop-web-pr-42", "uid": "n1", "labels": {
            "app.kubernetes.io/managed-by": "preview-env", "preview-env.dev/environment": "web-pr-42",
            "preview-env.dev/environment-uid": "e1", "preview-env.dev/baseline-namespace": "shop", "team": "web"},
            "annotations": {"preview-env.dev/sources": r#"[{"forge":"github","repositoryId":7,"repository":"acme/web","pull":42}]"#}})
    }

    fn read(metadata: &serde_json::Value) -> Result<Proven, &'static str> {
        proven(&serde_json::from_value(metadata.clone()).unwrap())
    }

    #[test]
    fn a_namespace_that_we_made_is_proven_under_both_names() {
        let ours = read(&namespace()).unwrap();
        assert_eq!((ours.environment_uid.as_str(), ours.baseline_namespace.as_str(), ours.uid.as_str()), ("e1", "shop", "n1"));
        assert_eq!(ours.made_for[0].subject(), Some(Subject::Pull(42)));
        let mut hashed = namespace();
        hashed["name"] = json!(namespace_names("shop", &EnvironmentName::recorded("web-pr-42")).hashed);
        assert!(read(&hashed).is_ok());
    }

    #[test]
    fn one_that_does_not_say_what_it_was_made_for_is_left_alone() {
        for annotations in [json!(null), json!({}), json!({"preview-env.dev/sources": "[]"})] {
            let mut of_before = namespace();
            of_before["annotations"] = annotations;
            let why = read(&of_before).unwrap_err();
            assert!(why.starts_with("nothing says what it was made for"), "{why}");
        }
    }

    #[test]
    fn whatever_is_missing_or_another_one_proves_nothing() {
        for (field, value) in [
            ("/name", json!("precious")),
            ("/name", json!("shop-web-pr-43")),
            ("/name", json!("shop-web-pr-42-aaaaaaaa")),
            ("/labels/app.kubernetes.io~1managed-by", json!("helm")),
            ("/labels/preview-env.dev~1environment", json!("web-pr-43")),
            ("/labels/preview-env.dev~1environment", json!("")),
            ("/labels/preview-env.dev~1environment-uid", json!("")),
            ("/labels/preview-env.dev~1baseline-namespace", json!("shop-web")),
            ("/labels", json!({"preview-env.dev/environment-uid": "e1"})),
            ("/annotations/preview-env.dev~1sources", json!("web#42")),
            ("/uid", json!(null)),
        ] {
            let mut other = namespace();
            *other.pointer_mut(field).unwrap() = value.clone();
            assert!(read(&other).is_err(), "{field} {value}");
        }
    }
}
