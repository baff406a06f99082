"""A context of the user's keeps what the namespace demands, or is refused before a pod would be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.executor import Executor
from components.chart_values.security_contexts import POD
from components.chart_values.value_paths import at, nested
from components.chart_values.values import airflow_values
from components.chart_values.worker_group import WorkerGroup
from components.database.pgbouncer import PgBouncer
from components.kube.pod_security import CONTAINER, IDS, followed
from components.kube.pod_security_standard import violations
from components.release.job_pods import job_pod
from components.user_values.user_values import problems, with_helm_values
from tests import samples
from tests.cases import each
from tests.chart import rendering

if TYPE_CHECKING:
    from tests.conftest import Recorder

READ_ONLY: Final = {"container": {"readOnlyRootFilesystem": True}, "pod": {"runAsUser": 1000650000}}
PLACES: Final = ("scheduler", "apiServer", "workers.celery", "redis", "statsd", "scheduler.logGroomerSidecar")


def found(helm_values: dict[str, Any]) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema())


@each("place", PLACES)
def test_what_a_context_leaves_out_is_the_program_s(place: str) -> None:
    users = nested(f"{place}.securityContexts.container", {"readOnlyRootFilesystem": True})
    assert found(users) == []
    context = at(
        with_helm_values(airflow_values(samples.release_inputs()), users), f"{place}.securityContexts.container"
    )
    assert context == {**CONTAINER, "readOnlyRootFilesystem": True}


def test_context_of_a_set_is_completed_too() -> None:
    users = {"workers": {"celery": {"sets": [{"name": "gpu", "securityContexts": {"container": {"runAsUser": 7}}}]}}}
    [element] = at(with_helm_values(airflow_values(samples.release_inputs()), users), "workers.celery.sets")
    assert element["securityContexts"]["container"] == {**CONTAINER, "runAsUser": 7}


def test_context_of_a_group_is_completed_too() -> None:
    """Without, no pod of the group would be admitted."""
    contexts = {"pod": {"runAsUser": 7}, "container": {"readOnlyRootFilesystem": True}}
    group = WorkerGroup(name="gpu", queues=("gpu",), values={"securityContexts": contexts})
    values = airflow_values(samples.release_inputs(worker_groups=(group,)))
    for users, pod in (({}, {**POD, "runAsUser": 7}), (NO_IDS, {**without(POD, *IDS), "runAsUser": 7})):
        [element] = at(with_helm_values(values, users), "workers.celery.sets")
        container = {**CONTAINER, "readOnlyRootFilesystem": True}
        assert element["securityContexts"] == {"pod": pod, "container": container}


@rendering.needs_chart
def test_every_pod_with_contexts_of_the_user_s_is_admitted() -> None:
    users: dict[str, Any] = {key: {"securityContexts": READ_ONLY} for key in ("scheduler", "apiServer", "triggerer")}
    users |= {"workers": {"celery": {"securityContexts": READ_ONLY}}, "dagProcessor": {"securityContexts": READ_ONLY}}
    values = with_helm_values(airflow_values(samples.release_inputs()), users)
    for name, template in rendering.pod_templates(rendering.objects(values)):
        assert violations(template["spec"]) == [], name


@each(
    "context",
    [
        {"container": {"capabilities": {"drop": ["NET_RAW"]}}},
        {"container": {"capabilities": {"add": ["SYS_PTRACE"]}}},
        {"container": {"allowPrivilegeEscalation": None}},
        {"container": {"seccompProfile": {"type": "Unconfined"}}},
        {"pod": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    ],
)
def test_context_that_the_namespace_does_not_admit_is_refused(context: dict[str, Any]) -> None:
    for users in (
        nested("scheduler.securityContexts", context),
        {"workers": {"celery": {"sets": [{"name": "a", "securityContexts": context}]}}},
    ):
        [refused] = found(users)
        assert "Pod Security Standard restricted only" in refused


@each("key", ["extraContainers", "extraInitContainers"])
def test_additional_container_needs_a_context_that_is_admitted(key: str) -> None:
    container = {"name": "x", "image": "redis:7"}
    [refused] = found(nested(f"scheduler.{key}", [container]))
    assert refused.startswith(f"scheduler.{key}[0]: allowPrivilegeEscalation is not false, does not drop ALL")
    way = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert found(nested(f"scheduler.{key}", [{**container, "securityContext": way}])) == [], "the way"


# Users and groups that the cluster gives, as OpenShift does

NO_IDS: Final[dict[str, Any]] = {"securityContexts": {"pod": dict.fromkeys(IDS)}}
STACKS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "monitored, verified, with both executors": (
        "external",
        {
            "executor": "CeleryExecutor,KubernetesExecutor",
            "monitoring": "annotations",
            "metricsNamespaces": ["monitoring"],
            "backupStorageGib": 10,
        },
    ),
    "with DAGs in the image and a database in a container": ("dev", {"dagsDelivery": "image", "dagsSubPath": ""}),
    "with bundles": ("external", {"dagsDelivery": "git-bundle"}),
}


def ids(recorder: Recorder) -> set[str]:
    """Every user and group that a resource names, in documents of the preflight too."""
    text = " ".join(repr(item.revealed) for item in recorder.every())
    return {f"{field} {value}" for field, value in re.findall(rf"({'|'.join(IDS)})\W+(\w+)", text)}


@each("stack", STACKS)
def test_one_setting_takes_users_and_groups_from_every_pod(
    stack: str, registered: Callable[[samples.StackConfig], Recorder]
) -> None:
    base, changes = STACKS[stack]
    config = getattr(samples, base)().with_(changes)
    without = config.with_({"helmValues": NO_IDS})
    assert without.problems() == ()
    assert ids(registered(without)) == set()


@rendering.needs_chart
def test_no_pod_of_the_chart_names_a_user_or_a_group_then() -> None:
    inputs = samples.release_inputs(
        executor=Executor.CELERY_AND_KUBERNETES, pgbouncer=PgBouncer(replicas=2), metadata_retention_days=30
    )
    users = merged(
        NO_IDS, {"workers": {"celery": {"sets": [{"name": "gpu", "securityContexts": {"pod": {"x": None}}}]}}}
    )
    text = rendering.manifest(with_helm_values(airflow_values(inputs), users))
    assert "runAsNonRoot: true" in text
    assert not [line for line in text.splitlines() if any(f"{field}:" in line for field in IDS)]


def test_users_that_a_team_gives_stay_and_the_jobs_follow_them() -> None:
    users = {
        "securityContexts": {"pod": {"runAsUser": 1000650000, "fsGroup": None}},
        "redis": {"securityContexts": {"pod": {"runAsUser": 1000650001}}},
        "scheduler": {"securityContexts": {"pod": {"fsGroup": 7}}},
    }
    values = with_helm_values(airflow_values(samples.release_inputs()), users)
    assert at(values, "securityContexts.pod") == {**without(POD, "fsGroup"), "runAsUser": 1000650000}
    assert at(values, "redis.securityContexts.pod.runAsUser") == 1000650001
    assert "fsGroup" not in at(values, "redis.securityContexts.pod")
    scheduler = at(values, "scheduler.securityContexts.pod")
    assert scheduler == {**POD, "runAsUser": 1000650000, "fsGroup": 7}, "what it leaves out is that of all pods"
    assert job_pod(users).security == {"runAsUser": 1000650000, "fsGroup": None}
    assert followed(POD, job_pod(users).security) == {**without(POD, "fsGroup"), "runAsUser": 1000650000}


def without(context: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {key: value for key, value in context.items() if key not in fields}


@each("path", ["securityContexts", "securityContexts.pod", "securityContexts.containers", "redis.securityContexts"])
def test_context_that_is_null_says_nothing(path: str) -> None:
    """Without any, no pod would be admitted."""
    values = airflow_values(samples.release_inputs())
    assert with_helm_values(values, nested(path, None)) == values
