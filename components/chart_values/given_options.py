"""Where Helm values set an option of airflow.cfg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.chart_values.managed_variables import listed_variables
from components.chart_values.value_paths import at


def given_options(helm_values: Mapping[str, Any], option: str) -> Iterator[tuple[str, Any]]:
    """Yield path and value of each place that sets an option of airflow.cfg: the option itself, and variables."""
    value = at(helm_values, option)
    if value is not None:
        yield option, value
    _, section, key = option.split(".")
    variable = f"AIRFLOW__{section}__{key}".upper()
    yield from ((path, value) for path, name, value in listed_variables(helm_values) if name == variable)
    text = helm_values.get("extraEnv")
    found = (
        re.search(rf"\b{variable}\b[\"']?\s*\n?\s*(?:,\s*)?value:\s*([^\n}}]*)", text)
        if isinstance(text, str)
        else None
    )
    if found is not None:
        yield "extraEnv", found[1].strip().strip("\"'")
