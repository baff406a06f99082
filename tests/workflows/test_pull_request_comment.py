"""A pull request has one comment of ours, and it always says the newest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.conftest import TOKEN, GitHub, comment, load

script: Final = load("comment")
EVENT: Final = {"pull_request": {"number": 7}}


def run(github: GitHub, tmp_path: Path, **files: str) -> int:
    folder = tmp_path / "report"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.md").write_text(text)
    code: int = script.main([str(folder)], github.environ(tmp_path, EVENT))
    return code


def test_first_run_makes_the_comment(github: GitHub, tmp_path: Path) -> None:
    assert run(github, tmp_path, plan="the plan", preview_prod="the preview", preview_a="another") == 0
    (body,) = github.bodies(7)
    assert body.startswith(script.MARK)
    assert re.search(r"the plan.*another.*the preview", body, re.DOTALL)
    assert "https://github.test/example/airflow/actions/runs/99#artifacts" in body


def test_next_run_changes_it_in_place(github: GitHub, tmp_path: Path) -> None:
    run(github, tmp_path, plan="first")
    run(github, tmp_path, plan="second")
    (body,) = github.bodies(7)
    assert "second" in body
    assert "first" not in body


def test_comment_is_found_behind_a_hundred_others(github: GitHub, tmp_path: Path) -> None:
    github.comments[7] = [comment(number, "a remark", "somebody") for number in range(250)]
    run(github, tmp_path, plan="first")
    run(github, tmp_path, plan="second")
    assert len(github.bodies(7)) == 251


def test_comment_of_somebody_else_with_our_mark_is_left_alone(github: GitHub, tmp_path: Path) -> None:
    github.comments[7] = [comment(1, f"{script.MARK}\nfake", "somebody")]
    run(github, tmp_path, plan="ours")
    assert github.bodies(7)[0] == f"{script.MARK}\nfake"
    assert len(github.bodies(7)) == 2


def test_another_comment_of_the_bot_is_left_alone(github: GitHub, tmp_path: Path) -> None:
    github.comments[7] = [comment(1, "of another workflow")]
    run(github, tmp_path, plan="ours")
    assert github.bodies(7)[0] == "of another workflow"


def test_without_a_plan_the_comment_says_so_instead_of_staying_old(github: GitHub, tmp_path: Path) -> None:
    run(github, tmp_path, plan="old")
    (tmp_path / "report" / "plan.md").unlink()
    assert run(github, tmp_path) == 0
    assert script.MISSING.strip() in github.bodies(7)[0]


def test_link_in_an_artifact_leads_nowhere(github: GitHub, tmp_path: Path) -> None:
    """The pull request's code may have made the artifact, and this process has a token in its variables."""
    (tmp_path / "environ").write_text(f"GITHUB_TOKEN={TOKEN}")
    (tmp_path / "report").mkdir()
    for name in ("plan", "preview-prod"):
        (tmp_path / "report" / f"{name}.md").symlink_to(tmp_path / "environ")
    assert run(github, tmp_path) == 0
    (body,) = github.bodies(7)
    assert TOKEN not in body
    assert script.MISSING.strip() in body


def test_comment_says_that_the_preview_is_still_to_be_approved(github: GitHub, tmp_path: Path) -> None:
    run(github, tmp_path, plan="the plan")
    assert script.NO_PREVIEW.strip() in github.bodies(7)[0]
    run(github, tmp_path, plan="the plan", preview_prod="the preview")
    assert script.NO_PREVIEW.strip() not in github.bodies(7)[0]


def test_refusal_of_github_is_one_line_without_the_token(
    github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.refuse = "comments"
    assert run(github, tmp_path, plan="x") == 1
    error = capsys.readouterr().err
    assert "403" in error
    assert "not accessible" in error
    assert TOKEN not in error


def test_step_without_a_token_says_so(github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = github.environ(tmp_path, EVENT)
    del environ["GITHUB_TOKEN"]
    assert script.main([str(tmp_path)], environ) == 1
    assert "GITHUB_TOKEN" in capsys.readouterr().err


def test_token_is_not_shown_with_the_api() -> None:
    api = load("rest").Api(url="u", repository="r", token=TOKEN)
    assert TOKEN not in repr(api)


# Length

lines = st.lists(st.text("a`<>/~é😀 ", max_size=30) | st.sampled_from(["```", "<details>", "</details>", "````text"]))


def size(text: str) -> int:
    return len(text.encode())


@given(st.lists(st.text(), max_size=4), st.integers(0, 40_000))
def test_no_comment_is_longer_than_github_takes(parts: list[str], repeat: int) -> None:
    body = script.body([part * repeat for part in parts], "https://github.test/run")
    assert size(body) <= script.LIMIT
    assert body.startswith(script.MARK)
    assert "https://github.test/run" in body


@given(lines, st.integers(100, 400))
def test_what_is_cut_is_a_beginning_and_says_so(found: list[str], limit: int) -> None:
    text = "\n".join(found)
    result = script.shortened(text, limit)
    assert size(result) <= max(limit, size(text) if size(text) <= limit else 0)
    if size(text) <= limit:
        assert result == text
    else:
        assert "Shortened" in result


def open_fences(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.startswith("```")) % 2


@pytest.mark.parametrize("rows", [3, 50, 5000])
def test_cut_closes_what_it_leaves_open(rows: int) -> None:
    inner = "\n".join(f"{number} would update something" for number in range(rows))
    text = f"# Report\n\n<details><summary>more</summary>\n\n```text\n{inner}\n```\n\n</details>\nend"
    result = script.shortened(text, 1000)
    assert open_fences(result) == 0
    assert result.count("<details") == result.count("</details>")
    assert size(result) <= 1000


# Text of somebody else


@given(st.text() | st.text("`\n a[](@)<>!", max_size=60))
def test_nothing_in_a_fenced_text_is_markdown(text: str) -> None:
    result = script.fenced(text)
    first, *inner, last = result.split("\n")
    assert first == f"{last}text"
    assert set(last) == {"`"}
    assert len(last) >= 3
    assert not [line for line in inner if line.lstrip().startswith(last)]


def test_control_and_direction_characters_are_left_out() -> None:
    assert script.fenced("a\x1b[31mb\u202ec\x00\td") == "```text\na[31mbc\td\n```"


def test_files_that_are_no_text_do_not_stop_it(github: GitHub, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "plan.md").write_bytes(b"\xff\xfe plan")
    environ: Any = github.environ(tmp_path, EVENT)
    assert script.main([str(folder)], environ) == 0
