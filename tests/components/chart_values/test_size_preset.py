"""Requests and limits: every container has them, they fit the chart, and no worker is evicted because of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from components.chart_values.chart_defaults import chart_values, schema_problems
from components.chart_values.size_preset import SizePreset, size_values, sync_parallelism
from tests.cases import each

SIZES: Final = (SizePreset.SMALL, SizePreset.MEDIUM, SizePreset.LARGE)
every_size = each("preset", SIZES)

TASK_PODS: Final = ("workers.celery", "workers.celery.logGroomerSidecar", "workers.kubernetes", "dags.gitSync")
"""Containers of pods that run tasks. git-sync's one setting is for all pods, those included."""

NOT_DEPLOYED: Final = re.compile(
    r"flower|webserver|cleanup|(createUser|migrateDatabase)Job|otelCollector|.*[kK]erberos.*"
)


def paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Paths of what has a `resources`."""
    for key, value in values.items():
        if key == "resources":
            yield prefix.removesuffix(".")
        elif isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{key}.")


def resources(values: Mapping[str, Any], path: str) -> dict[str, dict[str, str]]:
    found: Any = values
    for part in path.split("."):
        found = found[part]
    kinds: dict[str, dict[str, str]] = found["resources"]
    return kinds


def amount(text: str) -> int:
    """Millicores, or MiB."""
    number, unit = text.removesuffix("Mi").removesuffix("m"), text[-1]
    assert unit in "mi", text
    return int(number)


def of(preset: SizePreset, concurrency: int = 16) -> dict[str, dict[str, dict[str, str]]]:
    values = size_values(preset, concurrency)
    return {path: resources(values, path) for path in paths(values)}


def test_laptop_has_neither_requests_nor_limits() -> None:
    assert size_values(SizePreset.NONE, 16) == {}
    assert sync_parallelism(SizePreset.NONE) is None


@every_size
def test_every_container_that_the_chart_deploys_has_its_size(preset: SizePreset) -> None:
    """Every other key of workers is deprecated; see test_values.py."""
    known = {path for path in paths(chart_values()) if path != "workers" and not NOT_DEPLOYED.match(path)}
    deployed = {path for path in known if not re.match(r"workers\.(?!celery|kubernetes)", path)}
    assert set(of(preset)) == deployed


@every_size
@each("concurrency", [1, 16, 64, 1000])
def test_sizes_pass_the_chart_s_schema(preset: SizePreset, concurrency: int) -> None:
    assert schema_problems(size_values(preset, concurrency)) == []


@given(st.sampled_from(SIZES), st.integers(1, 1000))
def test_nothing_asks_for_more_than_it_may_use(preset: SizePreset, concurrency: int) -> None:
    for path, kinds in of(preset, concurrency).items():
        assert set(kinds["requests"]) == {"cpu", "memory", "ephemeral-storage"}, path
        assert set(kinds["limits"]) <= {"memory", "ephemeral-storage"}, "a CPU limit stops a process that is in a hurry"
        assert "memory" in kinds["limits"], path
        for kind, limit in kinds["limits"].items():
            assert 0 < amount(kinds["requests"][kind]) <= amount(limit), (path, kind)


@every_size
def test_no_task_is_evicted_because_it_wrote_a_file(preset: SizePreset) -> None:
    """The limits of a pod's containers are added up, and the pod is evicted whole; none must be there to add."""
    for path, kinds in of(preset).items():
        assert ("ephemeral-storage" in kinds["limits"]) is (path not in TASK_PODS), path


def test_larger_preset_is_larger_everywhere() -> None:
    for smaller, larger in ((SizePreset.SMALL, SizePreset.MEDIUM), (SizePreset.MEDIUM, SizePreset.LARGE)):
        below, above = of(smaller), of(larger)
        grown = 0
        for path, kinds in below.items():
            for kind, quantities in kinds.items():
                for name, text in quantities.items():
                    assert amount(above[path][kind][name]) >= amount(text), (path, kind, name)
                    grown += amount(above[path][kind][name]) > amount(text)
        assert grown >= 20
        assert (sync_parallelism(larger) or 0) >= (sync_parallelism(smaller) or 0) >= 1


@every_size
@given(concurrency=st.integers(1, 500))
def test_worker_grows_with_its_tasks(preset: SizePreset, concurrency: int) -> None:
    """By what a task needs that imports one operator: 130 MiB (measured)."""
    one = of(preset, concurrency)["workers.celery"]
    two = of(preset, 2 * concurrency)["workers.celery"]
    for kind, name, least in (("requests", "cpu", 50), ("requests", "memory", 130), ("limits", "memory", 260)):
        assert amount(two[kind][name]) - amount(one[kind][name]) >= concurrency * least
    # Nothing else runs a worker's tasks.
    few, many = of(preset, concurrency), of(preset, concurrency + 1)
    assert [path for path in few if few[path] != many[path]] == ["workers.celery"]


@every_size
def test_api_server_has_memory_for_its_imports(preset: SizePreset) -> None:
    found = of(preset)["apiServer"]
    assert amount(found["requests"]["memory"]) >= 1024
    assert amount(found["limits"]["memory"]) >= 2048
