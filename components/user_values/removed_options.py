"""Options of airflow.cfg that Airflow 3.0 removed or renamed, and misspelt ones.

Airflow accepts most of them and ignores them. It still reads some under their old names, but the connection budget and
the program's own variables know only the new names.

From Airflow 3.2.2: `CONFIGS_CHANGES` of cli/commands/config_command.py, which `airflow config lint` uses, and
`deprecated_options` of _shared/configuration/parser.py. What airflow.cfg of 1.10 and 2 had besides, and 3.2.2 names
nowhere, was found by comparing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from components.chart_values.managed_variables import (
    DEFAULT_QUEUE,
    given_config,
    instead_of,
    listed_variables,
    without_comments,
)
from components.chart_values.owned_values import advice, owner
from components.chart_values.value_paths import nested
from components.user_values.airflow_options import OPTIONS, VARIABLE, meant, section_of, variable_meant, variable_of

_GONE: Final[Mapping[str, str]] = {
    "api": "access_logfile enable_experimental_api enable_xcom_deserialize_support google_oauth2_audience",
    "celery": "worker_precheck",
    "core": (
        "airflow_home check_slas colored_formatter_class colored_log_format dag_default_view dag_orientation "
        "dag_processor_manager_log_location database_access_isolation donot_pickle enable_xcom_pickling "
        "internal_api_secret_key internal_api_url load_default_connections log_processor_filename_template secure_mode "
        "sql_alchemy_reconnect_timeout store_dag_code store_serialized_dags strict_dataset_uri_validation task_runner "
        "worker_precheck"
    ),
    "database": "load_default_connections",
    "debug": "fail_fast",
    "lineage": "backend",
    "logging": (
        "colored_formatter_class colored_log_format dag_processor_manager_log_location "
        "dag_processor_manager_log_stdout enable_task_context_logger log_processor_filename_template"
    ),
    "metrics": "metrics_use_pattern_match timer_unit_consistency",
    "operators": "allow_illegal_arguments",
    "scheduler": (
        "allow_trigger_in_future authenticate dag_stale_not_seen_duration dependency_detector run_duration "
        "schedule_after_task_execution standalone_dag_processor"
    ),
    "traces": "otel_task_log_event",
    "webserver": (
        "access_logformat allow_raw_html_descriptions allowed_payload_size analytics_id analytics_tool "
        "analytics_url audit_view_excluded_events audit_view_included_events caching_hash_method "
        "default_dag_run_display_number default_ui_timezone error_logfile expose_stacktrace "
        "instance_name_has_markup log_animation_speed log_auto_tailing_offset log_fetch_delay_sec "
        "max_form_memory_size max_form_parts navbar_logo_text_color num_recent_configurations_for_trigger "
        "reload_on_plugin_change run_internal_api show_recent_stats_for_completed_runs "
        "show_trigger_form_if_no_params warn_deployment_exposure web_server_master_timeout worker_class "
        "worker_refresh_batch_size worker_refresh_interval x_frame_enabled"
    ),
}
"""Sections, each with the options that were removed. `api.access_logfile` is read as a file that configures logging."""
_GONE_SECTIONS: Final = ("atlas", "cli", "dask", "github_enterprise", "mesos", "smart_sensor")
"""Sections of which Airflow 3 reads nothing."""

_MOVED: Final[Mapping[str, str]] = {
    "admin.hide_sensitive_variable_fields": "core.hide_sensitive_var_conn_fields",
    "admin.sensitive_variable_fields": "core.sensitive_var_conn_names",
    "api.access_control_allow_origin": "api.access_control_allow_origins",
    "api.auth_backend": "fab.auth_backends",
    "api.auth_backends": "fab.auth_backends",
    "celery.default_queue": "operators.default_queue",
    "celery.stalled_task_timeout": "scheduler.task_queued_timeout",
    "celery.task_adoption_timeout": "scheduler.task_queued_timeout",
    "core.dag_concurrency": "core.max_active_tasks_per_dag",
    "core.dag_file_processor_timeout": "dag_processor.dag_file_processor_timeout",
    "core.dataset_manager_class": "core.asset_manager_class",
    "core.dataset_manager_kwargs": "core.asset_manager_kwargs",
    "core.max_db_retries": "database.max_db_retries",
    "core.max_num_rendered_ti_fields_per_task": "core.num_dag_runs_to_retain_rendered_fields",
    "core.non_pooled_task_slot_count": "core.default_pool_task_slot_count",
    "core.sql_alchemy_conn": "database.sql_alchemy_conn",
    "core.sql_alchemy_connect_args": "database.sql_alchemy_connect_args",
    "core.sql_alchemy_max_overflow": "database.sql_alchemy_max_overflow",
    "core.sql_alchemy_pool_enabled": "database.sql_alchemy_pool_enabled",
    "core.sql_alchemy_pool_pre_ping": "database.sql_alchemy_pool_pre_ping",
    "core.sql_alchemy_pool_recycle": "database.sql_alchemy_pool_recycle",
    "core.sql_alchemy_pool_size": "database.sql_alchemy_pool_size",
    "core.sql_alchemy_schema": "database.sql_alchemy_schema",
    "core.sql_engine_collation_for_ids": "database.sql_engine_collation_for_ids",
    "core.sql_engine_encoding": "",
    "kubernetes_executor.worker_pods_pending_timeout": "scheduler.task_queued_timeout",
    "kubernetes_executor.worker_pods_pending_timeout_check_interval": "scheduler.task_queued_timeout_check_interval",
    "kubernetes_executor.worker_pods_queued_check_interval": "scheduler.task_queued_timeout_check_interval",
    "metrics.statsd_allow_list": "metrics.metrics_allow_list",
    "metrics.statsd_block_list": "metrics.metrics_block_list",
    "scheduler.child_process_log_directory": "logging.dag_processor_child_process_log_directory",
    "scheduler.dag_dir_list_interval": "dag_processor.refresh_interval",
    "scheduler.deactivate_stale_dags_interval": "scheduler.parsing_cleanup_interval",
    "scheduler.file_parsing_sort_mode": "dag_processor.file_parsing_sort_mode",
    "scheduler.local_task_job_heartbeat_sec": "workers.min_heartbeat_interval",
    "scheduler.max_callbacks_per_loop": "dag_processor.max_callbacks_per_loop",
    "scheduler.max_threads": "dag_processor.parsing_processes",
    "scheduler.min_file_process_interval": "dag_processor.min_file_process_interval",
    "scheduler.parsing_pre_import_modules": "dag_processor.parsing_pre_import_modules",
    "scheduler.parsing_processes": "dag_processor.parsing_processes",
    "scheduler.print_stats_interval": "dag_processor.print_stats_interval",
    "scheduler.processor_poll_interval": "scheduler.scheduler_idle_sleep_time",
    "scheduler.scheduler_zombie_task_threshold": "scheduler.task_instance_heartbeat_timeout",
    "scheduler.stale_dag_threshold": "dag_processor.stale_dag_threshold",
    "scheduler.stat_name_handler": "metrics.stat_name_handler",
    "scheduler.statsd_allow_list": "metrics.metrics_allow_list",
    "scheduler.statsd_custom_client_path": "metrics.statsd_custom_client_path",
    "scheduler.statsd_datadog_enabled": "metrics.statsd_datadog_enabled",
    "scheduler.statsd_datadog_metrics_tags": "metrics.statsd_datadog_metrics_tags",
    "scheduler.statsd_datadog_tags": "metrics.statsd_datadog_tags",
    "scheduler.statsd_host": "metrics.statsd_host",
    "scheduler.statsd_on": "metrics.statsd_on",
    "scheduler.statsd_port": "metrics.statsd_port",
    "scheduler.statsd_prefix": "metrics.statsd_prefix",
    "scheduler.zombie_detection_interval": "scheduler.task_instance_heartbeat_timeout_detection_interval",
    "triggerer.default_capacity": "triggerer.capacity",
    "webserver.access_logfile": "",
    "webserver.force_log_out_after": "fab.session_lifetime_minutes",
    "webserver.session_lifetime_days": "fab.session_lifetime_minutes",
    "webserver.web_server_host": "api.host",
    "webserver.web_server_port": "api.port",
    "webserver.web_server_ssl_cert": "api.ssl_cert",
    "webserver.web_server_ssl_key": "api.ssl_key",
    "webserver.web_server_worker_timeout": "api.worker_timeout",
}
"""Options that have another name now. Those of the webserver that kept theirs are found in `_HEIRS`."""
_HEIRS: Final = ("api", "fab")
"""Sections to which options of the webserver went."""

_SECTIONS: Final[Mapping[str, str]] = {"kubernetes": "kubernetes_executor"}
"""Sections that have another name now. No option of theirs is read under the old one."""
_WITHOUT_READER: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("celery_kubernetes_executor", "local_kubernetes_executor"),
        "airflow:executor with both names, and the name of one in the executor of a task",
    ),
    "kubernetes_annotations": "workers.kubernetes.podAnnotations",
    "kubernetes_environment_variables": "workers.kubernetes.env",
    "kubernetes_labels": "workers.kubernetes.labels",
    "kubernetes_node_selectors": "workers.kubernetes.nodeSelector",
    "kubernetes_secrets": "valueFrom in workers.kubernetes.env",
    "ldap": "apiServer.apiServerConfig",
    **dict.fromkeys(("smtp.smtp_password", "smtp.smtp_user"), "the connection smtp_default, in airflow:connections"),
}
"""Sections of executors and of versions before 2, and options, which nothing reads; each with what to use instead."""
_WEBSERVER: Final = "webserver"
_STILL_READ: Final = ("log_request_clock_grace",)
"""What Airflow 3.2.2 reads in the section of the webserver, which it has no longer."""
_UNREAD: Final[Mapping[str, str]] = {
    "database.sql_engine_encoding": "",
    "logging.color_log_error_keywords": "",
    "logging.color_log_warning_keywords": "",
    "scheduler.create_delta_data_intervals": "",
    "scheduler.ignore_first_depends_on_past_by_default": "",
    "scheduler.task_instance_heartbeat_sec": "workers.min_heartbeat_interval",
    "traces.otel_debug_traces_on": "",
}
"""Options that Airflow 3.2.2 and 3.3.2 still describe, and that no line of theirs or of their providers reads."""
_REMOVED: Final[Mapping[str, str]] = {
    **{f"{section}.{option}": "" for section, options in _GONE.items() for option in options.split()},
    **_MOVED,
    **_UNREAD,
}
_TEXTS: Final = ("extraEnv", "podTemplate")
"""Values that are YAML in a text."""


def removed_option_problems(
    helm_values: Mapping[str, Any], refusal: Callable[[Mapping[str, Any]], str | None] = lambda _: None
) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such option, given in `config` or by a variable.

    refusal: What this stack has against values that one would give instead, or None.
    """
    for section, option, value in given_config(helm_values):
        new = _new(section.lower(), option.lower())
        path = f"config.{section}.{option}"
        unread = _unread(section.lower(), option.lower())
        if unread is not None:
            yield path, f"{path} is not an option of Airflow 3; use {unread}"
            continue
        if new is None and section != section.lower() and section.lower() in OPTIONS:
            yield path, f"{path} is not read: Airflow knows its sections in small letters; use config.{section.lower()}"
        if new is not None:
            against = _against(new, value, refusal)
            yield path, f"{path} {_is(section, option)}{against or f'; {_use(new)}'}"
    variables = {(path, name): value for path, name, value in listed_variables(helm_values)}
    for path in _TEXTS:
        names = re.findall(r"\bAIRFLOW__[A-Z0-9_]+", without_comments(str(helm_values.get(path) or "")))
        variables |= {(path, name): None for name in names}
    for (path, name), value in variables.items():
        found = VARIABLE.fullmatch(name)
        meaning = None if found else variable_meant(name)
        if meaning is not None:
            yield f"{path} {name}", f"{path} sets {name}, which Airflow does not read; {_use(meaning, variable=True)}"
        unread = None if found is None else _unread(found[1].lower(), found[2].lower())
        if unread is not None:
            yield f"{path} {name}", f"{path} sets {name}, which is not an option of Airflow 3; use {unread}"
            continue
        new = None if found is None else _new(section_of(found[1]), found[2].lower())
        if found is not None and new is not None:
            against = _against(new, value, refusal)
            instead = against or f"; {_use(new, variable=True)}"
            yield f"{path} {name}", f"{path} sets {name}, which {_is(section_of(found[1]), found[2])}{instead}"


def _is(section: str, option: str) -> str:
    unread = f"{section}.{option}".lower() in _UNREAD
    return "is read by nothing in Airflow 3" if unread else "is not an option of Airflow 3"


def _unread(section: str, option: str) -> str | None:
    """Return what to use instead of an option that nothing reads, if it is not another option."""
    return _WITHOUT_READER.get(section) or _WITHOUT_READER.get(f"{section}.{option}")


def _against(new: str, value: Any, refusal: Callable[[Mapping[str, Any]], str | None]) -> str:
    """Return how a sentence goes on where the stack refuses the new option too, with what works; or ""."""
    problem = refusal(nested(f"config.{new}", value)) if new and owner(f"config.{new}") is None else None
    return "" if problem is None else f", and {problem}"


def _new(section: str, option: str) -> str | None:
    """Return an option's new name, what a misspelt one means, "" for one that was removed, None for any other."""
    if section in _SECTIONS:
        section = _SECTIONS[section]
        return _REMOVED.get(f"{section}.{option}", f"{section}.{option}")
    removed = "" if section in _GONE_SECTIONS else _REMOVED.get(f"{section}.{option}")
    if removed is None and section == _WEBSERVER:
        if option in _STILL_READ:
            return None
        return next((f"{heir}.{option}" for heir in _HEIRS if option in OPTIONS[heir]), "")
    return meant(section, option) if removed is None else removed


def _use(new: str, *, variable: bool = False) -> str:
    if not new:
        return "leave it out"
    name = variable_of(new)
    own = owner(f"config.{new}") or instead_of(name)
    if own is None and new == DEFAULT_QUEUE.removeprefix("config."):
        own = DEFAULT_QUEUE
    return advice(own or (name if variable else f"config.{new}"))
