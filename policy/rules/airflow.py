"""What Airflow must not do in production: load examples, lose tasks to an autoscaler, accept admin/admin."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from components.chart_values.chart_parts import CELERY_WORKERS
from components.kube.any_form import mapping
from policy.chart import airflow_maps, airflow_values, component_value, components
from policy.context import Context
from policy.convert import object_of_resource, secret_data
from policy.model import UNKNOWN, Finding, JudgedResource, Path, RenderedObject, dotted, get, maps
from policy.pods import containers, pod_of
from policy.rule import Rule

_EXAMPLES: Final = "AIRFLOW__CORE__LOAD_EXAMPLES"
_TRUE: Final = ("true", "t", "1")
"""What `AirflowConfigParser.getboolean` takes for true, in any case."""
_EXAMPLES_OPTION: Final = re.compile(r"^\s*load_examples\s*=\s*(\S+)", re.MULTILINE)

_SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict"
_EVICTED: Final = ("scheduler", "dagProcessor", "triggerer", "redis", CELERY_WORKERS, "workers.kubernetes")
"""Components that have the chart's `safeToEvict`."""

_KEYS: Final = "airflow:index:AirflowKeys"
_ADMIN_SECRET: Final = "admin-password"
_GUESSED: Final = ("admin", "airflow", "password", "changeme", "changeit", "secret", "test", "12345678")
"""Passwords that are guessed first; `admin` is the chart's default."""
_CREATES_USER: Final = re.compile(r"\busers\s+create\b")


# Examples


def _examples_in_release(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    values = airflow_values(resource)
    if values is None:
        return
    if _true(get(values, "config.core.load_examples")):
        yield Finding(message="values.config.core.load_examples is true")
    for path in _examples_variables(airflow_maps(resource)):
        yield Finding(message=f"values.{dotted(path)}: {_EXAMPLES} is true")


def _examples_in_objects(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        for container in containers(rendered):
            if any(_examples_variables(maps(dict(container.body)))):
                yield Finding.about(rendered, f"container {container.name}: {_EXAMPLES} is true")
        for key, text in mapping(rendered.body.get("data")).items() if rendered.kind == "ConfigMap" else ():
            if isinstance(text, str) and any(map(_true, _EXAMPLES_OPTION.findall(text))):
                yield Finding.about(rendered, f"{key}: load_examples is true")


def _examples_variables(found: Iterable[tuple[Path, Mapping[str, Any]]]) -> Iterator[Path]:
    for path, item in found:
        if item.get("name") == _EXAMPLES and _true(item.get("value")):
            yield path


def _true(value: Any) -> bool:
    return value is not None and value is not UNKNOWN and str(value).strip().lower() in _TRUE


# Eviction


def _evicted_in_release(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    values = airflow_values(resource)
    if values is None:
        return
    running = {component.path for component in components(values)}
    for path in _EVICTED:
        if path in running and component_value(values, path, "safeToEvict") is True:
            yield Finding(message=f"values.{path}.safeToEvict is true: an autoscaler may stop what it runs")
    for found, item in airflow_maps(resource):
        if _true(item.get(_SAFE_TO_EVICT)):
            annotation = dotted((*found, _SAFE_TO_EVICT))
            yield Finding(message=f"values.{annotation} is true: an autoscaler may stop what it runs")


def _evicted_in_objects(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        if _true(mapping(get(pod_of(rendered), "metadata.annotations")).get(_SAFE_TO_EVICT)):
            yield Finding.about(rendered, f"{_SAFE_TO_EVICT} is true: an autoscaler may stop what it runs")


# admin/admin


def _guessable(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    if context.disposable:
        return
    secret = object_of_resource(resource) if resource.under(_KEYS) and _ADMIN_SECRET in resource.name else None
    if secret is not None and secret_data(secret).get("password", "").lower() in _GUESSED:
        yield Finding(message="holds a password that is guessed first")
    values = airflow_values(resource)
    if values is not None and get(values, "createUserJob.enabled") is True:
        for path in ("webserver.defaultUser.password", "createUserJob.defaultUser.password"):
            password = get(values, path)
            if isinstance(password, str):
                if password.lower() in _GUESSED:
                    yield Finding(message=f"values.{path} is a password that is guessed first")
                return  # the second is not read where the first is set


def _guessable_in_objects(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    if context.disposable:
        return
    for rendered in objects:
        for container in containers(rendered):
            if any(password.lower() in _GUESSED for password in _created_with(container.body)):
                yield Finding.about(
                    rendered, f"container {container.name}: creates a user with a password that is guessed first"
                )


def _created_with(container: Any) -> Iterator[str]:
    """Yield the passwords in the arguments of `airflow users create`."""
    words = [word for key in ("command", "args") for word in _texts(container.get(key))]
    if not any(_CREATES_USER.search(text) for text in (*words, " ".join(words))):
        return
    split = [part for word in words for part in word.split()]
    for option, value in itertools.pairwise(split):
        if option in ("-p", "--password"):
            yield value.strip("'\"")


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


RULES: Final = (
    Rule(
        id="examples-off",
        description="Airflow's example DAGs are not loaded.",
        remedy="Set airflow:loadExamples to false, and remove the variable from airflow:helmValues.",
        source="https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html#load-examples",
        resource=_examples_in_release,
        objects=_examples_in_objects,
    ),
    Rule(
        id="safe-to-evict-off",
        description="No autoscaler may evict what schedules, runs or queues tasks.",
        remedy="Remove safeToEvict and the annotation from airflow:helmValues.",
        source="https://kubernetes.io/docs/reference/labels-annotations-taints/"
        "#cluster-autoscaler-kubernetes-io-safe-to-evict",
        resource=_evicted_in_release,
        objects=_evicted_in_objects,
    ),
    Rule(
        id="no-guessable-admin-password",
        description="The admin's password is not easy to guess, except in a laptop's stack.",
        remedy="Remove airflow:adminPassword, so that one is generated, or set another one as a secret.",
        source="https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html",
        needs_stack=True,
        resource=_guessable,
        objects=_guessable_in_objects,
    ),
)
