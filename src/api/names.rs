//! Labels, annotations, the finalizer and the field managers.
//!
//! A second server-side apply by one manager that sends only its own entry takes away what it sent
//! before, so every part of a spec that has an owner of its own has a manager of its own.

/// Held by every environment until nothing of it is left, so that `kubectl delete` cleans up too.
pub const FINALIZER: &str = "preview-env.dev/clean-up";

/// Name of the environment that an object belongs to. For people and selectors, never proof of ownership.
pub const LABEL_ENVIRONMENT: &str = "preview-env.dev/environment";
/// UID of the PreviewEnvironment that an object belongs to: the proof of ownership.
pub const LABEL_ENVIRONMENT_UID: &str = "preview-env.dev/environment-uid";
/// Namespace of the Baseline that an object was cloned from.
pub const LABEL_BASELINE_NAMESPACE: &str = "preview-env.dev/baseline-namespace";
/// Says of an environment's namespace that nobody approved what runs in it.
pub const LABEL_TRUST: &str = "preview-env.dev/trust";
/// The value of [`LABEL_TRUST`].
pub const TRUST_ISOLATED: &str = "isolated";
/// Name of the hook that a Job of ours belongs to.
pub const LABEL_HOOK: &str = "preview-env.dev/hook";
/// The recommended label that says which tool made an object.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`LABEL_MANAGED_BY`] on everything that we make.
pub const MANAGED_BY: &str = "preview-env";
/// Kubernetes' own label that says which pods a namespace takes (Pod Security Standards).
pub const LABEL_POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";
/// Kubernetes' own labels of the Pod Security Standards: what is refused, what is answered with a warning, what is noted
/// in the audit log. Each has a second one with the version of the standard.
pub const POD_SECURITY_MODES: [&str; 3] = ["enforce", "warn", "audit"];
/// Prefix of those labels.
pub const POD_SECURITY_PREFIX: &str = "pod-security.kubernetes.io/";
/// Label of namespaces from which requests come to the pods of environments: where an ingress controller or a gateway
/// runs. Its value is `true`.
pub const LABEL_INGRESS: &str = "preview-env.dev/ingress";
/// Beginning of the names of objects that every environment has beside the copies.
pub const OWN_PREFIX: &str = "preview-env-";
/// Name of the NetworkPolicy, the ResourceQuota and the LimitRange of an environment.
pub const OWN_OBJECT: &str = "preview-env-isolation";
/// Hash of an object as we applied it; what was changed since by others shows as a different one.
pub const ANNOTATION_APPLIED_HASH: &str = "preview-env.dev/applied-hash";

/// Annotation of a Baseline by which a person lets through the removals that are held. Its value is the time that the condition
/// `RemovalsHeld` names.
pub const ANNOTATION_CONFIRM_REMOVALS: &str = "preview-env.dev/confirm-removals";
/// Annotation of an environment's namespace that says which pull requests or branches it was made for, as JSON. It is not
/// changed afterwards.
pub const ANNOTATION_SOURCES: &str = "preview-env.dev/sources";

/// Annotation of the Lease that says how much was written to the forge within the last hour, as JSON, for whoever leads next.
pub const ANNOTATION_WRITES: &str = "preview-env.dev/writes";

/// Field manager of everything that the controller applies inside an environment's namespace.
pub const MANAGER_CONTROLLER: &str = "preview-env";
/// Field manager of the status that the controller derives.
pub const MANAGER_STATUS: &str = "preview-env/status";
/// Field manager of `status.feedback` and of the condition about it.
pub const MANAGER_FEEDBACK: &str = "preview-env/feedback";
/// Field manager of `status.lookup` and of the condition about it.
pub const MANAGER_LOOKUP: &str = "preview-env/lookup";
/// Field manager of a Baseline's `status.doubtedAt`.
pub const MANAGER_DOUBT: &str = "preview-env/doubt";
/// Field manager of a Baseline's `status.removals` and of the condition about them.
pub const MANAGER_REMOVALS: &str = "preview-env/removals";
/// Field manager of `spec.wish`.
pub const MANAGER_WISH: &str = "preview-env/wish";
/// Field manager of `spec.refresh`.
pub const MANAGER_REFRESH: &str = "preview-env/refresh";
/// Field manager of `spec.lifetime`.
pub const MANAGER_LIFETIME: &str = "preview-env/lifetime";
/// Field manager of `spec.images`.
pub const MANAGER_IMAGES: &str = "preview-env/images";
/// Field manager of `status.commands`.
pub const MANAGER_COMMANDS: &str = "preview-env/commands";
/// Field manager of `status.probe` and of the condition about it.
pub const MANAGER_PROBE: &str = "preview-env/probe";
/// Field manager of `spec.activity`.
pub const MANAGER_ACTIVITY: &str = "preview-env/activity";
/// Field manager of `spec.approval`.
pub const MANAGER_APPROVAL: &str = "preview-env/approval";
/// Field manager of `spec.lifetime.extendedUntil`.
pub const MANAGER_EXTENSION: &str = "preview-env/extension";
/// Field manager of `spec.lifetime.pinned`.
pub const MANAGER_PIN: &str = "preview-env/pin";

/// Label that Kubernetes gives to every namespace, with its name.
pub const LABEL_NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// ClusterRole whose rights the service holds inside an environment's namespace, by a RoleBinding made there.
pub const CLUSTER_ROLE_ENVIRONMENT: &str = "preview-env:environment";
/// Label of ClusterRoles whose rights the service gets inside environments, beside its own.
pub const LABEL_AGGREGATE_ENVIRONMENT: &str = "preview-env.dev/aggregate-to-environment";
/// Label of ClusterRoles whose rights the service gets inside baselines, beside its own.
pub const LABEL_AGGREGATE_READER: &str = "preview-env.dev/aggregate-to-baseline-reader";
/// Name of the RoleBinding that gives the service its rights in an environment's namespace.
pub const ROLE_BINDING: &str = "preview-env";

/// Field manager of one command.
pub fn manager_command(id: &str) -> String {
    format!("preview-env/command-{id}")
}

/// Field manager of one entry of `spec.images` that a command asked for. `hash` stands for the image's repository.
pub fn manager_image(hash: &str) -> String {
    format!("preview-env/image-{hash}")
}

/// Field manager of one source of an environment: one per forge and repository.
pub fn manager_source(forge: &str, repository_id: i64) -> String {
    format!("preview-env/source-{forge}-{repository_id}")
}
