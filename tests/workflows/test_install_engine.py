"""The engine and its plugins are there, in the pinned versions, before a job has credentials."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

import versions
from automation.engine import installation
from automation.engine.plugins import AWS, PLUGINS
from tests import samples
from tests.workflows.conftest import load

script: Final = load("install_engine")
PULUMI: Final = """#!/bin/bash
if [ "$1" = version ]; then echo v{version}; exit; fi
if [[ "$*" == *"plugin ls"* ]]; then echo "[]"; exit; fi
echo "$PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION $*" >> {log}
exit {code}
"""


def _install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str, version: str = versions.PULUMI_CLI, code: int = 0
) -> int:
    """Run the script in a copy of the repository's stack files. The installer writes an engine that keeps a log."""

    def install(root: Path, on_line: object) -> None:
        path = root / "bin" / "pulumi"
        path.parent.mkdir(parents=True)
        path.write_text(PULUMI.format(version=given, log=tmp_path / "log", code=code))
        path.chmod(0o755)

    given = version
    monkeypatch.setattr(installation, "install", install)
    result: int = script.main([*words], {"GITHUB_PATH": str(tmp_path / "path")}, samples.ship(tmp_path))
    return result


def _plugins(*names: str) -> list[str]:
    return [
        f"true --non-interactive plugin install resource {name} v{metadata.version(f'pulumi-{name}')}" for name in names
    ]


def test_prod_gets_the_pinned_engine_and_its_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _install(tmp_path, monkeypatch, "prod", "--unverified") == 0
    assert (tmp_path / "log").read_text().splitlines() == _plugins(*PLUGINS, AWS)


def test_without_a_stack_there_are_the_plugins_of_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what expires, this checkout has no file."""
    assert _install(tmp_path, monkeypatch, "--unverified") == 0
    assert (tmp_path / "log").read_text().splitlines() == _plugins(*PLUGINS, AWS)


def test_pinned_engine_comes_first_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the next steps would take any newer one of the runner."""
    assert _install(tmp_path, monkeypatch, "dev", "--unverified") == 0
    (folder,) = (tmp_path / "path").read_text().splitlines()
    assert (Path(folder) / "pulumi").is_file()
    assert Path(folder).parts[-3:] == (".dev", "pulumi", "bin")


def test_another_version_than_the_pinned_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _install(tmp_path, monkeypatch, "prod", version="3.999.0") == 1
    assert f"expected Pulumi {versions.PULUMI_CLI}, found 3.999.0" in capsys.readouterr().err
    assert not (tmp_path / "path").exists()


def test_plugin_that_cannot_be_had_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _install(tmp_path, monkeypatch, "prod", "--unverified", code=1) == 1
    assert "error: " in capsys.readouterr().err
    assert not (tmp_path / "path").exists()


def test_unknown_stack_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _install(tmp_path, monkeypatch, "nothing") == 1


def test_plugin_that_is_not_pinned_is_refused_unless_the_job_has_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _install(tmp_path, monkeypatch, "prod") == 1
    error = capsys.readouterr().err
    assert "plugins.sha256: expected a line for pulumi-resource-kubernetes" in error
    assert "Fix: make pin" in error
    assert not (tmp_path / "log").exists()
    assert not (tmp_path / "path").exists()
