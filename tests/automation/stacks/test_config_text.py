"""Values that are changed in the text of a committed file: they stay texts, and the rest stays as it was."""

from __future__ import annotations

import pytest

from automation.errors import FileInvalid
from automation.stacks.config_text import with_values
from components.kube.safe_yaml import load_yaml
from tests.samples import SHIPPED

SHORT = "imageTag"
KEY = f"airflow:{SHORT}"
FILE = """\
# The team's own.
config:
  airflow:kubeContext: kind-airflow   # the local one
  airflow:imageTag: 3.2.2  # moved by deployments
  airflow:list:
    - a
encryptionsalt: v1:x
"""


def test_line_is_changed_and_its_comment_stays() -> None:
    assert with_values(FILE, {SHORT: "3.2.2-7"}) == FILE.replace("3.2.2 ", '"3.2.2-7" ')


def test_encrypted_value_gives_way_and_the_lines_around_it_stay() -> None:
    text = FILE.replace("3.2.2  # moved by deployments", "# moved\n    secure: v1:x  # by hand")
    assert with_values(text, {SHORT: ""}) == FILE.replace("3.2.2  # moved by deployments", '""  # by hand')


def test_key_that_is_not_there_is_added() -> None:
    text = FILE.replace("  airflow:imageTag: 3.2.2  # moved by deployments\n", "")
    changed = with_values(text, {SHORT: "3.2.2-7"})
    assert load_yaml(changed)["config"][KEY] == "3.2.2-7"
    assert [line for line in changed.splitlines() if KEY not in line] == text.splitlines()


VALUES = (
    *("3.10", "20260101", "2026-01-01", "true", "1e3", "null", "0123456", "1234e56", "0o17", "08"),
    *(
        "*x",
        "@x",
        "%x",
        "{x",
        "!x",
        "&x",
        "[x",
        "`x",
        "a: b",
        "a #b",
        "",
        " ",
        'a"b',
        "a\\b",
        "é",
        "x" * 128,
        "a b " * 40,
    ),
)


def test_value_stays_the_same_text_for_every_reader_of_yaml() -> None:
    """Only quotes ensure it: YAML 1.1 and 1.2 differ in what is a number without them."""
    for value in VALUES:
        changed = with_values(FILE, {SHORT: value})
        assert load_yaml(changed)["config"][KEY] == value
        assert f'{KEY}: "' in changed
        assert len(changed.splitlines()) == len(FILE.splitlines())


def test_file_that_is_no_config_is_refused() -> None:
    for text in ["- a\n", "text", "config: [a]\n", "config: {\n", "x: 2026-13-45\n", "[" * 1000]:
        with pytest.raises(FileInvalid, match="expected YAML in the stack's file"):
            with_values(text, {SHORT: "a"})


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "encryptionsalt: v1:x\n"])
def test_file_without_config_gets_one(text: str) -> None:
    assert load_yaml(with_values(text, {SHORT: "a"})) == {**(load_yaml(text) or {}), "config": {KEY: "a"}}


@pytest.mark.parametrize("text", ["config: {airflow:imageTag: a, x: b}\n", "config:\n  airflow:imageTag:\n    - a\n"])
def test_file_that_would_have_to_be_written_anew_is_refused(text: str) -> None:
    with pytest.raises(FileInvalid, match="imageTag"):
        with_values(text, {SHORT: "b"})


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_shipped_files_can_be_changed(name: str) -> None:
    text = (SHIPPED / f"Pulumi.{name}.yaml").read_text()
    changed = with_values(with_values(text, {SHORT: "3.2.2-1"}), {SHORT: "3.2.2-2"})
    assert load_yaml(changed)["config"] == {**load_yaml(text)["config"], KEY: "3.2.2-2"}
    assert set(text.splitlines()) <= set(changed.splitlines())
