"""Values that one part of the deployment would follow and the others not: refused, with what all of them read."""

from __future__ import annotations

from typing import Any

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.value_paths import nested
from components.user_values.user_values import problems
from tests.cases import each


def found(helm_values: dict[str, Any]) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema())


@each(
    ("path", "line", "says"),
    [
        ("workers.celery.args", "exec airflow celery worker --concurrency 4", "has --concurrency; use airflow:worker"),
        ("workers.celery.args", "exec airflow celery worker -c 4", "has -c; use airflow:workerConcurrency"),
        ("workers.celery.args", "exec airflow celery worker --autoscale=8,2", "has --autoscale; use airflow:worker"),
        ("workers.celery.args", "airflow celery worker -q default,gpu", "has -q; use workers.celery.queue"),
        ("apiServer.args", "exec airflow api-server --workers 40", "has --workers; use config.api.workers"),
        ("apiServer.args", "exec airflow api-server -p 9090", "has -p; leave it out, because workers"),
        ("apiServer.args", "exec airflow api-server --apps core", "has --apps; leave it out, because one without"),
        ("apiServer.args", "exec airflow api-server --ssl-cert /x", "has --ssl-cert; use airflow:ingressHost"),
    ],
)
def test_argument_that_values_do_not_tell_is_refused(path: str, line: str, says: str) -> None:
    for given in (["bash", "-c", line], line.split()):
        for key in (path, path.replace(".args", ".command")):
            [told] = found(nested(key, given))
            assert told.startswith(key)
            assert says in told


def test_other_arguments_are_accepted() -> None:
    for path, line in (
        ("workers.celery.args", "python /opt/wait.py -c 3 && exec airflow celery worker --skip-serve-logs"),
        ("workers.celery.args", "exec my-worker --concurrency 4"),
        ("apiServer.args", "exec airflow api-server --worker-timeout 300"),
        ("scheduler.args", "exec airflow scheduler --num-runs 5"),
        ("triggerer.args", "exec airflow triggerer --capacity 500"),
    ):
        assert found(nested(path, ["bash", "-c", line])) == [], line


def test_option_by_which_components_understand_each_other_is_for_all_of_them() -> None:
    for option in ("api_auth.jwt_audience", "database.sql_alchemy_schema"):
        section, name = option.split(".")
        variable = {"name": f"AIRFLOW__{section}__{name}".upper(), "value": "team"}
        for path in ("scheduler.env", "workers.celery.env"):
            [told] = found(nested(path, [variable]))
            assert told.endswith(f"use config.{option}"), told
        assert found({"env": [variable]}) == []
        assert found(nested(f"config.{option}", "team")) == []


def test_api_server_listens_where_the_others_ask() -> None:
    for host in ("127.0.0.1", "localhost", "10.0.0.7"):
        for values in (
            nested("config.api.host", host),
            nested("apiServer.env", [{"name": "AIRFLOW__API__HOST", "value": host}]),
        ):
            [told] = found(values)
            assert "expected every address, such as 0.0.0.0 or ::, found another" in told
    for host in ("0.0.0.0", "::"):  # noqa: S104 - nothing listens
        assert found(nested("config.api.host", host)) == []
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        [told] = found(nested(f"apiServer.{probe}.scheme", "HTTPS"))
        assert "would never be ready" in told
        assert found(nested(f"apiServer.{probe}.scheme", "HTTP")) == [], "many files say so"


@each(
    ("path", "instead"),
    [
        ("config.fab.config_file", "use apiServer.apiServerConfig, or apiServer.apiServerConfigConfigMapName"),
        ("config.celery.worker_autoscale", "use airflow:workerConcurrency"),
        ("pgbouncer.mountConfigSecret", "leave it out, because the program writes pgbouncer.ini"),
    ],
)
def test_value_that_undoes_what_the_program_gives_is_refused(path: str, instead: str) -> None:
    """Another file would let everybody log in by password beside airflow:oidcIssuer."""
    [told] = found(nested(path, "/opt/other.py"))
    assert told.startswith(f"{path} is set by the program; {instead}")
    if path.startswith("config."):
        _, section, option = path.split(".")
        variable = f"AIRFLOW__{section}__{option}".upper()
        [told] = found({"apiServer": {"env": [{"name": variable, "value": "x"}]}})
        assert instead in told


def test_sign_that_is_in_no_queue_is_refused() -> None:
    """The chart writes queues into a command as they are: after a space, the worker would end at once."""
    for queue in ("default, etl", "etl;default", "default etl", "$(x)", "a'b"):
        for values in (
            nested("workers.celery.queue", queue),
            nested("workers.celery.sets", [{"name": "a", "queue": queue}]),
        ):
            [told] = [text for text in found(values) if "write them as a,b" in text]
            assert "queue: expected queues with commas alone between them" in told
    for queue in ("default,etl", "etl-1.high:a", "{{ .Values.mine }}, x"):
        assert found(nested("workers.celery.queue", queue)) == []
    for queue in ("my queue", "a,b"):
        [told] = found(nested("config.operators.default_queue", queue))
        assert told.endswith("expected one queue, as workers serve it, found another sign; write its name alone")


def test_remote_control_that_the_probe_of_workers_needs_is_refused_when_off() -> None:
    option = "config.celery.worker_enable_remote_control"
    variable = {
        "workers": {"celery": {"env": [{"name": "AIRFLOW__CELERY__WORKER_ENABLE_REMOTE_CONTROL", "value": "f"}]}}
    }
    for values in (nested(option, False), nested(option, "False"), variable):
        [told] = found(values)
        assert "the liveness probe of workers asks by it, and would end each worker again and again" in told
        for probe in ({"command": ["pgrep", "celery"]}, {"enabled": False}):
            assert found(merged(values, nested("workers.celery.livenessProbe", probe))) == [], "the way"
    assert found(nested(option, True)) == []


def test_volume_over_what_the_image_needs_is_refused() -> None:
    for place in ("volumeMounts", "workers.celery.extraVolumeMounts", "scheduler.extraVolumeMounts"):
        for folder in ("/home/airflow", "/home/airflow/.local/", "/", "/usr/local"):
            [told] = found(nested(place, [{"name": "a", "mountPath": folder}]))
            assert told == (
                f"{place}[0].mountPath: a volume at {folder} hides what Airflow's image has there; use another folder"
            )
        assert found(nested(place, [{"name": "a", "mountPath": "/home/airflow/data"}])) == []
    [told] = found(
        nested("workers.celery.sets", [{"name": "a", "extraVolumeMounts": [{"name": "b", "mountPath": "/"}]}])
    )
    assert told.startswith("workers.celery.sets[0].extraVolumeMounts[0].mountPath: ")
    assert found(nested("dags.gitSync.extraVolumeMounts", [{"name": "a", "mountPath": "/home"}])) == [], (
        "no image of it"
    )
