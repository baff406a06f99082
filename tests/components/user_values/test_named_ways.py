"""Whatever a refusal of a value names instead exists and is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values
from components.chart_values.managed_variables import MANAGED_VARIABLES
from components.chart_values.owned_values import OWNED
from components.chart_values.value_paths import nested
from components.user_values.dead_values import DEAD
from components.user_values.deprecated_values import deprecated_paths
from components.user_values.user_values import problems
from tests import samples

PATH: Final = re.compile(r"(?<![\w./:*…-])[a-z]\w*(?:\.[a-zA-Z]\w*)+")
"""A path of the chart in a text."""
KEY: Final = re.compile(r"airflow:(\w+)(…?)")
"""A config key, or the beginning of several."""
SAMPLES: Final[dict[str, Any]] = {
    "array": [],
    "boolean": True,
    "integer": 7,
    "number": 7,
    "object": {},
    "string": "x",
}


def refusals() -> Iterator[tuple[str, str]]:
    """Path and problem of each value that is refused wherever it is given."""
    owned = [
        *OWNED,
        *DEAD,
        *deprecated_paths(chart_schema()),
        *(f"webserver.{key}" for key in chart_values()["webserver"]),
    ]
    for path in owned:
        yield from ((path, problem) for problem in problems(nested(path, "x"), chart_values(), chart_schema()))
    for name in MANAGED_VARIABLES:
        given = {"env": [{"name": name, "value": "x"}]}
        yield from ((name, problem) for problem in problems(given, chart_values(), chart_schema()))


def instead(problem: str) -> str:
    """The part of a refusal that says what to do."""
    return problem.partition("; use ")[2]


def schema_at(path: str) -> dict[str, Any]:
    node: dict[str, Any] = chart_schema()
    for part in path.split("."):
        node = node.get("properties", {}).get(part, {})
    return node


def exists(path: str) -> bool:
    """Whether the chart has a value, or takes any below one that it has."""
    node: dict[str, Any] = chart_schema()
    for part in path.split("."):
        if "properties" not in node:
            return True
        if part not in node["properties"]:
            return False
        node = node["properties"][part]
    return True


def sample(path: str) -> Any:
    """A value that the chart's schema takes there."""
    given = schema_at(path).get("type")
    types = [given] if isinstance(given, str) else list(given or ())
    return next((SAMPLES[name] for name in types if name in SAMPLES), "x")


def test_config_keys_that_refusals_name_exist() -> None:
    keys = samples.schema()
    found = 0
    for path, problem in refusals():
        for name, more in KEY.findall(problem):
            found += 1
            assert any(key.startswith(name) for key in keys) if more else name in keys, (path, problem)
    assert found > 100


def test_values_of_the_chart_that_refusals_name_are_accepted() -> None:
    found = set()
    for path, problem in refusals():
        for way in PATH.findall(instead(problem)):
            if way.partition(".")[0] not in chart_schema()["properties"] or way == "pgbouncer.ini":
                continue  # no value of the chart
            found.add(way)
            assert exists(way), (path, problem)
            values = nested(way, sample(way))
            refused = problems(values, chart_values(), chart_schema())
            assert not [text for text in refused if "is set by the program" in text or "no effect here" in text], (
                problem
            )
            assert not [text for text in refused if "deprecated" in text or "not a value of the chart" in text], problem
    assert len(found) > 40
