"""Nulls and numbers as Helm reads them: what the chart could not render, or would render as something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.executor import Executor
from components.chart_values.value_paths import at, nested
from components.chart_values.values import airflow_values
from components.database.pgbouncer import PgBouncer
from components.user_values.user_values import problems, with_helm_values
from tests import samples
from tests.cases import each
from tests.chart import rendering


def found(helm_values: dict[str, Any]) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema())


# Numbers in texts


def numbers(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The path of each value of the chart that may be a whole number."""
    for key, below in node.get("properties", {}).items():
        reference = str(below.get("$ref", "")).rpartition("/")[2]
        below = chart_schema()["definitions"].get(reference, below) if reference == "logGroomerConfigType" else below
        types = below.get("type")
        if {"integer", "number"} & {*(types if isinstance(types, list) else [types])}:
            yield f"{prefix}{key}"
        yield from numbers(below, f"{prefix}{key}.")


@rendering.needs_chart
def test_no_accepted_number_becomes_a_text_with_an_exponent() -> None:
    """Helm reads every number as one with a fraction. Kubernetes reads 1e+06 as a number; a command does not."""
    users: dict[str, Any] = {}
    for path in numbers(chart_schema()):
        for number in (1_234_567, 999_999):
            if not found(nested(path, number)):
                users = merged(users, nested(path, number))
                break
    assert at(users, "scheduler.logGroomerSidecar.maxSizeBytes") == 1_234_567
    assert at(users, "statsd.cache.size") == at(users, "databaseCleanup.batchSize") == 999_999
    inputs = samples.release_inputs(executor=Executor.KUBERNETES_AND_CELERY, metadata_retention_days=9)
    text = rendering.manifest(with_helm_values(airflow_values(inputs), users), validate=False)
    lines = [line.strip() for line in text.splitlines() if re.search(r"\de\+\d\d", line)]
    assert lines, "fields of Kubernetes have them"
    assert [line for line in lines if not re.fullmatch(r"\w+: \d\.\d+e\+\d\d", line)] == []


def test_larger_number_in_a_text_is_refused() -> None:
    for path in ("databaseCleanup.batchSize", "statsd.cache.size", "scheduler.logGroomerSidecar.retentionMinutes"):
        [told] = found(nested(path, 2_000_000))
        assert told.startswith(f"{path}: expected at most 999999")


# Nulls


def maps(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The path of each map of the chart with entries."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{prefix}{key}"
            yield from maps(value, f"{prefix}{key}.")


@rendering.needs_chart
def test_chart_renders_without_each_map_that_may_be_null() -> None:
    users: dict[str, Any] = {}
    accepted = [path for path in maps(chart_values()) if not found(nested(path, None))]
    for path in accepted:
        if not any(path.startswith(f"{other}.") for other in accepted):
            users = merged(users, nested(path, None))
    assert {"triggerer.strategy", "config.scheduler", "pgbouncer.containerLifecycleHooks"} <= {*accepted}
    inputs = samples.release_inputs(executor=Executor.KUBERNETES_AND_CELERY, pgbouncer=PgBouncer(replicas=2))
    assert rendering.manifest(with_helm_values(airflow_values(inputs), users))


@each(
    "path,way",
    [
        ("scheduler.logGroomerSidecar", "set scheduler.logGroomerSidecar.enabled to false"),
        ("apiServer.startupProbe", "leave it out"),
        ("kerberos", "set kerberos.enabled to false"),
        ("statsd.cache", "leave it out"),
    ],
)
def test_null_of_a_map_that_the_chart_reads_is_refused(path: str, way: str) -> None:
    [told] = found(nested(path, None))
    assert told == f"{path}: expected a map, found nothing, and the chart reads its entries; {way}"
    if way.startswith("set"):
        assert found(nested(f"{path}.enabled", False)) == []
