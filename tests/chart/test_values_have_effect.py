"""Every value of the chart that a stack accepts changes what Helm renders for it.

Marks are rendered several at once, spread over the chart's components. What is not found again is rendered alone, and
so is what holds no mark: about a hundred renders, in about a minute of one core.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.value_paths import at, nested
from components.user_values.surroundings import Surroundings
from components.user_values.user_values import problems, with_helm_values
from settings.sections import release
from tests import samples
from tests.chart import rendering

if TYPE_CHECKING:
    from tests.conftest import Recorder

CHANGES: Final[dict[str, Any]] = {"executor": "CeleryExecutor,KubernetesExecutor"}
"""What `prod` has beside its own: both kinds of workers."""
AT_ONCE: Final = 13
"""Renders among which the marks are spread."""
CONTEXT: Final = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
SAYS_WHAT_IS_SO: Final = {"workers.celery.livenessProbe.enabled", "workers.celery.serviceAccount.create"}
"""Switches without a default, which are on: their default is that of `workers`."""

FOLLOWED: Final = {
    f"{job}.{key}" for job in ("createUserJob", "migrateDatabaseJob") for key in ("priorityClassName", "resources")
}
"""Values that the program's own Jobs follow, which are no part of the chart's objects (see `job_pods`)."""


def leaves(schema: Mapping[str, Any], defaults: Any, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Path, schema and default of each value of the chart but airflow.cfg's and those of its database."""
    known = defaults if isinstance(defaults, Mapping) else {}
    for key in dict.fromkeys([*schema.get("properties", {}), *known]):
        below, default, path = schema.get("properties", {}).get(key, {}), known.get(key), f"{prefix}{key}"
        if path in ("config", "postgresql"):
            continue
        if below.get("properties") or (isinstance(default, Mapping) and default):
            yield from leaves(below, default, f"{path}.")
        else:
            yield path, below, default


def marked(path: str, schema: Mapping[str, Any], present: Any, mark: str) -> Any:
    """A value for a leaf with a mark in it, or another value than the present one where it can hold none."""
    key = path.rpartition(".")[2]
    shaped: dict[str, Any] = {
        "env": [{"name": mark, "value": mark}],
        "extraConfigMaps": {mark: {"data": "a: b"}},
        "extraContainers": [{"name": mark, "image": "redis:7", "securityContext": CONTEXT}],
        "extraEnv": f"- name: {mark}\n  value: x\n",
        "extraEnvFrom": f"- configMapRef: {{name: {mark}}}\n",
        "extraInitContainers": [{"name": mark, "image": "redis:7", "securityContext": CONTEXT}],
        "extraSecrets": {mark: {"data": "a: b"}},
        "podTemplate": f"kind: Pod\nmetadata: {{name: {mark}}}\n",
        "secret": [{"envName": mark, "secretName": mark}],
        "sets": [{"name": mark, "queue": mark}],
        "tolerations": [{"key": mark, "operator": "Exists"}],
        **{name: [{"name": mark, "emptyDir": {}}] for name in ("volumes", "extraVolumes")},
        **{name: [{"name": mark, "mountPath": f"/{mark}"}] for name in ("volumeMounts", "extraVolumeMounts")},
        **{name: [mark] for name in ("args", "command")},
    }
    given = schema.get("type")
    types = given if isinstance(given, list) else [given]
    if key in shaped:
        return shaped[key]
    if "enum" in schema:
        return next(choice for choice in schema["enum"] if choice not in (present, None))
    if "boolean" in types or isinstance(present, bool):
        return not present
    if "object" in types or isinstance(present, dict):
        return {mark: mark}
    if "array" in types or isinstance(present, list):
        return [{"name": mark, "value": mark}]
    if "integer" in types or "number" in types or isinstance(present, int | float):
        return int(mark.strip("z")) + 700_000
    return mark


def accepted(values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, Any, str]]:
    """Path, value and mark ("" for none) of each leaf that is not refused."""
    for number, (path, schema, default) in enumerate(leaves(chart_schema(), chart_values())):
        present = default if at(values, path) is None else at(values, path)
        value = marked(path, schema, present, f"zz{number}zz")
        mark = str(value) if isinstance(value, int) and not isinstance(value, bool) else f"zz{number}zz"
        if not problems(nested(path, value), chart_values(), chart_schema(), surroundings):
            yield path, value, mark if mark in repr(value) else ""


def rendered(values: Mapping[str, Any]) -> str:
    """What Helm installs; "" where a mark breaks the chart."""
    try:
        return rendering.manifest(values, validate=False)
    except AssertionError:
        return ""


def without_effect(values: Mapping[str, Any], surroundings: Surroundings) -> set[str]:
    """The accepted paths with which Helm renders the same as without."""
    found = list(accepted(values, surroundings))
    chunks = [[item for item in found if item[2]][start::AT_ONCE] for start in range(AT_ONCE)]

    def unseen(chunk: list[tuple[str, Any, str]]) -> list[tuple[str, Any, str]]:
        users: dict[str, Any] = {}
        for path, value, _ in chunk:
            users = merged(users, nested(path, value))
        text = rendered(with_helm_values(values, users))
        encoded = [(item, base64.b64encode(item[2].encode()).decode()[:6]) for item in chunk]
        return [item for item, secret in encoded if item[2] not in text and secret not in text]

    def same(item: tuple[str, Any, str]) -> bool:
        return rendered(with_helm_values(values, nested(item[0], item[1]))) == before

    with ThreadPoolExecutor(2) as pool:
        left = [item for items in pool.map(unseen, chunks) for item in items]
        left += [item for item in found if not item[2]]
        before = rendered(values)
        return {item[0] for item, dead in zip(left, pool.map(same, left), strict=True) if dead}


@rendering.needs_chart
def test_every_accepted_value_has_an_effect(
    registered: Callable[[samples.StackConfig], Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = samples.prod().with_(CHANGES)
    values = registered(config).one("kubernetes:helm.sh/v3:Release").revealed["values"]
    told: list[Surroundings] = []

    def keep(_: object, __: object, ___: object, surroundings: Surroundings) -> list[str]:
        told.append(surroundings)
        return []

    monkeypatch.setattr(release, "value_problems", keep)
    config.with_({"helmValues": {"labels": {"a": "b"}}}).parse()
    mounted = frozenset(f"zz{number}zz" for number, _ in enumerate(leaves(chart_schema(), chart_values())))
    assert without_effect(values, replace(told[0], mounted=mounted)) - SAYS_WHAT_IS_SO == FOLLOWED
