"""What the system refuses is told in one line, with exit code 1, and as a document with `--json`."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from automation import __main__
from automation.errors import FileUnusable
from automation.folder import alone_in, make_folder, write_file, write_new_file
from automation.wait import Clock

ROOT: Final = Path(__file__).parents[2]
VERBS: Final = ("up", "preview", "refresh", "recover", "destroy")


def refusing(number: int) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number), "somewhere")

    return refuse


def told(verb: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run a verb for a person and for a program. Return the document of its error."""
    assert __main__.main([verb, "dev"]) == 1
    plain = capsys.readouterr()
    (line,) = plain.err.splitlines()
    assert line.startswith("error: ")
    assert ". Fix: " in line
    assert __main__.main([verb, "dev", "--json"]) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["error"]
    assert found["kind"] == "FileUnusable"
    return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the stack `dev`."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(__main__, "PROJECT_DIR", tmp_path)
    return tmp_path


def test_file_in_the_place_of_a_folder_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".dev").touch()
    for verb in ("up", "preview", "refresh"):
        found = told(verb, capsys)
        assert found["what"].startswith(f"{project / '.dev'}: ")
        assert "move it away" in found["remedy"]


def test_full_or_read_only_disk_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, remedy in (
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "the rights"),
        (errno.EIO, "shows what it is"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "mkdir", refusing(number))
            for verb in ("up", "preview"):
                assert remedy in told(verb, capsys)["remedy"]


def test_user_without_a_home_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home(*args: Any) -> Any:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "resolve", no_home)
    assert "export HOME=FOLDER" in told("up", capsys)["remedy"]


def test_full_standard_output_is_exit_code_1() -> None:
    command = [sys.executable, "-m", "automation", "rotate", "ca", "dev", "--from", "/nowhere", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_file_is_named_as_it_was_meant_and_not_as_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "mkstemp", refusing(errno.ENOSPC))
    with pytest.raises(FileUnusable, match=rf"^{tmp_path}/x: No space left on device\. Fix: free space"):
        write_file(tmp_path / "x", "")
    with pytest.raises(FileUnusable, match="No space left on device"):
        write_new_file(tmp_path / "x", "")
    assert list(tmp_path.iterdir()) == []


def test_disk_that_fills_up_while_a_file_is_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "x", "old")
    monkeypatch.setattr(os, "replace", refusing(errno.ENOSPC))
    with pytest.raises(FileUnusable, match="No space left"):
        write_file(tmp_path / "x", "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_file_that_is_no_text_is_told_without_a_part_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_bytes(b"\xffsentinel")
    for key in ("registry", "ca"):
        assert __main__.main(["rotate", key, "dev", "--from", str(tmp_path / "config.json"), "--json"]) == 1
        shown = capsys.readouterr()
        assert json.loads(shown.out)["error"]["what"].endswith(
            "config.json: expected text in UTF-8, found something else"
        )
        assert "sentinel" not in shown.out + shown.err


def test_folder_that_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileUnusable, match=rf"^{tmp_path}/file: .*move it away"):
        make_folder(tmp_path / "file" / "a" / "b")
    with pytest.raises(FileUnusable, match=rf"^{tmp_path}/file: "):
        write_file(tmp_path / "file" / "x", "")


def test_folder_that_vanishes_while_its_lock_is_tried_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, vanished = Path.open, list[Path]()

    def open_(path: Path, *args: Any, **kwargs: Any) -> Any:
        if not vanished:
            vanished.append(path.parent)
            path.parent.rmdir()
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", open_)
    clock = Clock(now=lambda: 0.0, sleep=lambda seconds: None)
    with alone_in(tmp_path / "work", 60, lambda: None, clock) as alone:
        assert alone
    assert vanished
