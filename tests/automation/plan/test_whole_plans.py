"""The program itself, planned: the committed stacks, the same twice; and every secret planted and leaked."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest
import yaml

from automation.change_report.compare import compare_plans
from automation.change_report.markdown import markdown
from automation.change_report.model import ChangeReport
from automation.cli.report import report_json
from automation.plan import process
from automation.plan.model import FailureKind, Plan, Why
from automation.plan.process import plan_checkout
from automation.plan.text import plan_text
from components.secrets.masker import without_digests
from tests import samples
from tests.automation.checkouts import KEY, edit, plan_here, planned_here
from tests.automation.fakes import run_verb
from tests.chart.rendering import needs_chart

if TYPE_CHECKING:
    from tests.automation.checkouts import Checkouts


def run(folder: Path, *words: str) -> tuple[int, str]:
    """The verb `plan`: its exit code, and all that it wrote."""
    return run_verb(folder, "plan", *words)


def test_another_key_for_the_secrets_is_a_change_although_nothing_is_registered_otherwise(
    checkouts: Checkouts,
) -> None:
    def encrypted(name: str, key: str) -> Plan:
        def change(folder: Path) -> None:
            with (folder / "Pulumi.dev.yaml").open("a", encoding="utf-8") as file:
                file.write(f"\nsecretsprovider: awskms://alias/{name}?region=eu-central-1\nencryptedkey: {key}\n")

        return plan_here(checkouts.make(f"encrypted-by-{name}-{key}", change, modules=False), "dev")

    found = compare_plans(encrypted("ours", "a"), encrypted("theirs", "b"))
    assert not found.steps
    text = markdown(ChangeReport(base="a", head="b", stacks=(found,)))
    assert "No change for" not in text
    assert "`awskms://alias/ours?region=eu-central-1` becomes `awskms://alias/theirs?region=eu-central-1`" in text


@needs_chart
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_plan_is_the_same_twice(stack: str, base: Path) -> None:
    first, second = run(base, stack, "--json"), run(base, stack, "--json")
    assert first == second
    assert first[0] == 0
    plan = Plan.from_json(json.loads(first[1]))
    assert plan.objects
    assert plan.release is not None
    assert "[secret:" not in first[1], "a digest is of one run"
    text = plan_text(plan)
    for part in ("Helm values of airflow", "kind: Deployment", "outputs", "[secret]"):
        assert part in text


@pytest.fixture
def production(base: Path, checkouts: Checkouts) -> Plan:
    """The plan of `prod`, without the chart's objects."""
    return checkouts.plan(base, "prod", render=False)


def test_plan_says_what_it_stood_in_for(production: Plan) -> None:
    text = plan_text(production)
    head = text.partition("\n\n")[0]
    assert "stand-in: facts of the EKS cluster" in head
    assert "stand-in: airflow:gitSshPrivateKey (not in the stack's file)" in head
    assert "stand-in: airflow:jwtSecret (encrypted in the stack's file)" in head
    assert ("not rendered: not asked for" in text) is (production.objects is None)


def test_plan_without_the_chart_leaves_the_objects_out_with_the_reason(base: Path, checkouts: Checkouts) -> None:
    def elsewhere(folder: Path) -> None:
        edit(folder / "Pulumi.dev.yaml", "config:\n", "config:\n  airflow:chartPath: /nowhere/chart.tgz\n")

    plan = plan_here(checkouts.make("without-chart", elsewhere, modules=False), "dev", render=True)
    assert plan.failure is None
    assert plan.objects is None
    assert "/nowhere/chart.tgz" in plan.no_objects
    assert plan.resources


@needs_chart
def test_chart_that_helm_cannot_render_is_a_failure(checkouts: Checkouts) -> None:
    """An update would fail too: `{{ ti.dag_id }}` is Airflow's, and Helm takes it for its own."""
    template = "dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}.log"
    users = json.dumps({"config": {"logging": {"log_filename_template": template}}})

    def with_template(folder: Path) -> None:
        edit(folder / "Pulumi.dev.yaml", "config:\n", f"config:\n  airflow:helmValues: {users}\n")

    folder = checkouts.make("unrenderable", with_template)
    code, text = run(folder, "dev", "--json")
    assert code == 1
    failure = Plan.from_json(json.loads(text)).failure
    assert failure is not None
    assert failure.kind is FailureKind.CHART
    assert failure.text.startswith("helm template failed: ")
    assert run(folder, "dev", "--no-render")[0] == 0


@needs_chart
def test_pod_that_kubernetes_would_refuse_is_a_failure(checkouts: Checkouts) -> None:
    """Helm renders a second volume of the same name, and an update would fail after the migration."""
    own = {"extraVolumes": [{"name": "dags", "emptyDir": {}}]}
    users = json.dumps({"triggerer": {**own, "extraVolumeMounts": [{"name": "dags", "mountPath": "/own"}]}})

    def with_volume(folder: Path) -> None:
        edit(folder / "Pulumi.dev.yaml", "config:\n", f"config:\n  airflow:helmValues: {users}\n")

    code, text = run(checkouts.make("refused-pod", with_volume), "dev", "--json")
    failure = Plan.from_json(json.loads(text)).failure
    assert code == 1
    assert failure is not None
    assert failure.kind is FailureKind.CHART
    assert failure.text == (
        "airflow:helmValues: Kubernetes would refuse it: Deployment airflow-triggerer has two volumes dags: give "
        "yours another name"
    )


def test_unknown_stack_is_a_result(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "plan_checkout", planned_here)
    code, text = run(base, "nobody")
    assert code == 1
    assert "there is no Pulumi.nobody.yaml" in text


# Failures of the program


FAILURES: Final = {
    "raise ValueError('wrong')": (FailureKind.PROGRAM, "__main__.py:3: ValueError: wrong"),
    "import no_such_module": (FailureKind.PROGRAM, "__main__.py:3: ModuleNotFoundError"),
    "raise SystemExit(7)": (FailureKind.PROGRAM, "__main__.py:3: SystemExit: 7"),
    "def (": (FailureKind.SYNTAX, "__main__.py:3: invalid syntax"),
}


@pytest.mark.parametrize("line", FAILURES)
def test_whatever_the_program_does_is_a_result(line: str, base: Path, checkouts: Checkouts) -> None:
    name = f"failure-{list(FAILURES).index(line)}"
    folder = checkouts.make(name, lambda copy: _begin_with(copy, line), modules=False)
    failure = checkouts.plan(folder, "dev", render=False).failure
    assert failure is not None
    assert (failure.kind, failure.text[: len(FAILURES[line][1])]) == FAILURES[line]


def _begin_with(folder: Path, lines: str) -> None:
    path = folder / "__main__.py"
    path.write_text(f'"""A program."""\n\n{lines}\n{path.read_text()}')


def test_wrong_config_is_a_result_that_names_every_key(checkouts: Checkouts) -> None:
    def wrong(folder: Path) -> None:
        edit(folder / "Pulumi.dev.yaml", "config:\n", "config:\n  airflow:executor: None\n  airflow:unheardOf: x\n")

    failure = checkouts.plan(checkouts.make("wrong-config", wrong, modules=False), "dev", render=False).failure
    assert failure is not None
    assert failure.kind is FailureKind.SETTINGS
    assert "airflow:executor" in failure.text
    assert "airflow:unheardOf" in failure.text


def test_a_list_of_decisions_that_says_nothing_is_a_result(checkouts: Checkouts) -> None:
    def wrong(folder: Path) -> None:
        (folder / "policy" / "decided.txt").write_text("airflow-keys-jwt-secret\n")

    failure = checkouts.plan(checkouts.make("wrong-decisions", wrong, modules=False), "dev", render=False).failure
    assert failure is not None
    assert failure.kind is FailureKind.SETTINGS
    assert failure.text.startswith("policy/decided.txt:1: expected a stack")


# Secrets


LEAKS: Final = """\
import base64 as _b64, json as _json, sys as _sys, urllib.parse as _url
import pulumi as _pulumi, pulumi_kubernetes as _k8s, pulumi_random as _random
_config = _pulumi.Config("airflow")
_keys = [key for key in KEYS if _config.get(key)]
_values = {key: _config.get(key) for key in _keys}
_random_one = _random.RandomPassword("leaked", length=40, special=False)
def _leak(generated):
    every = {**_values, "generated": generated}
    for text in every.values():
        print(text)
        print(text, file=_sys.stderr)
        _pulumi.log.warn(f"it is {text}")
    data = {}
    for key, text in every.items():
        data[f"{key}-plain"] = f"x {text} y"
        data[f"{key}-base64"] = _b64.b64encode(f"user:{text}".encode()).decode()
        data[f"{key}-url"] = f"redis://:{_url.quote(text, safe='')}@h/0"
        data[f"{key}-json"] = _json.dumps({"a": _json.dumps([text])})
        data[f"{key}-part"] = text[: max(24, len(text) // 2)]
    return data
_provider = _k8s.Provider("leaking", context="x", kubeconfig="")
_k8s.core.v1.ConfigMap("leaking", data=_pulumi.Output.unsecret(_random_one.result).apply(_leak),
    opts=_pulumi.ResourceOptions(provider=_provider))
_pulumi.export("leaking", _values)
for _key, _value in _values.items():
    _k8s.core.v1.ConfigMap(f"leak-{_key}", metadata={"annotations": {_value: "a name"}}, data={"x": _value},
        opts=_pulumi.ResourceOptions(provider=_provider))
"""


def _planted(folder: Path, *, https: bool) -> None:
    """A stack that takes every secret there is, and a program that spills them all."""
    path = folder / "Pulumi.prod.yaml"
    external = samples.external().with_(
        {**samples.OIDC, **({"dagsUsername": "robot", "dagsRepository": "https://git.test/x.git"} if https else {})}
    )
    secret = {key.removeprefix("airflow:") for key in external.secret_keys}
    config: dict[str, Any] = {key: value for key, value in external.values.items() if key not in external.secret_keys}
    for key, value in config.items():
        if value.startswith(("[", "{")):
            config[key] = json.loads(value)
    path.write_text(yaml.safe_dump({"config": {key: value for key, value in config.items() if value != ""}}))
    assert secret
    program = folder / "__main__.py"
    program.write_text(f"{program.read_text()}\nKEYS = {sorted(samples.sentinels())}\n{LEAKS}")


def _leaking(folder: Path) -> None:
    """The same stack, and a program that does nothing else. It takes a third of the time to start."""
    _planted(folder, https=True)
    (folder / "__main__.py").write_text(f"KEYS = {sorted(samples.sentinels())}\n{LEAKS}")


def _secrets(https: bool, suffix: str = "") -> dict[str, str]:
    left_out = "gitSshPrivateKey" if https else "dagsToken"
    found = samples.all_secrets(but=[left_out])
    if suffix:
        kept = ("gitSshPrivateKey", "fernetKey", "registryCredentials", "connections", "variables")
        found = {key: value if key in kept else f"{value}{suffix}" for key, value in found.items()}
    return found


def _traces(secrets: dict[str, str]) -> Iterator[str]:
    for key, value in secrets.items():
        for trace in samples.traces(key, value):
            yield from {
                trace,
                json.dumps(trace)[1:-1],
                quote(trace, safe=""),
                base64.b64encode(trace.encode()).decode().rstrip("=")[:-2],
                trace[:24],
                trace[-16:],
            }


def test_no_secret_is_in_a_plan_or_in_a_report(checkouts: Checkouts, capfd: pytest.CaptureFixture[str]) -> None:
    """Each secret is given, and the program puts all of them everywhere it can, in every encoding.

    The repository is first one with a deploy key, then one with a token; every other secret is another one then. At
    last a program that does nothing else is planned in a process of its own, as people plan.
    """
    planted = {
        https: checkouts.make(f"leaking-{https}", partial(_planted, https=https), modules=False)
        for https in (False, True)
    }
    secrets = {False: _secrets(False), True: _secrets(True, "-another-one")}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        before = plan_here(planted[False], "prod", secrets=secrets[False])
        after = plan_here(planted[True], "prod", secrets=secrets[True], render=True)
    alone = plan_checkout(checkouts.make("leaking", _leaking), "prod", key=KEY, known_secrets=secrets[True])
    assert not before.placeholders
    for plan in (before, after, alone):
        assert plan.failure is None
        leaked = next(found for found in plan.resources if found.name == "leaking" and "ConfigMap" in found.type)
        assert len(leaked.inputs["data"]) >= 5 * 8, "or the test would see nothing"
        assert any("it is" in message for message in plan.messages)

    report = ChangeReport(base="a", head="b", stacks=(compare_plans(before, after),))
    changed = next(step for step in report.stacks[0].steps if step.name == "leaking")
    assert any(change.secret for change in changed.changes), "that a secret changed is told"
    shown = {
        "plans as JSON": json.dumps([plan.to_json() for plan in (before, after, alone)], ensure_ascii=False),
        "plans as text": plan_text(before) + plan_text(after) + plan_text(alone),
        "report as JSON": report_json(report),
        "comment": markdown(report),
        "whole report": markdown(report, limit=None),
        "output": "".join(capfd.readouterr()),
    }
    for given in secrets.values():
        for trace in _traces(given):
            for where, text in shown.items():
                assert trace not in text, where
    assert not re.search(r"Gen[0-9a-f]{12}", shown["plans as JSON"]), "what was generated is a secret too"


def test_no_secret_is_in_an_error(checkouts: Checkouts) -> None:
    def failing(folder: Path) -> None:
        _planted(folder, https=False)
        program = folder / "__main__.py"
        program.write_text(f"{program.read_text()}\nraise ValueError(repr(_values))\n")

    secrets = _secrets(False)
    keyed = plan_here(checkouts.make("failing", failing, modules=False), "prod", secrets=secrets)
    plan = Plan.from_json(without_digests(keyed.to_json()))
    assert plan.failure is not None
    assert "ValueError" in plan.failure.text
    assert "[secret]" in plan.failure.text
    text = json.dumps(plan.to_json(), ensure_ascii=False) + plan_text(plan)
    assert not [trace for trace in _traces(secrets) if trace in text]


def test_placeholders_are_not_shown_either(production: Plan, base: Path) -> None:
    from automation.plan.stand_ins import plan_config

    config = plan_config(base, "prod", {})
    assert {found.why for found in production.placeholders} == set(Why)
    text = json.dumps(production.to_json())
    for secret in config.secrets:
        assert json.dumps(secret)[1:-1] not in text
        assert secret.splitlines()[-2 if "\n" in secret else 0][:40] not in text
