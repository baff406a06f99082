"""The tag moves, with the digest beside it, and no other byte of the stack's file does."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kube.safe_yaml import load_yaml
from tests.cases import each
from tests.samples import SHIPPED
from tests.workflows.conftest import load

script: Final = load("move_image_tag")
SHA: Final = "0123456789abcdef0123456789abcdef01234567"
OTHER: Final = "fedcba9876543210fedcba9876543210fedcba98"
FILE: Final = """\
# Production.
secretsprovider: awskms://alias/airflow
config:
  airflow:imageRepository: registry.test/airflow  # ours
{line}
  airflow:uiCidrs:
    - 10.0.0.0/20
  airflow:gitSshPrivateKey:
    secure: v1:abc
"""


def file(line: str = f"  airflow:imageTag: {OTHER}") -> str:
    return FILE.format(line=line)


def differing(before: str, after: str) -> list[str]:
    """Lines that one of the two has and the other has not."""
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in lines if line[0] in "+-"]


@each(
    ("line", "moved"),
    [
        (f"  airflow:imageTag: {OTHER}", f'  airflow:imageTag: "{SHA}"'),
        (f"  airflow:imageTag: '{OTHER}'", f'  airflow:imageTag: "{SHA}"'),
        (f'  "airflow:imageTag":    "{OTHER}"   # by CI', f'  "airflow:imageTag":    "{SHA}"   # by CI'),
        ("  airflow:imageTag: 3.2.2", f'  airflow:imageTag: "{SHA}"'),
        ("  airflow:imageTag: 1234567", f'  airflow:imageTag: "{SHA}"'),
    ],
)
def test_one_line_changes_and_keeps_its_layout(line: str, moved: str) -> None:
    assert script.moved(file(line), SHA) == file(moved)


keys = st.sampled_from(["airflow:size", "airflow:awsRegion", "pulumi:tags", "airflow:x", "'quoted'"])
values = st.sampled_from(
    ["medium", "'a: b'", '"x\\ny"', "12", "true  # why", "[1, 2]", "{a: b}", "|\n    text\n    more"]
)
comments = st.text("#: abcé'\"{}[]", max_size=20).map(lambda text: f"  # {text}")
tags = st.from_regex(r"[0-9a-f]{40}", fullmatch=True) | st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True
)


@given(
    above=st.lists(st.tuples(keys, values), unique_by=lambda pair: pair[0], max_size=3),
    remarks=st.lists(comments, max_size=3),
    quote=st.sampled_from(["", "'", '"']),
    gap=st.integers(1, 4),
    after=st.sampled_from(["", " ", "  # comment", " #"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    old=tags,
    new=tags.filter(lambda tag: tag != "latest"),
)
def test_whatever_stands_around_it_stays(
    above: list[tuple[str, str]],
    remarks: list[str],
    quote: str,
    gap: int,
    after: str,
    ending: str,
    last: bool,
    old: str,
    new: str,
) -> None:
    others = [*remarks, *(f"  {key}: {value}" for key, value in above)]
    tag = f"  airflow:imageTag:{' ' * gap}{quote}{old}{quote}{after}"
    repository = "  airflow:imageRepository: registry.test/airflow"
    lines = ["# Top: 'x'", "config:", repository, *others, tag] if last else ["config:", tag, *others, repository]
    before = ending.join("\n".join(lines).split("\n")) + ("" if last else ending)
    result = script.moved(before, new)
    assert load_yaml(result)["config"]["airflow:imageTag"] == new
    changed = [pair for pair in zip(before.split("\n"), result.split("\n"), strict=True) if pair[0] != pair[1]]
    assert len(changed) <= 1
    assert all("airflow:imageTag" in old_line for old_line, _ in changed)
    assert script.moved(result, new) == result


def test_tag_that_yaml_would_read_as_a_number_stays_text() -> None:
    for tag in ("1234567e89", "0123456789", "12345678", "0x12", "1_000"):
        assert load_yaml(script.moved(file(), tag))["config"]["airflow:imageTag"] == tag


def test_digest_moves_beside_the_tag_where_the_stack_has_one() -> None:
    old, new = f"sha256:{'0' * 64}", f"sha256:{'ab' * 32}"
    before = file() + f"  airflow:imageDigest: {old}  # its content\n"
    after = script.moved(before, SHA, new)
    assert load_yaml(after)["config"]["airflow:imageDigest"] == new
    assert load_yaml(after)["config"]["airflow:imageTag"] == SHA
    assert len(differing(before, after)) == 4
    assert after.endswith(f'airflow:imageDigest: "{new}"  # its content\n')
    assert script.moved(after, SHA, new) == after
    for wrong in ("", "sha256:0", "latest", f"{new}\n"):
        with pytest.raises(script.CannotMove, match="give its --digest"):
            script.moved(before, SHA, wrong)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [False, True])
def test_digest_gets_a_line_below_the_tag_where_the_stack_has_none(newline: str, last: bool) -> None:
    line = f"  airflow:imageTag: {OTHER}  # by CI"
    before = file(line) if not last else f"config:\n  airflow:imageRepository: r\n{line}"
    before = before.replace("\n", newline)
    digest = f"sha256:{'ab' * 32}"
    after = script.moved(before, SHA, digest)
    added = f'  airflow:imageTag: "{SHA}"  # by CI{newline}  airflow:imageDigest: "{digest}"{newline if last else ""}'
    assert after == before.replace(line, added)
    assert script.moved(after, SHA, digest) == after
    with pytest.raises(script.CannotMove, match="give its --digest"):
        script.moved(before, SHA, "sha256:0")


def test_digest_in_a_file_where_no_line_can_be_added_is_refused() -> None:
    digest = f"sha256:{'ab' * 32}"
    for text in (f"config: {{airflow:imageRepository: r, airflow:imageTag: {OTHER}}}\n",):
        with pytest.raises(script.CannotMove, match="on a line of its own"):
            script.moved(text, SHA, digest)
    empty = script.moved(file() + "  airflow:imageDigest: ''\n", SHA, digest)
    assert load_yaml(empty)["config"]["airflow:imageDigest"] == digest


def test_same_tag_changes_nothing() -> None:
    assert script.moved(file(), OTHER) == file()


@each(
    ("text", "says"),
    [
        (file("  airflow:size: small"), "set both once"),
        (file().replace("airflow:imageRepository", "airflow:other"), "set both once"),
        (file() + "  airflow:imageDigest: sha256:0\n", "wins over the tag"),
        (file("  airflow:imageTag:\n    secure: v1:abc"), "found a map"),
        (file("  airflow:imageTag: |\n    x"), "one line"),
        (file("  airflow:imageTag:\n    x"), "one line"),
        (file("  airflow:imageTag: [a]"), "found a map, a list"),
        (file("  airflow:size: &size small\n  airflow:imageTag: *size"), "alias"),
        (file("  airflow:imageTag: &tag x\n  airflow:other: *tag"), "an anchor"),
        (file("  airflow:imageTag: !!str x"), "a type"),
        (file("  airflow:imageTag: a\n  airflow:imageTag: b"), "found it 2 times"),
        ("config: [", "line 1"),
        ("config: 3\n", "expected a map with config"),
        ("", "expected a map with config"),
    ],
)
def test_file_in_which_it_cannot_be_done_safely_is_refused(text: str, says: str) -> None:
    with pytest.raises(script.CannotMove, match=says):
        script.moved(text, SHA)


def test_tag_that_is_none_or_moves_is_refused() -> None:
    for tag in ["latest", "", "a b", 'x"\n  airflow:protect: false', "-x", "x" * 129]:
        with pytest.raises(script.CannotMove, match="always names the same image"):
            script.moved(file(), tag)


def run(root: Path, *words: str) -> Any:
    return script.main([*words], root)


def test_file_is_written_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.prod.yaml"
    before = file().replace("\n", "\r\n").encode() + "# é".encode()
    path.write_bytes(before)
    assert run(tmp_path, "prod", SHA) == 0
    assert path.read_bytes() == before.replace(OTHER.encode(), f'"{SHA}"'.encode())


def test_refusal_names_the_file_and_leaves_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text("config: {}\n")
    assert run(tmp_path, "prod", SHA) == 1
    assert "Pulumi.prod.yaml" in capsys.readouterr().err
    assert path.read_text() == "config: {}\n"
    assert run(tmp_path, "nobody", SHA) == 1


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_it_works_in_the_shipped_files_once_they_name_an_image(stack: str) -> None:
    text = (SHIPPED / f"Pulumi.{stack}.yaml").read_text()
    if "airflow:imageTag" not in text:
        text = text.replace("config:\n", f"config:\n  airflow:imageRepository: r\n  airflow:imageTag: {OTHER}\n", 1)
    assert len(differing(text, script.moved(text, SHA))) == 2
    assert len(differing(text, script.moved(text, SHA, f"sha256:{'ab' * 32}"))) == 3
