"""Image references: the Airflow image by tag or digest, and every image of the chart from a registry of one's own."""

from __future__ import annotations

from dataclasses import dataclass
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
"""`images.<key>.repository` of the chart's values.yaml (tested against it), all but those of Airflow itself."""

POSTGRES_REPOSITORY: Final = "postgres"


@dataclass(frozen=True, kw_only=True)
class Images:
    """Where images come from.

    repository: Airflow image without tag. A name without a registry host follows `registry`.
    tag: its tag; a routine deployment moves this and nothing else.
    digest: `sha256:` and 64 hex digits, or None. Wins over the tag, in task pods too.
    pull_policy: Kubernetes `imagePullPolicy` of every container.
    pull_secrets: names of Secrets of type `kubernetes.io/dockerconfigjson` in the namespace.
    registry: host, port and path prefix that mirrors every image, or None for each image's own.
    """

    repository: str = "apache/airflow"
    tag: str
    digest: str | None = None
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[pulumi.Input[str], ...] = ()
    registry: str | None = None

    @property
    def airflow_repository(self) -> str:
        return self.mirrored(self.repository)

    @property
    def airflow(self) -> str:
        """Reference of the Airflow image, as the chart writes it for its own pods."""
        return f"{self.airflow_repository}@{self.digest}" if self.digest else f"{self.airflow_repository}:{self.tag}"

    def mirrored(self, repository: str) -> str:
        """`repository` in `registry`; as it is where no registry is set or the Airflow image names its own."""
        if self.registry is None or (repository == self.repository and registry_host(repository)):
            return repository
        path = repository.removeprefix(f"{registry_host(repository)}/") if registry_host(repository) else repository
        # Docker Hub's official images live under library/, which the short name leaves out.
        return f"{self.registry}/{path if '/' in path else f'library/{path}'}"

    def chart_values(self) -> dict[str, Any]:
        """The chart's `images` and the defaults that its other templates fall back to."""
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


def registry_host(repository: str) -> str:
    """The registry host that a repository names, or "" for Docker Hub's short form.

    The first path component is a host where it has a dot or a port or is `localhost`: the rule of Docker's reference
    grammar (github.com/distribution/reference).
    """
    first, separator, _ = repository.partition("/")
    return first if separator and ("." in first or ":" in first or first == "localhost") else ""
