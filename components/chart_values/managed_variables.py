"""Variables, and options of airflow.cfg, that the program sets or deliberately withholds from a container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.owned_values import advice, owner
from components.kube.any_form import MAPS, mapping
from components.task_logs.remote import CONNECTION_VARIABLE, REMOTE_CONNECTION_VARIABLE

JWT_VARIABLES: Final = (
    "AIRFLOW__API_AUTH__JWT_ALGORITHM",
    "AIRFLOW__API_AUTH__JWT_KID",
    "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH",
    "AIRFLOW__API_AUTH__TRUSTED_JWKS_URL",
)
"""The API server refuses every token if these have other values: its set of keys has other ids, or keys for HS512
alone."""
MANAGED_VARIABLES: Final = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
    "AIRFLOW_CONN_AIRFLOW_DB",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    *JWT_VARIABLES,
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__KUBERNETES_EXECUTOR__CONFIG_FILE",
    "AIRFLOW__KUBERNETES_EXECUTOR__IN_CLUSTER",
    "AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE",
    "AIRFLOW__LOGGING__REMOTE_LOGGING",
    "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER",
    "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID",
    "AIRFLOW__AZURE_REMOTE_LOGGING__REMOTE_WASB_LOG_CONTAINER",
    CONNECTION_VARIABLE,
    REMOTE_CONNECTION_VARIABLE,
)
"""Names that users may not set, nor with the endings by which Airflow reads an option from a command or a secrets
backend (airflow/configuration.py, `_get_env_var_option`)."""

_ENDINGS: Final = ("", "_CMD", "_SECRET")
_NESTING: Final = (*MAPS, list)
_INSTEAD: Final[Mapping[str, str]] = {
    "AIRFLOW__CORE__FERNET_KEY": "airflow:fernetKey",
    "AIRFLOW__API__SECRET_KEY": "airflow:apiSecretKey",
    **dict.fromkeys(("AIRFLOW__API_AUTH__JWT_SECRET", *JWT_VARIABLES), "airflow:jwtSecret"),
    "AIRFLOW__CELERY__BROKER_URL": "airflow:brokerUrl",
    "AIRFLOW__CELERY__RESULT_BACKEND": "airflow:brokerUrl, beside whose queue results are",
    "AIRFLOW__CORE__EXECUTOR": "airflow:executor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "airflow:loadExamples",
    "AIRFLOW__KUBERNETES_EXECUTOR__CONFIG_FILE": "airflow:kubeContext",
    "AIRFLOW__KUBERNETES_EXECUTOR__IN_CLUSTER": "airflow:kubeContext",
    "AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE": "airflow:namespace",
    "AIRFLOW__LOGGING__REMOTE_LOGGING": "airflow:taskLogs",
    "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "airflow:taskLogs and airflow:taskLogsUrl",
    "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "airflow:taskLogs and airflow:taskLogsConnectionSecret",
    "AIRFLOW__AZURE_REMOTE_LOGGING__REMOTE_WASB_LOG_CONTAINER": "airflow:taskLogsUrl",
    CONNECTION_VARIABLE: "airflow:taskLogs",
    REMOTE_CONNECTION_VARIABLE: "airflow:taskLogs and airflow:taskLogsConnectionSecret",
}
_DATABASE: Final = "the keys airflow:database…"

_OPTION: Final = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+?)(?:_CMD|_SECRET)?")
DEFAULT_QUEUE: Final = "config.operators.default_queue"
"""The program counts the tasks of the queues that workers serve."""
_TEXTS: Final = ("extraEnv", "extraEnvFrom", "podTemplate")
"""Values that are YAML in a text."""
# The chart's own template of a task pod does the same, and so do its examples.
_TASK_POD_EXECUTOR: Final = re.compile(
    r"""name:\s*["']?AIRFLOW__CORE__EXECUTOR["']?\s*\n\s*value:\s*["']?(LocalExecutor\b|\{\{-?\s*\.Values\.executor\b)"""
)

GIT_SYNC_PATH: Final = "dags.gitSync.env"
_GIT_SYNC: Final = (
    *("ADD_USER", "BRANCH", "DEPTH", "DEST", "HTTP_BIND", "LINK", "MAX_FAILURES", "MAX_SYNC_FAILURES", "ONE_TIME"),
    *("PASSWORD", "PASSWORD_FILE", "PERIOD", "REF", "REPO", "REV", "ROOT", "SSH", "SSH_KEY_FILE", "SSH_KNOWN_HOSTS"),
    *("SSH_KNOWN_HOSTS_FILE", "STALE_WORKTREE_TIMEOUT", "SUBMODULES", "USERNAME", "WAIT"),
)
GIT_SYNC_VARIABLES: Final = frozenset(
    {f"{prefix}_{name}" for prefix in ("GITSYNC", "GIT_SYNC") for name in _GIT_SYNC}
    | {"GIT_KNOWN_HOSTS", "GIT_SSH_KEY_FILE", "GIT_SSH_KNOWN_HOSTS_FILE"}
)
"""Variables of git-sync that the chart sets from airflow:dags… (templates/_helpers.yaml, `git_sync_container`)."""


def managed_variable_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield place and problem of each managed variable: in a list of variables, in a text, or as an option.

    A place is the path of that, a space, and the variable's name.
    """
    found = [(path, name) for path, name, _ in listed_variables(helm_values)]
    found += _options(helm_values)
    for path in _TEXTS:
        text = without_comments(str(helm_values.get(path) or ""))
        if path == "podTemplate":
            text = _TASK_POD_EXECUTOR.sub("", text)
        found += [(path, name) for name in re.findall(r"\b[A-Z][A-Z0-9_]+\b", text)]
    for path, name in dict.fromkeys(found):
        instead = instead_at(path, name)
        if instead is not None:
            yield f"{path} {name}", f"{path} may not set {name}: the program does; {advice(instead)}"
        elif path == GIT_SYNC_PATH and name in GIT_SYNC_VARIABLES:
            instead = "airflow:dagsSubmodules" if name.endswith("_SUBMODULES") else "the keys airflow:dags…"
            yield f"{path} {name}", f"{path} may not set {name}: the program does; use {instead}"


def without_comments(text: str) -> str:
    """Return YAML without its comments."""
    return re.sub(r"(?m)(^|\s)#.*$", r"\1", text)


def managed_name(name: str) -> str | None:
    """Return the managed variable that a name sets, or None."""
    return next((own for own in MANAGED_VARIABLES for ending in _ENDINGS if name == own + ending), None)


def instead_of(name: str) -> str | None:
    """Return what to use instead of a managed variable, or None for any other."""
    managed = managed_name(name)
    return None if managed is None else _INSTEAD.get(managed, _DATABASE)


def instead_at(path: str, name: str) -> str | None:
    """Return what to use instead of a variable that may not be set at a path, or None."""
    return instead_of(name) or _of_an_option(name, path)


def _of_an_option(name: str, path: str) -> str | None:
    """Return what to use instead of a variable whose option the program sets, or must find in `config`."""
    found = _OPTION.fullmatch(name)
    # A set of workers has its own number of tasks by these variables alone.
    own_number = ".sets[" in path and (found and found[2]) in ("WORKER_CONCURRENCY", "WORKER_AUTOSCALE")
    if found is None or own_number or path.startswith("config."):
        return None
    option = f"config.{found[1]}.{found[2]}".lower()
    return option if option == DEFAULT_QUEUE else owner(option)


def _options(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and variable of each option of airflow.cfg."""
    for section, option, _ in given_config(helm_values):
        yield f"config.{section}.{option}", f"AIRFLOW__{section}__{option}".upper()


def given_config(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield section, name and value of each option in `config`, as they are written."""
    for section, options in mapping(helm_values.get("config")).items():
        for option, value in mapping(options).items():
            yield str(section), str(option), value


def listed_variables(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield path, name and value of each list entry with a name, at any depth; every variable is such an entry."""
    if isinstance(value, MAPS):
        for key, item in value.items():
            if isinstance(item, _NESTING):
                yield from listed_variables(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, MAPS):
                for field in ("name", "envName"):
                    if field in item:
                        yield path, str(item[field]), item.get("value")
            if isinstance(item, _NESTING):
                yield from listed_variables(item, f"{path}[{number}]")
