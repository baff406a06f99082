"""A pytest hook that ends each run with what was skipped and how to run it. docs/testing.md says the same at length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

REMEDIES: Final = (
    (r"no cluster|kind-airflow", "make dev, then make test"),
    (r"environment of the policy pack", "make policy, then make test"),
    (
        r"no AWS CLI",
        "install the AWS CLI (https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)",
    ),
    (r"plugin aws", "pulumi plugin install resource aws VERSION, VERSION of pulumi-aws from requirements.txt"),
    (r"no engine", "make dev, or install Pulumi on PATH, then make test"),
    (r"command helm and an SSH repository|AIRFLOW_TEST_GIT", "set the variables that tests/cluster/conftest.py names"),
    (r"AIRFLOW_TEST_S3_IMAGE_TAG", "set it as docs/testing.md says"),
    (
        r"AIRFLOW_TEST_UPGRADE_TAG",
        "set it to the tag of an apache/airflow image with a newer Airflow that the cluster has",
    ),
    (r"AIRFLOW_TEST_HEALTHY_MINUTES", "set it to 60 for an hour in which no alert may fire"),
    (r"AIRFLOW_TEST_SSO_TAG", "set it to the tag of an apache/airflow image with authlib that the cluster has"),
    (r"AIRFLOW_TEST_DAGS_TAG", "set it as docs/testing.md says"),
    (r"MutatingAdmissionPolicy", "take a cluster with Kubernetes 1.36 or newer"),
    (r"command helm", "install Helm (https://helm.sh/docs/intro/install)"),
    (r"airflow-[\d.]+\.tgz|chart's archive", "make preview once: it downloads the chart's archive"),
    (r"Checkov", "make .venv/checkov"),
    (r"kube-score", "go install github.com/zegl/kube-score/cmd/kube-score@latest"),
    (r"actionlint", "go install github.com/rhysd/actionlint/cmd/actionlint@VERSION, VERSION from versions.py"),
    (r"promtool|no prometheus", "install Prometheus (Debian's package prometheus)"),
    (r"no PostgreSQL driver", "rm -f .venv/test && make test: it installs requirements-dev.txt"),
    (
        r"no PostgreSQL server",
        "install PostgreSQL (Debian's package postgresql), or name the folder of its initdb in "
        "AIRFLOW_TEST_POSTGRES_BIN",
    ),
    (r"no uv", "install uv and the Python of AIRFLOW_IMAGE_PYTHON in versions.py"),
    (r"hadolint|fastapi|example's|zizmor", "rm -f .venv/test && make test: it installs requirements-dev.txt"),
)
"""Patterns of skip reasons, each with the command that lets the skipped tests run. The first match counts."""


def remedy(reason: str) -> str:
    """Return how to run a test that was skipped for `reason`, or "" if no command helps."""
    return next((command for pattern, command in REMEDIES if re.search(pattern, reason)), "")


def summary(reasons: Iterable[str]) -> Iterator[str]:
    """Yield the lines of the summary, the most frequent reason first."""
    for reason, count in Counter(reasons).most_common():
        yield f"{count} skipped: {reason}"
        if command := remedy(reason):
            yield f"  to run: {command}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the summary below pytest's own."""
    reports = terminalreporter.stats.get("skipped", [])
    lines = list(summary(_reason(report) for report in reports))
    if lines:
        terminalreporter.section("what was skipped, and how to run it")
        for line in lines:
            terminalreporter.line(line)


def _reason(report: Any) -> str:
    """Return a report's reason. pytest stores a skip as (file, line, "Skipped: REASON")."""
    text = report.longrepr[2] if isinstance(report.longrepr, (tuple, list)) else str(report.longrepr)
    return str(text).removeprefix("Skipped: ")
