"""What the verbs do, in which order, and what they say."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

import settings
from automation import __main__ as command_line
from automation import environments
from automation.cli.console import Console
from automation.cli.declare import Call, Verb
from automation.cli.login import password_command
from automation.cli.verbs import VERBS
from automation.cluster import kind
from automation.cluster.deployment import Deployment
from automation.cluster.local_clusters import LOCAL_CLUSTERS
from automation.engine import operations
from automation.engine.locks import Lock
from automation.engine.operations import EngineResult
from automation.errors import (
    AutomationError,
    ClusterUnreachable,
    EngineMissing,
    NotHealthy,
    PreflightFailed,
    Protected,
    SettingsInvalid,
    StackUnknown,
    ToolMissing,
    UpdateFailed,
    WrongCluster,
)
from automation.preflight.result import Preflight, PreflightCheck
from automation.results import Changes, Step
from automation.stacks import session
from automation.stacks.config import StackConfig
from automation.stacks.place import Place
from automation.verification.result import Check, Status, Verification
from components.aws.client import AwsError
from components.preflight.finding import Verdict
from tests import samples
from tests.automation.fakes import OUTPUTS, FakeEngine, FakeStack
from tests.cases import each

PROJECT = """\
name: airflow
runtime: python
config:
  kubeContext: {type: string, default: ""}
  protect: {type: boolean, default: true}
"""
STACK = "config:\n  airflow:kubeContext: kind-airflow\n  airflow:protect: false\n"


class Bench:
    """Everything that the verbs call, recorded; results are attributes."""

    def __init__(self, project_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project_dir = project_dir
        self.calls: list[str] = []
        self.outside: list[str] = []
        self.cluster = kind.Cluster("kind-airflow", created=False, identity="uid-1")
        self.asked_for: list[str] = []
        self.others: dict[str, str] = {}
        self.pulled: list[str] = []
        self.changes = Changes({"create": 3})
        self.resources = True
        self.stacks = ["dev"]
        self.verification = Verification((Check("all", Status.PASSED, "seen"),))
        self.kube_options: dict[str, Any] = {}
        self.gone = self.kind_fails = False
        self.reachable = True
        self.output = io.StringIO()
        self.progress = io.StringIO()
        self.console = Console(results=self.output, progress=self.progress)
        self.tags: dict[str, str] = {}
        self.protected = False
        (project_dir / "Pulumi.yaml").write_text(PROJECT)
        (project_dir / "Pulumi.dev.yaml").write_text(STACK)
        monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
        monkeypatch.setattr(settings, "check", lambda *args: self.calls.append("check settings"))
        monkeypatch.setattr(environments, "find_engine", self._find_engine)
        monkeypatch.setattr("automation.cli.interrupt.interruptible", self._interruptible)
        monkeypatch.setattr(session, "open_stack", self._open_stack)
        monkeypatch.setattr("automation.verification.verify.run_checks", self._verify)
        monkeypatch.setattr("automation.verification.verify.KubeClient", self._kube)
        monkeypatch.setattr("automation.cluster.client.cluster_identity", self._identity)
        monkeypatch.setattr(kind, "cluster_identity", self._identity)
        monkeypatch.setattr(kind, "ensure_cluster", self._ensure_cluster)
        monkeypatch.setattr("automation.cluster.images_ahead.images_of_stack", lambda *args: ("a:1",))
        monkeypatch.setattr("automation.cluster.images_ahead.pull_ahead", self._pull_ahead)
        monkeypatch.setattr(kind, "is_gone", lambda *args, **kwargs: self.gone)
        monkeypatch.setattr(kind, "_kind", self._kind)
        monkeypatch.setattr(kind, "_require_kind", lambda: None)
        monkeypatch.setattr(operations, "stack_outputs", lambda on: OUTPUTS)
        monkeypatch.setattr(operations, "has_resources", lambda on: self.resources)
        monkeypatch.setattr(operations, "resources_outside", lambda on, prefixes: self.outside)
        monkeypatch.setattr(operations, "deployment", self._deployment)
        monkeypatch.setattr(operations, "tag", lambda on, name: self.tags.get(name, ""))
        monkeypatch.setattr(operations, "set_tag", lambda on, name, value: self.tags.update({name: value}))
        monkeypatch.setattr(operations, "remove", self._remove)
        for verb in ("up", "preview", "refresh", "destroy"):
            monkeypatch.setattr(operations, verb, self._update(verb))

    @property
    def order(self) -> list[str]:
        """What was called, in the order of first calls."""
        return list(dict.fromkeys(self.calls))

    def text(self) -> str:
        return self.output.getvalue()

    def made_cluster(self) -> None:
        (self.project_dir / ".dev").mkdir(exist_ok=True)
        (self.project_dir / ".dev" / "cluster").write_text(json.dumps({"context": "kind-airflow", "uid": "uid-1"}))

    def deployed(self) -> None:
        for name in ("state", "dev"):
            (self.project_dir / ".dev" / name).mkdir(parents=True, exist_ok=True)
        path = self.project_dir / ".dev" / "passphrase"
        if not path.exists():
            path.write_text("x")

    def _kind(self, arguments: list[str]) -> str:
        self.calls.append(f"kind {' '.join(arguments)}")
        if self.kind_fails:
            raise ClusterUnreachable("kind failed", "look")
        self.gone, self.reachable = True, False
        return ""

    def _find_engine(self, *args: Any) -> FakeEngine:
        self.calls.append("find engine")
        return FakeEngine()

    @contextmanager
    def _interruptible(self, *args: Any) -> Iterator[None]:
        yield

    def _open_stack(
        self,
        place: Any,
        name: str,
        engine: Any,
        *,
        create: bool = True,
        opened: Any = None,
        for_reading: bool = False,
    ) -> Any:
        if opened is None and not for_reading:
            self.calls.append(f"open {name}{'' if create else ' if it is there'}")
        if not create and name not in self.stacks:
            raise StackUnknown("no stack", "make it")
        (self.project_dir / ".dev" / "state").mkdir(parents=True, exist_ok=True)
        return FakeStack(name)

    def _remove(self, on: Any, *, force: bool) -> tuple[str, ...]:
        if force:
            self.calls.append(f"forget {on.stack.name}")
        self.stacks.remove(on.stack.name)
        return tuple(self.stacks)

    def _deployment(self, on: Any) -> dict[str, Any]:
        urn = "urn:pulumi:dev::airflow::pulumi:index:Stash::airflow-keys-fernet-key"
        key = {"urn": urn, "type": "pulumi:index:Stash", "custom": True, "protect": self.protected}
        return {"resources": [key] if self.resources else []}

    def _ensure_cluster(self, project_dir: Path, context: str, **options: Any) -> kind.Cluster:
        self.calls.append("ensure cluster")
        self.asked_for.append(context)
        if not self.reachable:
            raise ClusterUnreachable(f"context {context} does not answer", "start it")
        if self.cluster.created:
            options["before_making"]()
            options["on_node"]()
        return replace(self.cluster, context=context, identity=self.others.get(context, self.cluster.identity))

    def _pull_ahead(self, context: str, images: tuple[str, ...], on_line: Any) -> None:
        self.pulled += images

    def _identity(self, context: str, **kwargs: Any) -> str:
        if not self.reachable:
            raise ClusterUnreachable("no answer", "look")
        return self.others.get(context, self.cluster.identity)

    def _verify(self, *args: Any, **kwargs: Any) -> Verification:
        self.calls.append("verify")
        return self.verification

    def _kube(self, *args: Any, **options: Any) -> None:
        self.kube_options = options

    def _update(self, verb: str) -> Any:
        def run(on: Any, **options: Any) -> EngineResult:
            self.calls.append(verb)
            step = Step(operation="update", type="kubernetes:helm.sh/v3:Release", name="airflow", urn="urn")
            return EngineResult(self.changes, (step,) if self.changes.any else ())

        return run

    def run(self, *words: str) -> int:
        """Run a verb; the exit code."""
        args = command_line.parse(list(words))
        declared: Verb = args.declared
        return declared.run(Call(args, self.console, self.project_dir))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_dev_goes_from_settings_to_a_verified_deployment(bench: Bench) -> None:
    bench.run("dev")
    assert bench.order == ["check settings", "ensure cluster", "find engine", "open dev", "up", "verify"]
    assert bench.pulled == []


def test_engine_and_images_are_fetched_while_a_cluster_is_made(bench: Bench) -> None:
    bench.cluster = kind.Cluster("kind-airflow", created=True, identity="uid-1")
    bench.run("dev")
    assert bench.calls.count("find engine") == 1
    assert bench.pulled == ["a:1"]


def test_engine_that_cannot_be_had_is_told_once_the_cluster_is_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*args: Any) -> Any:
        raise EngineMissing("no engine", "install it")

    monkeypatch.setattr(environments, "find_engine", missing)
    for created in (True, False):
        bench.cluster = kind.Cluster("kind-airflow", created=created, identity="uid-1")
        with pytest.raises(EngineMissing, match="no engine"):
            bench.run("dev")


def committed(bench: Bench) -> str:
    return (bench.project_dir / "Pulumi.dev.yaml").read_text()


def test_context_that_is_named_is_used_and_kept_for_all_verbs(bench: Bench) -> None:
    assert bench.run("dev", "--context", "k3d-airflow") == 0
    assert bench.asked_for == ["k3d-airflow"]
    assert committed(bench) == STACK.replace("kind-airflow", '"k3d-airflow"')
    assert "airflow:kubeContext in Pulumi.dev.yaml is now k3d-airflow" in bench.progress.getvalue()
    bench.run("dev")
    assert bench.asked_for == ["k3d-airflow", "k3d-airflow"]
    bench.run("dev", "--context", "k3d-airflow")
    assert committed(bench) == STACK.replace("kind-airflow", '"k3d-airflow"')


def test_context_that_does_not_answer_is_not_kept(bench: Bench) -> None:
    bench.reachable = False
    with pytest.raises(ClusterUnreachable, match="minikube does not answer"):
        bench.run("dev", "--context", "minikube")
    assert committed(bench) == STACK
    assert "up" not in bench.calls


def test_context_is_not_changed_while_the_stack_runs_in_another_cluster(bench: Bench) -> None:
    bench.run("dev")
    bench.others = {"minikube": "uid-2"}
    with pytest.raises(WrongCluster, match=r"deployed to the cluster of context kind-airflow.*make down"):
        bench.run("dev", "--context", "minikube")
    assert committed(bench) == STACK
    assert bench.asked_for == ["kind-airflow"]
    bench.resources = False
    assert bench.run("dev", "--context", "minikube") == 0, "make down leaves nothing that could stay there"


def test_another_name_of_the_stacks_own_cluster_is_taken(bench: Bench) -> None:
    bench.run("dev")
    assert bench.run("dev", "--context", "same-cluster") == 0
    assert "same-cluster" in committed(bench)
    assert "refresh" not in bench.calls


def test_context_is_changed_after_the_other_cluster_is_gone(bench: Bench) -> None:
    bench.run("dev")
    bench.tags["airflow:cluster"] = "uid-of-the-one-before"
    bench.run("dev", "--context", "minikube")
    assert bench.asked_for[-1] == "minikube"
    assert bench.calls.count("refresh") == 1


def test_command_for_the_password_works_with_names_that_a_shell_would_split() -> None:
    deployment = Deployment.of({**OUTPUTS, "kube_context": "my cluster"})
    command = password_command(
        deployment, StackConfig(kube_context="my cluster", kubeconfig="/my files/config", protect=False)
    )
    assert shlex.split(command)[:5] == ["kubectl", "--kubeconfig", "/my files/config", "--context", "my cluster"]


def test_dev_ends_with_address_user_password_command_and_three_commands(bench: Bench) -> None:
    bench.run("dev")
    text = bench.text()
    assert "http://localhost:8080" in text
    assert "user:     admin" in text
    assert (
        "kubectl --context kind-airflow --namespace airflow get secret admin-password-1a2b "
        "-o jsonpath='{.data.password}' | base64 -d"
    ) in text
    assert [line for line in ("make ui", "make preview", "make down") if line in text.split("next:")[1]] == [
        "make ui",
        "make preview",
        "make down",
    ]


def test_password_is_shown_where_everybody_can_read_it(bench: Bench) -> None:
    (bench.project_dir / "Pulumi.dev.yaml").write_text(f"{STACK}  airflow:adminPassword: admin\n")
    bench.run("dev")
    assert "password: admin (airflow:adminPassword in Pulumi.dev.yaml)\n" in bench.text()
    (bench.project_dir / "Pulumi.dev.yaml").write_text(f"{STACK}  airflow:adminPassword:\n    secure: v1:x\n")
    bench.run("dev")
    assert "password: kubectl " in bench.text()


def test_second_dev_says_no_changes(bench: Bench) -> None:
    bench.changes = Changes({"same": 40})
    bench.run("dev")
    assert "up of dev: no changes" in bench.text()


def test_settings_are_checked_before_anything_is_looked_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(project: Path, stack: str) -> None:
        raise settings.SettingsError(stack, ["airflow:x: is not a key", "airflow:y: is not a key"])

    monkeypatch.setattr(settings, "check", bad)
    with pytest.raises(SettingsInvalid) as raised:
        bench.run("dev")
    assert raised.value.problems == ("airflow:x: is not a key", "airflow:y: is not a key")
    for verb in ("up", "preview", "recover"):
        with pytest.raises(SettingsInvalid):
            bench.run(verb, "dev")
    with pytest.raises(SettingsInvalid):
        bench.run("roll", "dev", "3.2.2-1")
    assert bench.calls == []


def test_state_follows_a_cluster_that_was_just_made(bench: Bench) -> None:
    """What the state tells of went with the earlier cluster; keys, which are only in the state, stay."""
    bench.cluster = kind.Cluster("kind-airflow", created=True, identity="uid-2")
    bench.run("dev")
    assert bench.calls.index("refresh") < bench.calls.index("up")


def test_state_follows_a_cluster_that_somebody_else_made_anew(bench: Bench) -> None:
    bench.run("dev")
    assert "refresh" not in bench.calls
    bench.cluster = kind.Cluster("kind-airflow", created=False, identity="uid-2")
    bench.run("dev")
    assert bench.calls.count("refresh") == 1
    bench.run("dev")
    assert bench.calls.count("refresh") == 1


def test_first_deployment_needs_no_refresh(bench: Bench) -> None:
    bench.cluster = kind.Cluster("kind-airflow", created=True, identity="uid-1")
    bench.resources = False
    bench.run("dev")
    assert "refresh" not in bench.calls


def test_dev_that_is_not_healthy_fails_and_names_what(bench: Bench) -> None:
    bench.verification = Verification((Check("a", Status.PASSED, ""), Check("b", Status.FAILED, "broken")))
    with pytest.raises(NotHealthy, match="verification failed: b"):
        bench.run("dev")
    assert "failed   b  broken" in bench.text()
    assert "http://localhost" not in bench.text()


def test_verify_as_json_is_json_alone_on_the_results(bench: Bench) -> None:
    bench.deployed()
    bench.run("verify", "dev", "--json")
    assert json.loads(bench.text())["ok"] is True
    assert "state in file://" in bench.progress.getvalue()


def test_up_and_preview_say_where_the_state_is(bench: Bench) -> None:
    bench.run("up", "dev")
    bench.run("preview", "dev")
    first = ["check settings", "find engine", "open dev"]
    assert bench.calls == [*first, "up", *first, "preview"]
    assert bench.progress.getvalue().count((bench.project_dir / ".dev" / "state").as_uri()) == 2


def test_down_removes_deployment_state_and_the_cluster_that_dev_made(bench: Bench) -> None:
    bench.deployed()
    bench.made_cluster()
    bench.run("down")
    assert bench.calls == [
        "find engine",
        "kind delete cluster --name airflow",
        "open dev if it is there",
        "forget dev",
    ], "nothing in the cluster is deleted one by one"
    assert [path.name for path in (bench.project_dir / ".dev").iterdir()] == ["passphrase"]


def test_down_destroys_first_what_is_not_in_the_cluster_that_dev_made_or_is_under_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    destroyed = ["destroy", "kind delete cluster --name airflow"]
    for outside, locks in (
        (["aws:rds/instance:Instance"], ()),
        ([], None),
        ([], (Lock(user="me", host="h", pid=1, since=""),)),
    ):
        bench.deployed()
        bench.made_cluster()
        bench.gone, bench.reachable, bench.outside, bench.stacks = False, True, outside, ["dev"]
        monkeypatch.setattr(session.Session, "locks", lambda self, locks=locks: locks)
        monkeypatch.setattr("automation.stacks.updates._may_be_locked", lambda self: True)
        bench.calls.clear()
        bench.run("down")
        assert bench.calls[-2:] == destroyed


def test_down_that_ends_after_it_deleted_the_cluster_goes_on_the_next_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.deployed()
    bench.made_cluster()
    with monkeypatch.context() as killed:
        killed.setattr(operations, "remove", lambda on, force: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bench.run("down")
    bench.run("down")
    assert "forget dev" in bench.calls
    assert [path.name for path in (bench.project_dir / ".dev").iterdir()] == ["passphrase"]


def test_protected_state_keeps_its_cluster(bench: Bench) -> None:
    bench.deployed()
    bench.made_cluster()
    bench.protected = True
    with pytest.raises(Protected, match="still protects"):
        bench.run("down")
    assert not any(call.startswith("kind") for call in bench.calls)


def test_down_leaves_a_cluster_that_was_there_before(bench: Bench) -> None:
    bench.deployed()
    bench.run("down")
    assert "destroy" in bench.calls
    assert not any(call.startswith("kind") for call in bench.calls)


def test_down_names_a_cluster_that_dev_made_before_it_went_elsewhere(bench: Bench) -> None:
    bench.deployed()
    bench.made_cluster()
    (bench.project_dir / "Pulumi.dev.yaml").write_text(STACK.replace("kind-airflow", "minikube"))
    bench.run("down")
    assert "made here: kind delete cluster --name airflow" in bench.progress.getvalue()
    assert not any(call.startswith("kind") for call in bench.calls)
    assert (bench.project_dir / ".dev" / "cluster").exists()


def test_down_leaves_other_stacks_their_state_and_passphrase(bench: Bench) -> None:
    bench.deployed()
    bench.stacks.append("other")
    bench.run("down")
    left = {path.name for path in (bench.project_dir / ".dev").iterdir()}
    assert left == {"state", "passphrase"}


def test_down_keeps_the_passphrase_and_says_so(bench: Bench) -> None:
    """A state in another folder is encrypted with it too; nobody knows of each that ever was."""
    elsewhere = Place.of(bench.project_dir, {"PULUMI_BACKEND_URL": (bench.project_dir / "elsewhere").as_uri()})
    path = Path(elsewhere.prepare("dev").env["PULUMI_CONFIG_PASSPHRASE_FILE"])
    before = path.read_text()
    bench.deployed()
    bench.run("down")
    assert path.read_text() == before
    assert f"kept {path}" in bench.progress.getvalue()


def test_env_prints_what_a_shell_evaluates_and_makes_the_stack(bench: Bench) -> None:
    bench.run("env")
    assert bench.calls == ["find engine", "open dev"]
    done = subprocess.run(
        ["bash", "-c", f"{bench.text()}\nenv"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert f"PULUMI_BACKEND_URL={(bench.project_dir / '.dev' / 'state').as_uri()}" in done.stdout.splitlines()
    assert f"PULUMI_CONFIG_PASSPHRASE_FILE={bench.project_dir / '.dev' / 'passphrase'}" in done.stdout.splitlines()
    assert "PULUMI_STACK=dev" in done.stdout.splitlines()


def test_down_leaves_a_shared_state_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deployed()
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    bench.run("down")
    assert "destroy" in bench.calls
    assert (bench.project_dir / ".dev" / "state").exists()
    assert (bench.project_dir / ".dev" / "passphrase").exists()


def test_down_keeps_a_downloaded_engine_and_says_so(bench: Bench) -> None:
    bench.deployed()
    (bench.project_dir / ".dev" / "pulumi").mkdir()
    bench.run("down")
    assert (bench.project_dir / ".dev" / "pulumi").exists()
    assert "kept" in bench.progress.getvalue()


def test_down_twice_or_before_anything_asks_no_engine(bench: Bench) -> None:
    bench.run("down")
    assert bench.calls == []
    assert not (bench.project_dir / ".dev").exists()


def test_down_needs_no_cluster_where_nothing_was_deployed(bench: Bench) -> None:
    """Such as after an update without a cluster, which was refused."""
    bench.deployed()
    bench.resources, bench.reachable = False, False
    bench.run("down")
    assert bench.order == ["find engine", "open dev if it is there"], "the engine has nothing to destroy"
    assert not (bench.project_dir / ".dev" / "state").exists()


def test_down_of_a_protected_stack_is_refused(bench: Bench) -> None:
    bench.deployed()
    (bench.project_dir / "Pulumi.dev.yaml").write_text(STACK.replace("false", "true"))
    with pytest.raises(Protected, match="protected"):
        bench.run("down")
    (bench.project_dir / "Pulumi.dev.yaml").write_text("config:\n  airflow:kubeContext: kind-airflow\n")
    with pytest.raises(Protected, match="protected"):
        bench.run("down")
    assert bench.calls == []


def test_down_after_the_cluster_that_dev_made_is_gone_forgets_what_was_in_it(bench: Bench) -> None:
    bench.deployed()
    bench.made_cluster()
    bench.gone, bench.reachable = True, False
    bench.run("down")
    assert bench.order == ["find engine", "open dev if it is there", "forget dev"]
    assert [path.name for path in (bench.project_dir / ".dev").iterdir()] == ["passphrase"]


def test_down_does_not_forget_what_is_outside_the_cluster_that_is_gone(bench: Bench) -> None:
    bench.deployed()
    bench.made_cluster()
    bench.gone, bench.reachable = True, False
    bench.outside = ["aws:rds/instance:Instance"]
    with pytest.raises(ClusterUnreachable, match="aws:rds/instance:Instance"):
        bench.run("down")
    assert "forget dev" not in bench.calls
    assert (bench.project_dir / ".dev" / "state").exists()


def test_down_while_a_cluster_is_only_out_of_reach_changes_nothing(bench: Bench) -> None:
    bench.deployed()
    bench.reachable = False
    with pytest.raises(ClusterUnreachable):
        bench.run("down")
    assert bench.order == ["find engine"], "the state is only read"
    assert (bench.project_dir / ".dev" / "dev").exists()


def test_cluster_that_cannot_be_deleted_leaves_the_state(bench: Bench) -> None:
    bench.deployed()
    bench.made_cluster()
    bench.kind_fails = True
    with pytest.raises(ClusterUnreachable, match="kind failed"):
        bench.run("down")
    assert {path.name for path in (bench.project_dir / ".dev").iterdir()} == {"state", "passphrase", "dev", "cluster"}


def test_destroy_that_fails_leaves_state_and_cluster(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deployed()
    bench.made_cluster()
    bench.outside = ["aws:rds/instance:Instance"]

    def fails(*args: Any, **options: Any) -> EngineResult:
        raise UpdateFailed("no", "mend")

    monkeypatch.setattr(operations, "destroy", fails)
    with pytest.raises(UpdateFailed):
        bench.run("down")
    assert {path.name for path in (bench.project_dir / ".dev").iterdir()} == {"state", "passphrase", "dev", "cluster"}


def fake_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").write_text(f'#!/bin/bash\necho "$*" > {tmp_path}/arguments\n{script}\n')
    (folder / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_ui_without_kubectl_is_one_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing, match=r"kubectl is not on PATH: it forwards a port to Airflow.*https://kubernetes"):
        bench.run("ui")


def test_ui_forwards_to_the_stacks_cluster_and_prints_the_address_once_it_works(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.deployed()
    fake_kubectl(bench.project_dir, monkeypatch, "echo 'Forwarding from 127.0.0.1:8080 -> 8080'; exec sleep 30")

    def interrupt(url: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("automation.cluster.port_forward.has_browser", lambda environ, *, terminal: True)
    monkeypatch.setattr("automation.cluster.port_forward.open_browser", interrupt)
    assert bench.run("ui") == 0
    assert "http://localhost:8080" in bench.text()
    assert (bench.project_dir / "arguments").read_text().split() == [
        "--context",
        "kind-airflow",
        "--namespace",
        "airflow",
        "port-forward",
        "service/airflow-api-server",
        "8080:8080",
    ]
    assert bench.run("ui", "--port", "8081") == 0
    assert "http://localhost:8081" in bench.text()
    assert (bench.project_dir / "arguments").read_text().split()[-1] == "8081:8080"


def test_image_is_copied_by_the_tool_of_the_stacks_cluster(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    program = bench.project_dir / "kind"
    program.write_text(f'#!/bin/bash\necho "$*" > {bench.project_dir}/arguments\n[ "$3" != airflow:bad ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bench.project_dir}:{os.environ['PATH']}")
    assert bench.run("load", "airflow:try") == 0
    asked = (bench.project_dir / "arguments").read_text().strip()
    assert asked == "load docker-image airflow:try --name airflow"
    with pytest.raises(AutomationError, match="airflow:bad could not be copied into kind-airflow"):
        bench.run("load", "airflow:bad")


def test_tool_that_copies_an_image_and_is_missing_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for item in LOCAL_CLUSTERS:
        if item.load:
            context = f"{item.context}x" if item.context.endswith("-") else item.context
            (bench.project_dir / "Pulumi.dev.yaml").write_text(STACK.replace("kind-airflow", context))
            with pytest.raises(ToolMissing, match=rf"{item.executable} is not on PATH: .*https://"):
                bench.run("load", "airflow:try")


def test_image_is_not_copied_where_the_cluster_has_it_or_is_elsewhere(bench: Bench) -> None:
    file = bench.project_dir / "Pulumi.dev.yaml"
    file.write_text(STACK.replace("kind-airflow", "orbstack"))
    assert bench.run("load", "airflow:try") == 0
    assert "there is nothing to copy" in bench.text()
    file.write_text(STACK.replace("kind-airflow", "prod"))
    with pytest.raises(ClusterUnreachable, match="push the image to a registry"):
        bench.run("load", "airflow:try")


def test_ui_that_gets_no_port_prints_no_address(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deployed()
    fake_kubectl(bench.project_dir, monkeypatch, "echo 'unable to listen on port 8080' >&2; exit 1")
    with pytest.raises(AutomationError, match="unable to listen on port 8080"):
        bench.run("ui")
    assert "http://" not in bench.text()


@each(
    ("error", "code", "said"),
    [
        (None, 0, ""),
        (UpdateFailed("up failed: no room", "make room"), 1, "error: up failed: no room. Fix: make room\n"),
        (settings.SettingsError("dev", ["a", "b"]), 1, "error: config of stack dev: 2 problems\n  a\n  b\n"),
        (
            create_command_error(CommandResult(stdout="sentinel", stderr="error: broken", code=255)),
            1,
            "error: up of prod failed: broken. Fix: correct that, and run it again\n",
        ),
        (KeyboardInterrupt(), 1, "interrupted; run it again to go on: python -m automation up prod\n"),
    ],
)
def test_exit_code_and_line_of_a_failure(
    error: BaseException | None,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def up(call: Call) -> int:
        if error:
            raise error
        return 0

    changed = tuple(replace(item, run=up) if item.name == "up" else item for item in VERBS)
    monkeypatch.setattr(command_line, "VERBS", changed)
    assert command_line.main(["up", "prod"]) == code
    assert capsys.readouterr().err == said


@each("arguments", [[], ["fly"], ["dev", "prod"], ["verify", "--timeout", "soon"], ["up", "--dag", "x"]])
def test_wrong_command_line_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        command_line.main(arguments)
    assert raised.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_wait_of_no_known_length_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is later than `nan`, so a wait for it would never end."""
    for option in ("--timeout", "--lock-timeout"):
        for given in ("nan", "inf", "-1", "soon"):
            with pytest.raises(SystemExit):
                command_line.parse(["rotate", "fernet", "dev", f"{option}={given}"])
            assert f"{option}: expected seconds, 0 or more, found '{given}'" in capsys.readouterr().err


def test_verb_of_a_developer_works_on_dev_where_no_stack_is_named() -> None:
    for name in ("dev", "down", "ui", "env"):
        assert command_line.parse([name]).stack == "dev"
    assert command_line.parse(["ui", "prod"]).stack == "prod"


# A stack on EKS


def test_eks_cluster_is_reached_by_a_kubeconfig_that_only_its_owner_reads(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file names no credential; but who reads another's files might swap the command in it."""
    bench.deployed()
    found = samples.eks_cluster()
    asked: list[tuple[str, ...]] = []

    def find(*words: str) -> Any:
        asked.append(words)
        return found

    monkeypatch.setattr("components.aws.eks_cluster.find_cluster", find)
    lines = ("eksCluster: example", "awsRegion: eu-central-1", 'awsAccountId: "123456789012"')
    stack = "config:\n" + "".join(f"  airflow:{line}\n" for line in lines)
    (bench.project_dir / "Pulumi.dev.yaml").write_text(stack)
    bench.run("verify", "dev")
    path = bench.project_dir / ".dev" / "dev" / "kubeconfig"
    assert asked == [("example", "eu-central-1", "123456789012")]
    assert path.read_text() == found.kubeconfig
    assert path.stat().st_mode & 0o777 == 0o600
    assert bench.kube_options["kubeconfig_path"] == str(path)


def test_refusal_of_aws_is_one_line(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def find(*words: str) -> Any:
        raise AwsError("airflow:eksCluster: expected one, found none. Fix: choose another")

    monkeypatch.setattr("components.aws.eks_cluster.find_cluster", find)
    monkeypatch.setattr(command_line, "PROJECT_DIR", bench.project_dir)
    (bench.project_dir / "Pulumi.dev.yaml").write_text("config:\n  airflow:eksCluster: example\n")
    assert command_line.main(["verify", "dev"]) == 1
    assert capsys.readouterr().err == "error: airflow:eksCluster: expected one, found none. Fix: choose another\n"


def test_preflight_tells_each_check_and_fails_where_one_failed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [
        PreflightCheck(name="images", verdict=Verdict.PASSED, what="there"),
        PreflightCheck(name="DAG repository", verdict=Verdict.FAILED, what="airflow:dagsRef: x", fix="y"),
    ]
    monkeypatch.setattr(
        "automation.preflight.preflight_stack.preflight_stack",
        lambda *_: Preflight(stack="dev", new_namespace=True, checks=tuple(checks)),
    )
    with pytest.raises(PreflightFailed) as caught:
        bench.run("preflight", "dev")
    assert str(caught.value) == "the preflight found one problem\n  airflow:dagsRef: x. Fix: y", "as up says it"
    assert "DAG repository  see below" in bench.text()
    assert "the namespace is not there yet" in bench.text()
    checks.pop()
    assert bench.run("preflight", "dev", "--json") == 0
    assert json.loads(bench.text()[bench.text().index("{") :])["ok"] is True
