"""The chart's own values and schema as released, and the way in which Helm merges values."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Final

from components.chart_values.schema_texts import schema_text
from components.kube.any_form import MAPS

FOLDER: Final = Path(__file__).parents[2] / "chart"
_MOST_PROBLEMS = 10
_NO_MAPS: Final = (str, int, float, list, NoneType)
"""Types that a value usually has. They are tried first, because `isinstance(…, Mapping)` is slow for them."""


@functools.cache
def chart_values() -> dict[str, Any]:
    """Return values.yaml of the pinned chart."""
    from components.kube.safe_yaml import load_yaml

    values: dict[str, Any] = load_yaml((FOLDER / "values.yaml").read_text())
    return values


@functools.cache
def chart_schema() -> dict[str, Any]:
    """Return values.schema.json of the pinned chart."""
    schema: dict[str, Any] = json.loads((FOLDER / "values.schema.json").read_text())
    return schema


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` on top, as Helm merges: maps key by key; everything else, lists too, is replaced."""
    result = {**base, **over}
    for key, value in over.items():
        if isinstance(value, _NO_MAPS):
            continue
        if isinstance(value, MAPS) and isinstance(below := base.get(key), MAPS):
            result[key] = merged(below, value)
    return result


def schema_problems(values: Mapping[str, Any]) -> list[str]:
    """Return where `values` violate the chart's schema, a sentence each. The engine would notice only during `up`."""
    import jsonschema

    validator = jsonschema.validators.validator_for(chart_schema())(chart_schema())
    errors = sorted(validator.iter_errors(values), key=lambda error: list(map(str, error.absolute_path)))
    return [schema_text(error) for error in errors[:_MOST_PROBLEMS]]
