"""A Prometheus of the machine that runs the tests: it finds a stack's pods by their annotations, and runs its rules.

The scrape configuration is that of Prometheus's Helm chart, as far as annotations go. Pods of a cluster on one node are
reached from it; network policies never apply to a node and its own pods.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROMETHEUS: Final = shutil.which("prometheus")
INTERVAL: Final = "5s"
_ADDRESS: Final = "127.0.0.1:19090"
_META: Final = "__meta_kubernetes"


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def names(self) -> set[str]:
        """Names of all metrics that were scraped."""
        return set(self._get("label/__name__/values"))

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        return {found["metric"]["alertname"] for found in self.query('ALERTS{alertstate="firing"}')}

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]


def until(condition: Callable[[], bool], what: Callable[[], object], seconds: int) -> float:
    """Waits, and returns the seconds that it took; what: told if it takes longer."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, f"not within {seconds} s: {what()}"
        time.sleep(2)
    return time.monotonic() - began


@contextmanager
def prometheus(
    folder: Path, namespace: str, groups: Sequence[Mapping[str, Any]], more: Sequence[str] = ()
) -> Iterator[Prometheus]:
    """Runs one for a namespace. more: addresses that it scrapes too, as if they were pods of the namespace."""
    (folder / "rules.yaml").write_text(json.dumps({"groups": groups}))
    jobs = [_job("pod", "pod", namespace), _job("endpoints", "service", namespace)]
    if more:
        jobs.append(
            {"job_name": "more", "static_configs": [{"targets": list(more), "labels": {"namespace": namespace}}]}
        )
    document = {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules.yaml"],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yaml").write_text(json.dumps(document))
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                str(PROMETHEUS),
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={_ADDRESS}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Prometheus(_ADDRESS)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _job(role: str, annotated: str, namespace: str) -> dict[str, Any]:
    kubeconfig = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    scrape, port = (f"{_META}_{annotated}_annotation_prometheus_io_{key}" for key in ("scrape", "port"))
    return {
        "job_name": role,
        "kubernetes_sd_configs": [{"role": role, "kubeconfig_file": kubeconfig, "namespaces": {"names": [namespace]}}],
        "relabel_configs": [
            {"source_labels": [scrape], "action": "keep", "regex": "true"},
            {
                "source_labels": ["__address__", port],
                "regex": r"(.+?)(?::\d+)?;(\d+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
            {"source_labels": [f"{_META}_pod_phase"], "action": "drop", "regex": "Pending|Succeeded|Failed|Completed"},
            {"source_labels": [f"{_META}_namespace"], "target_label": "namespace"},
            {"source_labels": [f"{_META}_pod_name"], "target_label": "pod"},
        ],
    }
