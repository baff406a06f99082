"""Every skip reason of the suite has a remedy, and the summary names both."""

from __future__ import annotations

from tests.cases import each
from tests.skipped import remedy, summary


@each(
    ("reason", "command"),
    [
        ("no cluster: context kind-airflow does not answer (MaxRetryError)", "make dev"),
        ("no engine: pulumi is not on PATH", "make dev"),
        ("no engine: its plugin aws 7.51.1 is not here and cannot be downloaded", "pulumi plugin install resource aws"),
        ("no AWS CLI: the command aws is not on PATH", "install the AWS CLI"),
        ("no environment of the policy pack: make policy", "make policy"),
        ("needs the command helm on PATH", "install Helm"),
        ("needs the command helm and an SSH repository of DAGs (see conftest.py)", "tests/cluster/conftest.py"),
        ("needs airflow-1.22.0.tgz (AIRFLOW_TEST_CHART, or any `pulumi preview`)", "make preview"),
        ("needs Checkov (requirements-checkov.txt in .venv/checkov)", "make .venv/checkov"),
        ("no /proc: memory is not sampled here", ""),
    ],
)
def test_a_reason_has_its_remedy(reason: str, command: str) -> None:
    assert remedy(reason).startswith(command) or command in remedy(reason)
    assert bool(remedy(reason)) is bool(command)


def test_the_summary_counts_equal_reasons_and_starts_with_the_most_frequent() -> None:
    lines = list(summary(["no /proc", "no engine: x", "no engine: x"]))
    assert lines[0] == "2 skipped: no engine: x"
    assert lines[1].startswith("  to run: ")
    assert lines[2:] == ["1 skipped: no /proc"]
