"""The rotation of a managed database's login in memory: what is written when, what follows a kill, who can log in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

import outputs
from automation import EnvironmentSettings, Secret
from automation.cluster.pods import SecretUse
from automation.engine.operations import EngineResult
from automation.results import Changes
from automation.rotation import cluster_facts, managed_roles
from components.database.connection import SslMode, metadata_uri
from components.database.pgbouncer import STATS_USER, render_ini, render_users
from components.database.roles_script import MASTER
from components.kube.secret import Secret as Value
from tests.automation.fakes import OUTPUTS
from tests.automation.kept_world import KeptWorld, Killed
from tests.automation.snapshots.test_restore import settings

CLIENTS: Final = "what-pods-know"
"""The password of Airflow's pods, which at first is the master user's."""


@dataclass
class World(KeptWorld):
    """A deployment with PgBouncer, and who may log in to its database."""

    kept: EnvironmentSettings = field(default_factory=settings)
    logins: dict[str, str] = field(default_factory=dict)
    master: str = CLIENTS
    pooler: tuple[str, str] = ("airflow", CLIENTS)
    deployed_roles: bool = False
    retired: list[str] = field(default_factory=list)

    def rotate(self) -> Any:
        return self.open().rotate("database-password", keep=self.keep, on_event=self.events.append, timeout_seconds=30)

    def step(self, name: str) -> None:
        role, password = self.pooler
        assert {**self.logins, "airflow": self.master}.get(role) == password, f"PgBouncer cannot log in: {name}"
        super().step(name)

    # The engine

    def up(self, on: Any, **options: Any) -> EngineResult:
        wanted = self.given.checked.platform.logins
        self.step("up begins")
        assert self.given.secrets == self.kept.secrets, "an update used what nobody had kept"
        if wanted.master_password is not None:
            assert isinstance(wanted.master_password, Value)
            self.master = wanted.master_password.reveal()
            self.step("RDS")
        for login in (wanted.used, wanted.coming):
            if login is not None:
                assert isinstance(login.password, Value)
                self.logins[login.user] = login.password.reveal()
        self.step("the Job")
        if wanted.used is not None:
            self.pooler = wanted.used.user, self.logins[wanted.used.user]
        self.deployed_roles = wanted.used is not None or wanted.coming is not None
        self.step("up")
        return EngineResult(Changes({"update": 1}), ())

    # The cluster

    def secret_volumes(self, volume: str) -> tuple[SecretUse, ...]:
        assert volume == "pgbouncer-config"
        return (SecretUse(pod="pgbouncer-0", component="pgbouncer", secret="pooler", ending=False),)

    def secret_uses(self, variable: str, containers: Sequence[str]) -> tuple[SecretUse, ...]:
        return (SecretUse(pod="scheduler-0", component="scheduler", secret="metadata", ending=False),)

    def secret(self, name: str) -> Mapping[str, str]:
        if name == "pooler":
            ini = render_ini(
                host="h",
                port=5432,
                name="n",
                pool_size=1,
                max_client_connections=10,
                ssl_mode=SslMode.REQUIRE,
                login=None if self.pooler[0] == "airflow" else self.pooler,
            )
            return {"pgbouncer.ini": ini, "users.txt": render_users({"airflow": CLIENTS, STATS_USER: "x"})}
        password = {"metadata": CLIENTS, "master-1": self.master}[name]
        return {"connection": metadata_uri("airflow", password, "h", 5432, "n", SslMode.REQUIRE)}

    def found(self) -> dict[str, Any]:
        entry = {"name": MASTER, "valueFrom": {"secretKeyRef": {"name": "master-1", "key": "connection"}}}
        roles = {outputs.DATABASE_ROLES_POD: {"spec": {"containers": [{"name": "airflow", "env": [entry]}]}}}
        return {
            **OUTPUTS,
            outputs.METADATA_SECRET: "metadata",
            "running": self.running,
            **(roles if self.deployed_roles else {}),
        }

    def tried(self, api: Any, namespace: str, login: str, sleep: Any, *, whole: bool) -> str:
        role, _, password = login.partition(":")
        return "" if self.logins.get(role) == password else "the database refuses it"

    def in_roles_pod(self, api: Any, namespace: str, pod: Any, mode: str, sleep: Any) -> str:
        others = sorted(role for role in self.logins if role != self.pooler[0])
        if mode == "retire":
            self.retired += others
            self.logins = {role: password for role, password in self.logins.items() if role not in others}
            self.step("retire")
            return ""
        return "\n".join(others)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    monkeypatch.setattr(cluster_facts, "login_refusal", lambda *args, **options: found.tried(*args, **options))
    monkeypatch.setattr(managed_roles, "run", lambda *args: found.in_roles_pod(*args))
    found.take_over(monkeypatch, stack_outputs=lambda on: found.found())
    return found


def finished(world: World) -> str:
    """The new role, which alone can log in; nobody's pod knows the master's password."""
    secrets = world.kept.secrets
    role, password = secrets["databaseLogin"].reveal().split(":")
    assert world.pooler == (role, password)
    assert world.logins == {role: password}
    assert world.master == secrets["databaseMasterPassword"].reveal() != CLIENTS
    assert world.kept.values.get("rotation") is None
    assert "rotationSecret" not in secrets
    return role


def test_first_rotation_leaves_the_master_and_the_next_one_the_first_role(world: World) -> None:
    done = world.rotate()
    assert [stage.number for stage in done.stages] == [1, 2, 3], "there is no earlier role"
    first, master = finished(world), world.master
    assert world.retired == []
    done = world.rotate()
    second = finished(world)
    assert [stage.number for stage in done.stages] == [1, 2, 4]
    assert (world.retired, world.master) == ([first], master)
    assert second != first
    told = json.dumps([event.text for event in world.events])
    assert not any(text in told for text in (CLIENTS, master, *world.logins.values()))


def test_rotation_that_is_killed_anywhere_goes_on_and_pgbouncer_can_always_log_in(world: World) -> None:
    world.rotate()
    for moment in range(1, world.steps):
        fresh = World(world.folder)
        vars(world).update(vars(fresh), kill_at=moment)
        with pytest.raises(Killed):
            world.rotate()
        world.rotate()
        finished(world)


def test_dry_run_says_that_only_pgbouncer_rolls_and_only_once(world: World) -> None:
    plan = world.open().rotation("database-password")
    assert [stage.rolls for stage in plan.stages] == [(), ("pgbouncer",), (), ()]
    assert plan.refusals == ()
    assert world.calls == []


def test_login_that_is_given_for_a_database_whose_roles_the_stack_makes_is_refused(world: World) -> None:
    plan = world.open().rotation("database-password", given=Secret("role:sentinel"))
    assert "expected no value, because the verb makes one" in plan.refusals[0]
