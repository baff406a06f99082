"""The question to the Git host, by the real script in a shell with a pretended `git`; and who asks it when."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from automation.cluster.client import KubeClient
from automation.cluster.pods import Pod
from automation.errors import ClusterRequestFailed
from automation.rotation import git_host
from automation.rotation.keys import KEYS, PRIVATE_KEY
from automation.rotation.stage_lists import git_stages
from automation.rotation.stages import PodKey, RotationAction
from automation.stages.stage import next_stage
from components.dags import git_ssh_key
from components.dags.ssh_private_key import new_private_key, normalise_private_key, public_key
from components.kube.pod_command import ExecResult
from tests.automation.fakes import pod

GIT: Final = """\
#!/bin/sh
[ "$1 $3" = "ls-remote HEAD" ] || exit 2
set -- $GIT_SSH_COMMAND
stat -c %a "$3" > "$SEEN.mode"
cp "$3" "$SEEN"
cmp -s "$3" "$ACCEPTED"
"""


@dataclass
class Processor(KubeClient):
    """A DAG processor's git-sync, as a client of the cluster reaches it."""

    folder: Path
    ready: bool = True

    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        return (pod("dag-processor", ready=self.ready),)

    def run(self, pod: str, container: str, command: Sequence[str], *, seconds: float, line: str = "") -> ExecResult:
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "TMPDIR": str(self.folder / "tmp"),
            "GITSYNC_REPO": "ssh://git@git.test/dags.git",
            "SEEN": str(self.folder / "seen"),
            "ACCEPTED": str(self.folder / "accepted"),
        }
        # The input stays open in a cluster; here a line that is never read stands for that.
        done = subprocess.run(
            command, input=f"{line}\nnever read", env=environment, capture_output=True, text=True, check=False
        )
        return ExecResult(done.returncode, done.stdout)


@pytest.fixture
def processor(tmp_path: Path) -> Any:
    if shutil.which("sh") is None:
        pytest.skip("sh is not on PATH")
    (tmp_path / "git").write_text(GIT)
    (tmp_path / "git").chmod(0o755)
    (tmp_path / "tmp").mkdir()
    return Processor(tmp_path)


def test_host_is_asked_with_the_whole_key_which_is_then_gone(processor: Any) -> None:
    key = new_private_key()
    (processor.folder / "accepted").write_text(key)
    assert git_host.accepts(processor, key)
    assert not git_host.accepts(processor, new_private_key())
    assert (processor.folder / "seen.mode").read_text() == "600\n"
    assert list((processor.folder / "tmp").iterdir()) == []


def test_no_pod_to_ask_from_is_an_error(processor: Any) -> None:
    processor.ready = False
    with pytest.raises(ClusterRequestFailed, match="no DAG processor is ready"):
        git_host.accepts(processor, "key")


def test_new_key_is_as_the_program_deploys_it_and_is_told_by_its_public_half() -> None:
    key = KEYS["git-key"].make()
    assert normalise_private_key(key) == key
    told = KEYS["git-key"].told(key)
    assert told.endswith(public_key(key))
    assert public_key(key).startswith("ssh-ed25519 AAAA")
    assert not [line for line in key.splitlines() if line in told]
    assert PRIVATE_KEY == git_ssh_key.PRIVATE_KEY


@dataclass
class Deployment:
    """Pods that fetch, and a host."""

    accepted: bool = False
    pods: tuple[PodKey, ...] = field(
        default_factory=lambda: tuple(
            PodKey(name=name, component=name, value="old") for name in ("worker", "triggerer")
        )
    )
    deployed: str | None = "old"
    encrypted: Any = None
    signed_until: str = ""
    alone: bool = False
    apart: bool = False
    refusal: str = ""


def test_no_pod_gets_a_key_before_the_host_accepts_it() -> None:
    stages, found = git_stages(["old"], "new"), Deployment()
    number, stage = next_stage(stages, found) or (0, stages[0])
    assert (number, stage.doing, stage.value, stage.beside) == (1, RotationAction.ASK, "", "new")
    found.accepted = True
    number, stage = next_stage(stages, found) or (0, stages[0])
    assert (number, stage.doing, stage.value, stage.beside) == (2, RotationAction.UPDATE, "new", "")
    found.pods = (
        PodKey(name="a", component="a", value="new"),
        PodKey(name="b", component="b", value="old", ending=True),
    )
    assert next_stage(stages, found) is None


def test_task_in_a_pod_of_its_own_has_fetched_and_holds_up_no_rotation_of_the_key() -> None:
    """The update has deleted the Secret that it names."""
    [_, stage] = git_stages(["old"], "new")
    found = Deployment(accepted=True)
    task = PodKey(name="etl-load-x1", component="worker", value=None)
    found.pods = (PodKey(name="a", component="a", value="new"), task)
    assert stage.lacks(found) == ""
    found.pods = (PodKey(name="a", component="a", value="old"), task)
    assert stage.lacks(found) == "pods that fetch with another key: a"
