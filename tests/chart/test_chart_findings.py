"""What two scanners say of a production deployment: less than of the chart's defaults, and nothing without a reason."""

from __future__ import annotations

import functools
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

from components.chart_values.executor import Executor
from components.chart_values.ingress import Ingress, alb_annotations
from components.chart_values.scale import Scale
from components.chart_values.size_preset import SizePreset
from components.chart_values.values import airflow_values
from components.database.pgbouncer import PgBouncer
from components.kube.safe_yaml import load_yaml
from components.network.database_place import DatabaseCidrs
from components.network.isolation_rules import IsolationRules
from components.network.policies import network_policies
from components.task_logs.store import TaskLogStore
from tests import samples
from tests.cases import each
from tests.chart import rendering

pytestmark = rendering.needs_chart

WAIVERS: Final[dict[str, dict[str, str]]] = load_yaml(Path(__file__).with_name("waivers.yaml").read_text())
CRITICAL: Final = 1
"""kube-score's grade of a failure; 5 is a warning, 10 is good."""


def production() -> str:
    """The objects of a production deployment: the release, and the policies of the program around it."""
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1a2b"
    values = airflow_values(
        samples.release_inputs(
            size=SizePreset.MEDIUM,
            pgbouncer=PgBouncer(replicas=2),
            store=TaskLogStore.S3,
            scale=Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=4),
            metadata_retention_days=90,
            database_ca="database-ca-1",
            ingress=Ingress(host="a.example.com", class_name="alb", annotations=alb_annotations(arn, internal=True)),
        )
    )
    rules = IsolationRules(
        release_name="airflow",
        executor=Executor.CELERY,
        database=DatabaseCidrs(cidrs=("10.0.32.0/20",), port=5432, shared=True),
        pgbouncer=True,
        egress_except=("169.254.169.254/32",),
        ui_namespaces=(),
        metrics_namespaces=(),
        ui_cidrs=("10.0.64.0/20",),
        database_cleanup=True,
        pod_identity=True,
    )
    policies = [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}
        for name, spec in network_policies(rules).items()
    ]
    return installed([*rendering.objects(values), *policies])


def installed(objects: list[dict[str, Any]]) -> str:
    """As YAML, in the namespace into which Helm installs them; its output leaves that out."""
    placed = [{**found, "metadata": {**found["metadata"], "namespace": rendering.NAMESPACE}} for found in objects]
    text: str = yaml.dump_all(placed)
    return text


@functools.cache
def checkov(manifests: str, folder: Path) -> Counter[str]:
    """Failures by rule."""
    assert rendering.CHECKOV is not None
    file = folder / "manifests.yaml"
    file.write_text(manifests)
    # Without the download it asks nobody; its rules are its own.
    command = [rendering.CHECKOV, "--framework", "kubernetes", "--skip-download", "--compact", "--file", str(file)]
    done = subprocess.run([*command, "--output", "json"], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 500, "it has looked"
    return Counter(failure["check_id"] for failure in report["results"]["failed_checks"])


@functools.cache
def kube_score(manifests: str) -> Counter[str]:
    """Critical failures by rule."""
    assert rendering.KUBE_SCORE is not None
    command = [rendering.KUBE_SCORE, "score", "-", "--output-format", "json"]
    done = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert sum(len(found["checks"]) for found in report) > 150, "it has looked"
    return Counter(
        check["check"]["id"]
        for found in report
        for check in found["checks"]
        if check["grade"] == CRITICAL and not check["skipped"]
    )


@rendering.needs_checkov
def test_checkov_finds_less_than_in_the_chart_s_defaults(tmp_path: Path) -> None:
    defaults = checkov(installed(rendering.objects({})), tmp_path)
    ours = checkov(production(), tmp_path)
    assert ours.total() < 0.7 * defaults.total(), (ours, defaults)
    assert set(ours) <= set(defaults), "nothing is broken that the chart keeps"
    assert set(ours) == set(WAIVERS["checkov"])


@rendering.needs_kube_score
def test_kube_score_finds_less_than_in_the_chart_s_defaults() -> None:
    defaults, ours = kube_score(installed(rendering.objects({}))), kube_score(production())
    assert ours.total() < 0.8 * defaults.total(), (ours, defaults)
    assert set(ours) == set(WAIVERS["kube-score"])


@each("scanner", WAIVERS)
def test_every_waiver_says_why(scanner: str) -> None:
    for rule, reason in WAIVERS[scanner].items():
        assert len(reason.split()) >= 2, rule
        for other in (word.strip(".;") for word in reason.split() if word.startswith("CKV_")):
            assert other in WAIVERS["checkov"], rule
