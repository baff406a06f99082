"""The rules by which the cluster refuses a task pod.

With KubernetesExecutor, a DAG's `pod_override` and `pod_template_file` win over the chart's template of a task pod
(apache-airflow-providers-cncf-kubernetes 10.17.1, `PodGenerator.construct_pod`). Its author could choose the labels,
service account and Secrets of the scheduler. A ValidatingAdmissionPolicy judges the pod that comes of it.

It judges pods that a service account of the namespace creates: task pods come from the scheduler's. Pods of the chart
and of Jobs come from Kubernetes' controllers, and the probe of `verify` from whoever runs it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.kube.api_audience import API_AUDIENCE
from components.kube.kube_object import KubeObject
from components.kube.metadata import cluster_labels
from components.kube.own_claims import OF_SERVERS
from components.kube.own_secrets import Holds, names_of

TYPE: Final = "airflow:index:TaskPodAdmission"
_API_VERSION: Final = "admissionregistration.k8s.io/v1"

_CHOSEN: Final = ("dataSource", "dataSourceRef", "selector", "volumeName")
"""What in the claim of an ephemeral volume fills it from another volume, or takes a volume that is there. The claim is
made by a controller, so whoever may create a pod needs no right to it."""
_FORBIDDEN: Final = rf"^((?:{names_of()})(-|$)|sh\.helm\.release\.)"
"""Names of the stack's Secrets, and of Helm's records, which hold all values of the release."""
_WORKERS: Final = rf"^(?:{names_of(Holds.WORKER_KEY, Holds.API_KEY, Holds.QUEUE, Holds.GIT)})-"
"""Names of those to which the chart's template of a task pod refers. A former one counts too: while a key rotates, the
scheduler still makes pods of the former template."""
_FIX: Final = "Fix: change the pod_override of the task, or the arguments of the operator"


@dataclass(frozen=True, kw_only=True)
class TaskPodAdmissionArgs:
    """Arguments of `TaskPodAdmission`."""

    namespace: str
    """Namespace of the task pods."""
    release_name: str
    """Value of the chart's label `release`."""
    scheduler_service_account: str
    """The chart's name of the scheduler's service account."""
    service_accounts: Sequence[str]
    """Service accounts that a task pod may have."""
    secrets: Sequence[str] = ()
    """Further Secrets, beside the stack's own, to which no task pod may refer."""


class TaskPodAdmission(pulumi.ComponentResource):
    """A ValidatingAdmissionPolicy and its binding, which pin what a task pod is and what it can read.

    Both belong to the whole cluster. Their generated names tell stacks apart, and they select one namespace.
    Raises: nothing of its own. The update fails where the cluster has no such resource (Kubernetes before 1.30), or
    where the deploying identity may not create it.
    Replaces: nothing; the rules change in place. Survives a destroy: nothing.
    """

    binding: KubeObject
    """The binding, without which the policy does nothing."""

    def __init__(self, name: str, args: TaskPodAdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"labels": cluster_labels(args.namespace)}
        spec = policy_spec(
            namespace=args.namespace,
            release_name=args.release_name,
            scheduler=args.scheduler_service_account,
            service_accounts=args.service_accounts,
            secrets=args.secrets,
        )
        # The name tells whoever looks at the whole cluster, and reads a refusal, whose it is.
        of_namespace = f"{name}-{args.namespace}"
        policy = KubeObject(
            _API_VERSION, "ValidatingAdmissionPolicy", of_namespace, {"metadata": metadata, "spec": spec}, child
        )
        self.binding = KubeObject(
            _API_VERSION,
            "ValidatingAdmissionPolicyBinding",
            of_namespace,
            {"metadata": metadata, "spec": {"policyName": policy.name, "validationActions": ["Deny"]}},
            child,
        )
        self.register_outputs({"policy": policy.name})


def policy_spec(
    *, namespace: str, release_name: str, scheduler: str, service_accounts: Sequence[str], secrets: Sequence[str] = ()
) -> Any:
    """Return the policy's spec. Pure.

    Args:
        namespace: Namespace of the pods.
        release_name: Value of the chart's label `release`.
        scheduler: Service account whose pods must be those of workers.
        service_accounts: Service accounts that the pods may have.
        secrets: Further Secrets, beside the stack's own, to which they may not refer.
    """
    allowed = f"!s.matches({_text(_FORBIDDEN)}) || s.matches({_text(_WORKERS)})"
    if secrets:
        allowed = f"({allowed}) && !(s in {json.dumps(list(secrets))})"
    user = f"system:serviceaccount:{namespace}:"
    worker = {"tier": "airflow", "component": "worker", "release": release_name}
    accounts = list(service_accounts)
    return {
        # A pod that the rules cannot judge is refused.
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["pods", "pods/ephemeralcontainers"],
                }
            ],
        },
        "matchConditions": [
            {
                "name": "by-an-account-of-the-namespace",
                "expression": f"request.userInfo.username.startsWith({_text(user)})",
            }
        ],
        "variables": [
            {"name": name, "expression": expression}
            for name, expression in {
                "labels": "object.metadata.?labels.orValue({})",
                "account": "object.spec.?serviceAccountName.orValue('')",
                "volumes": "object.spec.?volumes.orValue([])",
                "containers": (
                    "object.spec.containers + object.spec.?initContainers.orValue([])"
                    " + object.spec.?ephemeralContainers.orValue([])"
                ),
                "sources": "variables.volumes.map(v, v.?projected.?sources.orValue([]))",
                "secrets": (
                    "variables.containers.map(c, c.?env.orValue([])"
                    ".map(e, e.?valueFrom.?secretKeyRef.?name.orValue('')))"
                    " + variables.containers.map(c, c.?envFrom.orValue([]).map(e, e.?secretRef.?name.orValue('')))"
                    " + variables.volumes.map(v, [v.?secret.?secretName.orValue(''),"
                    " v.?csi.?nodePublishSecretRef.?name.orValue('')])"
                    " + variables.sources.map(s, s.map(p, p.?secret.?name.orValue('')))"
                ),
            }.items()
        ],
        "validations": [
            {"expression": expression, "message": f"{message}. {_FIX}.", "reason": "Forbidden"}
            for expression, message in (
                (
                    f"request.userInfo.username != {_text(user + scheduler)} || "
                    + " && ".join(
                        f"variables.labels[?{_text(key)}].orValue('') == {_text(value)}"
                        for key, value in worker.items()
                    ),
                    "The pod of a task has the labels " + ", ".join(f"{key}: {value}" for key, value in worker.items()),
                ),
                (
                    f"variables.labels[?'component'].orValue('worker') == {_text(worker['component'])}",
                    "The label component of another part of Airflow opens its network. Expected worker, or none",
                ),
                (
                    f"variables.account in {json.dumps(accounts)}",
                    f"The pod may run as the service account {' or '.join(accounts)} only "
                    "(airflow:taskServiceAccounts adds others)",
                ),
                (
                    "variables.sources.all(s, s.all(p, !has(p.serviceAccountToken)"
                    f" || !p.serviceAccountToken.?audience.orValue('').matches({_text(API_AUDIENCE)})))",
                    "The pod may have no token for the Kubernetes API",
                ),
                (
                    f"variables.secrets.all(list, list.all(s, {allowed}))",
                    "The pod refers to a Secret of the stack that workers do not have, such as the database's",
                ),
                (
                    "variables.volumes.all(v, "
                    f"!v.?persistentVolumeClaim.?claimName.orValue('').matches({_text(OF_SERVERS)}))",
                    "The pod mounts a volume of the database, of its dumps, of Redis or of another worker",
                ),
                (
                    "variables.volumes.all(v, "
                    + " && ".join(f"!v.?ephemeral.?volumeClaimTemplate.?spec.?{field}.hasValue()" for field in _CHOSEN)
                    + ")",
                    "An ephemeral volume of the pod may be new and empty only, without " + ", ".join(_CHOSEN),
                ),
                (
                    " && ".join(
                        [
                            *(f"!object.spec.?{key}.orValue(false)" for key in ("hostNetwork", "hostPID", "hostIPC")),
                            "variables.volumes.all(v, !has(v.hostPath))",
                            "variables.containers.all(c, !c.?securityContext.?privileged.orValue(false)"
                            " && !c.?securityContext.?allowPrivilegeEscalation.orValue(false))",
                        ]
                    ),
                    "The pod may have no privileges and nothing of its node",
                ),
            )
        ],
    }


def _text(value: str) -> str:
    """Return a literal of CEL, which takes JSON's escapes."""
    return json.dumps(value)
