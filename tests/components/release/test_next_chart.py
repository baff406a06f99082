"""What the chart after 1.22.0 adds and removes (main of apache/airflow in November 2026), on stand-ins of it."""

from __future__ import annotations

import copy
from typing import Any

from components.chart_values.chart_defaults import chart_schema, chart_values
from components.chart_values.value_paths import nested
from components.user_values.deprecated_values import deprecated_paths
from components.user_values.user_values import problems


def without(paths: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values and schema of a chart that has removed these."""
    values, schema = copy.deepcopy(chart_values()), copy.deepcopy(chart_schema())
    for path in paths:
        *parents, key = path.split(".")
        node, value = schema, values
        for parent in parents:
            node, value = node["properties"][parent], value.get(parent) or {}
        del node["properties"][key]
        value.pop(key, None)
    return values, schema


def uses(found: list[str]) -> list[str]:
    """What each problem says to use instead."""
    return [problem.partition("; ")[2] for problem in found]


def test_removed_value_is_refused_with_its_new_place_as_a_deprecated_one_is() -> None:
    paths = [*deprecated_paths(chart_schema())]
    assert len(paths) > 50
    later = without(paths)
    for path in paths:
        given = nested(path, "x")
        now, then = problems(given, chart_values(), chart_schema()), problems(given, *later)
        assert then, path
        if "has no effect while" not in then[0]:  # what is off is said instead
            assert uses(then) == uses(now), path


def test_what_the_next_chart_adds_is_owned_or_judged_already() -> None:
    values, schema = copy.deepcopy(chart_values()), copy.deepcopy(chart_schema())
    values["extraObjects"], schema["properties"]["extraObjects"] = [], {"type": "array"}
    values["apiServer"]["httpRoute"] = {"enabled": False}
    schema["properties"]["apiServer"]["properties"]["httpRoute"] = {"type": "object"}
    given = {
        "extraObjects": [{"apiVersion": "v1", "kind": "Pod"}],
        "apiServer": {"httpRoute": {"enabled": True, "hostnames": ["a.example.com"]}},
    }
    objects, route = sorted(problems(given, values, schema), key=lambda text: text.startswith("apiServer"))
    assert objects.startswith("extraObjects is set by the program; leave it out, because no policy would judge")
    assert route.startswith("apiServer.httpRoute")
    assert "airflow:ingressGateway" in route
