"""A context of the user's keeps what the namespace demands, or is refused before a pod would be."""

from __future__ import annotations

from typing import Any, Final

from components.kube.pod_security import CONTAINER
from components.kube.pod_security_standard import violations
from components.release.chart_defaults import chart_schema, chart_values
from components.release.user_values import problems, with_helm_values
from components.release.value_paths import at, nested
from components.release.values import airflow_values
from tests import samples
from tests.cases import each
from tests.chart import rendering

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
