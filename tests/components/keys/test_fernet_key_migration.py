"""A stack of an earlier version, whose Fernet key is a resource's ID, on the real engine: the next update mends it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cluster.harness import pulumi
from tests.samples import ROOT, quoted_forms

pytestmark = pytest.mark.engine

PROJECT: Final = f"""
name: airflow
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
"""
COMMON: Final = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
import pulumi, pulumi_random as random
class Keys(pulumi.ComponentResource): pass
parent = Keys("airflow:index:AirflowKeys", "airflow-keys")
def use(key):
    # As a Secret does: another value is another object.
    return pulumi.Stash("user", input=key, opts=pulumi.ResourceOptions(replace_on_changes=["input"]))
"""
EARLIER: Final = f"""{COMMON}
child = pulumi.ResourceOptions(parent=parent, protect=True)
key = random.RandomBytes("airflow-keys-fernet-key", length=32, opts=child)
user = use(key.base64.apply(lambda text: text.replace("+", "-").replace("/", "_")))
pulumi.export("user", user.id)
"""
PRESENT: Final = f"""{COMMON}
from components.keys.fernet_key import FernetKey
key = FernetKey("airflow-keys-fernet-key", protect=True, opts=pulumi.ResourceOptions(parent=parent))
user = use(key.value)
pulumi.export("user", user.id)
"""


@dataclass(frozen=True)
class Project:
    """A project with a state of its own in `folder`."""

    folder: Path

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [str(pulumi()), *words, "--non-interactive", "--color", "never", "--stack", "it"],
            cwd=self.folder,
            env={
                **os.environ,
                "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "only for this test",
                "PULUMI_SKIP_UPDATE_CHECK": "1",
                "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(Path.home() / ".pulumi")),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    def changes(self, verb: str, *words: str) -> dict[str, int]:
        """What a preview or an update changes, by kind of step."""
        summary: dict[str, int] = json.loads(self.run(verb, *words, "--json"))["changeSummary"]
        return {kind: count for kind, count in summary.items() if kind != "same"}

    def resources(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("stack", "export", *words))["deployment"]["resources"]
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    if pulumi() is None:
        pytest.skip("no engine: pulumi is not on PATH")
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    made = Project(tmp_path)
    made.run("stack", "init")
    return made


def named(resources: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [found for found in resources if found["type"] == type_]


def key_in_use(project: Project) -> str:
    (user,) = (found for found in project.resources("--show-secrets") if found["urn"].endswith("::user"))
    return str(json.loads(user["outputs"]["output"]["plaintext"]))


def assert_in_no_form(key: str, project: Project) -> None:
    state = json.dumps(project.resources())
    assert [form for form in quoted_forms(key) if form in state] == []
    urns = project.run("stack", "--show-ids", "--show-urns")
    assert [form for form in quoted_forms(key) if form in urns] == []


def test_next_update_keeps_the_key_and_removes_what_showed_it(project: Project) -> None:
    program = project.folder / "__main__.py"
    program.write_text(EARLIER)
    project.run("up", "--yes", "--skip-preview")
    key, user = key_in_use(project), project.run("stack", "output", "user")
    standard = key.replace("-", "+").replace("_", "/")
    assert standard in json.dumps(project.resources()), "the fault that is mended: the key is an ID"

    program.write_text(PRESENT)
    assert project.changes("preview") == {"create": 3, "replace": 1}, "and nothing that uses the key"
    project.run("up", "--yes", "--skip-preview")
    assert key_in_use(project) == key
    assert project.run("stack", "output", "user") == user
    resources = project.resources()
    assert not named(resources, "random:index/randomBytes:RandomBytes")
    for type_ in ("random:index/randomPassword:RandomPassword", "pulumi:index:Stash"):
        (made,) = (found for found in named(resources, type_) if found["urn"].endswith("airflow-keys-fernet-key"))
        assert made["protect"] is True
    assert_in_no_form(key, project)
    assert project.changes("preview") == {}
    project.run("refresh", "--yes", "--skip-preview")
    assert project.changes("preview") == {}
    assert key_in_use(project) == key


@pytest.mark.parametrize("moment", ["before the earlier resource is replaced", "before it is deleted"])
def test_update_that_was_killed_is_finished_by_the_next_one(project: Project, moment: str) -> None:
    program = project.folder / "__main__.py"
    program.write_text(EARLIER)
    project.run("up", "--yes", "--skip-preview")
    (earlier,) = named(project.resources("--show-secrets"), "random:index/randomBytes:RandomBytes")
    program.write_text(PRESENT)
    project.run("up", "--yes", "--skip-preview")
    key = key_in_use(project)
    state = json.loads(project.run("stack", "export", "--show-secrets"))
    resources = state["deployment"]["resources"]
    (seed,) = named(resources, "random:index/randomPassword:RandomPassword")
    if moment == "before it is deleted":
        resources.append({**earlier, "provider": seed["provider"], "delete": True})
    else:
        removal = named(resources, "airflow:index:EarlierFernetKeyRemoval")
        resources[:] = [resource for resource in resources if resource not in removal]
        resources.append({**earlier, "provider": seed["provider"]})
    (project.folder / "state.json").write_text(json.dumps(state))
    project.run("stack", "import", "--file", "state.json")
    project.run("up", "--yes", "--skip-preview")
    assert key_in_use(project) == key
    assert not named(project.resources(), "random:index/randomBytes:RandomBytes")
    assert_in_no_form(key, project)
    assert project.changes("preview") == {}


def test_new_stack_has_a_key_that_no_id_shows(project: Project) -> None:
    (project.folder / "__main__.py").write_text(PRESENT)
    project.run("preview")
    project.run("up", "--yes", "--skip-preview")
    key = key_in_use(project)
    assert len(base64.urlsafe_b64decode(key)) == 32
    assert_in_no_form(key, project)
    assert project.changes("preview") == {}
