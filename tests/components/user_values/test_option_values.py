"""Values of airflow.cfg's options that Airflow cannot read."""

from __future__ import annotations

from typing import Any

import pytest

from components.chart_values.chart_defaults import chart_schema, chart_values
from components.user_values import option_values
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
        ("core", "plugins_folder"): ("sixty", 60, ""),
        ("core", "hostname_callable"): ("airflow.utils.net.get_host_ip_address", "", "{{ .Values.x }}"),
        ("celery", "mp_start_method"): ("spawn", ""),
        ("fab", "session_backend"): ("securecookie",),
        ("fab", "cookie_samesite"): ("Strict", "lax", "None"),
        ("api", "server_type"): ("uvicorn", "Gunicorn"),
        ("celery", "pool"): ("threads", "{{ .Values.pool }}"),
        ("celery_broker_transport_options", "visibility_timeout"): (86400, "86400", "0.5"),
        ("core", "default_timezone"): ("America/Sao_Paulo", "UTC", "utc", "system", "{{ .Values.zone }}"),
        ("secrets", "backend_kwargs"): ('{"url": "https://v"}', "", None, "$(KWARGS)"),
        ("openlineage", "transport"): ('{"type": "console"}',),
        ("fab", "auth_backends"): ("airflow.providers.fab.auth_manager.api.auth.backend.session, team.auth",),
        ("secrets", "backend"): ("airflow.providers.hashicorp.secrets.vault.VaultBackend", "team.Backend"),
        ("logging", "log_format"): ("[%%(asctime)s] %%(message)s", "100%%", '{{ printf "%s" "x" }}'),
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
        (("api", "server_type"), ("uvicron", ""), "one of uvicorn, gunicorn"),
        (("fab", "cookie_samesite"), ("laxx", ""), "one of Lax, Strict, None"),
        (
            ("celery", "pool"),
            ("Prefork", "thread", ""),
            "one of prefork, eventlet, gevent, solo, threads, processes, custom",
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


def test_map_in_json_is_refused_in_another_form_and_never_shown() -> None:
    for section, option in (
        ("secrets", "backend_kwargs"),
        ("kubernetes_executor", "delete_option_kwargs"),
        ("openlineage", "transport"),
    ):
        for value in ("{'token': 'hunter2'}", "[1]", "hunter2", {"token": "hunter2"}):
            [text] = of(section, option, value)
            assert text.endswith("expected a map in JSON, with double quotes, as one text, found something else")


def test_time_zone_or_module_that_airflow_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(option_values, "_zones", lambda: frozenset({"Europe/Berlin"}))
    for zone in ("Europe/Berln", "CEST", "", 60):
        [text] = of("core", "default_timezone", zone)
        assert "expected a time zone such as Europe/Berlin, utc or system, found" in text
    monkeypatch.setattr(option_values, "_zones", lambda: frozenset[str]())
    assert of("core", "default_timezone", "Europe/Berln") == [], "this machine knows none"
    [text] = of("secrets", "backend", "airflow.contrib.secrets.hashicorp_vault.VaultBackend")
    assert text.endswith("found one of airflow.contrib, which it lacks")
    for module in ("airflow.api.auth.backend.basic_auth", "team.auth, airflow.api.auth.backend.session"):
        [text] = of("fab", "auth_backends", module)
        assert "such as airflow.providers.fab.auth_manager.api.auth.backend.session, found" in text


def test_name_in_python_is_refused_in_another_form() -> None:
    for value in ("airflow.utils.net:getfqdn", "getfqdn", "a.b c", 60):
        [text] = of("core", "hostname_callable", value)
        assert "expected a name in Python with its package, such as package.module.name, found" in text
    for section, option, value in (
        ("core", "mp_start_method", "thread"),
        ("fab", "session_backend", "redis"),
        ("celery_broker_transport_options", "visibility_timeout", "24h"),
    ):
        assert len(of(section, option, value)) == 1


def test_percent_sign_that_airflow_cfg_reads_as_a_reference_is_refused() -> None:
    for value in ("[%(asctime)s] %(message)s", "100%", "%%Y-%m"):
        [text] = of("logging", "log_format", value)
        assert text.endswith("double it")
        variable = {"env": [{"name": "AIRFLOW__LOGGING__LOG_FORMAT", "value": value}]}
        assert list(option_value_problems(variable)) == [], "a variable is read as it is"


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
