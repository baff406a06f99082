"""Templates of a stack's pods. The cluster admits a pod made from one, and it reaches what the stack's pods reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from automation.errors import ClusterRequestFailed
from components.kube.client import KubeApi

MIGRATION: Final = {"tier": "airflow", "component": "database-migration"}
"""The same as in `components.database.migration` (tested). Importing that would load the Kubernetes SDK."""
_PROCESSOR: Final = {"tier": "airflow", "component": "dag-processor"}


def processor_template(api: KubeApi, namespace: str) -> Mapping[str, Any]:
    """Return the template of the DAG processor. Raises what `KubeApi` raises, and ClusterRequestFailed without one."""
    return _newest(api, namespace, ("apps/v1", "Deployment"), _PROCESSOR, "DAG processor")


def migration_template(api: KubeApi, namespace: str) -> Mapping[str, Any]:
    """Return the template of the migration, which goes past PgBouncer. Raises as `processor_template` does."""
    return _newest(api, namespace, ("batch/v1", "Job"), MIGRATION, "migration Job")


def _newest(
    api: KubeApi, namespace: str, kind: tuple[str, str], labels: Mapping[str, str], name: str
) -> Mapping[str, Any]:
    found = api.items(*kind, namespace, labels=labels)
    if not found:
        raise ClusterRequestFailed(f"the stack has no {name} from which to make a pod", "python -m automation up STACK")
    newest = max(found, key=lambda item: str(item["metadata"].get("creationTimestamp")))
    template: Mapping[str, Any] = newest["spec"]["template"]
    return template
