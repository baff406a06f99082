"""Releases of the official chart as Helm records them, small, and a cluster that has one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from automation.adoption.installed import InstalledRelease
from automation.cluster.objects import ClusterObjects

NAMESPACE: Final = "airflow"
VALUES: Final[Mapping[str, Any]] = {
    "kubeContext": "kind-airflow",
    "protect": False,
    "databaseCidrs": ["10.0.0.0/24"],
    "taskLogs": "volume",
    "taskLogsAccessMode": "ReadWriteOnce",
    "dagsRepository": "https://git.test/dags.git",
}
"""Config that no release says."""
_Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""That of libyaml, where it is installed, takes a tenth of the time."""
FERNET_KEY: Final = "c2VudGluZWwtZmVybmV0LWtleS1vZi0zMi1ieXRlcyE="
SECRETS: Final[Mapping[str, Mapping[str, str]]] = {
    "team-fernet": {"fernet-key": FERNET_KEY},
    "team-api": {"api-secret-key": "sentinel-api-secret-key-0123456789abcdef"},
    "team-jwt": {"jwt-secret": "sentinel-jwt-secret-" + "0123456789abcdef" * 4},
    "team-redis": {"password": "sentinel-redis-password"},
    "team-database": {"connection": "postgresql://air%40flow:sentinel%2Fdb@db.test:5433/metadata?sslmode=require"},
}


def from_secret(name: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


VARIABLES: Final = (
    from_secret("AIRFLOW__CORE__FERNET_KEY", "team-fernet", "fernet-key"),
    from_secret("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "team-database", "connection"),
    from_secret("AIRFLOW__API__SECRET_KEY", "team-api", "api-secret-key"),
    from_secret("AIRFLOW__API_AUTH__JWT_SECRET", "team-jwt", "jwt-secret"),
)


def workload(component: str, *, kind: str = "Deployment", replicas: int = 1, **more: Any) -> dict[str, Any]:
    """A part of Airflow. more: `env`, `containers`, `volumes`, `image` and fields of `spec`."""
    container = {
        "name": component,
        "image": more.pop("image", "registry.test:5000/airflow:3.2.2-7"),
        "env": list(more.pop("env", VARIABLES)),
    }
    pod = {"containers": [container, *more.pop("containers", ())], "volumes": list(more.pop("volumes", ()))}
    spec = {"replicas": replicas, "template": {"spec": pod}, **more}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": f"airflow-{component}"}, "spec": spec}


def redis() -> dict[str, Any]:
    env = [from_secret("REDIS_PASSWORD", "team-redis", "password")]
    return workload("redis", kind="StatefulSet", env=env)


def objects() -> list[dict[str, Any]]:
    """Those of a release with Celery."""
    return [
        workload("scheduler", replicas=2),
        workload("api-server"),
        workload("dag-processor"),
        workload("worker", kind="StatefulSet", replicas=3),
        redis(),
    ]


def record(manifests: list[dict[str, Any]] | None = None, **changed: Any) -> dict[str, Any]:
    """Content of a record. changed: `version`, `status`, `chart`, `chart_version`, `defaults`, `config`, `hooks`."""
    return {
        "name": "airflow",
        "namespace": NAMESPACE,
        "version": changed.get("version", 3),
        "info": {"status": changed.get("status", "deployed")},
        "chart": {
            "metadata": {
                "name": changed.get("chart", "airflow"),
                "version": changed.get("chart_version", "1.22.0"),
                "appVersion": changed.get("app_version", "3.2.2"),
            },
            "values": changed.get("defaults", {"executor": "CeleryExecutor"}),
        },
        "config": changed.get("config", {}),
        "hooks": [{"manifest": _manifest([item])} for item in changed.get("hooks", ())],
        "manifest": _usual_manifest() if manifests is None else _manifest(manifests),
    }


def _manifest(manifests: list[dict[str, Any]]) -> str:
    return str(yaml.dump_all(manifests, Dumper=_Dumper))


@functools.cache
def _usual_manifest() -> str:
    return _manifest(objects())


def installed(manifests: list[dict[str, Any]] | None = None, **changed: Any) -> InstalledRelease:
    found = InstalledRelease.of([record(manifests, **changed)])
    assert found is not None
    return found


@dataclass
class FakeCluster(ClusterObjects):
    """A namespace in memory. refused: what Kubernetes says by object name. kept: names that Helm must keep."""

    contents: tuple[Mapping[str, Any], ...] = field(default_factory=lambda: (record(),))
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: SECRETS)
    refused: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def records(self, name: str) -> tuple[Mapping[str, Any], ...]:
        return self.contents

    def secret(self, name: str) -> Mapping[str, str]:
        return self.secrets.get(name, {})

    def is_kept(self, manifest: Mapping[str, Any]) -> bool:
        return manifest["metadata"]["name"] in self.kept

    def refusal(self, manifest: Mapping[str, Any]) -> str:
        name = str(manifest["metadata"]["name"])
        self.asked.append(name)
        return self.refused.get(name, "")


def read(name: str) -> Mapping[str, str]:
    return SECRETS.get(name, {})
