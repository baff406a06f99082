"""Completes the security contexts that users give: fields that they leave out come from the program's own.

The chart takes the context of a component in place of the common one, and does not merge the two (templates/
_helpers.yaml, `airflowPodSecurityContext` and `containerSecurityContext`). A context with `runAsUser` alone would lose
what the namespace demands of every pod, and no pod of the component would start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.chart_defaults import merged
from components.chart_values.value_paths import at, nested
from components.kube.any_form import mapping
from components.kube.pod_security import AIRFLOW_UID, CONTAINER, GIT_SYNC_UID, IDS, followed, pod_security_context
from components.kube.pod_security_standard import violations

POD: Final = pod_security_context(AIRFLOW_UID, gid=0, fs_group=GIT_SYNC_UID)
"""The context of the pods of Airflow."""
_CONTEXTS: Final = "securityContexts"
_OF_POD: Final = "pod"
_OWN: Final = ("redis", "statsd", "pgbouncer", "dags")
"""Components with contexts of the program's own, with which Helm merges the user's."""
_WITH_IDS: Final = (*(f"{name}.securityContexts.pod" for name in _OWN[:3]), "dags.gitSync.securityContexts.container")
"""Contexts of these components that name users and groups."""
_SAID: Final = "securityContexts.pod"
_CONTAINERS: Final = ("extraContainers", "extraInitContainers")


def said_of_all_pods(helm_values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a pod's security context that a team gives for all pods; null takes one away."""
    return mapping(at(helm_values, _SAID))


def completed(helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with each security context of a component completed: by the one for all, then the program's.

    A context that is null says nothing: without any, no pod would be admitted.
    """
    pod, container = _of_all(helm_values)
    return {
        key: _stripped(value) if key in (_CONTEXTS, *_OWN) else _completed(value, pod, container)
        for key, value in helm_values.items()
        if key != _CONTEXTS or value is not None
    }


def completed_sets(sets: list[Any], helm_values: Mapping[str, Any]) -> list[Any]:
    """Return the elements that worker groups become, with each security context completed in the same way."""
    completed_elements: list[Any] = _completed(sets, *_of_all(helm_values))
    return completed_elements


def _of_all(helm_values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the context of all pods, and of all containers."""
    said = mapping(at(helm_values, "securityContexts.containers"))
    return followed(POD, said_of_all_pods(helm_values)), followed(CONTAINER, said)


def _stripped(value: Any) -> Any:
    """Return the values without contexts that are null."""
    if not isinstance(value, Mapping):
        return value
    of_contexts = (_CONTEXTS, _OF_POD, "container", "containers")
    return {key: _stripped(item) for key, item in value.items() if item is not None or key not in of_contexts}


def _completed(value: Any, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_completed(item, pod, container) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _contexts(item, pod, container) if key == _CONTEXTS else _completed(item, pod, container)
        for key, item in value.items()
    }


def _contexts(given: Any, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Any:
    if not isinstance(given, Mapping):
        return given
    return {
        key: followed(merged(pod if key == _OF_POD else container, context), {})
        if isinstance(context, Mapping) and context
        else context
        for key, context in given.items()
    }


def with_ids_of_all(values: Mapping[str, Any], helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without the users and groups that a team takes away from all pods, wherever they are.

    values: with the user's on top. A component for which the user gives one has that.
    """
    taken = [field for field, value in said_of_all_pods(helm_values).items() if field in IDS and value is None]
    result = dict(values)
    for path in _WITH_IDS if taken else ():
        context = at(result, path)
        if isinstance(context, Mapping):
            left = {
                field: value
                for field, value in context.items()
                if field not in taken or at(helm_values, f"{path}.{field}") is not None
            }
            # A map takes the place of a map only after something else: it would be merged.
            result = merged(merged(result, nested(path, None)), nested(path, left))
    return result


def context_problems(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and problem of each context, and of each additional container, that the namespace does not admit."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from context_problems(item, f"{path}[{number}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            at = f"{path}.{key}" if path else str(key)
            if key == _CONTEXTS:
                yield from _problems_of(item, at)
            elif key in _CONTAINERS and isinstance(item, list):
                for number, container in enumerate(item):
                    yield from _problems_in(container, f"{at}[{number}]")
            else:
                yield from context_problems(item, at)


def _problems_of(contexts: Any, path: str) -> Iterator[tuple[str, str]]:
    for key, context in mapping(contexts).items():
        if not isinstance(context, Mapping):
            continue
        spec = (
            {"securityContext": merged(POD, context)}
            if key == _OF_POD
            else {"securityContext": POD, "containers": [{"securityContext": merged(CONTAINER, context)}]}
        )
        for problem in violations(spec):
            yield f"{path}.{key}", _not_admitted(f"{path}.{key}", problem.removeprefix("None: "))


def _problems_in(container: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(container, Mapping):
        return
    found = violations({"securityContext": POD, "containers": [{**container, "name": "x"}]})
    if found:
        yield path, _not_admitted(path, ", ".join(problem.removeprefix("x: ") for problem in found))


def _not_admitted(path: str, problem: str) -> str:
    return (
        f"{path}: {problem}, and the namespace admits pods of the Pod Security Standard restricted only; give the "
        "container allowPrivilegeEscalation: false and capabilities.drop: [ALL], and no privileges"
    )
