"""YAML for people is YAML all the same, and a line of a text is a line."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from automation.plan.yaml_text import as_yaml

# What YAML itself leaves out of its streams, or ends lines with, is not told apart here.
_TEXTS = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E)
    | st.characters(min_codepoint=0xA0, max_codepoint=0xD7FF, exclude_characters="\u2028\u2029")
)
_LINES = st.lists(_TEXTS, min_size=1, max_size=4).map("\n".join)
_SCALARS = st.none() | st.booleans() | st.integers() | _TEXTS | _LINES
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(_TEXTS, _VALUES, max_size=4))
def test_it_reads_back(value: dict[str, Any]) -> None:
    assert _read(as_yaml(value)) == value


def _read(text: str) -> Any:
    class Loader(yaml.SafeLoader):
        """Without what YAML 1.1 makes of texts that look like dates and numbers of other bases: JSON has none."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(("timestamp", "float"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader


@pytest.mark.parametrize("text", ["true", "No", "null", "~", "1", "1.5", "0x1f", "1e3", "", " x", "x ", "a: b", "a #b"])
def test_a_text_that_could_be_something_else_is_quoted(text: str) -> None:
    assert yaml.safe_load(as_yaml({"key": text})) == {"key": text}


def test_lines_stay_lines_although_there_is_white_space_at_their_ends() -> None:
    written = as_yaml({"airflow.cfg": "[celery]\nflower_url_prefix = \nx = 1\n"})
    assert written == "airflow.cfg: |\n  [celery]\n  flower_url_prefix = \n  x = 1\n"


def test_keys_are_ordered_and_nothing_is_wrapped() -> None:
    assert as_yaml({"b": ["x" * 300], "a": {}}) == f"a: {{}}\nb:\n- {'x' * 300}\n"


def test_masks_read_as_they_are() -> None:
    assert as_yaml({"password": "[secret]"}) == 'password: "[secret]"\n'
