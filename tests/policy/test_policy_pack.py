"""The pack on the real engine: it lets pass what is right, and refuses what is not, with the rule's own words."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from policy.context import Context
from policy.evaluate import evaluate_steps
from policy.model import JudgedStep
from policy.rules import ALL_RULES
from tests.cluster.harness import CONTEXT, Stack, core_api, events, pulumi
from tests.policy.programs import set_at
from tests.samples import ROOT, sentinels

FERNET_KEY: Final = sentinels()["fernetKey"]

PROJECT: Final = "name: airflow\nruntime: {name: python, options: {toolchain: pip, virtualenv: %s}}\n"
PROGRAM: Final = """\
import json, pathlib
import pulumi
import pulumi_random as random

class Part(pulumi.ComponentResource):
    pass

given = json.loads(pathlib.Path("given.json").read_text())
keys = Part("airflow:index:AirflowKeys", "keys", {"note": given["note"]})
if given["key"]:
    options = pulumi.ResourceOptions(parent=keys, protect=given["protect"])
    random.RandomPassword("keys-redis-password", length=given["length"], opts=options)
if given["computed"]:
    value = random.RandomBytes("computed", length=32, opts=pulumi.ResourceOptions(protect=True)).base64
    Part("airflow:index:Computed", "computed", {"note": value})
"""
GIVEN: Final = {"note": "a note", "key": True, "protect": True, "length": 40, "computed": False}


@dataclass(frozen=True)
class Program:
    """A small program with a state of its own. folder: holds both."""

    folder: Path
    pack: Path

    def run(self, verb: str, *words: str, with_pack: bool = True, **given: Any) -> tuple[int, str]:
        """Exit code and output of a verb, with other input of the program."""
        (self.folder / "given.json").write_text(json.dumps({**GIVEN, **given}))
        pack = ("--policy-pack", str(self.pack)) if with_pack else ()
        done = subprocess.run(
            [str(pulumi()), verb, *words, *pack, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env={
                **os.environ,
                "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "only for this test",
                "PULUMI_SKIP_UPDATE_CHECK": "1",
                "PULUMI_DEBUG_COMMANDS": "1",  # knows --event-log
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def configured(self, **config: Any) -> tuple[str, str]:
        """The option that configures the pack."""
        path = self.folder / "policies.json"
        path.write_text(json.dumps({name.replace("_", "-"): value for name, value in config.items()}))
        return "--policy-pack-config", str(path)


@pytest.fixture
def program(pack: Path, tmp_path: Path) -> Program:
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(PROJECT % sys.prefix)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    found = Program(tmp_path, pack)
    code, output = found.run("stack", "init", "it", with_pack=False)
    assert code == 0, output
    return found


def told(output: str) -> set[tuple[str, str]]:
    """(level, rule) of each violation that the engine tells of."""
    return set(re.findall(r"^ +- \[(\w+)\]  (\S+) ", output, re.MULTILINE))


@pytest.mark.engine
def test_what_is_right_passes(program: Program) -> None:
    code, output = program.run("preview")
    assert code == 0, output
    assert "airflow@v1.0.0" in output
    assert told(output) == set()


@pytest.mark.engine
def test_key_in_clear_is_refused_in_a_preview_and_not_repeated(program: Program) -> None:
    code, output = program.run("preview", note=FERNET_KEY)
    assert code != 0
    assert told(output) == {("mandatory", "no-key-in-clear")}
    assert "AirflowKeys keys: note holds a Fernet key" in output
    assert FERNET_KEY not in output


@pytest.mark.engine
def test_unprotected_key_is_refused_when_the_whole_stack_is_known(program: Program) -> None:
    code, output = program.run("preview", protect=False)
    assert code != 0
    assert told(output) == {("mandatory", "stateful-protected")}
    assert "Set airflow:protect to true." in output


@pytest.mark.engine
def test_unknown_value_passes_the_preview_and_is_judged_before_the_resource_is_made(program: Program) -> None:
    code, output = program.run("preview", computed=True)
    assert (code, told(output)) == (0, set()), output
    code, output = program.run("up", "--yes", "--skip-preview", computed=True)
    assert code != 0
    assert told(output) == {("mandatory", "no-key-in-clear")}
    code, state = program.run("stack", "export", with_pack=False)
    assert code == 0
    assert "RandomBytes::computed" in state
    assert "Computed::computed" not in state


@pytest.mark.engine
def test_pack_is_not_shown_what_is_deleted_and_the_rule_over_steps_is(program: Program) -> None:
    """That is why there is one."""
    code, output = program.run("up", "--yes", "--skip-preview", with_pack=False, protect=False)
    assert code == 0, output
    for given, operation in (({"key": False}, "delete"), ({"length": 41, "protect": False}, "replace")):
        log = program.folder / f"{operation}.json"
        relaxed = program.configured(stateful_protected="disabled")
        code, output = program.run("preview", *relaxed, "--event-log", str(log), **given)
        assert (code, told(output)) == (0, set()), output
        steps = [metadata for event in events(log) if (metadata := event.get("resourcePreEvent", {}).get("metadata"))]
        done = [
            JudgedStep(operation=s["op"], type=s["type"], name=s["urn"].rpartition("::")[2], urn=s["urn"])
            for s in steps
        ]
        [violation] = evaluate_steps(done, Context())
        assert violation.subject == "RandomPassword keys-redis-password"
        assert f"would be {operation}d" in violation.message


@pytest.mark.engine
@pytest.mark.parametrize(("level", "refused"), [("advisory", False), ("mandatory", True), ("disabled", False)])
def test_level_is_what_the_configuration_says(program: Program, level: str, refused: bool) -> None:
    code, output = program.run("preview", *program.configured(no_key_in_clear=level), note=FERNET_KEY)
    assert bool(code) is refused
    assert told(output) == (set() if level == "disabled" else {(level, "no-key-in-clear")})


# In the pack's own environment, without an engine

ASKED: Final = """
import json, sys
sys.path.append(sys.argv[1])
from policy.pack import policies
print(json.dumps([[type(p).__name__, p.name, p.enforcement_level.value, p.description] for p in policies()]))
"""


@pytest.fixture
def asked(pack: Path) -> list[list[str]]:
    """Class, name, level and description of each policy."""
    python = ROOT / ".venv" / "policy" / "bin" / "python"
    done = subprocess.run([python, "-c", ASKED, str(ROOT)], cwd="/", capture_output=True, text=True, check=True)
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.engine
def test_pack_has_each_rule_that_it_can_ask(asked: list[list[str]]) -> None:
    rules = [rule for rule in ALL_RULES if rule.resource or rule.objects or rule.stack]
    assert {rule.id for rule in ALL_RULES} - {rule.id for rule in rules} == {"stateful-kept"}
    assert asked == [
        [
            "StackValidationPolicy" if rule.needs_stack else "ResourceValidationPolicy",
            rule.id,
            rule.level.value,
            rule.description,
        ]
        for rule in rules
    ]


# The stack dev, on the cluster


@pytest.fixture
def dev(pack: Path, tmp_path: Path) -> Stack:
    """The committed stack, not deployed."""
    try:
        core_api().list_namespace(_request_timeout=5)
    except Exception as error:
        pytest.skip(f"no cluster: context {CONTEXT} does not answer ({type(error).__name__})")
    stack = Stack(tmp_path / "stack", "airflow-policy")
    stack.create({}, {})
    return stack


@pytest.mark.engine
@pytest.mark.cluster
def test_committed_laptop_s_stack_passes(dev: Stack, pack: Path) -> None:
    assert told(dev.command("preview", "--policy-pack", str(pack)).output) == set()


@pytest.mark.engine
@pytest.mark.cluster
def test_change_that_breaks_rules_is_refused(dev: Stack, pack: Path) -> None:
    helm_values: dict[str, Any] = {}
    set_at(helm_values, "scheduler.env", [{"name": "SOMETHING", "value": FERNET_KEY}])
    dev.set(imageTag="latest-1", imageRepository="registry.example.com/airflow", helmValues=helm_values)
    result = dev.command("preview", "--policy-pack", str(pack), check=False)
    assert result.code != 0
    assert {"no-latest-image", "images-from-allowed-registries", "no-key-in-clear"} <= {
        rule for level, rule in told(result.output) if level == "mandatory"
    }
    assert "registry.example.com/airflow:latest-1 may be another image tomorrow" in result.output
    assert "values.scheduler.env[2].value holds a Fernet key" in result.output
    assert FERNET_KEY not in result.output


@pytest.mark.engine
@pytest.mark.cluster
def test_registry_that_the_configuration_allows_passes_and_others_do_not(dev: Stack, pack: Path) -> None:
    config = dev.folder / "policies.json"
    config.write_text(json.dumps({"images-from-allowed-registries": {"registries": ["registry.example.com"]}}))
    dev.set(imageRepository="registry.example.com/airflow")
    words = ("preview", "--policy-pack", str(pack), "--policy-pack-config", str(config))
    assert told(dev.command(*words).output) == set()
    dev.set(imageRepository="registry.example.org/airflow")
    result = dev.command(*words, check=False)
    assert result.code != 0
    assert told(result.output) == {("mandatory", "images-from-allowed-registries")}
