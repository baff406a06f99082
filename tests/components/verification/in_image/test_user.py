"""The user of the verification: what it may, and that a second run brings the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from components.verification.in_image import user


class Security:
    """Airflow's security manager, in memory."""

    def __init__(self) -> None:
        self.roles: dict[str, Any] = {}
        self.users: dict[str, Any] = {}

    def add_role(self, name: str) -> Any:
        return self.roles.setdefault(name, SimpleNamespace(name=name, permissions=[]))

    def create_permission(self, action: str, resource: str) -> Any:
        return SimpleNamespace(action=SimpleNamespace(name=action), resource=SimpleNamespace(name=resource))

    def add_permission_to_role(self, role: Any, permission: Any) -> None:
        if permission not in role.permissions:
            role.permissions.append(permission)

    def remove_permission_from_role(self, role: Any, permission: Any) -> None:
        role.permissions.remove(permission)

    def find_user(self, username: str) -> Any:
        return self.users.get(username)

    def add_user(self, name: str, first: str, last: str, email: str, role: Any, password: str) -> bool:
        self.users[name] = SimpleNamespace(id=len(self.users), name=name, roles=[role], password=password, email=email)
        return True

    def update_user(self, found: Any) -> bool:
        return found in self.users.values()

    def reset_password(self, number: int, password: str) -> bool:
        [found] = [entry for entry in self.users.values() if entry.id == number]
        found.password = password
        return True


@pytest.fixture
def security(monkeypatch: pytest.MonkeyPatch) -> Security:
    made = Security()

    @contextmanager
    def get_application_builder() -> Iterator[Any]:
        yield SimpleNamespace(sm=made)

    name = "airflow.providers.fab.auth_manager.cli_commands.utils"
    for length in range(1, name.count(".") + 2):
        part = ".".join(name.split(".")[:length])
        monkeypatch.setitem(sys.modules, part, ModuleType(part))
    monkeypatch.setattr(sys.modules[name], "get_application_builder", get_application_builder, raising=False)
    monkeypatch.setenv("VERIFICATION_USERNAME", "scheduled-verification")
    monkeypatch.setenv("VERIFICATION_PASSWORD", "sentinel-1")
    return made


def rights(security: Security) -> set[tuple[str, str]]:
    found = security.roles[user.ROLE].permissions
    return {(permission.action.name, permission.resource.name) for permission in found}


def test_it_may_run_one_dag_and_read_what_comes_of_it(security: Security) -> None:
    user.main("probe")
    assert rights(security) == user.permissions("probe")
    writes = {resource for action, resource in rights(security) if action != "can_read"}
    assert writes == {"DAG:probe", "DAG Run:probe"}
    assert "DAGs" not in {resource for _, resource in rights(security)}, "no other DAG"


def test_another_dag_and_another_password_leave_nothing_of_the_first(
    security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.main("probe")
    security.users["scheduled-verification"].roles = ["Admin"]
    monkeypatch.setenv("VERIFICATION_PASSWORD", "sentinel-2")
    user.main("other")
    [found] = security.users.values()
    assert (found.password, found.roles) == ("sentinel-2", [security.roles[user.ROLE]])
    assert rights(security) == user.permissions("other")


def test_nothing_that_it_prints_is_a_secret(security: Security, capsys: pytest.CaptureFixture[str]) -> None:
    user.main("probe")
    assert "sentinel" not in "".join(capsys.readouterr())


def test_failure_ends_the_job(security: Security, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "add_user", lambda *_: False)
    with pytest.raises(SystemExit, match="could not be made"):
        user.main("probe")
