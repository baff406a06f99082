"""What an image must be is compared with its lock; each difference is a line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

import versions
from components.kube import pod_security
from tests.cases import each
from tests.samples import ROOT
from tests.workflows.conftest import load

script: Final = load("check_image")
PROJECT: Final = tomllib.loads((ROOT / "image" / "pyproject.toml").read_text())
LOCK: Final = tomllib.loads((ROOT / "image" / "uv.lock").read_text())
LOCKED: Final = {item["name"]: item["version"] for item in LOCK["package"] if "virtual" not in item["source"]}
GOOD: Final[dict[str, Any]] = {
    "airflow": versions.AIRFLOW,
    "python": f"{versions.AIRFLOW_IMAGE_PYTHON}.13",
    "prefix": "/home/airflow/.local",
    "user": [pod_security.AIRFLOW_UID, 0],
    "packages": {**LOCKED, "pip": "26.1", "uv": "0.11.16"},
    "left": [],
}


def problems(**changes: Any) -> list[str]:
    return list(script.problems({**GOOD, **changes}, PROJECT, LOCK))


def test_image_of_the_lock_is_good() -> None:
    assert problems() == []


@each(
    ("changes", "says"),
    [
        ({"airflow": "3.2.1"}, "expected Airflow"),
        ({"python": "3.13.1"}, "expected Python 3.12"),
        ({"prefix": "/usr/python"}, "expected the environment"),
        ({"user": [0, 0]}, "expected user 50000"),
        ({"left": ["/tmp/.cache"]}, "found /tmp/.cache"),
        ({"packages": {**LOCKED, "celery": "5.7.0"}}, "celery: expected"),
        ({"packages": {**LOCKED, "sendgrid": "6.12.5"}}, "sendgrid: expected not to be there"),
        ({"packages": {name: found for name, found in LOCKED.items() if name != "redis"}}, "redis: .* found nothing"),
    ],
)
def test_each_difference_is_named(changes: dict[str, Any], says: str) -> None:
    (problem,) = problems(**changes)
    assert re.search(says, problem)


def test_probe_tells_of_the_python_that_runs_it(tmp_path: Path) -> None:
    (tmp_path / ".cache" / "uv").mkdir(parents=True)
    (tmp_path / ".cache" / "uv" / "x").touch()
    (tmp_path / "airflow.cfg").touch()
    environ = {**os.environ, "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script.PROBE], env=environ, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    assert facts["python"] == sys.version.split()[0]
    assert facts["packages"]["pytest"] == pytest.__version__
    assert facts["user"] == [os.getuid(), os.getgid()]
    assert facts["left"][0] == str(tmp_path / ".cache" / "uv")
    assert facts["left"][-1] == str(tmp_path / "airflow.cfg")


DOCKER: Final = """#!{python}
import json, sys
words = sys.argv[1:]
if {fails}:
    sys.exit(1)
print({probe!r} if words[words.index("--entrypoint") + 1] == "python" else "a warning\\n" + {airflow!r})
"""


def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False, **changes: Any) -> None:
    facts = {**GOOD, **changes}
    command = tmp_path / "docker"
    text = DOCKER.format(python=sys.executable, fails=fails, probe=json.dumps(facts), airflow=facts["airflow"])
    command.write_text(text)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_good_image_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch)
    assert script.main(["airflow:x"], ROOT) == 0


def test_bad_image_fails_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker(tmp_path, monkeypatch, user=[0, 0])
    assert script.main(["airflow:x"], ROOT) == 1
    assert "airflow:x: expected user 50000" in capsys.readouterr().err


def test_image_that_does_not_start_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker(tmp_path, monkeypatch, fails=True)
    assert script.main(["airflow:x"], ROOT) == 1
    assert "could not be asked" in capsys.readouterr().err
