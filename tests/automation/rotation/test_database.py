"""The login roles of a container database: what psql is told, and that no gap is between two roles."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from automation.cluster.client import KubeClient
from automation.cluster.pods import Pod
from automation.errors import ClusterRequestFailed
from automation.rotation import database
from automation.rotation.database_stages import container_stages
from automation.rotation.stages import Encrypted, PodKey, RotationAction, RotationStage
from automation.stages.stage import next_stage
from components.database.connection import SslMode, metadata_uri
from components.database.pgbouncer import STATS_USER, render_ini, render_users
from components.kube.pod_command import ExecResult
from tests import samples
from tests.automation.fakes import pod

NEW: Final = f"airflow_0a1b2c:{'ab' * 20}"
OWNER: Final = "airflow:of: the owner"
PSQL: Final = """\
#!/bin/sh
{ echo "arguments: $*"; echo "password: $PGPASSWORD"; } >> "$SEEN"
case "$*" in *accepted*) echo "$ANSWER" ;; *) cat >> "$SEEN"; echo "$ANSWER"; echo "$ERROR" >&2; exit "$EXIT" ;; esac
"""


@dataclass
class Server(KubeClient):
    """The database's pod with a pretended `psql`."""

    folder: Path
    answer: str = ""
    exit_code: int = 0
    error: str = ""
    ready: bool = True

    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        return (pod("postgres", ready=self.ready),)

    def run(self, pod: str, container: str, command: Sequence[str], *, seconds: float, line: str = "") -> ExecResult:
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "SEEN": str(self.folder / "seen"),
            "ANSWER": self.answer,
            "EXIT": str(self.exit_code),
            "ERROR": self.error,
        }
        done = subprocess.run(command, input=f"{line}\n", env=environment, capture_output=True, text=True, check=False)
        return ExecResult(done.returncode, done.stdout, done.stderr)

    @property
    def seen(self) -> str:
        return (self.folder / "seen").read_text()

    @property
    def arguments(self) -> str:
        return "".join(line for line in self.seen.splitlines() if line.startswith("arguments: "))


@pytest.fixture
def server(tmp_path: Path) -> Any:
    if shutil.which("sh") is None:
        pytest.skip("sh is not on PATH")
    (tmp_path / "psql").write_text(PSQL)
    (tmp_path / "psql").chmod(0o755)
    return Server(tmp_path)


def test_role_acts_as_the_owner_and_its_password_is_no_argument(server: Any) -> None:
    role, _, password = NEW.partition(":")
    database.admit(server, NEW, by=OWNER)
    assert "-U airflow " in server.arguments
    assert "password: of: the owner" in server.seen
    assert f"ALTER ROLE {role} LOGIN PASSWORD '{password}';" in server.seen
    assert f"GRANT airflow TO {role};" in server.seen
    assert f"ALTER ROLE {role} SET role = 'airflow';" in server.seen
    server.answer = "accepted"
    assert database.accepts(server, NEW)
    assert f"password: {password}" in server.seen
    assert password not in server.arguments


def test_earlier_roles_lose_their_password(server: Any) -> None:
    database.retire(server, NEW)
    assert "ALTER ROLE airflow PASSWORD NULL;" in server.seen
    assert "rolname <> 'airflow_0a1b2c'" in server.seen
    for answer, alone in (("others 0", True), ("others 1", False), ("", False)):
        server.answer = answer
        assert database.is_alone(server, NEW) is alone


def test_database_that_does_not_do_it_ends_the_stage(server: Any) -> None:
    server.exit_code = 3
    server.error = f"ERROR: not {NEW}"
    for does in (partial(database.admit, server, NEW, by=OWNER), partial(database.retire, server, NEW)):
        with pytest.raises(ClusterRequestFailed, match=r"ERROR: not airflow_0a1b2c:\*\*\*"):
            does()
    server.ready = False
    with pytest.raises(ClusterRequestFailed, match="no database is ready"):
        database.accepts(server, NEW)


def test_only_a_role_that_a_rotation_made_gets_into_sql(server: Any) -> None:
    for login in ("airflow:x", "airflow_0a1b2c:'; DROP TABLE dag; --", f"robot:{'ab' * 20}"):
        assert not database.accepts(server, login)
    assert not (server.folder / "seen").exists()


def test_config_takes_what_a_rotation_of_a_container_writes() -> None:
    mark = {"rotation": "database-password 2/3 0123456789ab"}
    for changes, beside in (({}, {}), (mark, {}), (mark, {"rotationSecret": database.new_login()})):
        assert samples.dev().with_(changes, {"databaseLogin": database.new_login(), **beside}).problems() == ()


def test_login_is_read_in_the_files_of_pgbouncer() -> None:
    users = render_users({"airflow": "first", STATS_USER: "other"})

    def files(login: tuple[str, str] | None) -> dict[str, str]:
        ini = render_ini(
            host="h", port=5432, name="n", pool_size=1, max_client_connections=9, ssl_mode=SslMode.PREFER, login=login
        )
        return {"pgbouncer.ini": ini, "users.txt": users}

    assert database.login_in(files(None)) == "airflow:first"
    role, _, password = NEW.partition(":")
    assert database.login_in(files((role, password))) == NEW
    assert database.login_in({}) is None
    uri = metadata_uri("airflow_b", "a:b@c/d %", "h", 5432, "n", SslMode.REQUIRE)
    assert database.login_in_uri({"connection": uri}) == "airflow_b:a:b@c/d %"
    assert database.login_in_uri({}) is None


@dataclass
class Deployment:
    """PgBouncer, and the roles that the database accepts."""

    config: str = "old"
    beside: str = ""
    pods: tuple[PodKey, ...] = (PodKey(name="pgbouncer", component="pgbouncer", value="old"),)
    roles: set[str] = field(default_factory=lambda: {"old"})
    encrypted = Encrypted(read={})
    signed_until = ""
    deployed = None
    apart = False

    @property
    def accepted(self) -> bool:
        return "new" in self.roles

    @property
    def alone(self) -> bool:
        return self.roles == {"new"}

    def do(self, stage: RotationStage) -> Iterator[str]:
        self.beside = self.beside if stage.beside is None else stage.beside
        self.config = stage.value or self.config
        yield "the config"
        if stage.doing is RotationAction.ADMIT:
            self.roles.add("new")
        elif stage.doing is RotationAction.RETIRE:
            self.roles = {"new"}
        else:
            ending = PodKey(name="before", component="pgbouncer", value=self.pods[0].value, ending=True)
            self.pods = (PodKey(name="pgbouncer", component="pgbouncer", value=self.config), ending)
            yield "a new pod beside the old one"
            self.pods = self.pods[:1]
        yield "done"


def test_role_is_accepted_wherever_the_rotation_is_killed() -> None:
    for kill in range(1, 9):
        found, done = Deployment(), 0
        for _ in range(12):
            found.pods = found.pods[:1]
            following = next_stage(container_stages(["old"], "new"), found)
            if following is None:
                break
            for _step in found.do(following[1]):
                done += 1
                assert {pod.value for pod in found.pods} <= found.roles, kill
                if done == kill:
                    break
        assert (found.config, found.beside, found.roles) == ("new", "", {"new"}), kill
