"""The engine's provider plugins: those that the stack's program uses, and no other.

Left to itself the engine fetches a plugin for every provider package that is installed beside the program before each
operation: pulumi-aws, hundreds of megabytes, for a stack on a laptop that never asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

from settings import PROJECT

PLUGINS: Final = ("kubernetes", "random")
"""What every stack uses."""
AWS: Final = "aws"
ENVIRONMENT: Final = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
"""For the engine: fetch nothing by yourself."""


class Workspace(Protocol):
    """What of `pulumi.automation.LocalWorkspace` is used here."""

    def list_plugins(self) -> list[Any]:
        """Plugins that are installed, each with a name and perhaps a version."""

    def install_plugin(self, name: str, version: str) -> None:
        """Downloads and installs a resource plugin."""


def plugins_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the plugins that a stack with this config uses. config: of its file, by full key."""
    return (*PLUGINS, AWS) if config.get(f"{PROJECT}:eksCluster") else PLUGINS


def missing(names: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Those that are not where the engine keeps them (pulumi: sdk/go/common/workspace/plugins.go), by a look only."""
    home = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    folders = {name: home / f"resource-{name}-v{metadata.version(f'pulumi-{name}')}" for name in names}
    return tuple(
        name
        for name, folder in folders.items()
        if not folder.is_dir() or folder.with_name(f"{folder.name}.partial").exists()
    )


def install_plugins(workspace: Workspace, names: tuple[str, ...], on_line: Callable[[str], None]) -> None:
    """Those that are missing, in the versions of the packages here. Raises what the workspace does."""
    installed = {(plugin.name, str(plugin.version or "")) for plugin in workspace.list_plugins()}
    for name in names:
        version = metadata.version(f"pulumi-{name}")
        if (name, version) not in installed:
            on_line(f"installing the engine's plugin {name} {version}")
            workspace.install_plugin(name, f"v{version}")
