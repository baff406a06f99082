"""The checks in a process of their own: what goes in, what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automation.preflight import preflight_stack, run
from automation.preflight.result import Preflight, PreflightCheck
from components.preflight.finding import Verdict, failed, passed
from tests import samples


def test_process_without_an_answer_is_an_error_without_its_words(tmp_path: Path) -> None:
    answer = preflight_stack._run(tmp_path, {"stack": "dev", "secrets": {"x": "sentinel"}}, lambda: False)
    assert "no answer" in answer["error"]
    assert "sentinel" not in answer["error"]


SLOW = """\
import json, pathlib, sys, time
request = json.load(sys.stdin)
pathlib.Path("begun").write_text(request["stack"])
try:
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path("ended").write_text("deleted what was made")
    raise
"""


def test_cancel_lets_the_process_delete_what_it_has_made(tmp_path: Path) -> None:
    package = tmp_path / "automation" / "preflight"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(SLOW)
    answer = preflight_stack._run(tmp_path, {"stack": "dev", "secrets": {}}, (tmp_path / "begun").exists)
    assert "no answer" in answer["error"]
    assert (tmp_path / "ended").read_text() == "deleted what was made"


def test_result_counts_failures_alone_and_survives_json() -> None:
    checks = tuple(
        PreflightCheck(name=item.check, verdict=item.verdict, what=item.what, fix=item.fix)
        for item in (passed("a", "b"), failed("c", "d", "e"))
    )
    result = Preflight(stack="dev", new_namespace=False, checks=checks)
    assert not result.ok
    assert result.problems == ("d. Fix: e",)
    assert json.loads(json.dumps(result.to_json()))["checks"][1]["verdict"] == "failed"
    assert Preflight(stack="dev", new_namespace=False, checks=checks[:1]).ok


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

        def items(self, *args: Any, **selected: Any) -> list[dict[str, Any]]:
            return []  # nothing is left of another preflight

    def judged(api: Api, namespace: str, text: str, stack: str, **options: Any) -> tuple[Any, ...]:
        assert (options["mode"], options["release_name"]) == ("required", "airflow")
        asked.append((json.loads(text)["kind"], namespace))
        return (passed(json.loads(text)["kind"], "seen"),)

    monkeypatch.setattr(run, "KubeApi", Api)
    monkeypatch.setattr(run, "judged", judged)
    found = run.preflight(project, "dev", {})
    assert sorted(kind for kind, _ in asked) == ["cluster", "git", "images"]
    assert {item["verdict"] for item in found["findings"]} == {Verdict.PASSED}
    assert found["new_namespace"] is False
    assert {namespace for _, namespace in asked} == {"airflow"}


def test_wrong_config_is_told_and_nothing_is_made(tmp_path: Path, runtime: None) -> None:
    project = samples.ship(tmp_path)
    file = project / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("airflow:database: container", "airflow:database: contaner"))
    (project / "__main__.py").write_text((samples.ROOT / "__main__.py").read_text())
    assert "airflow:database" in run.preflight(project, "dev", {})["error"]
