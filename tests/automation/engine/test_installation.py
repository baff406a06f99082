"""Only an archive with the pinned content is unpacked, and it replaces the engine that was there."""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
from pathlib import Path
from typing import Final

import pytest

import versions
from automation.engine.installation import InstallationError, _told, install
from components.release.download import OnPart
from tests.cases import each

NAME: Final = f"pulumi-v{versions.PULUMI_CLI}-linux-x64.tar.gz"


def _archive(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE: Final = _archive(pulumi=b"engine", host=b"host")


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small archive is the released one, and this machine is Linux on an Intel processor."""
    monkeypatch.setitem(versions.PULUMI_CLI_SHA256, NAME, hashlib.sha256(ARCHIVE).hexdigest())
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def test_engine_and_its_hosts_are_unpacked_in_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi-of-another-version").touch()
    asked: list[str] = []

    def download(source: str, on_part: OnPart) -> bytes:
        asked.append(source)
        return ARCHIVE

    install(tmp_path, download=download)
    assert asked == [f"https://github.com/pulumi/pulumi/releases/download/v{versions.PULUMI_CLI}/{NAME}"]
    found = {path.name: path.read_bytes() for path in (tmp_path / "bin").iterdir()}
    assert found == {"pulumi": b"engine", "host": b"host"}
    assert (tmp_path / "bin" / "pulumi").stat().st_mode & 0o100
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_other_content_is_refused_and_the_engine_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").write_bytes(b"before")
    with pytest.raises(InstallationError, match=r"expected SHA-256 \w+, got \w+"):
        install(tmp_path, download=lambda source, _: _archive(pulumi=b"tampered"))
    assert (tmp_path / "bin" / "pulumi").read_bytes() == b"before"


def test_download_that_fails_names_the_address_and_the_reason(tmp_path: Path) -> None:
    def download(source: str, on_part: OnPart) -> bytes:
        raise OSError("Name or service not known")

    with pytest.raises(InstallationError, match=rf"https://github.com/\S+{NAME}: Name or service not known"):
        install(tmp_path, download=download)
    assert not list(tmp_path.iterdir())


@each("system, machine", [("Windows", "AMD64"), ("Linux", "riscv64"), ("FreeBSD", "amd64")])
def test_machine_without_a_pinned_release_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(InstallationError, match=f"no release for {system} on {machine} is pinned"):
        install(tmp_path, download=lambda source, _: pytest.fail("nothing to download"))


def test_slow_download_says_how_far_it_is_every_ten_seconds() -> None:
    lines: list[str] = []
    moments = iter([0.0, 4.0, 11.0, 11.0, 12.0, 30.0, 30.0])
    on_part = _told("Pulumi 3", lines.append, lambda: next(moments))
    for done, whole in ((1, 120), (30, 120), (31, 120), (90, 0)):
        on_part(done << 20, whole << 20)
    assert lines == ["downloading Pulumi 3: 30 of 120 MiB", "downloading Pulumi 3: 90 MiB"]
