"""Helm releases among the resources, and what values mean to the Airflow chart that this repository pins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.chart_parts import CELERY_WORKERS, part_value, running_parts
from components.kube.any_form import MAPS
from policy.model import UNKNOWN, JudgedResource, Path, get, maps

_RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_AIRFLOW_RELEASE: Final = "airflow:index:AirflowRelease"
_AIRFLOW_CHART: Final = re.compile(r"(^|/)airflow(-\d[^/]*)?$")

GIT_SYNC: Final = "dags.gitSync"
_REPLICATED: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", CELERY_WORKERS, "pgbouncer")


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component of the chart that runs."""

    path: str
    """The path of its values."""
    replicas: int = 1
    """The number of pods: 1 if it cannot have several, 0 if it is not known."""


def release_values(resource: JudgedResource) -> Any:
    """Return the given values of any Helm release; None for another resource."""
    return resource.inputs.get("values") or {} if resource.type == _RELEASE else None


def airflow_values(resource: JudgedResource) -> dict[str, Any] | None:
    """Return the values of a release of the Airflow chart over the chart's defaults, as the templates see them.

    None for anything else, and if the values are not known at all. Nobody may change them.
    """
    return resource.made_by(_airflow_values)


def _airflow_values(resource: JudgedResource) -> dict[str, Any] | None:
    given = release_values(resource)
    if not isinstance(given, MAPS) or not _is_airflow(resource):
        return None
    return merged(chart_values(), given)


def airflow_maps(resource: JudgedResource) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return every map in these values with its path."""
    return resource.made_by(_airflow_maps)


def _airflow_maps(resource: JudgedResource) -> list[tuple[Path, Mapping[str, Any]]]:
    return list(maps(airflow_values(resource)))


def _is_airflow(resource: JudgedResource) -> bool:
    chart = resource.inputs.get("chart")
    return resource.under(_AIRFLOW_RELEASE) or (isinstance(chart, str) and bool(_AIRFLOW_CHART.search(chart)))


def component_value(values: Mapping[str, Any], component: str, key: str) -> Any:
    """Return a value of a component as the chart takes it; UNKNOWN where it is not known."""
    return part_value(values, component, key, get)


def components(values: Mapping[str, Any]) -> Iterator[Component]:
    """Yield the components that run with these values, without sidecars."""
    for path in running_parts(values, _known):
        yield Component(path=path, replicas=_replicas(values, path) if path in _REPLICATED else 1)


def sidecars(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of what runs beside the main container of a component."""
    running = {component.path for component in components(values)}
    for path in ("scheduler", "dagProcessor", "triggerer", CELERY_WORKERS):
        if path in running and _yes(component_value(values, path, "logGroomerSidecar.enabled")):
            yield f"{path}.logGroomerSidecar"
    if "pgbouncer" in running:
        yield "pgbouncer.metricsExporterSidecar"
    if _yes(get(values, f"{GIT_SYNC}.enabled")):
        yield GIT_SYNC


def has_task_pods(values: Mapping[str, Any]) -> bool:
    """Tell whether a task may run in a pod of its own, which bears the labels of a worker."""
    return "Kubernetes" in str(get(values, "executor"))


def has_worker_groups(values: Mapping[str, Any]) -> bool:
    """Tell whether there are sets of Celery workers beside the default ones."""
    return bool(get(values, f"{CELERY_WORKERS}.sets"))


def _replicas(values: Mapping[str, Any], path: str) -> int:
    number = component_value(values, path, "replicas")
    if number is UNKNOWN:
        return 0
    return int(number) if isinstance(number, int | float) else 1


def _yes(value: Any) -> bool:
    """Return whether a template's `if` takes the value for true. An unknown value counts as false."""
    return bool(value) and value is not UNKNOWN


def _known(values: Mapping[str, Any], path: str) -> Any:
    found = get(values, path)
    return None if found is UNKNOWN else found
