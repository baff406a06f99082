"""The verbs `spawn` and `expire`: what they ask for, their lines, documents and exit codes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation.__main__ import parse
from automation.cli.console import Console
from automation.cli.declare import Call
from automation.lifetime.result import Expiry, Fate, Lifetime, Spawned, SpawnPlan
from automation.results import Changes, Update
from tests.cases import each

SOON, PAST = "2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
KEPT = Lifetime(stack="pr-1", expires=SOON, fate=Fate.KEPT)
REMOVED = Lifetime(stack="pr-2", expires=PAST, fate=Fate.REMOVED)
FAILED = Lifetime(stack="pr-3", expires=PAST, fate=Fate.FAILED, reason="the cluster is away. Fix: wait")


@dataclass
class Stacks:
    """All stacks, and each of them."""

    found: tuple[Lifetime, ...] = ()
    asked: list[Any] = field(default_factory=list)
    backend: str = "file:///state"

    def spawn(self, like: str, values: Mapping[str, str], *, hours: float, on_event: object) -> Spawned:
        self.asked.append((like, values, hours))
        changes = Changes({"create": 40})
        update = Update(stack="pr-1", verb="spawn", changes=changes, steps=(), seconds=1.0)
        return Spawned(stack="pr-1", namespace="pr-1", expires=SOON, update=update)

    def spawn_plan(self, like: str, values: Mapping[str, str], *, hours: float) -> SpawnPlan:
        self.asked.append(("plan", like, values, hours))
        return SpawnPlan(stack="pr-1", namespace="pr-1", expires=SOON, exists=False)

    def expire(self, names: Sequence[str], *, dry_run: bool, cluster_gone: bool, on_event: object) -> Expiry:
        self.asked.append((list(names), dry_run, *(["gone"] if cluster_gone else [])))
        return Expiry(stacks=self.found)


def run(monkeypatch: pytest.MonkeyPatch, stacks: Stacks, *words: str) -> tuple[int, str]:
    @contextmanager
    def opened(*args: Any, **options: Any) -> Any:
        yield stacks

    monkeypatch.setattr("automation.cli.declare.opened", opened)
    monkeypatch.setattr("automation.cli.lifetime.all_opened", opened)
    args, written = parse(words), io.StringIO()
    call = Call(args, Console(results=written, progress=io.StringIO()), Path())
    return args.declared.run(call), written.getvalue()


def test_stack_is_made_with_its_own_values_and_says_until_when(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = Stacks()
    own = ("--set", "dagsRef=refs/pull/1/head", "--set", "airflow:size=a=b")
    code, written = run(monkeypatch, stacks, "spawn", "pr-1", "--like", "dags", "--hours", "1.5", *own)
    assert (code, stacks.asked) == (0, [("dags", {"dagsRef": "refs/pull/1/head", "size": "a=b"}, 1.5)])
    assert written == f"pr-1 runs in namespace pr-1 until {SOON}: 40 create\n"


def test_dry_run_of_a_spawn_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = Stacks()
    _, written = run(monkeypatch, stacks, "spawn", "pr-1", "--like", "dags", "--hours", "2", "--dry-run")
    assert stacks.asked == [("plan", "dags", {}, 2.0)]
    assert written == f"would make pr-1 in namespace pr-1, and keep it until {SOON}\n"


def test_each_stack_with_a_time_to_live_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = Stacks((KEPT, REMOVED, FAILED))
    code, written = run(monkeypatch, stacks, "expire")
    assert (code, stacks.asked) == (1, [([], False)])
    assert [line.split()[:3] for line in written.splitlines()] == [
        ["pr-1", "kept", SOON],
        ["pr-2", "removed", PAST],
        ["pr-3", "failed", PAST],
    ]
    assert written.splitlines()[2].endswith("Fix: wait")


def test_exit_code_of_expire_says_what_became_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    due = Lifetime(stack="pr-2", expires=PAST, fate=Fate.DUE)
    for found, expected in (((), 0), ((KEPT,), 0), ((REMOVED,), 2), ((due,), 2), ((REMOVED, FAILED), 1)):
        assert run(monkeypatch, Stacks(found), "expire", "--detailed-exitcode")[0] == expected, found
    assert run(monkeypatch, Stacks((REMOVED,)), "expire")[0] == 0


def test_named_stacks_are_the_only_ones_and_the_document_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = Stacks((FAILED,))
    _, written = run(monkeypatch, stacks, "expire", "pr-3", "--dry-run", "--json")
    assert stacks.asked == [(["pr-3"], True)]
    document = json.loads(written)
    assert document["failed"] == ["pr-3"]
    assert document["stacks"][0]["fate"] == "failed"
    run(monkeypatch, stacks, "expire", "pr-3", "--cluster-gone")
    assert stacks.asked[-1] == (["pr-3"], False, "gone")


@each(
    "words",
    [
        ("spawn", "pr-1", "--like", "dags"),
        ("spawn", "pr-1", "--hours", "1"),
        ("spawn", "pr-1", "--like", "dags", "--hours", "0"),
        ("spawn", "pr-1", "--like", "dags", "--hours", "nan"),
        ("spawn", "pr-1", "--like", "dags", "--hours", "1", "--set", "dagsRef"),
    ],
)
def test_wrong_command_line_makes_nothing(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = Stacks()
    with pytest.raises(SystemExit):
        run(monkeypatch, stacks, *words)
    assert stacks.asked == []
