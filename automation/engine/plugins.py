"""The engine's provider plugins: only those that the stack's program uses.

Without this module, the engine would download a plugin for every provider package that is installed next to the
program. For a stack on a laptop that includes pulumi-aws: hundreds of megabytes that it never uses.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

from settings import PROJECT

PLUGINS: Final = ("kubernetes", "random")
"""The plugins that every stack uses."""
AWS: Final = "aws"
ENVIRONMENT: Final = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
"""Tells the engine to download nothing by itself."""
PARALLEL: Final = "PULUMI_PARALLEL"
_STEPS_AT_ONCE: Final = 32
_STEPS_FOR_EACH_CORE: Final = 4


class Workspace(Protocol):
    """The part of `pulumi.automation.LocalWorkspace` that is used here."""

    def list_plugins(self) -> list[Any]:
        """Return the installed plugins, each with a name and perhaps a version."""

    def install_plugin(self, name: str, version: str) -> None:
        """Download and install a resource plugin."""


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a command of the engine in an environment, which wins where it says how many steps.

    By itself the engine does four steps at once for each core (pulumi: pkg/cmd/pulumi/operations/up.go), because it
    takes them for work. Here they wait: for pods of checks, for a database, for objects to be gone. On two cores, four
    such waits hold up half of the others.
    """
    steps = max(_STEPS_AT_ONCE, _STEPS_FOR_EACH_CORE * (os.cpu_count() or 1))
    return {**ENVIRONMENT, PARALLEL: environ.get(PARALLEL) or str(steps)}


def plugins_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the plugins that a stack uses. `config` is that of its file, by full key."""
    return (*PLUGINS, AWS) if config.get(f"{PROJECT}:eksCluster") else PLUGINS


def missing(names: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the plugins that are not in the engine's folder (pulumi: sdk/go/common/workspace/plugins.go)."""
    home = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    folders = {name: home / f"resource-{name}-v{metadata.version(f'pulumi-{name}')}" for name in names}
    return tuple(
        name
        for name, folder in folders.items()
        if not folder.is_dir() or folder.with_name(f"{folder.name}.partial").exists()
    )


def install_plugins(workspace: Workspace, names: tuple[str, ...], on_line: Callable[[str], None]) -> None:
    """Install those that are missing, in the versions of the installed packages. Raises what the workspace raises."""
    installed = {(plugin.name, str(plugin.version or "")) for plugin in workspace.list_plugins()}
    for name in names:
        version = metadata.version(f"pulumi-{name}")
        if (name, version) not in installed:
            on_line(f"installing the engine's plugin {name} {version}")
            workspace.install_plugin(name, f"v{version}")
