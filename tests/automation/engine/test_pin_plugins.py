"""`make pin` writes a digest for each archive that the program may install, and nothing if GitHub does not tell one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest

from automation.engine.pin_plugins import SYSTEMS, main
from automation.engine.plugins import AWS, LOCK, PLUGINS, archive, pinned, version
from tests.cases import each

NAMES: Final = (*PLUGINS, AWS)


def _digest(file: str) -> str:
    return hashlib.sha256(file.encode()).hexdigest()


def _release(source: str) -> dict[str, Any]:
    """Return a release as GitHub's API describes it: with files that the program has no use for."""
    (name,) = [name for name in NAMES if f"/pulumi-{name}/" in source]
    files = [*(archive(name, system) for system in SYSTEMS), archive(name, "windows-amd64"), "schema.json"]
    return {"assets": [{"name": file, "digest": f"sha256:{_digest(file)}"} for file in files]}


def test_each_archive_is_pinned_by_what_github_computed(tmp_path: Path) -> None:
    asked: list[str] = []

    def download(source: str) -> bytes:
        asked.append(source)
        return json.dumps(_release(source)).encode()

    assert main(tmp_path, download) == 0
    files = [archive(name, system) for name in NAMES for system in SYSTEMS]
    assert pinned(tmp_path) == {file: _digest(file) for file in files}
    releases = [f"https://api.github.com/repos/pulumi/pulumi-{name}/releases/tags/v{version(name)}" for name in NAMES]
    assert sorted(asked) == sorted(releases), "one small request for each plugin, and no archive"


@each("digest", [None, "sha1:" + "0" * 40, "sha256:" + "0" * 40, ""])
def test_archive_without_a_sha256_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], digest: str | None
) -> None:
    (tmp_path / LOCK).write_text("before")

    def download(source: str) -> bytes:
        release = _release(source)
        release["assets"][1]["digest"] = digest
        return json.dumps(release).encode()

    assert main(tmp_path, download) == 1
    assert "expected the SHA-256 of pulumi-resource-aws" in capsys.readouterr().err
    assert (tmp_path / LOCK).read_text() == "before"


@each("content", [b"", b"[]", b"{}", b"null", b'{"assets": 3}', b'{"assets": [3]}', b"<html>", b"\xff"])
def test_answer_that_is_no_release_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    assert main(tmp_path, lambda source: content) == 1
    assert "expected the SHA-256 of" in capsys.readouterr().err
    assert not (tmp_path / LOCK).exists()


def test_github_that_does_not_answer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def download(source: str) -> bytes:
        raise OSError("Name or service not known")

    assert main(tmp_path, download) == 1
    assert "api.github.com" in capsys.readouterr().err
