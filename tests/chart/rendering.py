"""Renders the pinned chart with the program's values, by the `helm` command; finds both, or says what is missing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import versions
from components.release.airflow_release import RELEASE_NAME
from components.release.chart_archive import ARCHIVE
from tests import samples

NAMESPACE: Final = "airflow"
KUBERNETES: Final = "1.35"

# Looked for when this module is imported: a test itself does not see this machine's caches.
_GIVEN = os.environ.get("AIRFLOW_TEST_CHART", "")
_ARCHIVES = [Path(_GIVEN)] if _GIVEN else [samples.ROOT / ".charts" / ARCHIVE, samples.real_cache() / ARCHIVE]


def _tool(name: str, *folders: str) -> str | None:
    """Path of a command, on PATH or in folders of the user's."""
    places = [os.environ.get("PATH", ""), *(str(Path(folder).expanduser()) for folder in folders)]
    return shutil.which(name, path=os.pathsep.join(places))


# On PATH alone, as `plan` looks for it: tests that plan must not run where `plan` finds none.
HELM: Final = shutil.which("helm")
KUBE_SCORE: Final = _tool("kube-score", "~/go/bin")
CHECKOV: Final = _tool("checkov", str(samples.ROOT / ".venv" / "checkov" / "bin"))


def _is_pinned(path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == versions.AIRFLOW_CHART_SHA256


CHART: Final = next((path for path in _ARCHIVES if _is_pinned(path)), None)

needs_chart = pytest.mark.skipif(
    HELM is None or CHART is None,
    reason="needs the command helm on PATH"
    if HELM is None
    else f"needs {ARCHIVE} (AIRFLOW_TEST_CHART, or any `pulumi preview`)",
)
needs_checkov = pytest.mark.skipif(CHECKOV is None, reason="needs Checkov (requirements-checkov.txt in .venv/checkov)")
needs_kube_score = pytest.mark.skipif(KUBE_SCORE is None, reason="needs the command kube-score")


def manifest(values: Mapping[str, Any], *, validate: bool = True) -> str:
    """What Helm would install, as YAML. Raises AssertionError with Helm's own words where the chart refuses.

    validate: whether Helm compares the values with the chart's schema.
    """
    return _manifest(json.dumps(values), validate)


@cache
def _manifest(values: str, validate: bool = True) -> str:
    assert HELM is not None
    assert CHART is not None
    command = [HELM, "template", RELEASE_NAME, str(CHART), "--namespace", NAMESPACE, "--kube-version", KUBERNETES]
    command += [] if validate else ["--skip-schema-validation"]
    done = subprocess.run([*command, "--values", "-"], input=values, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def forget() -> None:
    """Makes the next render a render."""
    _manifest.cache_clear()


def objects(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What Helm would install, one by one. Nobody may change it: it is kept for the next test."""
    return _objects(json.dumps(values))


@cache
def _objects(values: str) -> list[dict[str, Any]]:
    return _documents(_manifest(values))


@cache
def _documents(text: str) -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
    return [found for found in yaml.load_all(text, Loader=loader) if found]


def objects_in(text: str) -> list[dict[str, Any]]:
    """The objects of a manifest."""
    return _documents(text)


def of_kind(rendered: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [found for found in rendered if found["kind"] == kind]


def pod_templates(rendered: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and template (metadata and spec) of every kind of pod, with the one of KubernetesExecutor's task pods."""
    for found in rendered:
        name, spec = found["metadata"]["name"], found.get("spec", {})
        if found["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            yield name, spec["template"]
        elif found["kind"] == "CronJob":
            yield name, spec["jobTemplate"]["spec"]["template"]
        elif found["kind"] == "Pod":
            yield name, found
        elif found["kind"] == "ConfigMap" and "pod_template_file.yaml" in found["data"]:
            yield "task pod", _documents(found["data"]["pod_template_file.yaml"])[0]


def containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Init containers first."""
    return [*(template["spec"].get("initContainers") or []), *template["spec"]["containers"]]


def airflow_cfg(rendered: list[dict[str, Any]]) -> str:
    return next(str(found["data"]["airflow.cfg"]) for found in rendered if "airflow.cfg" in found.get("data", {}))
