"""Installs the same release with the `helm` command, for comparison."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.plain_stack import CONTEXT, ROOT
from benchmarks.results import UnavailableError
from components.kube.client import KubeApi
from components.release.airflow_release import RELEASE_NAME
from components.release.chart_archive import chart_archive
from components.release.helm_record import KubernetesRecords

_TIMEOUT_SECONDS: Final = 600
_PODS: Final = f"release={RELEASE_NAME}"


def need_helm() -> None:
    """Raise UnavailableError where Helm's command is missing."""
    if shutil.which("helm") is None:
        raise UnavailableError("helm is not on PATH; see https://helm.sh/docs/intro/install/")


@dataclass(frozen=True, kw_only=True)
class Helm:
    """One release."""

    api: Any
    """Client of the cluster."""
    namespace: str
    folder: Path
    """Where values files are written."""

    def deployed_values(self) -> Mapping[str, Any]:
        """Return the newest revision's values by Helm's own record."""
        revisions = KubernetesRecords(KubeApi(CONTEXT), self.namespace, RELEASE_NAME).list()
        return max(revisions, key=lambda revision: revision.number).values

    def upgrade(self, values: Mapping[str, Any]) -> None:
        """Install or upgrade with the program's chart, and wait until every pod is ready."""
        file = self.folder / "values.json"
        file.write_text(json.dumps(values))
        chart = str(ROOT / chart_archive("", ROOT))
        self._run("upgrade", "--install", RELEASE_NAME, chart, "--values", str(file), "--wait")

    def uninstall(self) -> None:
        """Remove the release and its volumes; what the program made beside it stays."""
        self._run("uninstall", RELEASE_NAME, "--wait")
        self.api.delete_collection_namespaced_persistent_volume_claim(self.namespace, label_selector=_PODS)
        self.until(lambda: not self._pods() and not self._claims(), "gone")

    def settle(self) -> None:
        """Wait until no pod of an earlier revision is left: it would disturb the next measurement."""
        self.until(lambda: all(pod.metadata.deletion_timestamp is None for pod in self._pods()), "settled")

    def _pods(self) -> list[Any]:
        pods: list[Any] = self.api.list_namespaced_pod(self.namespace, label_selector=_PODS).items
        return pods

    def _claims(self) -> list[Any]:
        api = self.api
        claims: list[Any] = api.list_namespaced_persistent_volume_claim(self.namespace, label_selector=_PODS).items
        return claims

    def until(self, good: Callable[[], bool], state: str) -> None:
        """Wait until the release is in a state. Raises TimeoutError after ten minutes."""
        end = time.monotonic() + _TIMEOUT_SECONDS
        while not good():
            if time.monotonic() > end:
                raise TimeoutError(f"release {RELEASE_NAME} is not {state} after {_TIMEOUT_SECONDS} s")
            time.sleep(0.5)

    def _run(self, *words: str) -> None:
        where = ["--kube-context", CONTEXT, "--namespace", self.namespace, "--timeout", f"{_TIMEOUT_SECONDS}s"]
        done = subprocess.run(["helm", *words, *where], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"helm {words[0]}: {done.stderr.strip()}")
