"""The config keys `connections` and `variables`: secret maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings
from components.connections.pools import Pool
from components.kube.safe_yaml import load_yaml
from components.kube.secret import Secret
from settings.sections.connections import secrets_prefix
from tests import samples
from tests.samples import dev

SENTINEL = "sentinel-password"


def test_each_entry_is_a_secret() -> None:
    given: dict[str, Any] = {
        "my_db": f"postgres://me:{SENTINEL}@db/x",
        "my_http": {"conn_type": "http", "password": SENTINEL},
    }
    parsed = dev().with_(secrets={"connections": json.dumps(given), "variables": '{"limit": 7}'}).parse()
    found = parsed.platform.connections
    assert found.connections["my_db"] == Secret(given["my_db"])
    assert json.loads(found.connections["my_http"].reveal()) == given["my_http"]
    assert found.variables == {"limit": Secret("7")}
    assert SENTINEL not in repr(parsed)


def test_each_bad_entry_is_named_with_its_command_and_without_its_value() -> None:
    given = {"my_db": SENTINEL, "good": "http://x", "GOOD": "http://y", "aws_task_logs": "aws://", "a b": SENTINEL}
    problems = dev().with_(secrets={"connections": json.dumps(given)}).problems()
    assert all(SENTINEL not in problem and "Fix: " in problem for problem in problems)
    for says in ("my_db: expected a connection", "GOOD: expected names that differ", "a b: expected a name"):
        assert any(says in problem for problem in problems), (says, problems)
    managed = dev().with_(secrets={"connections": '{"aws_task_logs": "aws://"}'}).problems()
    assert [("is set by the program" in problem) for problem in managed] == [True]


def test_connection_that_airflow_cannot_read_is_refused_without_its_value() -> None:
    """Airflow says so only where a task first uses it."""
    for value, says in (
        ({"conn_type": "http", "port": SENTINEL}, "expected a port from 1 to 65535"),
        ({"conn_type": "http", "port": 99_999}, "expected a port from 1 to 65535"),
        ({"conn_type": "http", "port": True}, "expected a port from 1 to 65535"),
        ({"conn_type": "http", "extra": f"{{a: {SENTINEL}"}, "expected a map as extra, or the JSON of one"),
        ({"conn_type": "http", "extra": [SENTINEL]}, "expected a map as extra"),
        ({"uri": f"http://{SENTINEL}:port"}, "expected a port from 1 to 65535 in it, or none"),
        (f"http://me:{SENTINEL}@host:port/x", "expected a port from 1 to 65535 in it, or none"),
        (f"http://https://{SENTINEL}:0/", "expected a port from 1 to 65535 in it, or none"),
    ):
        [problem] = dev().with_(secrets={"connections": json.dumps({"a": value})}).problems()
        assert f"a: {says}" in problem
        assert SENTINEL not in problem
    good: list[Any] = [
        "http://https://host:8443/x",
        "aws://?region_name=eu-central-1",
        {"conn_type": "http", "port": "8080", "extra": '{"a": 1}'},
        {"conn_type": "http", "port": None, "extra": {"a": {"b": 1}}},
    ]
    for value in good:
        assert dev().with_(secrets={"connections": json.dumps({"a": value})}).problems() == ()


def test_pools_are_read_and_each_problem_of_one_is_named() -> None:
    given = [{"name": "default_pool", "slots": 64}, {"name": "a b", "slots": -1, "includeDeferred": True}]
    assert dev().with_({"pools": given}).parse().platform.pools == (
        Pool(name="default_pool", slots=64),
        Pool(name="a b", slots=-1, include_deferred=True),
    )
    for entries, says in (
        ([{"name": "a"}], "[0].slots: expected a value, found none"),
        ([{"slots": 1}], "[0].name: expected a value, found none"),
        ([{"name": "", "slots": 1}], "[0].name: expected one line of text"),
        ([{"name": "a" * 257, "slots": 1}], "[0].name: expected a name of at most 256 characters"),
        ([{"name": "a", "slots": "8"}], '[0].slots: expected a whole number of slots, or -1 for any number, found "8"'),
        ([{"name": "a", "slots": True}], "[0].slots: expected a whole number"),
        ([{"name": "a", "slots": -2}], "[0].slots: expected a whole number"),
        ([{"name": "a", "slots": 1, "include_deferred": True}], "did you mean includeDeferred?"),
        ([{"name": "a", "slots": 1, "includeDeferred": "yes"}], "[0].includeDeferred: expected true or false"),
        ([{"name": "a", "slots": 1, "description": 7}], "[0].description: expected a text"),
        ([{"name": "a", "slots": 1}, {"name": "a", "slots": 2}], 'expected each pool once, found "a" twice'),
        (["a"], "entry 0: expected a map"),
    ):
        [problem] = dev().with_({"pools": entries}).problems()
        assert says in problem, problem
        assert "Fix: " in problem


def test_plain_text_is_refused_and_no_map_too() -> None:
    for config, says in (
        (dev().with_({"connections": {"my_db": f"http://{SENTINEL}"}}), "expected an encrypted value"),
        (dev().with_({"variables": {"a": SENTINEL}}), "expected an encrypted value"),
        (dev().with_(secrets={"connections": f'"{SENTINEL}"'}), "expected a map"),
    ):
        (problem,) = config.problems()
        assert says in problem
        assert SENTINEL not in problem


def test_encrypted_entries_of_a_committed_file_count_as_given(tmp_path: Path) -> None:
    samples.ship(tmp_path)
    path = tmp_path / "Pulumi.dev.yaml"
    content: dict[str, Any] = load_yaml(path.read_text())
    content["config"]["airflow:connections"] = {"my_db": {"secure": "v1:abc:def"}}
    path.write_text(yaml.safe_dump(content))
    settings.check(tmp_path, "dev")


def test_prefix_is_one_that_secrets_manager_takes_and_no_pattern() -> None:
    for good in ("airflow-secrets/prod", "a", "A/b_c/d+e=f.g@h"):
        assert secrets_prefix(good) == good
    for bad in ("", "/a", "a/", "a//b", "*", "a b", "a/*", "x" * 201):
        with pytest.raises(ValueError, match="expected the beginning of secrets' names"):
            secrets_prefix(bad)
