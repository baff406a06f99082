"""Finds variables of pods that nothing reads, that are given twice, or that cut pods off. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from components.chart_values.managed_variables import GIT_SYNC_PATH, given_config, listed_variables
from components.chart_values.value_paths import at, without_numbers
from components.kube.names import VARIABLE_NAME
from components.user_values.airflow_options import variable_of
from components.user_values.surroundings import Surroundings
from components.user_values.yaml_texts import extra_variables

_LFS: Final = "GIT_LFS_"
_STORED: Final = re.compile(r"AIRFLOW_(VAR|CONN)_.*[a-z]")
"""A variable or a connection of Airflow that is not found: Airflow asks for the name in capitals (3.2.2,
secrets/environment_variables.py)."""
_FIXED: Final[Mapping[str, str]] = {
    "AIRFLOW_CONFIG": "the chart writes airflow.cfg from config; use config",
    "DUMB_INIT_SETSID": "a worker that stops would end its tasks at once; leave it out",
    "AIRFLOW_HOME": "image and volumes are made for /opt/airflow; leave it out",
    **dict.fromkeys(
        ("_AIRFLOW_DB_MIGRATE", "_AIRFLOW_DB_UPGRADE"), "the program migrates before the release; leave it out"
    ),
    **dict.fromkeys(
        (
            "_AIRFLOW_WWW_USER_CREATE",
            *(
                f"_AIRFLOW_WWW_USER_{part}"
                for part in ("USERNAME", "PASSWORD", "EMAIL", "FIRSTNAME", "LASTNAME", "ROLE")
            ),
        ),
        "a Job of the program makes the admin; use airflow:adminUsername and airflow:adminPassword",
    ),
}
"""Variables of the image that would undo what the program does."""

_SEARCHED: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "CLASSPATH")
_WHOLE_PATH: Final = "/home/airflow/.local/bin:/usr/local/bin:/usr/bin:/bin"
_OF_AWS: Final = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)
"""Variables by which AWS's SDKs find another identity than the role of the pod."""

_ROOTS_OWN: Final = re.compile(r"/?|/root(/.*)?")
"""Folders in which nobody but root may write."""
_API_SERVER: Final = "airflow-api-server"
"""Service of the API server, by which every task calls it over HTTP."""
_KUBERNETES: Final = "$(KUBERNETES_SERVICE_HOST)"
"""Kubernetes' API, as Kubernetes itself writes its address into a variable."""
_ADDRESS: Final = re.compile(r"[\d.]+(/\d+)?|[\da-fA-F:]*:[\da-fA-F:]*(/\d+)?")
_EVERY_POD: Final = ("env", "extraEnv")
_JOINED_BY_THE_CHART: Final = ("secret", "extraEnv")
_WORKERS: Final = ("workers.celery.env", "workers.kubernetes.env", "workers.celery.sets.env")
_USE_KUBERNETES: Final = ("scheduler.env", "apiServer.env")


def variable_problems(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such variable."""
    lists = _lists(helm_values)
    own_git_sync = at(helm_values, "images.gitSync.repository") is not None
    yield from _given_elsewhere(lists)
    for path, variables in lists.items():
        names = [name for name, _ in variables]
        for name in dict.fromkeys(names):
            where = f"{path} {name}"
            if not VARIABLE_NAME.fullmatch(name):
                yield where, f"{path} sets {name!r}: name a variable by letters, digits and _.- alone"
            elif names.count(name) > 1:
                yield where, f"{path} sets {name} twice, and an update may drop both; give it once"
            elif path == GIT_SYNC_PATH and name.startswith(_LFS) and not own_git_sync:
                yield where, f"{path} sets {name}, and git-sync has no git-lfs; use airflow:dagsDelivery image"
            elif name in _FIXED:
                yield where, f"{path} may not set {name}: {_FIXED[name]}"
            elif name in surroundings.connection_variables:
                own = "airflow:variables" if name.startswith("AIRFLOW_VAR_") else "airflow:connections"
                yield where, f"{path} sets {name} beside {own}, which gives it to some pods; use one of the two"
            elif _STORED.fullmatch(name):
                yield where, f"{path} sets {name}, which Airflow does not read; use {name.upper()}"
        yield from _folder_problems(path, variables)
        yield from _other_identities(path, names, surroundings)
    yield from _hidden_options(helm_values, lists)
    common = [variable for path in _EVERY_POD for variable in lists.get(path, ())]
    for path, variables in lists.items():
        yield from _proxy_problems(path, variables, common, surroundings)


def _folder_problems(path: str, variables: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield each list of folders that names itself, as a shell would, a PATH without the system's, a HOME of root."""
    for name, value in variables:
        if name == "HOME" and isinstance(value, str) and _ROOTS_OWN.fullmatch(value):
            text = f"{path} sets HOME to {value or 'nothing'}, where no pod may write: none runs as root"
            yield f"{path} {name}", f"{text}; use /home/airflow, or leave it out"
        if name not in _SEARCHED or not isinstance(value, str):
            continue
        itself = re.search(rf"\$(?:{name}\b|[{{(]{name}[)}}])", value)
        if itself is not None:
            way = f"write all of it, such as {_WHOLE_PATH}" if name == "PATH" else "write the folders alone"
            yield f"{path} {name}", f"{path} sets {name} with {itself[0]}, which nothing replaces here; {way}"
        elif name == "PATH" and "/usr/bin" not in value.split(":") and "$(" not in value and "{{" not in value:
            yield (
                f"{path} {name}",
                f"{path} sets {name} without /usr/bin, and it takes the place of the image's; write all of it, such as "
                f"{_WHOLE_PATH}",
            )


def _other_identities(path: str, names: Iterable[str], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    component = without_numbers(path).removesuffix(".env")
    reached = path in (*_EVERY_POD, "secret") or component in surroundings.with_role
    for name in dict.fromkeys(names) if reached and surroundings.with_role else ():
        if name in _OF_AWS:
            yield (
                f"{path} {name}",
                f"{path} sets {name}, which would take the place of the role that the program gives to pods; use "
                "airflow:taskPolicyArns for what tasks need, or an Airflow connection for another account",
            )


def _given_elsewhere(lists: Mapping[str, list[tuple[str, Any]]]) -> Iterator[tuple[str, str]]:
    """Yield each variable that `secret` or `extraEnv` gives to every pod, and another list too.

    `env` and the lists of components are joined (`components.chart_values.repeated_variables`).
    """
    everywhere = {name: path for path in _JOINED_BY_THE_CHART for name, _ in lists.get(path, ())}
    for path, variables in lists.items():
        for name, _ in variables:
            other = everywhere.get(name, path)
            if other != path:
                text = f"{path} sets {name} beside {other}, and an update may drop both; give it in one of the two"
                yield f"{path} {name}", text


def _hidden_options(
    helm_values: Mapping[str, Any], lists: Mapping[str, list[tuple[str, Any]]]
) -> Iterator[tuple[str, str]]:
    """Yield each option of airflow.cfg that a variable of every pod hides."""
    everywhere = {name: path for path in (*_EVERY_POD, "secret") for name, _ in lists.get(path, ())}
    for section, option, value in given_config(helm_values):
        name = variable_of(f"{section}.{option}")
        if value is not None and name in everywhere:
            path = f"config.{section}.{option}"
            yield path, f"{path} has no effect beside {name} in {everywhere[name]}, which wins; give one of the two"


def _proxy_problems(
    path: str, variables: list[tuple[str, Any]], common: Iterable[tuple[str, Any]], surroundings: Surroundings
) -> Iterator[tuple[str, str]]:
    plain = without_numbers(path)
    given = {name.upper(): value for name, value in variables if value != ""}
    # Python's libraries prefer the name in small letters, too.
    exceptions = dict([*common, *variables])
    text = exceptions.get("no_proxy") or exceptions.get("NO_PROXY") or ""
    if not isinstance(text, str) or ("NO_PROXY" in exceptions and exceptions["NO_PROXY"] is None):
        return  # a Secret or a ConfigMap has it
    hosts = [host.strip() for host in text.split(",")]
    missing = []
    to_workers = plain in (*_EVERY_POD, *_WORKERS) and {"HTTP_PROXY", "ALL_PROXY"} & given.keys()
    if to_workers and not {_API_SERVER, "*"} & set(hosts):
        missing.append(_API_SERVER)
    to_kubernetes = plain in (*_EVERY_POD, *_USE_KUBERNETES) and {"HTTPS_PROXY", "ALL_PROXY"} & given.keys()
    known = any(host in (_KUBERNETES, "*") or _ADDRESS.fullmatch(host) for host in hosts)
    if to_kubernetes and not known and "workers.kubernetes" not in surroundings.switched_off:
        missing.append(_KUBERNETES)
    if missing:
        name = next(name for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") if name in given)
        yield (
            f"{path} {name}",
            f"{path} sets {name}, and pods would ask the proxy for what is in the cluster; use NO_PROXY beside it, "
            f"with {' and '.join(missing)}",
        )


def _lists(helm_values: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Return each list of variables by its path: names and values, None for a value from elsewhere."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for path, name, value in listed_variables(helm_values):
        if path == "secret" or path.rpartition(".")[2] == "env":
            found.setdefault(path, []).append((name, value))
    for path, name, value in extra_variables(helm_values):
        found.setdefault(path, []).append((name, value))
    return found
