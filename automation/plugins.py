"""The engine's provider plugins: those that the program uses, and no other.

Left to itself the engine fetches a plugin for every provider package that is installed beside the program before each
operation: pulumi-aws, hundreds of megabytes, for a stack on a laptop that never asks for it.
"""

from __future__ import annotations

from importlib import metadata
from typing import Final, Protocol

PLUGINS: Final = ("kubernetes", "random")
ENVIRONMENT: Final = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
"""For the engine: fetch nothing by yourself."""


class Installer(Protocol):
    """What of `pulumi.automation.LocalWorkspace` is used here."""

    def install_plugin(self, name: str, version: str) -> None:
        """Installs a resource plugin; does nothing where it is there."""


def install_plugins(workspace: Installer) -> None:
    """The plugins in the versions of the packages that are installed here. Raises what the installer does."""
    for name in PLUGINS:
        workspace.install_plugin(name, f"v{metadata.version(f'pulumi-{name}')}")
