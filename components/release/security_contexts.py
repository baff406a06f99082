"""Completes the security contexts that users give: fields that they leave out come from the program's own.

The chart takes the context of a component in place of the common one, and does not merge the two (templates/
_helpers.yaml, `airflowPodSecurityContext` and `containerSecurityContext`). A context with `runAsUser` alone would lose
what the namespace demands of every pod, and no pod of the component would start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.kube.pod_security import AIRFLOW_UID, CONTAINER, GIT_SYNC_UID, pod_security_context
from components.kube.pod_security_standard import violations
from components.release.chart_defaults import merged

POD: Final = pod_security_context(AIRFLOW_UID, gid=0, fs_group=GIT_SYNC_UID)
"""The context of the pods of Airflow."""
_CONTEXTS: Final = "securityContexts"
_OF_POD: Final = "pod"
_OWN: Final = ("redis", "statsd", "pgbouncer")
"""Components with contexts of the program's own, with which Helm merges the user's."""
_CONTAINERS: Final = ("extraContainers", "extraInitContainers")


def completed(helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with each security context of a component completed by the program's."""
    return {
        key: value if key in (_CONTEXTS, *_OWN) else _completed(value) if isinstance(value, Mapping) else value
        for key, value in helm_values.items()
    }


def _completed(value: Any) -> Any:
    if isinstance(value, list):
        return [_completed(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {key: _contexts(item) if key == _CONTEXTS else _completed(item) for key, item in value.items()}


def _contexts(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    return {
        key: merged(POD if key == _OF_POD else CONTAINER, context)
        if isinstance(context, Mapping) and context
        else context
        for key, context in given.items()
    }


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
    for key, context in contexts.items() if isinstance(contexts, Mapping) else ():
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
