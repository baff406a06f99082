"""A release as Helm recorded it, and what its pods run with.

What counts is what a pod is given, not what the values say: a key may come from a Secret of the chart's own, from one
that somebody named, or from a variable that somebody added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from automation.helm_template import manifests
from components.release.chart_defaults import merged

RELEASE: Final = "airflow"
_SCHEDULER: Final = "scheduler"
_WORKLOADS: Final = ("Deployment", "StatefulSet")
_IMAGE: Final = re.compile(r"(?P<repository>[^@]+?)(?::(?P<tag>[^:/@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """A value in a Secret. name: of the Secret. key: in its data."""

    name: str
    key: str

    def __str__(self) -> str:
        return f"Secret {self.name}"


@dataclass(frozen=True, kw_only=True)
class InstalledRelease:
    """The newest revision of a release.

    status: Helm's. chart: its name. airflow_version: that the chart deploys. given: the user's values; values: the
    chart's defaults with these on top; objects: as Helm applied them, ordered; hooks: what Helm makes
    before and after them, some Secrets of the chart among it. All may hold secrets.
    """

    namespace: str
    revision: int
    status: str
    chart: str
    chart_version: str
    airflow_version: str
    given: Mapping[str, Any] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    objects: tuple[Mapping[str, Any], ...] = field(repr=False)
    hooks: tuple[Mapping[str, Any], ...] = field(repr=False)

    @staticmethod
    def of(records: Sequence[Mapping[str, Any]]) -> InstalledRelease | None:
        """records: the content of each of Helm's records of the release. None where there are none."""
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

    def value(self, *keys: str) -> Any:
        """A Helm value, None where there is none."""
        found: Any = self.values
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def workload(self, component: str) -> Mapping[str, Any] | None:
        """The Deployment or StatefulSet of a part of Airflow, by the name that the chart gives it."""
        name = f"{RELEASE}-{component}"
        return next(
            (item for item in self.objects if item.get("kind") in _WORKLOADS and item["metadata"]["name"] == name), None
        )

    def container(self, component: str, name: str) -> Mapping[str, Any] | None:
        """A container of a part of Airflow."""
        return next((item for item in _containers(self.workload(component)) if item.get("name") == name), None)

    def variable(self, name: str, *, component: str = _SCHEDULER, container: str = "") -> SecretKey | str | None:
        """What a container gets as a variable: where its value is, or the value itself; None where neither is told.

        container: by default the one that is named as its part of Airflow.
        """
        given = (self.container(component, container or component) or {}).get("env") or ()
        found: SecretKey | str | None = None
        for item in given:  # of two with one name Kubernetes takes the last
            if item.get("name") == name:
                reference = (item.get("valueFrom") or {}).get("secretKeyRef") or {}
                found = SecretKey(name=reference["name"], key=reference["key"]) if reference else item.get("value")
        return found

    def mounted_secret(self, component: str, volume: str) -> str | None:
        """Name of the Secret behind a volume."""
        spec = _pod_spec(self.workload(component))
        found: Mapping[str, Any] = next((item for item in spec.get("volumes") or () if item.get("name") == volume), {})
        name = (found.get("secret") or {}).get("secretName")
        return str(name) if name else None

    def image(self) -> tuple[str, str, str]:
        """Repository, tag and digest of what the scheduler runs; "" where there is none."""
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
