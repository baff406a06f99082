"""Render the chart by the `helm` command, without a cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from components.kube.safe_yaml import load_all_yaml

KUBERNETES: Final = "1.35"
"""Kubernetes version to render for: the newest that this Airflow is tested on (see versions.KIND_NODE_IMAGE)."""

_HELM: Final = "helm"
_SECONDS: Final = 120


class RenderingError(Exception):
    """Nothing is rendered; the text says why in one clause."""


class ChartRefusedError(RenderingError):
    """Helm read the chart, and cannot render it with these values: an update would fail too."""


def rendered(chart: Path, release: str, namespace: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the manifests for the Kubernetes version `KUBERNETES`, ordered by kind and name.

    Raises:
        ChartRefusedError: Helm cannot render the chart with these values.
        RenderingError: Helm is not on PATH, or did not end in time.
    """
    if shutil.which(_HELM) is None:
        raise RenderingError(f"the command {_HELM} is not on PATH")
    # By default Helm renders for the Kubernetes that it was built with, and two versions of Helm would differ.
    options = ["--namespace", namespace, "--kube-version", KUBERNETES, "--skip-tests", "--values", "-"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [_HELM, "template", release, str(chart), *options],
                input=json.dumps(values),
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                env=_environment(folder),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RenderingError(f"{_HELM} template did not end ({type(error).__name__})") from None
    if done.returncode != 0:
        raise ChartRefusedError(f"{_HELM} template failed: {' '.join(done.stderr.split())}")
    return manifests(done.stdout)


def manifests(text: str) -> tuple[dict[str, Any], ...]:
    """Return the objects of a YAML stream, ordered by kind and name."""
    return tuple(sorted(map(_plain, load_all_yaml(text)), key=object_key))


def object_key(manifest: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return what identifies an object in two renderings: kind, namespace, name, API version."""
    metadata = manifest.get("metadata") or {}
    return (
        str(manifest.get("kind")),
        str(metadata.get("namespace", "")),
        str(metadata.get("name", "")),
        str(manifest.get("apiVersion")),
    )


def _environment(folder: str) -> dict[str, str]:
    """Return variables without a person's settings for Helm, its plugins, repositories and registries."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
    return kept | {f"HELM_{kind}_HOME": folder for kind in ("CACHE", "CONFIG", "DATA")}


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: YAML reads dates out of texts without quotes."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)
