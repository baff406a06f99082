"""An image is pushed once, with a login that appears in no argument."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import boto3
import moto
import pytest

from tests.workflows.conftest import load

script: Final = load("push_image")
REGION: Final = "eu-central-1"
HOST: Final = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
SHA: Final = "0123456789abcdef0123456789abcdef01234567"

DIGEST: Final = "sha256:" + "ab" * 32
DOCKER: Final = """#!{python}
import json, pathlib, sys
given = sys.stdin.read() if "--password-stdin" in sys.argv else ""
with pathlib.Path(__file__).with_name("log").open("a") as log:
    log.write(json.dumps([sys.argv[1:], given]) + "\\n")
if sys.argv[1] == "image":
    print("other/airflow@sha256:" + "9" * 64)
    print(sys.argv[-1].rpartition(":")[0] + "@{digest}")
sys.exit(3 if sys.argv[1] == {fails!r} else 0)
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A docker that writes down what it is told; call it to say which command fails."""

    def make(fails: str = "") -> Path:
        command = tmp_path / "docker"
        command.write_text(DOCKER.format(python=sys.executable, fails=fails, digest=DIGEST))
        command.chmod(0o755)
        return tmp_path / "log"

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", REGION)):
        monkeypatch.setenv(f"AWS_{name}", value)
    return make


def told(log: Path) -> list[tuple[list[str], str]]:
    return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


def test_image_is_pushed_to_ecr_after_a_login(docker: Any) -> None:
    log = docker()
    with moto.mock_aws():
        boto3.client("ecr", region_name=REGION).create_repository(repositoryName="team/airflow")
        assert script.main([f"{HOST}/team/airflow:{SHA}"]) == 0
    (login, password), (push, _), (inspect, _) = told(log)
    assert inspect[:2] == ["image", "inspect"]
    assert log.with_name("output").read_text() == f"digest={DIGEST}\n"
    assert login == ["login", "--username", "AWS", "--password-stdin", HOST]
    assert password
    assert password not in " ".join(login)
    assert push == ["push", f"{HOST}/team/airflow:{SHA}"]


def test_tag_that_is_there_is_not_pushed_again(docker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Another image behind the same commit would deploy something that nobody looked at."""
    log = docker()
    with moto.mock_aws():
        client = boto3.client("ecr", region_name=REGION)
        client.create_repository(repositoryName="airflow")
        layer = {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": 1,
            "digest": "sha256:" + "0" * 64,
        }
        media = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {"schemaVersion": 2, "mediaType": media, "config": layer, "layers": [layer]}
        client.put_image(repositoryName="airflow", imageManifest=json.dumps(manifest), imageTag=SHA)
        assert script.main([f"{HOST}/airflow:{SHA}"]) == 0
    assert [words[0] for words, _ in told(log)] == ["login"], "the statements about it are pushed all the same"
    assert "exists" in capsys.readouterr().out
    assert log.with_name("output").read_text().startswith("digest=sha256:")


def test_other_registry_is_pushed_to_with_the_login_that_is_there(docker: Any) -> None:
    log = docker()
    assert script.main(["registry.test:5000/airflow:x"]) == 0
    assert [words[0] for words, _ in told(log)] == ["push", "image"]
    assert told(log)[0][0] == ["push", "registry.test:5000/airflow:x"]


def test_image_without_a_digest_fails_the_step(docker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next steps would sign nothing."""
    docker(fails="image")
    monkeypatch.setattr(script, "_digest", lambda image, repository: "")
    assert script.main(["registry.test:5000/airflow:x"]) == 1


@pytest.mark.parametrize("fails", ["login", "push"])
def test_failure_of_docker_fails_the_step(docker: Any, fails: str) -> None:
    log = docker(fails)
    with moto.mock_aws():
        boto3.client("ecr", region_name=REGION).create_repository(repositoryName="airflow")
        assert script.main([f"{HOST}/airflow:{SHA}"]) != 0
    assert told(log)[-1][0][0] == fails


@pytest.mark.parametrize("image", ["airflow", "registry.test:5000/airflow"])
def test_image_without_a_tag_is_refused(docker: Any, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    log = docker()
    assert script.main([image]) == 1
    assert "REPOSITORY:TAG" in capsys.readouterr().err
    assert told(log) == []
