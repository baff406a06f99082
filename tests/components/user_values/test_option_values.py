"""Values of airflow.cfg's options that Airflow cannot read."""

from __future__ import annotations

from typing import Any

from components.chart_values.chart_defaults import chart_schema, chart_values
from components.user_values.airflow_options import OPTIONS
from components.user_values.option_values import option_value_problems
from components.user_values.user_values import problems
from tests.cases import each


def found(values: dict[str, Any]) -> list[str]:
    return problems(values, chart_values(), chart_schema())


def of(section: str, option: str, value: Any) -> list[str]:
    return [text for _, text in option_value_problems({"config": {section: {option: value}}})]


def test_every_value_that_airflow_reads_is_accepted() -> None:
    for option, values in {
        ("core", "parallelism"): (32, "32", " 32 ", "4.096e+03", 64.0, "-1", "{{ .Values.parallelism }}", None),
        ("scheduler", "scheduler_idle_sleep_time"): (1, "0.5", 0.5, "1e3"),
        ("core", "lazy_load_plugins"): (True, False, "True", "f", "1", 0, "true # because of ours"),
        ("celery", "task_logs_to_stdout"): ("", True),
        ("logging", "logging_level"): ("INFO", "WARN"),
        ("logging", "celery_logging_level"): ("", "DEBUG"),
        ("core", "default_timezone"): ("sixty", 60, ""),
        ("team", "parallelism"): ("sixty",),
        ("api", "expose_config"): ("non-sensitive-only", "True", False),
        ("scheduler", "scheduler_heartbeat_sec"): (5, "2.5"),
    }.items():
        for value in values:
            assert of(*option, value) == [], (option, value)


def test_what_airflow_cannot_read_is_refused_with_what_it_expects() -> None:
    for option, values, expected in (
        (("core", "parallelism"), ("sixty", "", True, "32.5", "inf", "nan", [1], "32 # more"), "a whole number"),
        (("api", "expose_config"), ("all",), "one of true or false, non-sensitive-only"),
        (("scheduler", "scheduler_idle_sleep_time"), ("a second", False), "a number"),
        (("core", "lazy_load_plugins"), ("yes", "on", "", 2, "none"), "true or false"),
        (
            ("logging", "logging_level"),
            ("info", "TRACE", 10),
            "one of CRITICAL, FATAL, ERROR, WARN, WARNING, INFO, DEBUG",
        ),
        (
            ("dag_processor", "file_parsing_sort_mode"),
            ("name",),
            "one of modified_time, random_seeded_by_host, alphabetical",
        ),
    ):
        for value in values:
            assert [
                f"config.{'.'.join(option)}: expected {expected}, found" in text for text in of(*option, value)
            ] == [True], (option, value)


@each(
    ("values", "path"),
    [
        ({"env": [{"name": "AIRFLOW__CORE__PARALLELISM", "value": "sixty"}]}, "env"),
        (
            {"workers": {"celery": {"env": [{"name": "AIRFLOW__CORE__PARALLELISM", "value": "x"}]}}},
            "workers.celery.env",
        ),
        ({"extraEnv": "- name: AIRFLOW__CORE__PARALLELISM\n  value: sixty\n"}, "extraEnv"),
    ],
)
def test_a_variable_is_judged_as_its_option(values: dict[str, Any], path: str) -> None:
    [problem] = found(values)
    assert problem.startswith(f"{path} AIRFLOW__CORE__PARALLELISM: expected a whole number, found")


def test_a_variable_whose_value_is_elsewhere_is_accepted() -> None:
    for entry in ({"value": "$(OTHER)"}, {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}):
        assert found({"scheduler": {"env": [{"name": "AIRFLOW__CORE__PARALLELISM", **entry}]}}) == []
    assert found({"env": [{"name": "AIRFLOW__CORE__DEFAULT_TIMEZONE_CMD", "value": "date"}]}) == []


def test_the_chart_s_own_defaults_can_be_read() -> None:
    assert list(option_value_problems({"config": chart_values()["config"]})) == []
    assert {kind for options in OPTIONS.values() for kind in options.values()} > {"text", "integer", "boolean"}
