"""An update starts the engine once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from pulumi.automation import CommandResult
from semver import VersionInfo

import versions
from automation.engine import operations, plugins
from automation.engine.command import Engine
from automation.engine.installation import InstallationError
from automation.engine.opened_stack import OpenedStack
from automation.errors import EngineMissing
from automation.stacks.place import Place
from automation.stacks.workspace import open_stack


class Counted:
    """An engine that does nothing, and keeps what it was told."""

    interrupted, command = False, "pulumi"
    version = VersionInfo.parse(versions.PULUMI_CLI_MINIMUM)

    def __init__(self) -> None:
        self.told: list[str] = []

    def run(self, args: list[str], *_: Any, **__: Any) -> CommandResult:
        self.told.append(" ".join(args[:2]))
        return CommandResult(stdout="", stderr="", code=0)


def test_update_refresh_and_destroy_start_the_engine_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    monkeypatch.setattr(plugins, "missing", lambda *_: ())
    counted = Counted()
    engine = cast("Engine", counted)
    opened = OpenedStack(open_stack(Place.of(tmp_path, {"PULUMI_CONFIG_PASSPHRASE": "x"}), "dev", engine), engine)
    for update, word in (
        (operations.up, "up"),
        (operations.refresh, "refresh"),
        (operations.destroy, "destroy"),
    ):
        counted.told.clear()
        update(opened)
        assert [told.split()[0] for told in counted.told] == [word]


def test_update_whose_plugins_cannot_be_verified_ends_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")

    def refuse(*_: Any) -> None:
        raise InstallationError("https://mirror.test/x: expected SHA-256 0, got 1")

    monkeypatch.setattr(plugins, "missing", lambda *_: ("random",))
    monkeypatch.setattr(plugins, "install_plugins", refuse)
    counted = Counted()
    engine = cast("Engine", counted)
    opened = OpenedStack(open_stack(Place.of(tmp_path, {"PULUMI_CONFIG_PASSPHRASE": "x"}), "dev", engine), engine)
    counted.told.clear()
    with pytest.raises(EngineMissing, match="expected SHA-256 0, got 1"):
        operations.up(opened)
    assert counted.told == []
