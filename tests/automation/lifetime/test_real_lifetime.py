"""Stacks with a time to live on the real engine, with a small program, from checkouts that do not have their files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from automation import Environments
from automation.engine import operations
from automation.engine.events import ignore
from automation.errors import ClusterUnreachable, Protected, SettingsInvalid, StackUnknown
from automation.lifetime.derived import HEADER
from automation.lifetime.result import Fate
from automation.stacks.expiry import TAG, moment_of
from automation.stacks.session import Session
from automation.stacks.stack_values import write_to_file
from components.kube.look import Look
from components.kube.secret import Secret
from tests.automation.test_real_environments import project

pytestmark = pytest.mark.engine

__all__ = ["project"]

PROGRAM = """\
import pulumi
import pulumi_random as random

config = pulumi.Config("airflow")
random.RandomPassword("key", length=20)
pulumi.export("namespace", config.require("namespace"))
pulumi.export("ref", config.require("dagsRef"))
pulumi.export("token", pulumi.Output.unsecret(config.get_secret("dagsToken").apply(len)))
"""
LIKE = """\
config:
  airflow:kubeContext: kind-airflow
  airflow:protect: false
  airflow:database: container
  airflow:taskLogsAccessMode: ReadWriteOnce
  airflow:dagsUsername: robot
"""
TOKEN = "sentinel-token"
PAST = "2020-01-01T00:00:00Z"


class Namespaces:
    """A cluster with these namespaces."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def get(self, version: str, kind: str, namespace: str, name: str, **options: Any) -> dict[str, Any] | None:
        return {} if name in self.names else None

    def items(self, *args: Any, **options: Any) -> list[dict[str, Any]]:
        return []


@pytest.fixture
def checkout(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Environments]:
    """Makes checkouts in which the stack `dags` has a file with a secret in it; the backend is shared."""
    monkeypatch.setattr(
        "automation.stacks.session.Session.cluster",
        lambda session: (Namespaces("taken"), session.config().namespace),
    )
    monkeypatch.setattr("automation.stacks.session.Session.look", lambda session: Look())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "sentinel-passphrase")
    (project / "__main__.py").write_text(PROGRAM)
    (project / "Pulumi.dags.yaml").write_text(LIKE)
    state = (tmp_path / "state").as_uri()

    def make(name: str) -> Environments:
        folder = tmp_path / name
        shutil.copytree(project, folder)
        return Environments(folder, backend=state, work_dir=folder / ".dev")

    give(make("first"), "dags", {"dagsToken": Secret(TOKEN)})
    shutil.copy(tmp_path / "first" / "Pulumi.dags.yaml", project)
    return make


def give(environments: Environments, name: str, secrets: Mapping[str, Secret]) -> None:
    with environments.open(name).session.open_for_update("config", ignore) as opened:
        write_to_file(opened, environments.project_dir, secrets)


def tag(environments: Environments, name: str, text: str) -> None:
    with environments.open(name).session.open_for_update("tag", ignore) as opened:
        operations.set_tag(opened, TAG, text)


def test_stack_lives_for_its_time_and_expires_from_another_checkout(
    checkout: Callable[[str], Environments], tmp_path: Path
) -> None:
    team = checkout("team")
    made = team.open("pr-12").spawn("dags", {"dagsRef": "refs/pull/12/head"}, hours=2)
    assert (made.stack, made.namespace) == ("pr-12", "pr-12")
    assert made.update.outputs == {"namespace": "pr-12", "ref": "refs/pull/12/head", "token": len(TOKEN)}
    again = team.open("pr-12").spawn("dags", {"dagsRef": "refs/pull/12/head"}, hours=48)
    assert not again.update.changes.any
    first, second = moment_of(made.expires), moment_of(again.expires)
    assert first is not None
    assert second is not None
    assert 45 < (second - first).total_seconds() / 3600 < 47

    team.open("dags").up()  # has no time to live
    other = checkout("other")
    assert not (tmp_path / "other" / "Pulumi.pr-12.yaml").exists()
    assert [(item.stack, item.fate) for item in other.expire().stacks] == [("pr-12", Fate.KEPT)]
    tag(team, "pr-12", PAST)
    assert [item.fate for item in other.expire(dry_run=True).stacks] == [Fate.DUE]
    assert team.open("pr-12").outputs().values["namespace"] == "pr-12"
    assert [(item.stack, item.fate) for item in other.expire().stacks] == [("pr-12", Fate.REMOVED)]
    assert other.expire().stacks == ()
    with pytest.raises(StackUnknown):
        team.open("pr-12").outputs()
    assert team.open("dags").outputs().values["ref"] == "main"
    with pytest.raises(StackUnknown, match="stack dags has no time to live"):
        other.expire(["dags"])


def test_stack_whose_cluster_is_gone_says_so_and_goes_when_that_is_said(
    checkout: Callable[[str], Environments], monkeypatch: pytest.MonkeyPatch
) -> None:
    team = checkout("team")
    for name in ("pr-1", "pr-2"):
        team.open(name).spawn("dags", hours=2)
        tag(team, name, PAST)

    def gone(session: Session, opened: Any, **_: Any) -> str:
        if session.name.startswith("pr-1"):
            raise ClusterUnreachable("context kind-airflow: no answer", "kubectl get nodes must answer")
        return ""

    monkeypatch.setattr("automation.stacks.updates.cluster_to_store", gone)
    first, second = team.expire().stacks
    assert second.fate is Fate.REMOVED, "the others go on"
    assert first.fate is Fate.FAILED
    assert first.reason == (
        "context kind-airflow: no answer. Fix: make the cluster answer; if it is gone for good: "
        f"python -m automation expire {first.stack} --cluster-gone"
    )
    with pytest.raises(Protected, match="expected the names of the stacks"):
        team.expire(cluster_gone=True)
    monkeypatch.setattr("automation.stacks.updates.require_gone", lambda session: None)
    assert [item.fate for item in team.expire([first.stack], cluster_gone=True).stacks] == [Fate.REMOVED]


def test_dry_run_of_a_spawn_leaves_no_stack_and_no_file(
    checkout: Callable[[str], Environments], tmp_path: Path
) -> None:
    team, file = checkout("team"), tmp_path / "team" / "Pulumi.pr-1.yaml"
    plan = team.open("pr-1").spawn_plan("dags", hours=2)
    assert (plan.stack, plan.namespace, plan.exists, file.exists()) == ("pr-1", "pr-1", False, False)
    with pytest.raises(StackUnknown):
        team.open("pr-1").outputs()
    with pytest.raises(Protected, match="expected none of the name taken"):
        team.open("taken").spawn_plan("dags", hours=2)
    team.open("pr-1").spawn("dags", hours=2)
    text = file.read_text()
    assert team.open("pr-1").spawn_plan("dags", {"dagsRef": "other"}, hours=2).exists
    assert file.read_text() == text


def test_named_stack_ends_now_and_its_file_goes_too(checkout: Callable[[str], Environments], tmp_path: Path) -> None:
    team = checkout("team")
    team.open("pr-1").spawn("dags", hours=2)
    file = tmp_path / "team" / "Pulumi.pr-1.yaml"
    assert file.read_text().startswith(HEADER)
    assert TOKEN not in file.read_text()
    assert [(item.stack, item.fate) for item in team.expire(["pr-1"]).stacks] == [("pr-1", Fate.REMOVED)]
    assert not file.exists()
    assert [(item.stack, item.fate) for item in team.expire(["pr-1"]).stacks] == [("pr-1", Fate.GONE)]


def test_protected_stack_is_kept_even_if_its_time_has_passed(
    checkout: Callable[[str], Environments], tmp_path: Path
) -> None:
    team, file = checkout("team"), tmp_path / "team" / "Pulumi.dags.yaml"
    there, others = checkout("other"), tmp_path / "other" / "Pulumi.dags.yaml"
    give(team, "dags", {"databasePassword": Secret("sentinel-db")})
    external = "config:\n  airflow:databaseHost: db.test\n  airflow:databaseCidrs: [10.0.0.0/8]\n"
    text = file.read_text().replace("database: container", "database: external").replace("config:\n", external)
    protected = text.replace('protect: "false"', 'protect: "true"')

    def refused() -> bool:
        (left,) = there.expire().stacks
        return left.fate is Fate.FAILED and left.reason.startswith("airflow:protect: expected false")

    file.write_text(text)
    team.open("dags").up()
    tag(team, "dags", PAST)
    others.write_text(protected)  # not deployed yet
    assert refused()
    others.unlink()
    file.write_text(protected)
    team.open("dags").up()
    assert refused()
    assert team.open("dags").outputs().values["namespace"] == "airflow"


def test_what_is_not_a_time_removes_nothing_and_names_the_tag(checkout: Callable[[str], Environments]) -> None:
    team = checkout("team")
    team.open("pr-1").spawn("dags", hours=2)
    tag(team, "pr-1", "tomorrow")
    (left,) = team.expire().stacks
    assert (left.fate, "'tomorrow'" in left.reason) == (Fate.FAILED, True)


def test_stack_whose_first_update_never_came_expires_too(checkout: Callable[[str], Environments]) -> None:
    team = checkout("team")
    team.open("dags").keep_for(1)
    tag(team, "dags", PAST)
    assert [item.fate for item in checkout("other").expire().stacks] == [Fate.REMOVED]


def test_spawn_changes_nothing_that_it_did_not_make(checkout: Callable[[str], Environments], tmp_path: Path) -> None:
    team, folder = checkout("team"), tmp_path / "team"
    before = (folder / "Pulumi.dags.yaml").read_text()
    with pytest.raises(Protected, match="spawn did not make"):
        team.open("dags").spawn("dags", {"namespace": "x"}, hours=1)
    assert (folder / "Pulumi.dags.yaml").read_text() == before
    team.open("dags").up()
    (folder / "Pulumi.like.yaml").write_text(before)
    (folder / "Pulumi.dags.yaml").unlink()
    for name, values, kind in (
        ("dags", {}, Protected),  # deployed, without a time to live
        ("taken", {}, Protected),  # a namespace that is there
        ("pr-1", {"namespace": "Not_A_Name"}, SettingsInvalid),
    ):
        with pytest.raises(kind):
            team.open(name).spawn("like", values, hours=1)
        assert not (folder / f"Pulumi.{name}.yaml").exists()
    assert team.expire().stacks == ()
