//! What is done with each kind that Kubernetes and the Gateway API have in namespaces.

use super::Stage::{Needed, Workloads};
use super::Treatment::{Cloned, LeftOut, Listed, OptIn, Unread};
use super::{Kind, Known, Treatment};

const OWN_RIGHTS: &str = "gives rights, and clone.include does not name it";
const REQUEST: &str = "is a question to the API server, which keeps nothing of it";
const PAST: &str = "tells what happened in the baseline";
const DEVICES: &str = "asks for devices of the baseline's nodes, which environments do not get";
const PORT: &str = "takes a port of the Gateway, which one can have at a time";
const OURS: &str = "says what is previewed, and is no part of it";

const fn built_in(kind: Kind, treatment: Treatment) -> Known {
    Known { kind, treatment, installed: false }
}

const fn installed(kind: Kind, treatment: Treatment) -> Known {
    Known { kind, treatment, installed: true }
}

/// Every kind that is known. A kind that a newer Kubernetes brings is decided here.
pub static KINDS: &[Known] = &[
    // What runs pods.
    built_in(Kind::new("apps/v1", "Deployment", "deployments"), Cloned(Workloads)),
    built_in(Kind::new("apps/v1", "StatefulSet", "statefulsets"), Cloned(Workloads)),
    built_in(Kind::new("apps/v1", "DaemonSet", "daemonsets"), Cloned(Workloads)),
    built_in(
        Kind::new("batch/v1", "Job", "jobs"),
        OptIn(Workloads, "ran for the baseline, and is not run once more unless clone.include names it"),
    ),
    built_in(Kind::new("batch/v1", "CronJob", "cronjobs"), Cloned(Workloads)),
    built_in(Kind::new("apps/v1", "ReplicaSet", "replicasets"), LeftOut("is no Deployment, and only through one are its pods cloned")),
    built_in(
        Kind::new("v1", "ReplicationController", "replicationcontrollers"),
        LeftOut("is no Deployment, and only through one are its pods cloned"),
    ),
    built_in(Kind::new("v1", "Pod", "pods"), LeftOut("runs by itself, and only workloads are cloned: make it a Deployment or a Job")),
    built_in(Kind::new("v1", "PodTemplate", "podtemplates"), LeftOut("runs nothing: no part of Kubernetes makes pods of it")),
    built_in(Kind::new("apps/v1", "ControllerRevision", "controllerrevisions"), Unread("is the history of a workload")),
    // What pods mount, run as and are reached by.
    built_in(Kind::new("v1", "Service", "services"), Cloned(Needed)),
    built_in(Kind::new("v1", "ConfigMap", "configmaps"), Cloned(Needed)),
    built_in(Kind::new("v1", "Secret", "secrets"), Listed(Needed)),
    built_in(Kind::new("v1", "ServiceAccount", "serviceaccounts"), Cloned(Needed)),
    built_in(Kind::new("v1", "PersistentVolumeClaim", "persistentvolumeclaims"), Cloned(Needed)),
    built_in(Kind::new("networking.k8s.io/v1", "Ingress", "ingresses"), Cloned(Needed)),
    built_in(Kind::new("v1", "Endpoints", "endpoints"), Unread("is made by Kubernetes for its Service")),
    built_in(
        Kind::new("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
        LeftOut("holds addresses that were filled in by hand for the baseline"),
    ),
    built_in(Kind::new("resource.k8s.io/v1", "ResourceClaim", "resourceclaims"), LeftOut(DEVICES)),
    built_in(Kind::new("resource.k8s.io/v1", "ResourceClaimTemplate", "resourceclaimtemplates"), LeftOut(DEVICES)),
    built_in(Kind::new("storage.k8s.io/v1", "CSIStorageCapacity", "csistoragecapacities"), Unread("tells what room a storage driver has")),
    // What is set about pods. A role comes before whatever refers to it: the API server looks it up.
    built_in(Kind::new("rbac.authorization.k8s.io/v1", "Role", "roles"), OptIn(Needed, OWN_RIGHTS)),
    built_in(Kind::new("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"), OptIn(Workloads, OWN_RIGHTS)),
    built_in(
        Kind::new("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        OptIn(Workloads, "would add pods, and clone.include does not name it"),
    ),
    built_in(
        Kind::new("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        LeftOut("would hold up the draining of nodes, since there is one pod of each workload"),
    ),
    built_in(
        Kind::new("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        LeftOut("speaks of the baseline's peers, and what an environment may reach is said by isolation"),
    ),
    built_in(Kind::new("v1", "ResourceQuota", "resourcequotas"), LeftOut("is the share of the baseline, not of an environment")),
    built_in(Kind::new("v1", "LimitRange", "limitranges"), LeftOut("is set for the baseline, not for an environment")),
    // What nobody wants a copy of.
    built_in(Kind::new("v1", "Event", "events"), Unread(PAST)),
    built_in(Kind::new("events.k8s.io/v1", "Event", "events"), Unread(PAST)),
    built_in(Kind::new("coordination.k8s.io/v1", "Lease", "leases"), Unread("says who leads in the baseline right now")),
    built_in(Kind::new("coordination.k8s.io/v1beta1", "LeaseCandidate", "leasecandidates"), Unread("says who may lead in the baseline")),
    built_in(
        Kind::new("certificates.k8s.io/v1beta1", "PodCertificateRequest", "podcertificaterequests"),
        Unread("is made by a node for one pod of the baseline"),
    ),
    built_in(Kind::new("scheduling.k8s.io/v1alpha1", "Workload", "workloads"), Unread("speaks of pods of the baseline")),
    built_in(Kind::new("scheduling.k8s.io/v1alpha1", "PodGroup", "podgroups"), Unread("speaks of pods of the baseline")),
    built_in(Kind::new("v1", "Binding", "bindings"), Unread(REQUEST)),
    built_in(Kind::new("authorization.k8s.io/v1", "LocalSubjectAccessReview", "localsubjectaccessreviews"), Unread(REQUEST)),
    // The Gateway API and what is installed as often.
    installed(Kind::new("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"), Cloned(Needed)),
    installed(Kind::new("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes"), Cloned(Needed)),
    installed(
        Kind::new("gateway.networking.k8s.io/v1", "TLSRoute", "tlsroutes"),
        LeftOut("passes TLS on unopened, so the certificate behind it is the baseline's"),
    ),
    installed(
        Kind::new("gateway.networking.k8s.io/v1", "Gateway", "gateways"),
        LeftOut("is an address of the cluster, which environments share"),
    ),
    installed(
        Kind::new("gateway.networking.k8s.io/v1", "ListenerSet", "listenersets"),
        LeftOut("is a part of a Gateway, which environments share"),
    ),
    installed(Kind::new("gateway.networking.k8s.io/v1", "TCPRoute", "tcproutes"), LeftOut(PORT)),
    installed(Kind::new("gateway.networking.k8s.io/v1", "UDPRoute", "udproutes"), LeftOut(PORT)),
    installed(
        Kind::new("gateway.networking.k8s.io/v1", "BackendTLSPolicy", "backendtlspolicies"),
        LeftOut("names the certificates of the baseline's pods"),
    ),
    installed(
        Kind::new("gateway.networking.k8s.io/v1", "ReferenceGrant", "referencegrants"),
        LeftOut("lets other namespaces into the baseline, not into environments"),
    ),
    installed(Kind::new("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "volumesnapshots"), LeftOut("is a copy of the baseline's data")),
    installed(Kind::new("preview-env.dev/v1alpha1", "Baseline", "baselines"), Unread(OURS)),
    installed(Kind::new("preview-env.dev/v1alpha1", "PreviewEnvironment", "previewenvironments"), Unread(OURS)),
];
