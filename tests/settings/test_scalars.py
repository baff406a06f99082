"""Values without quotes: what the engine makes of them, and which ones readers of YAML read in different ways."""

from __future__ import annotations

import datetime
import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import settings
from components.kube.safe_yaml import load_yaml
from settings import files
from settings.scalars import Loader, engine_value, is_plain_number, read_differently
from tests.cases import each

SCALARS: Final = (
    *"""
    true True TRUE tRUE false False yes Yes no No on On ON off Off y Y n N null Null NULL ~
    1 -1 +1 0 -0 +0 00 007 0777 0888 08 018 1_000 1__0 _1 1_ 0x1f 0X1F -0x1f 0x1_f 0xg 0o17 0O17 -0o17 0o8
    0b11 -0b11 0b12 0b_1 0o_7 0x 0o 0b 1:30 1:30:45 190:20:30.15 60:00 01:30 1,000 12e03 1e3 1E3 1e+3 1e-3
    1.e3 -1e3 +1e3 1.5e3 1e21 1e400 1e_3 1e3_0 .5 -.5 +.5 5. 5.0 3.10 3.0 0.10 00.5 1_0.5 1.5_0 ._5 .5e3
    1e 1e+ e3 .e3 . .. -. .iNf inf Infinity nan -.nan 123456789012 012345670123 9223372036854775807
    9223372036854775808 18446744073709551616 -9223372036854775809 0123456 0899999 1234567890123456789012345
    2026-01-15 2026-1-5 2026-13-45 2026-01-15T10:00:00Z 2026-01-15t10:00:00z 2026-01-15T10:00:00+01:00
    2026-01-15T10:00:00 2026-01 20260115 0000-00-00 = << -- ++1 1-2 1.2.3 v1 1a 1/2 10Gi 500m 0.0.0.0/0
    0.1 0.5 0.00001 0.0000001 12345678.1234567 -1.25 -7 10 0x1p3 1p3 2.11.0
    """.split(),  # noqa: SIM905 - a list of a hundred lines says no more
    *("2026-01-15 10:00:00", "2026-01-15 10:00:00.5", "a b", "1 2"),
)
"""What readers of YAML are known to differ about, and what is near it."""


def generated(count: int) -> list[str]:
    """Return texts of the characters that numbers, dates and words of YAML consist of."""
    chance = random.Random(12)
    found = set[str]()
    while len(found) < count:
        text = "".join(chance.choice("0123456789.-+_:eExXobTZnyftrulsNO") for _ in range(chance.randint(1, 7)))
        try:
            entry = yaml.compose(f"k: {text}", Loader=yaml.SafeLoader)
            node = entry.value[0][1] if isinstance(entry, yaml.MappingNode) else None
            if isinstance(node, yaml.ScalarNode) and node.value == text:
                found.add(text)
        except yaml.YAMLError:
            continue
    return sorted(found)


FILES: Final = (
    *(
        "config:\n  t:a: b",
        "config: {}",
        "config:",
        '{"config": {"t:a": "b/c"}}',
        "config:\r\n  t:a: b",
        "\ufeffconfig: {}",
    ),
    *("config: []", "config: x", "config: 0", "%YAML 1.1\n---\nconfig: {t:a: b}", "%YAML 1.2\n---\nconfig: {}"),
    *(
        'config: {t:a: "\\/"}',
        "config:\n  t:a: {b: {x: y}, c: {<<: {x: z}, y: 1}}",
        'config: {t:a: {"<<": {x: z}, y: 1}}',
    ),
    *("config: {t:a: {x: !!omap [a: b]}}", "config: {t:a: {x: !!pairs [a: b]}}", "config: {t:a: !!map {a: b}}"),
    *("config: {t:a: &x {y: z}, t:b: *x}", "config: {t:a: b}\n---\nconfig: {t:a: c}", "config: {t:a: b}\n...\n]"),
    *("config: {t:a: {secure: 3}}", "config: {t:a: {secure: {x: y}}}", "config: {t:a: {secure: x, y: z}}"),
    *("config:\n\tt:a: b", "config:\n  t:a:\tb", "config:\n  t:a: b\u2028c", 'config: {t:a: "\\ud83d\\ude00"}'),
)
"""Whole files, whose `t:` is the project."""


class TheEngine:
    """A project with a stack `qa`, and the engine that reads its file."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("pulumi"):
            pytest.skip("no engine: pulumi is not on PATH")
        self.folder, self.file = folder, folder / "Pulumi.qa.yaml"
        (folder / "Pulumi.yaml").write_text("name: t\nruntime: python\n")
        (folder / "state").mkdir()
        self.env = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "x",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
        }
        self.run("stack", "init", "qa").check_returncode()
        self.salt = self.file.read_text()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *words, "--non-interactive"]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)

    def config(self) -> dict[str, Any] | None:
        """Return the config that the engine reads, None if it refuses the file."""
        done = self.run("config", "--json", "--stack", "qa")
        found: dict[str, Any] | None = None if done.returncode else json.loads(done.stdout)
        return found


@pytest.mark.engine
def test_the_engine_reads_each_file_as_this_program_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the program reads without a problem gives the same values to the engine."""
    monkeypatch.setattr(files, "PROJECT", "t")
    engine = TheEngine(tmp_path)
    read = 0
    for text in FILES:
        engine.file.write_text(text, encoding="utf-8", newline="")
        engines = engine.config()
        try:
            mine, secret_keys, problems = files.examine_files(tmp_path, "qa")
        except settings.SettingsError:
            continue
        if problems:
            continue
        read += 1
        assert engines is not None, text
        assert {key: entry["secret"] for key, entry in engines.items()} == {key: key in secret_keys for key in mine}
        assert {key: as_json(entry["value"]) for key, entry in engines.items()} == {
            key: as_json(value) for key, value in mine.items()
        }, text
    print(f"{len(FILES)} files: {read} read, each as the engine does; the others refused")
    assert read > len(FILES) / 3


def as_json(text: str) -> Any:
    """Return a map or a list of a config's text, else the text."""
    return json.loads(text) if text[:1] in ("{", "[") else text


@pytest.mark.engine
def test_the_engine_reads_each_value_as_this_program_says(tmp_path: Path) -> None:
    engine = TheEngine(tmp_path)
    finite = [text for text in (*SCALARS, *generated(600)) if engine_value(text) == engine_value(text)]
    texts = [text for text in finite if engine_value(text) not in (float("inf"), float("-inf"))]
    lines = [f"  t:k{number}: {text}" for number, text in enumerate(texts)]
    inner = [f"  t:n{number}:\n    - {text}" for number, text in enumerate(texts)]
    engine.file.write_text("\n".join([engine.salt, "config:", *lines, *inner]) + "\n")
    given = engine.config()
    assert given is not None
    for number, text in enumerate(texts):
        mine, engines = engine_value(text), given[f"t:k{number}"]["value"]
        assert same(mine, engines), (text, mine, engines)
        if is_plain_number(text) or isinstance(mine, str):
            assert engines == text, (text, engines)
        # In a list: what is not said to be read differently is the same value to both.
        node = yaml.compose(f"- {text}", Loader=Loader)
        if node is not None and not list(read_differently(node)):
            assert json.loads(given[f"t:n{number}"]["value"]) == plain(load_yaml(f"- {text}")), text
    print(f"{len(texts)} values, {len(inner)} in lists: the engine read each as this program says")


def same(mine: Any, engines: str) -> bool:
    if mine is None or isinstance(mine, bool):
        return engines == ("" if mine is None else str(mine).lower())
    if isinstance(mine, datetime.date):
        return engines.startswith(f"{mine.isoformat()} ")
    return engines == mine if isinstance(mine, str) else float(engines) == float(mine)


def plain(value: list[Any]) -> list[Any]:
    return [f"{item.isoformat()} 00:00:00 +0000 UTC" if isinstance(item, datetime.date) else item for item in value]


@each("text", ["on", "No", "1:30", "0o10", "1e3", "0888", "010", "1_0.5e3", "2026-1-5", "12345678901234567890", "y"])
def test_value_that_readers_differ_about_is_found_wherever_it_stands(text: str) -> None:
    if text == "y":  # a text to both
        assert not [*read_differently(yaml.compose("[y]", Loader=Loader) or yaml.MappingNode("", []))]
        return
    for document, place in (
        (f"[a, {text}]", "[1]"),
        (f"a: {{b: [{{c: {text}}}]}}", "a.b[0].c"),
        (f"a: {{{text}: b}}" if ":" not in text else f"a: {{? {text} : b}}", f"the key a.{text}"),
    ):
        node = yaml.compose(document, Loader=Loader)
        assert node is not None
        assert place in [*read_differently(node)], document


@each("text", ["true", "FALSE", "12", "-7", "0.10", "3.0", ".5", "text", "10Gi", "~", "'on'", '"1e3"', "!!str 010"])
def test_value_that_all_read_alike_is_let_through(text: str) -> None:
    node = yaml.compose(f"a: [{text}]", Loader=Loader)
    assert node is not None
    assert [*read_differently(node)] == []


@each("text", ["!!int 3", "!!bool true", "!!float 1.5", "!x y", "!!binary aGk=", "!!timestamp 2026-01-01"])
def test_value_with_a_tag_is_not_let_through(text: str) -> None:
    node = yaml.compose(f"a: [{text}]", Loader=Loader)
    assert node is not None
    assert [*read_differently(node)] == ["a[0]"]
