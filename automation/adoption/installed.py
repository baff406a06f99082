"""A release as Helm recorded it, and what its pods run with.

It looks at the pods, not at the values, because a key may come from a Secret of the chart, from a Secret that the
values name, or from an added variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from automation.helm_template import manifests
from components.chart_values.chart_defaults import merged

RELEASE: Final = "airflow"
_SCHEDULER: Final = "scheduler"
_WORKLOADS: Final = ("Deployment", "StatefulSet")
_IMAGE: Final = re.compile(r"(?P<repository>[^@]+?)(?::(?P<tag>[^:/@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """A value in a Secret."""

    name: str
    """The name of the Secret."""
    key: str
    """The key in its data."""

    def __str__(self) -> str:
        return f"Secret {self.name}"


@dataclass(frozen=True, kw_only=True)
class InstalledRelease:
    """The newest revision of a release. Values, objects and hooks may hold secrets."""

    namespace: str
    """The namespace of the release."""
    revision: int
    """The number of the revision."""
    status: str
    """Helm's status of the revision, such as `deployed`."""
    chart: str
    """The name of the chart."""
    chart_version: str
    """The version of the chart."""
    airflow_version: str
    """The version of Airflow that the chart deploys."""
    given: Mapping[str, Any] = field(repr=False)
    """The user's values."""
    values: Mapping[str, Any] = field(repr=False)
    """The chart's defaults with the user's values on top."""
    objects: tuple[Mapping[str, Any], ...] = field(repr=False)
    """The objects in the order in which Helm applied them."""
    hooks: tuple[Mapping[str, Any], ...] = field(repr=False)
    """What Helm makes before and after the objects, including some Secrets of the chart."""

    @staticmethod
    def of(records: Sequence[Mapping[str, Any]]) -> InstalledRelease | None:
        """Return the newest release in the contents of Helm's release records; None if there are none."""
        newest = max(records, key=lambda record: int(record["version"]), default=None)
        if newest is None:
            return None
        chart = newest.get("chart") or {}
        metadata = chart.get("metadata") or {}
        values = merged(chart.get("values") or {}, newest.get("config") or {})
        return InstalledRelease(
            namespace=str(newest.get("namespace") or ""),
            revision=int(newest["version"]),
            status=str((newest.get("info") or {}).get("status") or ""),
            chart=str(metadata.get("name") or ""),
            chart_version=str(metadata.get("version") or ""),
            airflow_version=str(values.get("airflowVersion") or metadata.get("appVersion") or ""),
            given=newest.get("config") or {},
            values=values,
            objects=manifests(str(newest.get("manifest") or "")),
            hooks=manifests("\n---\n".join(str(hook.get("manifest") or "") for hook in newest.get("hooks") or ())),
        )

    def workload(self, component: str) -> Mapping[str, Any] | None:
        """Return the Deployment or StatefulSet of a component, by the name that the chart gives it."""
        name = f"{RELEASE}-{component}"
        return next(
            (item for item in self.objects if item.get("kind") in _WORKLOADS and item["metadata"]["name"] == name), None
        )

    def container(self, component: str, name: str) -> Mapping[str, Any] | None:
        """Return a container of a component."""
        return next((item for item in _containers(self.workload(component)) if item.get("name") == name), None)

    def variable(self, name: str, *, component: str = _SCHEDULER, container: str = "") -> SecretKey | str | None:
        """Return the Secret's key that gives a container's variable, or its value; None if the variable is not set.

        container: The name of the container; by default that of its component.
        """
        given = (self.container(component, container or component) or {}).get("env") or ()
        found: SecretKey | str | None = None
        for item in given:  # of two with one name Kubernetes takes the last
            if item.get("name") == name:
                reference = (item.get("valueFrom") or {}).get("secretKeyRef") or {}
                found = SecretKey(name=reference["name"], key=reference["key"]) if reference else item.get("value")
        return found

    def mounted_secret(self, component: str, volume: str) -> str | None:
        """Return the name of the Secret behind a volume."""
        spec = _pod_spec(self.workload(component))
        found: Mapping[str, Any] = next((item for item in spec.get("volumes") or () if item.get("name") == volume), {})
        name = (found.get("secret") or {}).get("secretName")
        return str(name) if name else None

    def image(self) -> tuple[str, str, str]:
        """Return repository, tag and digest of the scheduler's image; "" for a part that is missing."""
        text = str((self.container(_SCHEDULER, _SCHEDULER) or {}).get("image") or "")
        found = _IMAGE.fullmatch(text)
        return (found["repository"], found["tag"] or "", found["digest"] or "") if found else ("", "", "")


def _containers(workload: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    spec = _pod_spec(workload)
    yield from spec.get("containers") or ()
    yield from spec.get("initContainers") or ()


def _pod_spec(workload: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (((workload or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    return found
