"""A new image becomes one pull request that changes one file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.workflows.conftest import GitHub, load

script: Final = load("image_pull_request")
SHA: Final = "0123456789abcdef0123456789abcdef01234567"
FILE: Final = "Pulumi.prod.yaml"


def git(root: Path, *words: str) -> str:
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(root), *settings, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    git(root, "init", "--quiet")
    (root / FILE).write_bytes(b"config:\r\n  airflow:imageTag: old # \xc3\xa9\r\n")
    (root / "other").write_text("x")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "x")
    return root


def move(root: Path, tag: str) -> None:
    (root / FILE).write_bytes(f'config:\r\n  airflow:imageTag: "{tag}" # é\r\n'.encode())


def run(github: GitHub, root: Path, tag: str = SHA) -> int:
    code: int = script.main(["prod", tag], root, github.environ(root.parent, {}))
    return code


def test_commit_holds_the_file_as_it_is_and_nothing_else(github: GitHub, checkout: Path) -> None:
    move(checkout, SHA)
    assert run(github, checkout) == 0
    commit = github.commits[github.branches["image/prod"]]
    parent = git(checkout, "rev-parse", "HEAD")
    assert commit["parents"] == [parent]
    tree = github.trees[commit["tree"]]
    assert tree["base_tree"] == f"tree-of-{parent}"
    content = (checkout / FILE).read_bytes().decode()
    assert tree["tree"] == [{"path": FILE, "mode": "100644", "type": "blob", "content": content}]
    assert "\r\n" in content


def test_pull_request_asks_main_and_names_the_image(github: GitHub, checkout: Path) -> None:
    move(checkout, SHA)
    run(github, checkout)
    (pull,) = github.pulls
    assert (pull["base"], pull["head"]) == ("main", "image/prod")
    assert SHA[:12] in pull["title"]
    assert SHA in pull["body"]


def test_newer_image_takes_over_the_branch_and_the_pull_request(github: GitHub, checkout: Path) -> None:
    move(checkout, SHA)
    run(github, checkout)
    first = github.branches["image/prod"]
    move(checkout, "f" * 40)
    assert run(github, checkout, "f" * 40) == 0
    (pull,) = github.pulls
    assert "ffffffffffff" in pull["title"]
    assert github.branches["image/prod"] != first


def test_tag_that_is_there_already_opens_nothing(github: GitHub, checkout: Path) -> None:
    assert run(github, checkout) == 0
    assert github.requests == []


def test_any_other_change_is_refused(github: GitHub, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    move(checkout, SHA)
    (checkout / "other").write_text("y")
    assert run(github, checkout) == 1
    assert "other" in capsys.readouterr().err
    assert github.requests == []


def test_refusal_of_github_fails_the_step(github: GitHub, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    move(checkout, SHA)
    github.refuse = "refs"
    assert run(github, checkout) == 1
    assert "403" in capsys.readouterr().err
    assert github.pulls == []
