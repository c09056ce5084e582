//! What has to happen to a pull request's environment, each with its sentence. Pure.

use preview_env::api::PreviewEnvironmentStatus;

use crate::milestone::Milestone;
use crate::story::Pull;

/// `the comment says: Preview of 60d4c8b is ready`.
fn heading(comment: &str) -> String {
    let heading = comment.lines().find_map(|line| line.strip_prefix("### ")).unwrap_or_default();
    format!("the comment says: {}", heading.replace('`', ""))
}

/// The object is there.
pub fn recorded(pull: &Pull) -> Milestone {
    let pull = pull.clone();
    Milestone::new("the environment is recorded", move |state| {
        state.environment(&pull.environment).map(|_| format!("environment {} is recorded", pull.environment))
    })
}

/// So many deliveries about it were accepted.
pub fn answered(pull: &Pull, count: usize) -> Milestone {
    let pull = pull.name.clone();
    Milestone::new("the delivery is accepted", move |state| match state.answers(&pull) {
        (answered, Some(status)) if answered >= count && (200..300).contains(&status) => {
            Some(format!("the delivery is answered: {status}"))
        }
        _ => None,
    })
}

/// Its namespace is there.
pub fn namespace_there(pull: &Pull) -> Milestone {
    let namespace = pull.namespace.clone();
    Milestone::new("the namespace is there", move |state| {
        state.has_namespace(&namespace).then(|| format!("namespace {namespace} is there"))
    })
}

/// Everything that follows from a commit is applied.
pub fn applied(pull: &Pull, revision: &str) -> Milestone {
    let (pull, revision) = (pull.clone(), revision.to_owned());
    Milestone::new("all objects are applied", move |state| {
        let status = state.applied(&pull.environment, &revision)?;
        Some(format!("all {} objects are applied in {}", status.inventory.len(), pull.namespace))
    })
}

/// All of its services are up.
pub fn ready(pull: &Pull, revision: &str) -> Milestone {
    let (pull, revision) = (pull.clone(), revision.to_owned());
    let count = |status: &PreviewEnvironmentStatus| {
        let up = status.services.iter().filter(|service| service.ready).count();
        format!("{up} of {} services are ready", status.services.len())
    };
    Milestone::new("the environment is ready", move |state| state.ready(&pull.environment, &revision).map(count))
}

/// The comment says so too.
pub fn comment_says_ready(pull: &Pull, revision: &str) -> Milestone {
    let (pull, revision) = (pull.clone(), revision.to_owned());
    Milestone::new("the comment says that it is ready", move |state| {
        let all = state.ready(&pull.environment, &revision)?.services.len();
        let says = [format!("Preview of `{}` is ready", &revision[..7]), format!("{all} of {all} services")];
        let text = state.comment(&pull.name)?;
        says.iter().all(|part| text.contains(part)).then(|| heading(text))
    })
}

/// The comment says that nothing is left.
pub fn comment_says_removed(pull: &Pull) -> Milestone {
    let pull = pull.clone();
    Milestone::new("the comment says that it is gone", move |state| {
        state.comment(&pull.name).filter(|text| text.contains("Preview removed")).map(heading)
    })
}

/// Every pod was told to stop.
pub fn pods_told(pull: &Pull) -> Milestone {
    let namespace = pull.namespace.clone();
    Milestone::new("all pods are told to stop", move |state| {
        (state.pods(&namespace).1 == 0).then(|| "all pods are told to stop".to_owned())
    })
}

/// Every pod is gone.
pub fn pods_gone(pull: &Pull) -> Milestone {
    let namespace = pull.namespace.clone();
    Milestone::new("all pods are gone", move |state| (state.pods(&namespace).0 == 0).then(|| "no pod is left".to_owned()))
}

/// Its namespace is gone.
pub fn namespace_gone(pull: &Pull) -> Milestone {
    let namespace = pull.namespace.clone();
    Milestone::new("the namespace is gone", move |state| {
        (!state.has_namespace(&namespace)).then(|| format!("namespace {namespace} is gone"))
    })
}

/// The object is gone.
pub fn object_gone(pull: &Pull) -> Milestone {
    let environment = pull.environment.clone();
    Milestone::new("the PreviewEnvironment is gone", move |state| {
        state.environment(&environment).is_none().then(|| format!("environment {environment} is gone"))
    })
}
