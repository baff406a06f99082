"""The checks in a process of their own: what goes in, what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from automation.engine.operations import OpenedStack
from automation.preflight import preflight_stack, run
from automation.preflight.result import PreflightCheck, PreflightResult
from components.preflight.finding import Verdict, failed, passed
from tests import samples


def test_secrets_are_those_that_the_engine_decrypts() -> None:
    shown = {
        "airflow:gitSshPrivateKey": {"value": "sentinel-key", "secret": True},
        "airflow:namespace": {"value": "airflow", "secret": False},
        "aws:secretKey": {"value": "sentinel-other", "secret": True},
    }
    words: list[Any] = []

    def engine_run(*given: Any) -> Any:
        words.append(given[0])
        return SimpleNamespace(stdout=json.dumps(shown))

    workspace = SimpleNamespace(work_dir="/w", env_vars={})
    opened = SimpleNamespace(
        stack=SimpleNamespace(workspace=workspace, name="dev"), engine=SimpleNamespace(run=engine_run)
    )
    assert preflight_stack._secrets(cast(OpenedStack, opened)) == {"gitSshPrivateKey": "sentinel-key"}
    assert "--show-secrets" in words[0]


def test_process_without_an_answer_is_an_error_without_its_words(tmp_path: Path) -> None:
    answer = preflight_stack._run(tmp_path, {"stack": "dev", "secrets": {"x": "sentinel"}})
    assert "no answer" in answer["error"]
    assert "sentinel" not in answer["error"]


def test_result_counts_failures_alone_and_survives_json() -> None:
    checks = tuple(
        PreflightCheck(name=item.check, verdict=item.verdict, what=item.what, fix=item.fix)
        for item in (passed("a", "b"), failed("c", "d", "e"))
    )
    result = PreflightResult(stack="dev", checks=checks)
    assert not result.ok
    assert result.problems == ("d. Fix: e",)
    assert json.loads(json.dumps(result.to_json()))["checks"][1]["verdict"] == "failed"
    assert PreflightResult(stack="dev", checks=checks[:1]).ok


def test_program_is_run_with_its_secrets_and_every_document_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: None
) -> None:
    project = samples.ship(tmp_path)
    (project / "__main__.py").write_text((samples.ROOT / "__main__.py").read_text())
    asked: list[tuple[str, str]] = []

    class Api:
        def __init__(self, context: str, kubeconfig: str | None) -> None:
            assert context == "kind-airflow"

        def get(self, *args: Any) -> dict[str, Any]:
            return {}

    def made(api: Api, namespace: str, text: str, stack: str, clean: Any) -> tuple[Any, ...]:
        asked.append((json.loads(text)["kind"], namespace))
        return (passed(json.loads(text)["kind"], "seen"),)

    monkeypatch.setattr(run, "KubeApi", Api)
    monkeypatch.setattr(run, "made", made)
    found = run.findings(project, "dev", {})
    assert sorted(kind for kind, _ in asked) == ["cluster", "git", "images"]
    assert {item["verdict"] for item in found["findings"]} == {Verdict.PASSED}


def test_wrong_config_is_told_and_nothing_is_made(tmp_path: Path, runtime: None) -> None:
    project = samples.ship(tmp_path)
    file = project / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("airflow:database: container", "airflow:database: contaner"))
    (project / "__main__.py").write_text((samples.ROOT / "__main__.py").read_text())
    assert "airflow:database" in run.findings(project, "dev", {})["error"]
