"""Finds values that only one part of the deployment would follow, while the others count on something else. Pure.

Workers, probes and network policies expect the API server at its port in plain HTTP. The connection budget, KEDA's
question and `verify` read queues and numbers of processes from values, and not from the arguments of a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.given_options import given_options
from components.chart_values.managed_variables import DEFAULT_QUEUE, listed_variables
from components.chart_values.owned_values import advice
from components.chart_values.value_paths import at
from components.chart_values.worker_sets import elements
from components.kube.any_form import mapping
from components.user_values.airflow_options import variable_of

_SHARED: Final = (
    *("api_auth.jwt_audience", "api_auth.jwt_issuer", "execution_api.jwt_audience"),
    *("celery.celery_app_name", "celery_broker_transport_options.global_keyprefix"),
    *("core.multi_team", "core.xcom_backend", "database.sql_alchemy_schema"),
)
"""Options by which components find or understand each other."""
_EVERY_POD: Final = ("env", "extraEnv", "secret")
_EVERYWHERE: Final = ("0.0.0.0", "::", "[::]", "*")  # noqa: S104 - what the API server may listen at
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")

_NO_QUEUES: Final = re.compile(r"[^A-Za-z0-9_.,:/@-]")
"""The chart writes queues into a line of the shell as they are, and Celery takes a space for a part of a name."""
_REMOTE: Final = "config.celery.worker_enable_remote_control"

_OF_WORKERS: Final = {
    r"--concurrency|--autoscale|-[ac]": "airflow:workerConcurrency, by which workers are sized and KEDA counts them",
    r"--queues|-q": "workers.celery.queue, by which KEDA counts tasks",
}
_OF_API_SERVER: Final = {
    r"--workers|-w": "config.api.workers, by which connections to the database are counted",
    r"--host|-H": "nothing: workers and probes reach it at the address of its pod",
    r"--port|-p": "nothing: workers, probes and network policies expect it at 8080",
    r"--ssl-cert|--ssl-key": "airflow:ingressHost: TLS ends at the Ingress, and workers call it by HTTP",
    r"--apps|-A": "nothing: one without the execution API runs no task, and one without the core has no UI",
}
_COMMANDS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "workers.celery": (r"\bcelery\s+worker\b", _OF_WORKERS),
    "apiServer": (r"\bapi-server\b", _OF_API_SERVER),
}
"""Components, each with the command of Airflow that runs in it, and that command's options with what to use instead."""


def apart_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such value."""
    for component, (command, options) in _COMMANDS.items():
        values = at(helm_values, component)
        if isinstance(values, Mapping):
            yield from _argument_problems(values, component, command, options)
    shared = {variable_of(option): option for option in _SHARED}
    for path, name, _ in listed_variables(helm_values):
        if name in shared and path not in _EVERY_POD:
            yield (
                f"{path} {name}",
                f"{path} sets {name} for some pods, and the others would not understand them; use "
                f"config.{shared[name]}",
            )
    for path, host in given_options(helm_values, "config.api.host"):
        if str(host) not in _EVERYWHERE and "{{" not in str(host):
            yield path, f"{path}: expected every address, such as 0.0.0.0 or ::, found another; leave it out"
    for path, queues in _queues(helm_values):
        if _NO_QUEUES.search(queues) and "{{" not in queues:
            yield path, f"{path}: expected queues with commas alone between them, found another sign; write them as a,b"
    for path, queue in given_options(helm_values, DEFAULT_QUEUE):
        if _NO_QUEUES.search(str(queue).replace(",", " ")) and "{{" not in str(queue):
            yield path, f"{path}: expected one queue, as workers serve it, found another sign; write its name alone"
    probe = mapping(at(helm_values, "workers.celery.livenessProbe"))
    for path, remote in given_options(helm_values, _REMOTE):
        asks = probe.get("enabled") is not False and not probe.get("command")
        if asks and str(remote).lower() in ("false", "f", "0"):
            yield (
                path,
                f"{path}: the liveness probe of workers asks by it, and would end each worker again and again; leave "
                "it out, or give workers.celery.livenessProbe.command another question beside it",
            )
    for probe_name in _PROBES:
        path = f"apiServer.{probe_name}.scheme"
        if at(helm_values, path) not in (None, "HTTP"):
            yield path, f"{path}: the API server answers in plain HTTP, and would never be ready; leave it out"


def _queues(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    path = "workers.celery.queue"
    for found, value in (
        (path, at(helm_values, path)),
        *((f"{own}.queue", s.get("queue")) for own, s in elements(helm_values)),
    ):
        if isinstance(value, str):
            yield found, value


def _argument_problems(
    values: Mapping[str, Any], path: str, command: str, options: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for key in ("args", "command"):
        given = values.get(key)
        words = " ".join(map(str, given)) if isinstance(given, list) else ""
        found = re.search(rf"{command}([^;&|]*)", words)
        arguments = found[1] if found else ""
        for names, instead in options.items():
            option = re.search(rf"(?<!\S)({names})(?![\w-])", arguments)
            if option is not None:
                yield f"{path}.{key}", f"{path}.{key} has {option[1]}; {advice(instead)}"
