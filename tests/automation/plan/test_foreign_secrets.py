"""Secrets that a team puts where this program expects none: no output shows one, in whatever form it is quoted.

The places are those of values of the chart, commands, variables, and texts in Python, ini, YAML, JSON and shell.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from automation.change_report.compare import compare_plans
from automation.change_report.markdown import markdown
from automation.change_report.model import ChangeReport
from automation.cli.report import report_json
from automation.helmsman.secrets import secret_path
from automation.plan.text import plan_text
from components.secrets.masker import Masker
from tests.automation.checkouts import edit
from tests.chart.rendering import needs_chart
from tests.foreign_places import planted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.automation.checkouts import Checkouts


def test_no_place_is_shown_by_a_masker_nor_exported() -> None:
    values, secrets = planted()
    assert len(secrets) >= 80
    shown = json.dumps(Masker().value(values))
    assert [found for found in secrets if found in shown] == []
    for name, value in values.items():
        assert secret_path({name: value}) is not None, "an export refuses it, with its place"
    for item in values["env"]:
        assert secret_path({"env": [item]}) == "env[0].value"


def test_masks_are_not_masked_again_and_tell_no_word() -> None:
    for word in ("secret", "airflow", "changed", "[secret]"):
        masker = Masker(secrets=[word])
        once = masker.text(f"x [secret] {word} [secret, changed]")
        assert once == masker.text(once)
        assert "[[" not in once


@needs_chart
def test_no_output_of_a_plan_or_a_report_shows_a_foreign_secret(
    checkouts: Checkouts, capsys: pytest.CaptureFixture[str]
) -> None:
    values, secrets = planted()

    def with_places(of: dict[str, Any]) -> Callable[[Path], None]:
        line = json.dumps(of)
        return lambda folder: edit(folder / "Pulumi.dev.yaml", "config:\n", f"config:\n  airflow:helmValues: {line}\n")

    before = checkouts.plan(checkouts.make("foreign-secrets", with_places(values)), "dev")
    other = json.loads(json.dumps(values).replace("Lm3pVt", "Kk8Rr5"))
    after = checkouts.plan(checkouts.make("other-foreign-secrets", with_places(other)), "dev")
    assert before.failure is None, before.failure
    assert before.objects
    report = ChangeReport(base="a", head="b", stacks=(compare_plans(before, after),))
    shown = {
        "plan": plan_text(before),
        "plan as JSON": json.dumps(before.to_json(), ensure_ascii=False),
        "plan, repr": repr(before),
        "report as JSON": report_json(report),
        "comment": markdown(report),
        "whole report": markdown(report, limit=None),
        "report, repr": repr(report),
        "objects as YAML": "\n".join(yaml.safe_dump(item) for item in before.objects),
    }
    leaked = [(where, found) for where, output in shown.items() for found in secrets if found in output]
    assert leaked == []
    with capsys.disabled():
        print(f"\n{len(secrets)} secrets in foreign places, {len(shown)} kinds of output: {len(leaked)} shown")
