"""Options of Airflow 2 in values: each is told with what works in Airflow 3."""

from __future__ import annotations

from typing import Any

from components.chart_values.chart_defaults import chart_schema, chart_values
from components.chart_values.value_paths import nested
from components.user_values.airflow_options import OPTIONS, meant
from components.user_values.removed_options import _MOVED, removed_option_problems
from components.user_values.surroundings import Surroundings
from components.user_values.user_values import problems
from tests.cases import each


def found(helm_values: dict[str, Any], surroundings: Surroundings | None = None) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema(), surroundings)


@each(
    "section, option, instead",
    [
        ("core", "dag_concurrency", "use config.core.max_active_tasks_per_dag"),
        ("core", "sql_alchemy_pool_size", "use config.database.sql_alchemy_pool_size"),
        ("core", "sql_alchemy_conn", "use the keys airflow:database…"),
        ("webserver", "workers", "use config.api.workers"),
        ("webserver", "rbac", "leave it out"),
        ("webserver", "instance_name", "use config.api.instance_name"),
        ("webserver", "navbar_color", "use config.fab.navbar_color"),
        ("smtp", "smtp_password", "use the connection smtp_default, in airflow:connections"),
        ("webserver", "log_request_clock_grace", None),
        ("webserver", "secret_key", "use airflow:apiSecretKey"),
        ("webserver", "enable_proxy_fix", "use airflow:trustedProxyCidrs"),
        ("webserver", "x_frame_enabled", "leave it out"),
        ("kubernetes", "delete_worker_pods", "use config.kubernetes_executor.delete_worker_pods"),
        ("kubernetes", "worker_pods_pending_timeout", "use config.scheduler.task_queued_timeout"),
        ("kubernetes", "namespace", "leave it out, because the scheduler starts task pods in its own namespace"),
        ("scheduler", "statsd_allow_list", "use config.metrics.metrics_allow_list"),
        ("core", "parallelism", None),
        ("kubernetes_environment_variables", "TEAM", "use workers.kubernetes.env"),
        ("kubernetes_secrets", "A", "use valueFrom in workers.kubernetes.env"),
        ("celery_kubernetes_executor", "kubernetes_queue", "use airflow:executor with both names"),
        ("scheduler", "max_tis_per_qery", "use config.scheduler.max_tis_per_query"),
        ("schedular", "max_tis_per_query", "use config.scheduler.max_tis_per_query"),
        ("core", "worker_concurrency", "use airflow:workerConcurrency"),
        ("core", "execute_tasks_new_python_interpretor", "use config.core.execute_tasks_new_python_interpreter"),
        ("sentry", "traces_sample_rate", None),
        ("celery_broker_transport_options", "visibility_timeouts", None),
        ("team", "option", None),
    ],
)
def test_option_is_refused_as_an_option_and_as_a_variable(section: str, option: str, instead: str | None) -> None:
    name = f"AIRFLOW__{section}__{option}".upper()
    places: list[dict[str, Any]] = [
        {"config": {section: {option: "1"}}},
        {"env": [{"name": name, "value": "1"}]},
        {"scheduler": {"env": [{"name": name, "value": "1"}]}},
        {"extraEnv": f"- name: {name}\n  value: '1'\n"},
        {"workers": {"celery": {"sets": [{"name": "gpu", "env": [{"name": f"{name}_CMD", "value": "1"}]}]}}},
    ]
    for place in places:
        told = [problem for _, problem in removed_option_problems(place)]
        assert len(told) == (0 if instead is None else 1), (place, told)
        for problem in told:
            assert "is not an option of Airflow 3" in problem
            in_variable = "config" not in place and (instead or "").startswith("use config.")
            wanted = _as_variable(instead or "") if in_variable else (instead or "")
            assert wanted in problem, problem


def _as_variable(instead: str) -> str:
    return f"use AIRFLOW__{instead.removeprefix('use config.').replace('.', '__').upper()}"


def test_variable_of_a_section_with_a_dot_is_read_with_an_underscore() -> None:
    """Airflow: `_env_var_name`. `config` has the section as it is, and Helm takes it for one key."""
    for values in (
        {"env": [{"name": "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", "value": "s3://c@b/x"}]},
        {"config": {"common.io": {"xcom_objectstorage_threshold": 1_048_576}}},
    ):
        assert found(values) == []
    for name in ("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PAHT", "AIRFLOW_COMMON_IO_XCOM_OBJECTSTORAGE_PATH"):
        [told] = found({"env": [{"name": name, "value": "s3://c@b/x"}]})
        assert told.endswith("; use AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"), told
    [told] = found({"env": [{"name": "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD", "value": "1 MiB"}]})
    assert "expected a whole number" in told
    everywhere = {"env": [{"name": "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD", "value": "1"}]}
    [told] = found({**everywhere, "config": {"common.io": {"xcom_objectstorage_threshold": 1}}})
    assert "has no effect beside AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD in env" in told


def test_variable_in_a_form_that_airflow_does_not_read_is_refused_with_the_right_one() -> None:
    for name in ("AIRFLOW_CORE_PARALLELISM", "AIRFLOW__CORE_PARALLELISM", "airflow__core__parallelism"):
        [told] = found({"scheduler": {"env": [{"name": name, "value": "3"}]}})
        assert f"{name}, which Airflow does not read; use AIRFLOW__CORE__PARALLELISM" in told, told
    for name in (
        "AIRFLOW_HOMES",
        "AIRFLOW_UID",
        "AIRFLOW_VAR_CORE_PARALLELISM",
        "AIRFLOW_CONN_CORE",
        "CORE_PARALLELISM",
    ):
        assert found({"scheduler": {"env": [{"name": name, "value": "3"}]}}) == [], name


def test_what_is_to_be_used_instead_is_not_refused() -> None:
    [told] = found({"env": [{"name": "AIRFLOW__CELERY__DEFAULT_QUEUE", "value": "gpu"}]})
    assert told.endswith("use config.operators.default_queue")
    for old, new in (
        ({"core": {"dag_concurrency": "4"}}, {"core": {"max_active_tasks_per_dag": "4"}}),
        ({"webserver": {"expose_config": "True"}}, {"api": {"expose_config": "True"}}),
        ({"kubernetes": {"delete_worker_pods": "False"}}, {"kubernetes_executor": {"delete_worker_pods": "False"}}),
    ):
        assert len(found({"config": old})) == 1
        assert found({"config": new}) == []


def test_way_that_is_refused_in_this_stack_is_told_with_what_works() -> None:
    address = "sets the address of the UI, which the Ingress has; use airflow:ingressHost and airflow:ingressPath"
    for place, told in (
        ({"config": {"webserver": {"base_url": "https://x"}}}, f"config.api.base_url {address}"),
        ({"env": [{"name": "AIRFLOW__WEBSERVER__BASE_URL", "value": "https://x"}]}, f"config.api.base_url {address}"),
    ):
        assert found(place, Surroundings(ingress=True))[0].endswith(f"is not an option of Airflow 3, and {told}")
        assert "base_url" in found(place)[0].lower()
    [told] = found({"config": {"scheduler": {"statsd_host": "x"}}}, Surroundings(isolated=True))
    assert "airflow:extraEgress" in told


def test_option_in_a_comment_of_a_text_is_no_option() -> None:
    for name in ("AIRFLOW__CORE__DAG_CONCURRENCY", "AIRFLOW__CELERY__WORKER_CONCURRENCY"):
        assert found({"extraEnv": f"# {name} is elsewhere\n- name: A\n  value: b  # as {name}\n"}) == []
        assert len(found({"extraEnv": f"- name: {name}\n  value: '#1'\n"})) == 1


def test_no_option_that_airflow_or_the_chart_knows_is_taken_for_a_misspelt_one() -> None:
    names = [(section, option) for section, options in OPTIONS.items() for option in options]
    names += [(section, option) for section, options in chart_values()["config"].items() for option in options]
    assert len(names) > 400
    assert {name for name in names if meant(*name) is not None} == set()


def test_option_of_an_airflow_before_3_that_nothing_reads_is_refused() -> None:
    """`airflow config lint` does not know these."""
    for option, way in {
        "api.access_logfile": "leave it out",  # Airflow 3.1 and later take its value for a file that configures logging
        "api.enable_experimental_api": "leave it out",
        "celery.worker_precheck": "leave it out",
        "core.database_access_isolation": "leave it out",
        "core.internal_api_url": "leave it out",
        "core.max_num_rendered_ti_fields_per_task": "use config.core.num_dag_runs_to_retain_rendered_fields",
        "core.store_serialized_dags": "leave it out",
        "core.worker_precheck": "leave it out",
        "cli.endpoint_url": "leave it out",
        "dask.cluster_address": "leave it out",
        "kubernetes_executor.worker_pods_queued_check_interval": (
            "use config.scheduler.task_queued_timeout_check_interval"
        ),
        "lineage.backend": "leave it out",
        "logging.colored_log_format": "leave it out",
        "scheduler.run_duration": "leave it out",
        "scheduler.standalone_dag_processor": "leave it out",
        "smart_sensor.use_smart_sensor": "leave it out",
        "webserver.access_logfile": "leave it out",
    }.items():
        [told] = found({"config": nested(option, "1")})
        assert told == f"config.{option} is not an option of Airflow 3; {way}"
    for option in ("debug.sqlalchemy_stats", "hive.default_hive_mapred_queue", "lineage.max_assets_per_collector"):
        assert found({"config": nested(option, 1)}) == []


def test_option_that_airflow_describes_and_nothing_reads_is_refused() -> None:
    for option, way in {
        "logging.color_log_error_keywords": "leave it out",
        "scheduler.create_delta_data_intervals": "leave it out",
        "scheduler.ignore_first_depends_on_past_by_default": "leave it out",
        "scheduler.task_instance_heartbeat_sec": "use config.workers.min_heartbeat_interval",
    }.items():
        [told] = found({"config": nested(option, "1")})
        assert told == f"config.{option} is read by nothing in Airflow 3; {way}"
        name = f"AIRFLOW__{option.replace('.', '__')}".upper()
        [told] = found({"env": [{"name": name, "value": "1"}]})
        assert f"{name}, which is read by nothing in Airflow 3; " in told
    assert found({"config": {"workers": {"min_heartbeat_interval": 10}}}) == []


def test_option_that_an_old_name_stands_for_is_one() -> None:
    """A way that nothing reads would be no way."""
    new = {name for name in _MOVED.values() if name}
    assert {name for name in new if name.partition(".")[2] not in OPTIONS[name.partition(".")[0]]} == set()


def test_section_in_capitals_is_refused_because_airflow_does_not_read_it() -> None:
    [told] = found({"config": {"Core": {"parallelism": 5}}})
    assert told == "config.Core.parallelism is not read: Airflow knows its sections in small letters; use config.core"
    assert found({"config": {"Team": {"option": 5}, "core": {"PARALLELISM": 5}}}) == []
