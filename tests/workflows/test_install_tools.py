"""The workflows' tools are on PATH with the pinned content, or the step fails."""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import pytest

import versions
from components.release.download import OnPart
from tests.cases import each
from tests.workflows.conftest import SCRIPTS, load

script: Final = load("install_tools")
TOOL: Final = b"#!/bin/sh\n"


def _archive(name: str) -> bytes:
    """An archive as the projects make them, with other files and folders beside the tool."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in (("linux-amd64/LICENSE", b"x"), (f"linux-amd64/{name}", TOOL)):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _content(source: str) -> bytes:
    (name,) = [name for name in script.ADDRESSES if name in source.rpartition("/")[2]]
    return _archive(name) if source.endswith(".tar.gz") else TOOL


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are the released ones, and this machine is Linux on an Intel processor."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for source in versions.TOOLS_SHA256:
        monkeypatch.setitem(versions.TOOLS_SHA256, source, hashlib.sha256(_content(source)).hexdigest())


def _run(tmp_path: Path, *names: str, changed: bytes = b"") -> int:
    def download(source: str, on_part: OnPart) -> bytes:
        return _content(source) + changed

    environ = {"RUNNER_TEMP": str(tmp_path), "GITHUB_PATH": str(tmp_path / "path")}
    result: int = script.main(names, environ, download)
    return result


def test_tools_are_put_first_on_path(tmp_path: Path) -> None:
    assert _run(tmp_path, *script.ADDRESSES) == 0
    (folder,) = (tmp_path / "path").read_text().splitlines()
    for name in script.ADDRESSES:
        assert (Path(folder) / name).read_bytes() == TOOL
        assert (Path(folder) / name).stat().st_mode & 0o100


@each("name", ["kind", "actionlint", "helm", "syft"])
def test_tool_with_other_content_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert _run(tmp_path, name, changed=b"\0") == 1
    assert "expected SHA-256" in capsys.readouterr().err
    assert not list((tmp_path / "tools").iterdir())
    assert not (tmp_path / "path").exists()


def test_processor_without_a_pin_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert _run(tmp_path, "helm") == 1
    assert "helm-v" in (error := capsys.readouterr().err)
    assert "expected a SHA-256 in TOOLS_SHA256 of versions.py" in error


def test_pins_are_those_of_the_versions() -> None:
    """Who moves a number alone would pin the content of another version."""
    addresses = [address.format(processor) for address in script.ADDRESSES.values() for processor in ("amd64", "arm64")]
    assert list(versions.TOOLS_SHA256) == addresses
    assert all(len(digest) == 64 for digest in versions.TOOLS_SHA256.values())


def test_script_needs_no_package() -> None:
    """It runs before there is an environment."""
    command = [sys.executable, "-I", "-S", str(SCRIPTS / "install_tools.py"), "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
