"""Rules that keep code of DAGs away from the database, the keys and the cluster. They judge the resulting pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from components.kube.any_form import entries, mapping
from components.kube.own_claims import is_of_database
from components.kube.own_secrets import Holds, holds
from components.kube.pod_security_standard import violations
from policy.chart import airflow_values, has_task_pods
from policy.context import Context
from policy.dag_pods import WORKER, references, runs_dags, secrets_by_content, token_problem, variable_of
from policy.model import UNKNOWN, Finding, JudgedResource, RenderedObject, get, has_unknown
from policy.pods import SERVERS, containers, labels, pod_of
from policy.rule import Rule

_POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_ADMISSION: Final = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
_BINDING: Final = f"{_ADMISSION}Binding"
_TIER: Final = "airflow"

_NO_AIRFLOW: Final = ("redis", "statsd", "pgbouncer", "postgres", "otel-collector", "exporter")
"""Components in which Airflow does not run."""
_WORKERS_LACK: Final = (Holds.FERNET_KEY,)
"""Keys that are Airflow's own, and that neither workers nor task pods have."""
_ONLY: Final[Mapping[Holds, tuple[str, ...]]] = {
    Holds.JWT_SECRET: ("api-server", "scheduler"),
    Holds.REDIS_PASSWORD: ("redis",),
    Holds.OIDC: ("api-server",),
    Holds.CONNECTIONS: ("api-server", "scheduler", "dag-processor", "triggerer"),
    Holds.ADMIN_PASSWORD: (),
    Holds.OTHER_KEY: (),
}
"""The only components that run all the time and need a key."""


# Labels


def _labelled(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        component = runs_dags(rendered)
        found = get(pod_of(rendered), "metadata.labels")
        if component is None or found is UNKNOWN:
            continue
        wanted = {"tier": _TIER, "component": component}
        if rendered.kind != "Pod":
            wanted = {**mapping(get(rendered.body, "spec.selector.matchLabels")), **wanted}
        for label, value in wanted.items():
            own = labels(rendered).get(label)
            if own != value and UNKNOWN not in (own, value):
                text = f"the label {label} is {own!r}" if isinstance(own, str) else f"it has no label {label}"
                yield Finding.about(rendered, f"runs code of DAGs as {component}, and {text} instead of {value!r}")


# Secrets


def _without_database(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    content = secrets_by_content(objects)
    for rendered in objects:
        if runs_dags(rendered) != WORKER:
            continue
        for reference in references(rendered):
            if content.get(reference.secret) is Holds.DATABASE:
                yield Finding.about(rendered, f"{reference.place} refers to a Secret with {Holds.DATABASE}")
        for container in containers(rendered):
            for variable in entries(container.body.get("env")):
                if variable_of(variable.get("name")) is Holds.DATABASE:
                    yield Finding.about(rendered, f"container {container.name} has the variable {variable['name']}")
        for volume in entries(get(pod_of(rendered), "spec.volumes")):
            claim = mapping(get(volume, "ephemeral.volumeClaimTemplate.spec"))
            copied = [get(claim, f"{source}.name") for source in ("dataSource", "dataSourceRef")]
            if any(map(is_of_database, (get(volume, "persistentVolumeClaim.claimName"), *copied))):
                yield Finding.about(rendered, f"volume {volume.get('name')} holds the database or its dumps")


def _keys_where_needed(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    content = secrets_by_content(objects)
    fernet = {
        reference.secret
        for rendered in objects
        if runs_dags(rendered) != WORKER
        for reference in references(rendered)
        if variable_of(reference.variable) is Holds.FERNET_KEY
    }
    for rendered in objects:
        component = runs_dags(rendered) or labels(rendered).get("component")
        # A Job runs once, and the program makes it.
        if rendered.kind not in (*SERVERS, "Pod") or component is UNKNOWN:
            continue
        for reference in references(rendered):
            what = content.get(reference.secret)
            if what is None or what is Holds.DATABASE:
                continue
            lacked = holds(reference.secret) in _WORKERS_LACK or reference.secret in fernet
            foreign = component in _NO_AIRFLOW or (component == WORKER and lacked)
            if component not in _ONLY[what] if what in _ONLY else foreign:
                yield Finding.about(rendered, f"{reference.place} refers to a Secret with {what}, and needs none")


def _without_token(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    accounts = {
        found.name: found.body.get("automountServiceAccountToken")
        for found in objects
        if found.kind == "ServiceAccount"
    }
    for rendered in objects:
        problem = token_problem(rendered, accounts) if runs_dags(rendered) else None
        if problem is not None:
            yield Finding.about(rendered, problem)


# Privileges


def _restricted(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        for problem in violations(mapping(pod_of(rendered).get("spec"))):
            yield Finding.about(rendered, problem)


# What the cluster must refuse


def _default_deny(resources: Sequence[JudgedResource], context: Context) -> Iterator[Finding]:
    if context.disposable:
        return
    for release in resources:
        if airflow_values(release) is not None and not any(_denies(found, release) for found in resources):
            yield Finding.about(release, "no NetworkPolicy denies its pods what no other policy allows")


def _denies(policy: JudgedResource, release: JudgedResource) -> bool:
    """Tell whether a policy selects every pod beside a release, in both directions, and allows nothing."""
    if policy.type != _POLICY:
        return False
    spec, namespace = policy.inputs.get("spec"), get(policy.inputs, "metadata.namespace")
    if has_unknown(spec):
        return True
    selector = mapping(mapping(spec).get("podSelector"))
    allows = [rule for key in ("ingress", "egress") for rule in entries(mapping(spec).get(key))]
    types = mapping(spec).get("policyTypes")
    everywhere = isinstance(types, list) and {"Ingress", "Egress"} <= {str(item) for item in types}
    here = release.inputs.get("namespace")
    beside = UNKNOWN in (namespace, here) or namespace == here
    return everywhere and beside and not any(selector.values()) and not allows


def _pinned(resources: Sequence[JudgedResource], context: Context) -> Iterator[Finding]:
    for release in resources:
        values = airflow_values(release)
        if values is None or get(values, "executor") is UNKNOWN or not has_task_pods(values):
            continue
        denies = any(
            found.type == _BINDING and _has(found.inputs.get("spec"), "validationActions", "Deny")
            for found in resources
        )
        if not denies or not any(found.type == _ADMISSION for found in resources):
            yield Finding.about(release, "starts pods of tasks, and nothing pins their labels, account and Secrets")


def _logs_apart(resources: Sequence[JudgedResource], context: Context) -> Iterator[Finding]:
    for release in resources:
        values = airflow_values(release)
        if values is not None and not context.disposable and get(values, "logs.persistence.enabled") is True:
            yield Finding.about(release, "its tasks write their logs into a volume that the API server reads")


def _has(spec: Any, key: str, item: str) -> bool:
    found = get(spec, key)
    return found is UNKNOWN or (isinstance(found, list) and (item in found or UNKNOWN in found))


RULES: Final = (
    Rule(
        id="dag-pods-labelled",
        description="A pod that runs DAG code has the labels of its own component, by which network policies select "
        "it.",
        remedy="Remove tier, component and release from the labels in airflow:helmValues and in its podTemplate.",
        source="docs/architecture.md#network-isolation",
        objects=_labelled,
    ),
    Rule(
        id="workers-without-database",
        description="No pod that runs tasks refers to a Secret that opens the database, or has a volume of it.",
        remedy="Remove the Secret, the variable or the volume from airflow:helmValues. Tasks use the Execution API.",
        source="docs/adr/0005-workers-without-database.md",
        objects=_without_database,
    ),
    Rule(
        id="keys-where-needed",
        description="A pod refers to a key of the stack only if it needs it.",
        remedy="Remove the reference from airflow:helmValues, and use a Secret of your own.",
        source="docs/architecture.md#keys-and-secrets",
        objects=_keys_where_needed,
    ),
    Rule(
        id="dag-pods-without-token",
        description="No pod that runs DAG code has a token for the Kubernetes API.",
        remedy="Remove automountServiceAccountToken, the token's volume or the foreign service account.",
        source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
        objects=_without_token,
    ),
    Rule(
        id="pods-restricted",
        description="Every pod passes the Pod Security Standard restricted: no privileges, nothing of the host.",
        remedy="Remove it from airflow:helmValues. The namespace would not admit the pod.",
        source="https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
        objects=_restricted,
    ),
    Rule(
        id="default-deny",
        description="A NetworkPolicy denies each pod what no other policy allows, except in a laptop's stack.",
        remedy="Set airflow:networkIsolation to required. If you intend it, add a line to policy/decided.txt.",
        source="docs/policy.md#what-is-decided-on-purpose",
        needs_stack=True,
        stack=_default_deny,
        decidable=True,
    ),
    Rule(
        id="task-pods-pinned",
        description="With KubernetesExecutor, the cluster refuses a task pod with foreign labels, account or Secrets.",
        remedy="Undo the change that removed the ValidatingAdmissionPolicy or its binding.",
        source="docs/adr/0027-task-pods-are-pinned-by-admission.md",
        needs_stack=True,
        stack=_pinned,
    ),
    Rule(
        id="task-logs-apart",
        description="No task writes its log into a volume that the API server reads, except in a laptop's stack.",
        remedy="Set airflow:taskLogs to s3, remote or worker. If you intend it, add a line to policy/decided.txt.",
        source="docs/adr/0008-shared-log-volume.md",
        needs_stack=True,
        stack=_logs_apart,
        decidable=True,
    ),
)
