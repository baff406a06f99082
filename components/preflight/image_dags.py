"""The pod that looks for DAGs in Airflow's image, for stacks whose DAGs are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from components.chart_values.chart_defaults import chart_values
from components.chart_values.value_paths import at
from components.kube.env import NO_DATABASE_CHECK
from components.kube.images import Images
from components.kube.pod_security import AIRFLOW_UID, CONTAINER, followed, pod_security_context
from components.preflight.finding import Finding, failed, passed
from components.preflight.pod_surroundings import processor_mounts
from components.preflight.pods import pod_spec, processor_volumes

CHECK: Final = "DAGs in the image"
LOOK: Final = "look"
"""The pod's only container."""
LABELS: Final = {"tier": "airflow", "component": "preflight-dags"}
"""No network policy admits this pod to anything: it only looks at files."""
_DAGS_FOLDER: Final = "config.core.dags_folder"
_BUNDLES: Final = "dagProcessor.dagBundleConfigList"
_THERE: Final = "there"
_EMPTY: Final = "empty"

SCRIPT: Final = f"""\
import os, sys
folder = sys.argv[1]
found = any(name.endswith((".py", ".zip")) for _, _, names in os.walk(folder, followlinks=True) for name in names)
with open("/dev/termination-log", "w") as answer:
    answer.write("{_THERE}" if found else "{_EMPTY}" if os.path.isdir(folder) else "missing")
"""
"""Python script that says whether a folder has a file in which Airflow would look for DAGs."""


def dags_folder(values: Mapping[str, Any]) -> str | None:
    """Return the folder from which Airflow loads DAGs; None where the image does not decide what is in it.

    A volume may have them, which the chart mounts or which a container of the user's fills when the pod starts.

    Args:
        values: The values of the release, with the chart's own below them (templates/_helpers.yaml, `airflow_dags`).
    """
    # Bundles of the user's own, such as those of S3, are fetched.
    if at(values, "dags.persistence.enabled") or at(values, _BUNDLES) != at(chart_values(), _BUNDLES):
        return None
    given = at(values, _DAGS_FOLDER)
    if given == at(chart_values(), _DAGS_FOLDER):
        folder = str(at(values, "dags.mountPath") or f"{values['airflowHome']}/dags")
    else:
        folder = str(given or "{{")
    return None if "{{" in folder or _filled_later(folder, values) else folder


def _filled_later(folder: str, values: Mapping[str, Any]) -> bool:
    """Return whether a folder is in a volume of the DAG processor that is empty until its pod starts."""
    mounts = processor_mounts(values)
    over = [mount for mount in mounts if f"{folder}/".startswith(f"{str(mount.get('mountPath')).rstrip('/')}/")]
    return any("emptyDir" in volume for volume in processor_volumes(values, over))


def image_dags_pod(folder: str, values: Mapping[str, Any], images: Images, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata and spec of the pod.

    Args:
        folder: Where the DAGs should be.
        values: The values of the release, with the chart's own below them.
        images: The images of the stack.
        said: What a team says of the security context of all pods.
    """
    security = followed(pod_security_context(AIRFLOW_UID, gid=0), said)
    mounts = processor_mounts(values)
    container = {
        "name": LOOK,
        "image": images.airflow,
        "imagePullPolicy": images.pull_policy,
        "securityContext": CONTAINER,
        # Arguments, not a command: the image's entry point sets up the user and the paths.
        "args": ["python", "-c", SCRIPT, folder],
        "env": [NO_DATABASE_CHECK],
        "volumeMounts": mounts,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {
        "metadata": {"labels": dict(LABELS)},
        "spec": {
            **pod_spec(values, "dagProcessor", images, security),
            "containers": [container],
            "volumes": processor_volumes(values, mounts),
        },
    }


def image_dags_about(folder: str, images: Images) -> dict[str, str]:
    """Return what the texts name."""
    return {"folder": folder, "image": images.airflow}


def image_dags_finding(answer: str, about: Mapping[str, str]) -> Finding:
    """Return whether DAGs are there. answer: what the pod wrote."""
    folder, image, stack = about["folder"], about["image"], about["stack"]
    if answer == _THERE:
        return passed(CHECK, f"{image} has DAGs in {folder}")
    found = "no .py and no .zip file in it" if answer == _EMPTY else "no such folder"
    return failed(
        CHECK,
        f"airflow:dagsDelivery: expected DAGs in {folder} of {image}, found {found}",
        f"copy them there in the image's Dockerfile, or name their folder: {_DAGS_FOLDER} of airflow:helmValues; or "
        f"let pods fetch them: pulumi config set --stack {stack} airflow:dagsDelivery git-sync",
    )
