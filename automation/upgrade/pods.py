"""The pods that try an image, or take the database back, made from what the stack has in the cluster. Pure.

The DAG processor's own template has the DAGs, the config, the database's address and the network policy that its pod
will have; the migration Job's has the address that bypasses PgBouncer.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from automation.errors import ClusterRequestFailed
from automation.upgrade.trial import DOWNGRADE_SCRIPT, SCRIPT

BEFORE: Final = "before"
AFTER: Final = "after"
"""Names of the containers: of the running image, and of the new one."""
DOWNGRADE: Final = "airflow"
"""Name of the migration's container."""
_PROCESSOR: Final = "dag-processor"
_MIGRATIONS: Final = "wait-for-airflow-migrations"
_KEPT: Final = ("env", "envFrom", "imagePullPolicy", "resources", "securityContext", "volumeMounts")
_OF_THE_JOB: Final = ("controller-uid", "job-name")


def with_tag(reference: str, tag: str) -> str:
    """Return the reference of an image with another tag, or with a tag in place of its digest."""
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}:{tag}"


def trial_pod(template: Mapping[str, Any], tag: str) -> dict[str, Any]:
    """Return metadata and spec of a pod that imports the DAGs in the running image and then in the new one.

    Args:
        template: The pod template of the DAG processor.
        tag: Tag of the new image.
    """
    spec = copy.deepcopy(dict(template["spec"]))
    processor = _container(spec, _PROCESSOR)
    new = with_tag(processor["image"], tag)
    first = [each for each in spec.get("initContainers") or () if each["name"] != _MIGRATIONS]
    return {
        "metadata": _metadata(template),
        "spec": {
            **spec,
            "initContainers": [*first, _runs(processor, BEFORE, processor["image"], ["python", "-c", SCRIPT, "image"])],
            "containers": [_runs(processor, AFTER, new, ["python", "-c", SCRIPT, "all"])],
        },
    }


def downgrade_pod(template: Mapping[str, Any], tag: str, version: str, *, mode: str) -> dict[str, Any]:
    """Return metadata and spec of a pod that takes the database back to an older Airflow, or looks whether it must.

    Args:
        template: The pod template of the migration Job.
        tag: Tag of the newer image: the older one does not know the newer migrations.
        version: The older Airflow.
        mode: `do` or `look`.
    """
    spec = copy.deepcopy(dict(template["spec"]))
    airflow = _container(spec, DOWNGRADE)
    airflow |= {"image": with_tag(airflow["image"], tag), "args": ["python", "-c", DOWNGRADE_SCRIPT, mode, version]}
    return {"metadata": _metadata(template), "spec": spec}


def _runs(container: Mapping[str, Any], name: str, image: str, args: list[str]) -> dict[str, Any]:
    """Return a container like another one, without its command, its ports and its probes."""
    kept = {key: container[key] for key in _KEPT if key in container}
    return {**kept, "name": name, "image": image, "args": args, "terminationMessagePolicy": "FallbackToLogsOnError"}


def _container(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    for container in spec["containers"]:
        if container["name"] == name:
            return dict(container) if name == _PROCESSOR else container
    raise ClusterRequestFailed(
        f"expected a container {name} in a pod of the stack, found none", "python -m automation up STACK"
    )


def _metadata(template: Mapping[str, Any]) -> dict[str, Any]:
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if not key.endswith(_OF_THE_JOB)}
    return {"labels": labels, "annotations": dict(metadata.get("annotations") or {})}
