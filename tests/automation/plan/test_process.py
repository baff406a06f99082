"""The process that plans: what it is given, and what becomes of whatever it answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automation.plan.model import FailureKind, Plan
from automation.plan.process import plan_checkout
from tests.cases import each

SENTINEL = "sentinel-of-the-environment-0815"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose plan is whatever a test writes into `main`."""
    package = tmp_path / "automation" / "plan"
    package.mkdir(parents=True)
    (tmp_path / "automation" / "__init__.py").touch()
    (package / "__init__.py").touch()
    return tmp_path


def main(checkout: Path, code: str) -> None:
    (checkout / "automation" / "plan" / "__main__.py").write_text(code)


def test_no_credential_reaches_the_program(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "KUBECONFIG", "PYTHONPATH"):
        monkeypatch.setenv(name, SENTINEL)
    monkeypatch.setenv("HTTPS_PROXY", f"https://user:{SENTINEL}@proxy.test")
    main(checkout, "import json, os\nprint(json.dumps({'stack': 'dev', 'outputs': dict(os.environ)}))\n")
    plan = plan_checkout(checkout, "dev")
    assert plan.failure is None
    assert SENTINEL not in json.dumps(plan.to_json())
    assert "PATH" in plan.outputs


def test_known_secrets_go_through_standard_input_and_come_back_masked(checkout: Path) -> None:
    main(
        checkout,
        "import json, sys\n"
        "given = sys.stdin.read()\n"
        "assert not any('sentinel' in word for word in sys.argv)\n"
        "print(json.dumps({'stack': 'dev', 'outputs': {'given': given}}))\n",
    )
    plan = plan_checkout(checkout, "dev", known_secrets={"dagsToken": SENTINEL})
    assert "dagsToken" in plan.outputs["given"]
    assert SENTINEL not in json.dumps(plan.to_json())


def test_what_only_looks_like_a_secret_is_masked_whatever_the_checkout_did(checkout: Path) -> None:
    uri = "postgresql://airflow:hunter2@db.test/airflow"
    main(checkout, f"import json\nprint(json.dumps({{'stack': 'dev', 'outputs': {{'x': {uri!r}}}}}))\n")
    assert plan_checkout(checkout, "dev").outputs["x"] == "postgresql://airflow:[secret]@db.test/airflow"


@each(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("print('no JSON')", "exit code 0"),
        ("print('[]')", "exit code 0"),
        ('print(\'{"stack": "dev", "resources": 1}\')', "exit code 0"),
        ("import os; os._exit(4)", "exit code 4"),
        ("raise ValueError('broken')", "automation/plan/__main__.py:1: ValueError: broken"),
        ("def (", "automation/plan/__main__.py:1: SyntaxError: invalid syntax"),
        (f"raise ValueError('postgresql://u:{SENTINEL}@h')", "ValueError: postgresql://u:[secret]@h"),
    ],
)
def test_whatever_goes_wrong_is_a_result(checkout: Path, code: str, expected: str) -> None:
    main(checkout, code)
    failure = plan_checkout(checkout, "dev").failure
    assert failure is not None
    assert failure.kind is FailureKind.PROCESS
    assert expected in failure.text
    assert str(checkout) not in failure.text


def test_commit_from_before_plans_says_so(tmp_path: Path) -> None:
    failure = plan_checkout(tmp_path, "dev").failure
    assert failure is not None
    assert "came later" in failure.text


def test_plan_of_another_version_is_read_as_far_as_it_is_known() -> None:
    document = {"stack": "dev", "later": 1, "resources": [{"urn": "u", "type": "t", "name": "n", "component": False,
                "inputs": {}, "later": 2}]}  # fmt: skip
    plan = Plan.from_json(document)
    assert [found.name for found in plan.resources] == ["n"]
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
