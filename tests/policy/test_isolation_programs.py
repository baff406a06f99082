"""The rules about pods that run code of DAGs, on what the chart makes of values that would undo the isolation.

The program refuses each of these values. The rules judge what would come of them if it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policy.context import context_of
from policy.convert import objects_of
from policy.evaluate import evaluate_objects, evaluate_resources
from policy.model import Level
from policy.rules import isolation
from tests.cases import each
from tests.chart import rendering
from tests.policy.conftest import Recorded
from tests.policy.isolation_cases import ISOLATION
from tests.policy.programs import RELEASE, changed, set_at, values_of

HYBRID: Final = "prod by IRSA and KEDA"
"""A program with Celery workers and task pods."""


def own_secret(values: Mapping[str, Any], kind: str) -> str:
    """The name of the Secret with the database or with a key, as the values have it."""
    return str(values["data"]["metadataSecretName"] if kind == "database" else values[kind])


def variable(secret: str) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {"secretKeyRef": {"name": secret, "key": "connection"}}}


def volume(secret: str) -> dict[str, Any]:
    return {"name": "x", "secret": {"secretName": secret}}


def pod_template(values: Mapping[str, Any], spec: str = "", component: str = "worker") -> str:
    """A template of one's own for task pods."""
    return f"""
apiVersion: v1
kind: Pod
metadata:
  name: task
  labels: {{tier: airflow, component: {component}, release: airflow}}
spec:
  serviceAccountName: airflow-worker
  securityContext: {{runAsNonRoot: true, runAsUser: 50000, seccompProfile: {{type: RuntimeDefault}}}}
  {spec}
  containers:
    - name: base
      image: apache/airflow:3.2.2
      resources: {{requests: {{cpu: 1, memory: 1Gi}}, limits: {{memory: 1Gi}}}}
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""


def worse(values: dict[str, Any]) -> Mapping[str, Mapping[str, tuple[str, Any]]]:
    """What breaks each rule, and it alone: a path of the values and what is put there."""
    database, jwt = own_secret(values, "database"), own_secret(values, "jwtSecretName")
    fernet = own_secret(values, "fernetKeySecretName")
    sets, celery = "workers.celery.sets", values["workers"]["celery"]
    return {
        "dag-pods-labelled": {
            "a set": (sets, [{"name": "gpu", "replicas": 1, "labels": {"component": "scheduler"}}]),
            "task pods": ("workers.kubernetes.labels", {"component": "pgbouncer"}),
            "a template": ("podTemplate", pod_template(values, component="scheduler")),
            "the triggerer": ("triggerer.labels", {"component": "worker"}),
            "all pods": ("labels", {"tier": "x"}),
        },
        "workers-without-database": {
            "a variable": ("workers.celery.env", [*celery["env"], variable(database)]),
            "a set": (sets, [{"name": "gpu", "extraVolumes": [*celery["extraVolumes"], volume(database)]}]),
            "task pods": ("workers.kubernetes.extraVolumes", [volume(database)]),
            "a template": ("podTemplate", pod_template(values, f"volumes: [{volume(database)}]")),
            "all containers": ("extraEnvFrom", f"- secretRef: {{name: {database}}}"),
            "what the chart does": ("enableBuiltInSecretEnvVars.AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", True),
        },
        "keys-where-needed": {
            "workers": ("workers.celery.extraVolumes", [*celery["extraVolumes"], volume(jwt)]),
            "PgBouncer": ("pgbouncer.extraVolumes", [*values["pgbouncer"].get("extraVolumes", []), volume(fernet)]),
        },
        "dag-pods-without-token": {
            "workers": ("workers.celery.serviceAccount.automountServiceAccountToken", True),
            "the DAG processor": ("dagProcessor.serviceAccount.automountServiceAccountToken", True),
            "another account": ("triggerer.serviceAccount", {"create": False, "name": "powerful"}),
            "a template": ("podTemplate", pod_template(values, "automountServiceAccountToken: true")),
        },
        "pods-restricted": {
            "a set": (sets, [{"name": "gpu", "securityContexts": {"container": {"privileged": True}}}]),
            "a template": ("podTemplate", pod_template(values, "hostNetwork: true")),
        },
    }


CASES: Final = [
    (rule, what)
    for rule, changes in worse(
        {
            "data": {"metadataSecretName": ""},
            "jwtSecretName": "",
            "fernetKeySecretName": "",
            "workers": {"celery": {"env": [], "extraVolumes": []}},
            "pgbouncer": {},
        }
    ).items()
    for what in changes
]


@rendering.needs_chart
@each(("rule", "what"), CASES, ids=[f"{rule}: {what}" for rule, what in CASES])
def test_what_the_chart_makes_of_it_breaks_its_own_rule_alone(recorded: Recorded, rule: str, what: str) -> None:
    resources = recorded(HYBRID)
    path, to = worse(values_of(resources))[rule][what]
    changed_ones = changed(resources, RELEASE, "", lambda inputs: set_at(inputs["values"], path, to))
    objects = objects_of(rendering.objects(values_of(changed_ones)))
    violations = evaluate_objects(objects, context_of(resources), isolation.RULES)
    assert {violation.rule for violation in violations} == {rule}, list(map(str, violations))
    assert {violation.level for violation in violations} == {Level.MANDATORY}


def test_a_decision_makes_a_shared_log_volume_advisory() -> None:
    [given] = ISOLATION["task-logs-apart"].bad
    for decided, level in ((), Level.MANDATORY), (("task-logs-apart",), Level.ADVISORY):
        found = evaluate_resources(given.resources, context_of(given.resources, decided=decided))
        assert [item.level for item in found if item.rule == "task-logs-apart"] == [level]


def test_a_decision_makes_a_stack_without_isolation_advisory(recorded: Recorded) -> None:
    policies = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
    resources = [found for found in recorded("prod") if found.type != policies]
    for decided, level in ((), Level.MANDATORY), (("default-deny",), Level.ADVISORY):
        [violation] = evaluate_resources(resources, context_of(resources, decided=decided))
        assert (violation.rule, violation.level) == ("default-deny", level)
