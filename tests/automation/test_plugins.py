"""Plugins: those of the program in the versions of its packages; never the large one that nothing on dev uses."""

from __future__ import annotations

from importlib import metadata

from automation.plugins import PLUGINS, install_plugins


class FakeInstaller:
    def __init__(self) -> None:
        self.installed: list[tuple[str, str]] = []

    def install_plugin(self, name: str, version: str) -> None:
        self.installed.append((name, version))


def test_plugins_have_the_versions_of_their_packages() -> None:
    installer = FakeInstaller()
    install_plugins(installer)
    assert installer.installed == [(name, f"v{metadata.version(f'pulumi-{name}')}") for name in PLUGINS]


def test_aws_is_not_fetched_for_a_laptop() -> None:
    assert "aws" not in PLUGINS
