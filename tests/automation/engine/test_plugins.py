"""Plugins: those of the program in the versions of its packages; never the large one that nothing on dev uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import settings
from automation.engine.plugins import AWS, PARALLEL, PLUGINS, environment, install_plugins, missing, plugins_of
from tests import samples


@dataclass
class Plugin:
    name: str
    version: str | None


@dataclass
class FakeWorkspace:
    there: list[Plugin] = field(default_factory=list)
    installed: list[tuple[str, str]] = field(default_factory=list)

    def list_plugins(self) -> list[Plugin]:
        return self.there

    def install_plugin(self, name: str, version: str) -> None:
        self.installed.append((name, version))


def test_plugins_have_the_versions_of_their_packages() -> None:
    workspace, said = FakeWorkspace(), list[str]()
    install_plugins(workspace, PLUGINS, said.append)
    assert workspace.installed == [(name, f"v{metadata.version(f'pulumi-{name}')}") for name in PLUGINS]
    assert len(said) == len(PLUGINS)


def test_what_is_there_in_its_version_is_not_fetched() -> None:
    there = [Plugin("kubernetes", metadata.version("pulumi-kubernetes")), Plugin("random", "0.0.1"), Plugin("x", None)]
    workspace = FakeWorkspace(there)
    install_plugins(workspace, PLUGINS, lambda line: None)
    assert [name for name, _ in workspace.installed] == ["random"]


def test_aws_is_fetched_for_a_stack_that_is_there_and_for_no_other() -> None:
    assert AWS not in plugins_of(settings.read_files(samples.ROOT, "dev")[0])
    assert AWS in plugins_of(settings.read_files(samples.ROOT, "prod")[0])


def test_a_look_at_the_engines_folder_says_what_is_missing(tmp_path: Path) -> None:
    environ = {"PULUMI_HOME": str(tmp_path)}
    assert missing(PLUGINS, environ) == PLUGINS
    for name in PLUGINS:
        (tmp_path / "plugins" / f"resource-{name}-v{metadata.version(f'pulumi-{name}')}").mkdir(parents=True)
    assert missing(PLUGINS, environ) == ()
    half = tmp_path / "plugins" / f"resource-random-v{metadata.version('pulumi-random')}.partial"
    half.touch()
    assert missing(PLUGINS, environ) == ("random",), "its installation was interrupted"
    assert missing((AWS,), environ) == (AWS,)


def test_engine_waits_for_many_things_at_once_unless_its_user_says_how_many() -> None:
    assert int(environment({})[PARALLEL]) >= 32
    assert environment({PARALLEL: "3"})[PARALLEL] == "3"
    assert environment({PARALLEL: ""})[PARALLEL] == environment({})[PARALLEL]
