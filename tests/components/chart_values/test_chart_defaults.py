"""The chart's own files, and the sentences about values that break its schema."""

from __future__ import annotations

from components.chart_values.chart_defaults import chart_values, schema_problems


def test_chart_s_own_values_pass_its_schema() -> None:
    assert schema_problems(chart_values()) == []


def test_problem_names_the_path_and_the_fault() -> None:
    assert schema_problems({"scheduler": {"replicas": "two"}}) == ["scheduler.replicas: 'two' is not of type 'integer'"]
    assert schema_problems({"env": [{"value": "x"}]})[0].startswith("env.0: 'name' is a required property")


def test_problem_of_a_long_value_is_short_and_says_what_is_wrong() -> None:
    [problem] = schema_problems({"scheduler": {"replicas": "x" * 5000}})
    assert len(problem) < 300
    assert problem.endswith("is not of type 'integer'")


def test_many_problems_are_a_few_sentences() -> None:
    assert 1 < len(schema_problems({"scheduler": {f"unheardOf{n}": n for n in range(50)}, "statsd": 1})) <= 10
