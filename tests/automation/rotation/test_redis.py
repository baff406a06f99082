"""What Redis is asked, by the real scripts in a shell, with a pretended `redis-cli`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from automation.cluster.client import KubeClient
from automation.cluster.pods import Pod
from automation.errors import ClusterRequestFailed
from automation.rotation import redis
from components.kube.pod_command import ExecResult
from tests.automation.fakes import pod

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="sh is not on PATH")
CLI: Final = """\
#!/bin/sh
echo "arguments: $*" >> "$SEEN"
grep -qx "$REDISCLI_AUTH" "$ACCEPTED" || { echo "NOAUTH Authentication required."; exit 0; }
[ "$1" = ping ] && { echo PONG; exit 0; }
read -r acl setuser default password
[ "$acl $setuser $default" = "ACL SETUSER default" ] && echo "${password#>}" >> "$ACCEPTED" && echo OK
"""


@dataclass
class Server(KubeClient):
    """Redis in a pod, as a client of the cluster reaches it."""

    folder: Path
    ready: bool = True

    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        return (pod("redis", ready=self.ready),)

    def run(self, pod: str, container: str, command: Sequence[str], *, seconds: float, line: str = "") -> ExecResult:
        assert line not in " ".join(command)
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "REDIS_PASSWORD": "old",
            "SEEN": str(self.folder / "seen"),
            "ACCEPTED": str(self.folder / "accepted"),
        }
        done = subprocess.run(command, input=f"{line}\n", env=environment, capture_output=True, text=True, check=False)
        return ExecResult(done.returncode, done.stdout)


@pytest.fixture
def server(tmp_path: Path) -> Any:
    (tmp_path / "redis-cli").write_text(CLI)
    (tmp_path / "redis-cli").chmod(0o755)
    (tmp_path / "accepted").write_text("old\n")
    return Server(tmp_path)


def test_redis_accepts_another_password_when_it_was_told_and_no_process_shows_it(server: Any) -> None:
    assert redis.accepts(server, "old")
    assert not redis.accepts(server, "new-password")
    redis.admit(server, "new-password")
    assert redis.accepts(server, "new-password")
    assert redis.accepts(server, "old")
    assert "new-password" not in (server.folder / "seen").read_text()


def test_redis_that_refuses_or_is_not_there_is_an_error(server: Any) -> None:
    (server.folder / "accepted").write_text("another\n")
    with pytest.raises(ClusterRequestFailed, match="did not take another password"):
        redis.admit(server, "new-password")
    server.ready = False
    with pytest.raises(ClusterRequestFailed, match="no Redis is ready"):
        redis.accepts(server, "new-password")
