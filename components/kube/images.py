"""Image references: the Airflow image by tag or digest, and a mirror registry for every image of the chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

CHART_IMAGES: Final = {
    "statsd": "quay.io/prometheus/statsd-exporter",
    "redis": "redis",
    "pgbouncer": "apache/airflow",
    "pgbouncerExporter": "apache/airflow",
    "gitSync": "registry.k8s.io/git-sync/git-sync",
    "otelCollector": "otel/opentelemetry-collector-contrib",
}
"""`images.<key>.repository` of the chart's values.yaml (tested), except for Airflow's own image."""

POSTGRES_REPOSITORY: Final = "postgres"
DOCKER_HUB: Final = "docker.io"
"""Registry of an image that names no host."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """Where images come from."""

    repository: str = "apache/airflow"
    """Airflow image without tag; a name without a registry host is pulled from `registry`."""
    tag: str
    """Tag of the Airflow image; a routine deployment changes only this."""
    digest: str | None = None
    """`sha256:` and 64 hex digits, or None; it overrides the tag, in task pods too."""
    pull_policy: str = "IfNotPresent"
    """Kubernetes `imagePullPolicy` of every container."""
    pull_secrets: tuple[pulumi.Input[str], ...] = ()
    """Names of Secrets of type `kubernetes.io/dockerconfigjson` in the namespace."""
    registry: str | None = None
    """Host, port and path prefix of a registry that mirrors every image, or None."""
    mirrors: Mapping[str, str] = field(default_factory=dict)
    """Host, port and path prefix of a mirror for each registry host that has one of its own. It wins over `registry`,
    for an Airflow image that names its host too."""

    @property
    def airflow_repository(self) -> str:
        """The Airflow image without tag, from the mirror if there is one."""
        return self.mirrored(self.repository)

    @property
    def airflow(self) -> str:
        """Reference of the Airflow image, as the chart writes it for its own pods."""
        return f"{self.airflow_repository}@{self.digest}" if self.digest else f"{self.airflow_repository}:{self.tag}"

    @property
    def registries(self) -> frozenset[str]:
        """Hosts of the registries that the images come from where nothing mirrors them."""
        return frozenset(map(_upstream, (self.repository, POSTGRES_REPOSITORY, *CHART_IMAGES.values())))

    def mirrored(self, repository: str) -> str:
        """Return `repository` in its mirror, or unchanged where it has none.

        With `registry` alone, an Airflow image that names a host stays there.
        """
        host = registry_host(repository)
        mirror = self.mirrors.get(_upstream(repository))
        if mirror is None and not (repository == self.repository and host):
            mirror = self.registry
        if mirror is None:
            return repository
        path = repository.removeprefix(f"{host}/") if host else repository
        # Docker Hub's official images are under library/, which the short name omits.
        library = "" if "/" in path or _upstream(repository) != DOCKER_HUB else "library/"
        return f"{mirror}/{library}{path}"

    def chart_values(self) -> dict[str, Any]:
        """Return the chart's `images`, and the defaults that its other templates fall back to."""
        task_pod = {"repository": self.airflow_repository, "tag": self.tag, "pullPolicy": self.pull_policy}
        if self.digest:
            # The chart prints REPOSITORY:TAG for task pods and ignores a digest; this prints REPOSITORY@sha256:HEX.
            algorithm, _, hexadecimal = self.digest.partition(":")
            task_pod |= {"repository": f"{self.airflow_repository}@{algorithm}", "tag": hexadecimal}
        images: dict[str, Any] = {
            "airflow": {
                "repository": self.airflow_repository,
                "tag": self.tag,
                "digest": self.digest,
                "pullPolicy": self.pull_policy,
            },
            "pod_template": task_pod,
        }
        for key, repository in CHART_IMAGES.items():
            images[key] = {"repository": self.mirrored(repository), "pullPolicy": self.pull_policy}
        return {
            "defaultAirflowRepository": self.airflow_repository,
            "defaultAirflowTag": self.tag,
            "images": images,
            "imagePullSecrets": [{"name": name} for name in self.pull_secrets],
            "config": {
                "kubernetes_executor": {
                    "worker_container_repository": task_pod["repository"],
                    "worker_container_tag": task_pod["tag"],
                }
            },
        }


def _upstream(repository: str) -> str:
    """Return the host of the registry that a repository is in."""
    return registry_host(repository) or DOCKER_HUB


def registry_host(repository: str) -> str:
    """Return the registry host that a repository names, or "" for Docker Hub's short form.

    The first path component is a host if it has a dot or a port or is `localhost`, as in Docker's reference grammar
    (github.com/distribution/reference).
    """
    first, separator, _ = repository.partition("/")
    return first if separator and ("." in first or ":" in first or first == "localhost") else ""
