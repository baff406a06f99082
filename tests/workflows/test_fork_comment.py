"""Nothing that a fork's code wrote is believed, and none of it becomes anything but text."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cases import each
from tests.workflows.conftest import REPOSITORY, TOKEN, GitHub, archive, load

script: Final = load("fork_comment")
comment_script: Final = load("comment")
RUN: Final = 99


def event(**changes: Any) -> dict[str, Any]:
    fork = {"id": 5, "full_name": "stranger/airflow", "owner": {"login": "stranger"}}
    run = {
        "id": RUN,
        "event": "pull_request",
        "head_sha": "abc",
        "head_branch": "my/branch&state=closed",
        "head_repository": fork,
        "html_url": "https://github.test/run",
        "pull_requests": [],
    }
    return {"workflow_run": {**run, **changes}}


def pull(number: int, *, sha: str = "abc", repository: int | None = 5) -> dict[str, Any]:
    head = {"sha": sha, "repo": None if repository is None else {"id": repository}}
    return {"number": number, "label": "stranger:my/branch&state=closed", "head": head}


def artifact(number: int, content: bytes, **changes: Any) -> dict[int, dict[str, Any]]:
    return {number: {"id": number, "run": RUN, "name": "plan", "expired": False, "zip": content, **changes}}


@pytest.fixture
def hub(github: GitHub) -> GitHub:
    github.pulls = [pull(7)]
    github.artifacts = artifact(1, archive(plan_md=b"would create 3"))
    return github


def run(hub: GitHub, tmp_path: Path, **changes: Any) -> int:
    code: int = script.main(hub.environ(tmp_path, event(**changes)))
    return code


def test_plan_is_posted_as_text(hub: GitHub, tmp_path: Path) -> None:
    assert run(hub, tmp_path) == 0
    (body,) = hub.bodies(7)
    assert "```text\nwould create 3\n```" in body
    assert "https://github.test/run#artifacts" in body
    assert "do not trust" in body


def test_second_run_changes_the_same_comment(hub: GitHub, tmp_path: Path) -> None:
    run(hub, tmp_path)
    hub.artifacts = artifact(2, archive(plan_md=b"would create 4"))
    run(hub, tmp_path)
    (body,) = hub.bodies(7)
    assert "would create 4" in body


@each(
    "text",
    [
        "@everyone look",
        "```\n</details>\n[free](https://evil.test)\n```",
        f"{comment_script.MARK}\n<img src=x>",
        "`````\n@somebody",
    ],
)
def test_markdown_of_a_fork_stays_text(hub: GitHub, tmp_path: Path, text: str) -> None:
    hub.artifacts = artifact(1, archive(plan_md=text.encode()))
    run(hub, tmp_path)
    (body,) = hub.bodies(7)
    assert comment_script.fenced(text) in body
    assert body.startswith(comment_script.MARK)


def test_pull_request_is_the_one_that_github_says(hub: GitHub, tmp_path: Path) -> None:
    """The number in an artifact, or a branch of the same name elsewhere, would name somebody else's."""
    hub.pulls = [pull(1, sha="old"), pull(2, repository=6), pull(3, repository=None), pull(7)]
    hub.artifacts = artifact(1, archive(plan_md=b"x", number_txt=b"2"))
    run(hub, tmp_path)
    assert {number for number in hub.comments if hub.bodies(number)} == {7}


def test_outdated_run_posts_nothing(hub: GitHub, tmp_path: Path) -> None:
    hub.pulls = [pull(7, sha="newer")]
    assert run(hub, tmp_path) == 0
    assert hub.said("POST") == []


@pytest.mark.parametrize(
    "changes",
    [{"event": "push"}, {"head_repository": {"id": 1, "full_name": REPOSITORY, "owner": {"login": "example"}}}],
)
def test_runs_of_this_repository_are_not_its_affair(hub: GitHub, tmp_path: Path, changes: dict[str, Any]) -> None:
    assert run(hub, tmp_path, **changes) == 0
    assert hub.requests == []


def test_branch_name_is_data_in_the_address(hub: GitHub, tmp_path: Path) -> None:
    run(hub, tmp_path)
    asked = next(path for path in hub.said("GET") if "/pulls?" in path)
    assert "head=stranger%3Amy%2Fbranch%26state%3Dclosed" in asked


def test_token_does_not_follow_to_where_artifacts_lie(hub: GitHub, tmp_path: Path) -> None:
    run(hub, tmp_path)
    sent = {path: header for _, path, header in hub.requests}
    assert sent["/blob/1"] is None
    assert {header for path, header in sent.items() if not path.startswith("/blob")} == {f"Bearer {TOKEN}"}


def test_newest_artifact_counts_and_an_expired_one_does_not(hub: GitHub, tmp_path: Path) -> None:
    hub.artifacts = {
        **artifact(1, archive(plan_md=b"first attempt")),
        **artifact(2, archive(plan_md=b"second attempt")),
        **artifact(3, archive(plan_md=b"gone"), expired=True),
        **artifact(4, archive(plan_md=b"other"), name="other"),
    }
    run(hub, tmp_path)
    assert "second attempt" in hub.bodies(7)[0]


def with_wrong_size() -> bytes:
    """Says that the member is small, and holds more."""
    content = bytearray(archive(plan_md=b"x" * (script.MAX_TEXT_BYTES + 100)))
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (10).to_bytes(4, "little")
    return bytes(content)


def encrypted() -> bytes:
    content = bytearray(archive(plan_md=b"x"))
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(mark) + offset] |= 1
    return bytes(content)


def of_another_name() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("../../plan.md", b"x")
    return content.getvalue()


def with_commands_in_its_names() -> bytes:
    """Python's error quotes the names in an archive, and GitHub's runner takes `##[...]` in a log for a command."""
    member = zipfile.ZipInfo("plan.md")
    member.filename = "plan.md\0##[error]owned"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr(member, b"x")
    return content.getvalue().replace(b"owned", b"other", 1)


@each(
    ("content", "says"),
    [
        (b"no zip", "cannot be read"),
        (of_another_name(), "cannot be read"),
        (encrypted(), "cannot be read"),
        (with_commands_in_its_names(), "cannot be read"),
        (archive(plan_md=b"x" * (script.MAX_TEXT_BYTES + 1)), "expected at most"),
        (b"x" * (script.MAX_ARCHIVE_BYTES + 1), "expected at most"),
    ],
    ids=["no zip", "other name", "encrypted", "commands", "large text", "large archive"],
)
def test_artifact_that_is_not_a_plan_is_refused(
    hub: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    hub.artifacts = artifact(1, content)
    assert run(hub, tmp_path) == 1
    told = capsys.readouterr().err
    assert says in told
    assert "##[" not in told
    assert hub.said("POST") == []


def test_sizes_in_an_archive_are_not_believed(hub: GitHub, tmp_path: Path) -> None:
    hub.artifacts = artifact(1, with_wrong_size())
    run(hub, tmp_path)
    assert all(len(body) <= comment_script.LIMIT for body in hub.bodies(7))


def test_run_that_left_no_plan_posts_nothing(hub: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run itself has failed then, for all to see."""
    hub.artifacts = {}
    assert run(hub, tmp_path) == 0
    assert "left no plan" in capsys.readouterr().out
    assert hub.said("POST") == []
