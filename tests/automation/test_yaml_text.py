"""YAML for people is YAML all the same for every reader, and a line of a text is a line."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml
from hypothesis import given
from hypothesis import strategies as st

from automation.yaml_text import as_yaml, quoted
from tests.chart import rendering
from tests.chart.rendering import needs_chart

_LINES = st.lists(st.text(), min_size=1, max_size=4).map("\n".join)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | _LINES
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=12
)

_SOMETHING_ELSE: Final = (
    # Of YAML 1.1 (yaml.org/type) and of the core schema of YAML 1.2; what only one of them knows, too.
    *("true", "No", "on", "y", "null", "NULL", "~", ""),
    *("1", "-1", "+1", "1_000", "0x1f", "0o17", "0777", "0b11", "12:30:45", "1,000"),
    *("1.5", ".5", "5.", "1e3", "1e5", "6.02e+23", "190:20:30.15", ".inf", "-.Inf", ".NaN", "."),
    *("2026-01-01", "2026-1-1", "2026-01-01T00:00:00Z", "2026-01-01 12:30:45.5 +1"),
    *("=", "<<", "---", "...", "? a", "- a", "!a", "&a", "*a", "|", ">", "%a", "@a", "`a", "[a]", "{a", "'a", '"a'),
    *(" x", "x ", "a: b", "a:", "a #b", "#a", "a\tb", "\ta", "a\rb", "a\x85b", "a\u2028b", "\ufeffa", "a\x7fb", "\x00"),
)
_LINES_THAT_MISLEAD: Final = (
    *(
        "a\nb",
        "a\nb\n",
        "a\nb\n\n",
        "\na\nb",
        " a\nb",
        "\n  a\nb",
        "\ta\nb",
        "a\n\tb",
        "a \nb",
        "a\n \nb",
        "a\n  ",
        "\n",
    ),
    *("a\r\nb", "a\u2028b\nc", "---\na", "# a\nb", "a\x1b\nb"),
)


@given(st.dictionaries(st.text(), _VALUES, max_size=4))
def test_it_reads_back(value: dict[str, Any]) -> None:
    assert yaml.safe_load(as_yaml(value)) == value


def test_a_text_stays_a_text() -> None:
    for text in (*_SOMETHING_ELSE, *_LINES_THAT_MISLEAD):
        for value in ({"key": text}, {text: "value"}, [text], [[text, {"key": text}]]):
            assert yaml.safe_load(as_yaml(value)) == value, repr(text)


def test_what_some_reader_takes_for_something_else_is_in_quotes() -> None:
    for text in _SOMETHING_ELSE:
        assert as_yaml({"key": text}) == f"key: {quoted(text)}\n", repr(text)


def test_what_every_reader_takes_for_a_text_has_no_quotes() -> None:
    for text in ("apache/airflow:3.2.2", "10.0.0.0/16", "500m", "2Gi", "$(HOST)", "/opt/x", "it is, so", "_a"):
        assert as_yaml({"key": text}) == f"key: {text}\n"
    assert as_yaml({"key": "3.2.2-own"}) == "key: 3.2.2-own\n"


@needs_chart
def test_helm_reads_every_text_as_a_text(tmp_path: Path) -> None:
    """The reader of Go, which knows other numbers than the one of Python."""
    values = {"texts": [*_SOMETHING_ELSE, *_LINES_THAT_MISLEAD], "numbers": [1, 1.5, 1e20, -1e-7, None, True]}
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: a\nversion: 1.0.0\n")
    (chart / "templates" / "a.yaml").write_text("a: {{ .Values.read | toJson | quote }}\n")
    (tmp_path / "values.yaml").write_text(as_yaml({"read": values}), encoding="utf-8")
    assert rendering.HELM is not None
    words = [rendering.HELM, "template", "x", str(chart), "-f", str(tmp_path / "values.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(yaml.safe_load(done.stdout)["a"]) == values


def test_a_number_stays_one() -> None:
    for number in (1e20, 1e-7, 1.5, -2.0, math.inf, -math.inf):
        assert yaml.safe_load(as_yaml([number])) == [number]


def test_what_is_no_number_stays_so() -> None:
    assert as_yaml([math.nan]) == "- .nan\n"


def test_lines_stay_lines_although_there_is_white_space_at_their_ends() -> None:
    written = as_yaml({"airflow.cfg": "[celery]\nflower_url_prefix = \nx = 1\n"})
    assert written == "airflow.cfg: |\n  [celery]\n  flower_url_prefix = \n  x = 1\n"


def test_keys_are_ordered_and_nothing_is_wrapped() -> None:
    assert as_yaml({"b": ["x" * 300], "a": {}}) == f"a: {{}}\nb:\n- {'x' * 300}\n"


def test_what_nobody_sees_is_an_escape_and_stays_the_same_text() -> None:
    for sign in ("\u200b", "\u202e", "\u2066", "\xad", "\u2028", "\U000e0041"):
        for text in (f"a{sign}b", f"a\nb{sign}\n"):
            written = as_yaml({"key": text})
            assert sign not in written
            assert yaml.safe_load(written) == {"key": text}


def test_masks_read_as_they_are() -> None:
    assert as_yaml({"password": "[secret]"}) == 'password: "[secret]"\n'
