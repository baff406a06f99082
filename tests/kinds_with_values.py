"""The kinds of output of the program that hold values of a team: plans, reports, adoption."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml

from automation.adoption.plan import AdoptionPlan
from automation.adoption.prepare import _as_plan, _masker
from automation.adoption.taken_over import taken_over
from automation.change_report.compare import compare_plans
from automation.change_report.markdown import markdown
from automation.change_report.model import ChangeReport, StackReport
from automation.cli.adopt import _lines
from automation.cli.report import report_json
from automation.cli.report_text import Table, write_table
from automation.plan.model import RELEASE_TYPE, Plan, PlannedResource
from automation.plan.text import plan_text
from automation.yaml_text import as_yaml
from components.secrets.masker import Masker, without_digests
from tests.automation.adoption.releases import installed
from tests.automation.adoption.releases import read as secrets_of_release
from tests.kinds_of_output import without


def plan_of(values: Mapping[str, Any], masker: Masker) -> Plan:
    """The plan of a program with a release of these values, and with an object of each."""
    inputs = masker.inputs(RELEASE_TYPE, {"values": values})
    resource = PlannedResource(
        urn="urn:pulumi:dev::airflow::r::airflow", type=RELEASE_TYPE, name="airflow", component=False, inputs=inputs
    )
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}, "data": values}
    return Plan(stack="dev", resources=(resource,), objects=(masker.kubernetes_object(manifest),))


def _report(values: Mapping[str, Any], masker: Masker) -> ChangeReport:
    other = json.loads(json.dumps(values).replace("Lm3pVt", "Kk8Rr5"))
    return ChangeReport(base="a", head="b", stacks=(compare_plans(plan_of(values, masker), plan_of(other, masker)),))


def _adoption(values: Mapping[str, Any], masker: Masker) -> AdoptionPlan:
    release = installed(config=values)
    own = _masker(b"a key", release, ())
    head = plan_of({"env": [], "executor": "CeleryExecutor"}, own)
    report: StackReport = compare_plans(_as_plan("dev", head, release, own), head)
    config = taken_over(release, secrets_of_release)
    taken = tuple(config.shown(key) for key in sorted(config.values))
    return AdoptionPlan(
        stack="dev", namespace="n", revision=1, chart_version="1", airflow_version="3", taken=taken, report=report
    )


def _adoption_lines(values: Mapping[str, Any], masker: Masker) -> str:
    file = io.StringIO()
    for line in _lines(_adoption(values, masker)):
        write_table(line, file) if isinstance(line, Table) else file.write(line)
    return file.getvalue()


VALUES: Final[Mapping[str, Callable[[Mapping[str, Any], Masker], str]]] = {
    "values as JSON": lambda values, masker: json.dumps(without_digests(masker.value(values)), ensure_ascii=False),
    "values as YAML": lambda values, masker: as_yaml(without_digests(masker.value(values))),
    "a plan": lambda values, masker: plan_text(without(plan_of(values, masker))),
    "a plan as JSON": lambda values, masker: json.dumps(without(plan_of(values, masker)).to_json(), ensure_ascii=False),
    "a plan, repr": lambda values, masker: repr(without(plan_of(values, masker))),
    "objects as YAML": lambda values, masker: yaml.safe_dump([*(without(plan_of(values, masker)).objects or ())]),
    "a comment": lambda values, masker: markdown(_report(values, masker)),
    "a whole report": lambda values, masker: markdown(_report(values, masker), limit=None),
    "a report as JSON": lambda values, masker: report_json(_report(values, masker)),
    "a report, repr": lambda values, masker: repr(_report(values, masker)),
    "adoption": _adoption_lines,
    "adoption as JSON": lambda values, masker: json.dumps(_adoption(values, masker).to_json(), ensure_ascii=False),
    "adoption, repr": lambda values, masker: repr(_adoption(values, masker)),
}
"""Values of a team, by the kind of output that holds them."""
