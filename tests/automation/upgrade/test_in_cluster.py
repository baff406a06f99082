"""What an upgrade reads from its pods is shown without secrets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from automation.errors import ClusterRequestFailed
from automation.upgrade import in_cluster
from automation.upgrade.in_cluster import UpgradeCluster
from automation.upgrade.pods import AFTER, BEFORE
from automation.wait import Clock
from components.preflight.pod_run import ContainerEnd, PodEnd
from components.secrets.masker import Masker

SECRET = "sentinel-Zx9Qw7Lm3p"
TEMPLATE = {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "dag-processor", "image": "airflow:1"}]}}


class Api:
    """A cluster with a DAG processor."""

    def items(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "it"}, "spec": {"template": TEMPLATE}}]


def tried(monkeypatch: pytest.MonkeyPatch, end: PodEnd) -> UpgradeCluster:
    monkeypatch.setattr(in_cluster, "run_pod", lambda *_, **__: end)
    masker = Masker(secrets=[SECRET])
    return UpgradeCluster(Api(), "ns", Clock(), lambda line: None, masker.text)  # type: ignore[arg-type]


def test_errors_of_dags_and_findings_about_options_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    error = f"OperationalError: no login as {SECRET}, nor by postgresql://u:another-{SECRET[::-1]}@db/x"
    found = ({"file": "dags: a.py", "error": error}, {"lint": [f"core.x is {SECRET}"]}, {"done": True})
    log = "\n".join(f"tried: {json.dumps(item)}" for item in found)
    for trial in tried(monkeypatch, PodEnd(logs={BEFORE: log, AFTER: log})).try_image("1"):
        assert trial.errors == {
            "dags: a.py": "OperationalError: no login as [secret], nor by postgresql://u:[secret]@db/x"
        }
        assert trial.lint == ("core.x is [secret]",)
        assert trial.done


def test_end_of_a_pod_that_failed_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = ContainerEnd(name="after", image="airflow:2", exit_code=1, message=f"KeyError: '{SECRET}'")
    cut = replace(ended, message=f"{'word ' * 58} {SECRET}")
    ends = (PodEnd(containers={"after": ended}), PodEnd(refused=f'denied the request: "{SECRET}"'))
    for end in (*ends, PodEnd(containers={"after": cut})):
        with pytest.raises(ClusterRequestFailed) as raised:
            tried(monkeypatch, end).try_image("2")
        assert SECRET[:6] not in str(raised.value)
        assert "[secret]" in str(raised.value) or end.containers.get("after") == cut
