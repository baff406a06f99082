"""A Prometheus of the machine that runs the tests: it scrapes what is annotated in a namespace, and runs rules.

Debian's Prometheus is built without the discovery of pods: `targets` does what the configuration of Prometheus's Helm
chart would. Pods of a cluster on one node are reached from it; no network policy applies between a node and its pods.
"""

from __future__ import annotations

import json
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


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    address: str

    def answers(self) -> bool:
        """Whether it has started."""
        try:
            self.query("vector(1)")
        except OSError:
            return False
        return True

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


def targets(api: Any, namespace: str) -> list[dict[str, Any]]:
    """Returns the annotated pods, and the pods of annotated Services, as Prometheus has them."""
    found = [(pod, pod.metadata.annotations) for pod in api.list_namespaced_pod(namespace).items]
    for service in api.list_namespaced_service(namespace).items:
        selector = ",".join(f"{label}={value}" for label, value in (service.spec.selector or {}).items())
        pods = api.list_namespaced_pod(namespace, label_selector=selector).items if selector else []
        found += [(pod, service.metadata.annotations) for pod in pods]
    return [
        {
            "targets": [f"{pod.status.pod_ip}:{annotations['prometheus.io/port']}"],
            "labels": {"namespace": namespace, "pod": pod.metadata.name},
        }
        for pod, annotations in found
        if (annotations or {}).get("prometheus.io/scrape") == "true" and pod.status.phase == "Running"
    ]


@contextmanager
def prometheus(
    folder: Path, groups: Sequence[Mapping[str, Any]], scraped: Sequence[Mapping[str, Any]]
) -> Iterator[Prometheus]:
    """Runs one. scraped: see `targets`."""
    (folder / "rules.yaml").write_text(json.dumps({"groups": groups}))
    document = {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "stack", "static_configs": list(scraped)}],
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
            running = Prometheus(_ADDRESS)
            until(running.answers, lambda: "Prometheus answers", 60)
            yield running
        finally:
            process.terminate()
            process.wait(timeout=30)
