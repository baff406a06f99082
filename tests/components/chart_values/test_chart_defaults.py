"""The chart's own files, and the sentences about values that break its schema."""

from __future__ import annotations

from components.chart_values.chart_defaults import chart_values, schema_problems


def test_chart_s_own_values_pass_its_schema() -> None:
    assert schema_problems(chart_values()) == []
