"""The texts of Helmsman's files. Pure: the same source gives the same texts, and no text holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from automation.helmsman.image_values import image_lines, split_image
from automation.helmsman.names import (
    ADMIN_USER,
    DESIRED_STATE,
    IMAGE_VALUES,
    MANIFESTS,
    MARK,
    MIGRATION,
    PREREQUISITES,
    VALUES,
)
from automation.helmsman.source import ExportedStack
from automation.yaml_text import as_yaml
from components.chart_values.value_paths import at
from components.connections.pools import POOLS_VARIABLE

_REPOSITORY: Final = "https://airflow.apache.org"
"""Repository of the official chart (airflow.apache.org/docs/helm-chart)."""
_REPOSITORY_NAME: Final = "apache-airflow"
_JOB_FILES: Final = {"database-migration": MIGRATION, "admin-user": ADMIN_USER}
"""Files of the Jobs, by their label `component`."""


def files(source: ExportedStack) -> dict[str, str]:
    """Return the text of each file by its name.

    Raises:
        NotExportable: The image has no text as its repository or tag.
    """
    values, image = split_image(source.values)
    texts = {
        DESIRED_STATE: _text(source, ["What Helmsman installs."], [_desired_state(source)]),
        VALUES: _text(source, [f"Helm values, all but those in {IMAGE_VALUES}."], [values]),
        IMAGE_VALUES: "\n".join([*_header(source, _image_comment(source)), *image_lines(image)]) + "\n",
        PREREQUISITES: _text(source, _prerequisites_comment(source), [_prerequisites(source)]),
    }
    comments = {
        MIGRATION: [
            "Migrates the database before the release is installed or upgraded.",
            f"It has the image of the release: if you change that in {IMAGE_VALUES}, change it here too.",
        ],
        ADMIN_USER: ["Makes the first user, or gives it its password, after the release is installed."],
        "": [
            "Objects beside the release. Helmsman does not apply this file. Apply it before the first run:",
            f"kubectl apply -f {MANIFESTS}",
        ],
    }
    for file, comment in comments.items():
        objects = [item for item in source.objects if _job_file(item) == file]
        if objects:
            texts[file or MANIFESTS] = _text(source, comment, objects)
    return texts


def _image_comment(source: ExportedStack) -> list[str]:
    comment = ["Repository and tag of the Airflow image. The other keys follow these two lines: change them in place."]
    if at(source.values, "images.airflow.digest"):
        comment.append("images.airflow.digest is set, and wins over the tag.")
    return comment


def _desired_state(source: ExportedStack) -> dict[str, Any]:
    release = source.release
    namespace = str(release["namespace"])
    app: dict[str, Any] = {
        "namespace": namespace,
        "enabled": True,
        "chart": f"{_REPOSITORY_NAME}/airflow",
        "version": source.chart_version,
        "valuesFiles": [VALUES, IMAGE_VALUES],
        "wait": not release.get("skipAwait", False),
        "timeout": int(release["timeout"]),
        # Helmsman does not even upgrade what is protected.
        "protected": False,
    }
    if release.get("maxHistory"):
        app["maxHistory"] = int(release["maxHistory"])
    if hooks := _hooks(source):
        app["hooks"] = hooks
    state: dict[str, Any] = {
        "helmRepos": {_REPOSITORY_NAME: _REPOSITORY},
        "namespaces": {namespace: {"protected": False, "labels": dict(source.namespace_labels)}},
        "apps": {str(release["name"]): app},
    }
    if source.kube_context:
        state["settings"] = {"kubeContext": source.kube_context}
    escaped: dict[str, Any] = _escaped(state)
    return escaped


def _hooks(source: ExportedStack) -> dict[str, Any]:
    jobs = {_job_file(item): item for item in source.objects if _job_file(item)}
    if not jobs:
        return {}
    hooks: dict[str, Any] = {}
    if MIGRATION in jobs:
        hooks |= {"preInstall": MIGRATION, "preUpgrade": MIGRATION}
    if ADMIN_USER in jobs:
        hooks["postInstall"] = ADMIN_USER
        [container] = jobs[ADMIN_USER]["spec"]["template"]["spec"]["containers"]
        if any(entry["name"] == POOLS_VARIABLE for entry in container["env"]):
            hooks["postUpgrade"] = ADMIN_USER  # pools may change at any time
    seconds = max(int(job["spec"]["activeDeadlineSeconds"]) for job in jobs.values())
    return {**hooks, "successCondition": "Complete", "successTimeout": f"{seconds}s", "deleteOnSuccess": True}


def _escaped(value: Any) -> Any:
    """Write each dollar sign as `$$`: Helmsman puts environment variables into its desired state."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _prerequisites_comment(source: ExportedStack) -> list[str]:
    if source.deployed:
        return ["Secrets that the files refer to. They exist. If one is deleted, Airflow stops."]
    return [
        "Make these Secrets before the first run, under these names and with these keys. No file here holds a value.",
        *(["madeUp: placeholders in the files. Replace them by real values."] if source.made_up else []),
    ]


def _prerequisites(source: ExportedStack) -> dict[str, Any]:
    secrets = [
        {"name": secret.name, "type": secret.type, **({"keys": list(secret.keys)} if secret.keys else {})}
        for secret in source.secrets
    ]
    document: dict[str, Any] = {"namespace": source.release["namespace"], "secrets": secrets}
    return {**document, "madeUp": list(source.made_up)} if source.made_up else document


def _job_file(manifest: Mapping[str, Any]) -> str:
    """Return the file of a Job that Helmsman runs, "" for any other object."""
    if manifest["kind"] != "Job":
        return ""
    return _JOB_FILES.get((manifest["metadata"].get("labels") or {}).get("component", ""), "")


def _text(source: ExportedStack, comment: list[str], documents: list[Any]) -> str:
    return "\n".join(_header(source, comment)) + "\n" + "---\n".join(map(as_yaml, documents))


def _header(source: ExportedStack, comment: list[str]) -> list[str]:
    made_of = "its state" if source.deployed else "its plan, not from a deployment"
    return [f"{MARK} from stack {source.stack}: from {made_of}.", *(f"# {line}" for line in comment)]
