"""Nothing is installed whose content is not written down in this repository."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.cases import each
from tests.requirements import FILES, OTHERS, Requirement, pins, read
from tests.samples import ROOT

MAKEFILE: Final = (ROOT / "Makefile").read_text()
each_file = each("file", (*FILES, *OTHERS))


@each_file
def test_every_requirement_is_one_version_with_hashes(file: str) -> None:
    requirements = read(file)
    assert requirements
    assert all(requirement.hashes for requirement in requirements)


@each_file
def test_no_requirements_file_names_a_host(file: str) -> None:
    for name in (file, file.replace(".txt", ".in")):
        assert not re.search(r"://|--(extra-)?index-url[ =]|--find-links|--trusted-host", (ROOT / name).read_text()), (
            name
        )


@each_file
def test_command_that_resolves_a_file_is_written_in_its_source(file: str) -> None:
    source = file.replace(".txt", ".in")
    (command,) = re.findall(r"^#   (uv pip compile .*)$", (ROOT / source).read_text(), re.MULTILINE)
    assert {"--universal", "--generate-hashes", "--no-emit-index-url"} <= set(command.split())
    assert f" {source} " in command
    assert command.endswith(f" -o {file}")


def test_tests_run_on_exactly_the_packages_of_the_program() -> None:
    def content(file: str) -> dict[tuple[str, str, str], frozenset[str]]:
        return {(entry.name, entry.version, entry.marker): entry.hashes for entry in read(file)}

    assert content("requirements.txt").items() <= content("requirements-dev.txt").items()


@each_file
def test_a_version_has_the_same_hashes_in_every_file(file: str) -> None:
    known = {(entry.name, entry.version): entry.hashes for entry in read("requirements-dev.txt")}
    for entry in read(file):
        assert known.get((entry.name, entry.version), entry.hashes) == entry.hashes, entry.name


@each_file
def test_package_that_is_named_exactly_is_pinned_so(file: str) -> None:
    found = pins(file)
    for name, version in re.findall(r"^([A-Za-z-]+)==(\S+)$", (ROOT / file.replace(".txt", ".in")).read_text(), re.M):
        assert found[name.lower()] == version


def test_whatever_the_makefile_installs_it_installs_by_hash() -> None:
    assert re.findall(r"pip install .*", MAKEFILE) == ["pip install -q --require-hashes $(WHEELS)"]
    assert re.search(r"^WHEELS \?= --only-binary :all:$", MAKEFILE, re.MULTILINE)
    assert set(re.findall(r"\$\(INSTALL\) -r (\S+)", MAKEFILE)) == set(FILES)


def test_installation_that_fails_is_told_with_a_fix_and_tried_again(tmp_path: Path) -> None:
    """pip itself says that there is no such package, where it only has no network."""
    (tmp_path / "requirements.txt").touch()
    python = tmp_path / "python"
    fails = 'printf "#!/bin/sh\\nexit 1\\n" > "$3/bin/python"; chmod +x "$3/bin/python"'
    python.write_text(f'#!/bin/sh\n[ "$2" = venv ] || exit 0\nmkdir -p "$3/bin"\n{fails}\n')
    python.chmod(0o755)
    command = ["make", "-f", str(ROOT / "Makefile"), ".venv/run", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("error: pip could not install what is needed. Fix: ")
    assert not (tmp_path / ".venv" / "run").exists()


# What pip does with them

NAME: Final = "sentinel"


def _wheel(folder: Path, content: str) -> Path:
    """Write a wheel that pip can install. Its bytes depend on the content alone."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{NAME}-1.0.dist-info"
    files = {
        f"{NAME}.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    path = folder / f"{NAME}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


def _install(tmp_path: Path, offered: Path, requirements: str) -> subprocess.CompletedProcess[str]:
    """Install as the Makefile does, but from a folder instead of a registry."""
    file = tmp_path / "requirements.txt"
    file.write_text(requirements)
    words = subprocess.run(
        ["make", "-s", "-f", str(ROOT / "Makefile"), "-f", "-", "print"],
        input="print:\n\t@echo $(INSTALL)\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert words[:3] == ["-m", "pip", "install"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.run(
        [
            *(sys.executable, *words, "--isolated", "--no-index", "--find-links", str(offered)),
            # Conflicts are looked for among all that is installed here, for half a second.
            *("--no-warn-conflicts", "--target", str(tmp_path / "installed"), "-r", str(file)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_wheel_that_is_the_pinned_one_is_installed(tmp_path: Path) -> None:
    wheel = _wheel(tmp_path / "offered", "VALUE = 1\n")
    done = _install(tmp_path, wheel.parent, f"{NAME}==1.0 --hash=sha256:{_sha256(wheel)}\n")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "installed" / f"{NAME}.py").read_text() == "VALUE = 1\n"


def test_tampered_wheel_is_refused(tmp_path: Path) -> None:
    good = _wheel(tmp_path / "good", "VALUE = 1\n")
    tampered = _wheel(tmp_path / "offered", "VALUE = 2\n")
    done = _install(tmp_path, tampered.parent, f"{NAME}==1.0 --hash=sha256:{_sha256(good)}\n")
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "installed").exists()


def test_source_distribution_is_refused_even_with_its_hash(tmp_path: Path) -> None:
    """It would run code of its own, and fetch what builds it without any hash."""
    source = tmp_path / "offered" / f"{NAME}-1.0.tar.gz"
    source.parent.mkdir()
    source.write_bytes(b"")
    done = _install(tmp_path, source.parent, f"{NAME}==1.0 --hash=sha256:{_sha256(source)}\n")
    assert done.returncode != 0
    assert "No matching distribution" in done.stderr


def test_requirement_without_a_hash_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the tests above rest on: the reader refuses what it does not know."""
    monkeypatch.setattr("tests.requirements.ROOT", tmp_path)
    digest = "0" * 64
    (tmp_path / "good.txt").write_text(f"a==1 ; sys_platform == 'win32' \\\n    --hash=sha256:{digest}\n")
    assert read("good.txt") == [Requirement("a", "1", "sys_platform == 'win32'", frozenset({digest}))]
    for line in ("a==1", "a>=1 --hash=sha256:" + digest, "--index-url x", "a @ file:///x", "a==1.*", "# remark"):
        (tmp_path / "bad.txt").write_text(f"{line}\n")
        with pytest.raises(ValueError, match=r"bad\.txt"):
            read("bad.txt")
