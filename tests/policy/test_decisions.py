"""The list of what somebody decided on: of one stack, by name or URN, and none of it by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy import context
from policy.context import DECIDED, DecisionsInvalid, decided_in
from tests.cases import each
from tests.samples import ROOT

URN = "urn:pulumi:prod::airflow::airflow:index:AirflowKeys$kubernetes:core/v1:Secret::airflow-keys-jwt-secret"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / DECIDED).parent.mkdir()
    return tmp_path


def listed(project: Path, text: str) -> None:
    (project / DECIDED).write_text(text)


def test_decisions_are_of_one_stack(project: Path) -> None:
    listed(project, f"# why\n\nprod one\n  prod\t{URN}  # of June\nstaging two\n#prod three\n")
    assert decided_in(project, "prod") == {"one", URN}
    assert decided_in(project, "staging") == {"two"}
    assert decided_in(project, "pro") == frozenset()


@pytest.mark.parametrize("line", ["airflow-keys-jwt-secret", "prod one two", "prod, one, two"])
def test_a_line_that_says_nothing_is_refused_with_its_place(line: str, project: Path) -> None:
    listed(project, f"# a\nprod one\n{line}\n")
    for stack in ("prod", "dev"):
        with pytest.raises(DecisionsInvalid, match=r"^policy/decided\.txt:3: expected a stack and the name or the URN"):
            decided_in(project, stack)


@each("sign", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\u202e", "\u200b", "\r", "\x00"])
def test_nothing_is_decided_in_what_a_reviewer_takes_for_a_comment(sign: str, project: Path) -> None:
    listed(project, f"# why{sign}prod default-deny\n")
    with pytest.raises(DecisionsInvalid, match=rf"^policy/decided\.txt:1: .* found U\+{ord(sign):04X}$"):
        decided_in(project, "prod")


def test_list_in_another_encoding_is_refused(project: Path) -> None:
    (project / DECIDED).write_bytes("prod default-deny # später\n".encode("latin-1"))
    with pytest.raises(DecisionsInvalid, match=r"^policy/decided\.txt: expected text in UTF-8"):
        decided_in(project, "prod")


def test_lines_may_end_as_windows_ends_them(project: Path) -> None:
    listed(project, "# why\r\nprod\tone\r\n")
    assert decided_in(project, "prod") == {"one"}


def test_list_of_registries_hides_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / "allowed-registries.txt"
    path.write_text("# ours\u2028evil.example.com/\n")
    with pytest.raises(DecisionsInvalid, match="allowed-registries"):
        list(context._listed(path))


def test_without_a_list_nothing_is_decided(tmp_path: Path) -> None:
    assert decided_in(tmp_path, "prod") == frozenset()


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_committed_list_is_one(stack: str) -> None:
    assert (ROOT / DECIDED).is_file()
    decided_in(ROOT, stack)
