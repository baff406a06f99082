"""Whole programs to be planned: copies of this checkout, each with one change, and their plans."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import versions
from automation.plan import run
from automation.plan.model import Plan
from automation.plan.process import plan_checkout
from policy import context
from settings import aws_lookup, loading
from tests.chart.rendering import CHART
from tests.one_program import room_for_one_program
from tests.samples import ROOT, ship

KEY: Final = b"one key for all plans of the tests"
_FOLDERS: Final = ("automation", "certificates", "chart", "components", "policy", "settings")

SECURE: Final = "v1:EjRWeJq83vAS:c2VudGluZWwtY2lwaGVydGV4dC0x"
"""How an encrypted value stands in a stack's file; nobody here can decrypt it."""
OTHER_SECURE: Final = "v1:Q0RFRkdISUpL:c2VudGluZWwtY2lwaGVydGV4dC0y"


class Checkouts:
    """Makes copies of the program and plans them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plans: dict[tuple[Path, str, bool], Plan] = {}

    def make(self, name: str, change: Callable[[Path], None] = lambda folder: None, *, modules: bool = True) -> Path:
        """A copy of the program with the shipped stacks, and a change. Its `prod` has an encrypted JWT secret.

        Without its modules it can be planned in this process alone (`plan_here`).
        """
        target = self._folder / name
        target.mkdir()
        for path in ROOT.glob("*.py"):
            shutil.copy(path, target)
        for folder in _FOLDERS if modules else ():
            shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
        if not modules:
            (target / "policy").mkdir()
            for path in (ROOT / "policy").glob("*.txt"):
                shutil.copy(path, target / "policy")
        ship(target)
        if CHART is not None:
            (target / ".charts").mkdir()
            shutil.copy(CHART, target / ".charts")
        edit(target / "Pulumi.prod.yaml", "config:\n", f"config:\n  airflow:jwtSecret:\n    secure: {SECURE}\n")
        change(target)
        return target

    def plan(self, folder: Path, stack: str, *, render: bool = True) -> Plan:
        """The plan of a copy; made once. With `render`, it is made in a process of the copy's own modules."""
        which = (folder, stack, render)
        if which not in self._plans:
            make = functools.partial(plan_checkout, key=KEY) if render else plan_here
            self._plans[which] = make(folder, stack)
        return self._plans[which]


def plan_here(folder: Path, stack: str, **options: Any) -> Plan:
    """The plan of a copy in which only `__main__.py` and what is no module are changed; without Helm by default.

    It is made in this process, which has the modules already: in a new one, loading them takes longest.
    """
    request = run.Request(**{"stack": stack, "render": False, "key": KEY.hex(), **options})
    registries = folder / "policy" / "allowed-registries.txt"
    replaced = {module: dict(vars(module)) for module in (aws_lookup, loading, context)}
    try:
        with room_for_one_program():
            vars(context).update(ALLOWED_REGISTRIES=registries)
            context.allowed_registries.cache_clear()
            made = run.plan(folder, request)
    finally:
        for module, names in replaced.items():
            vars(module).update(names)
        context.allowed_registries.cache_clear()
    return Plan.from_json(json.loads(json.dumps(made.to_json())))


def planned_here(
    project_dir: Path, stack: str, *, render: bool, known_secrets: Mapping[str, str] | None = None, **_: Any
) -> Plan:
    """In place of `plan_checkout`, where the process that it starts is not what is tested."""
    return plan_here(project_dir, stack, render=render, secrets=known_secrets or {})


def edit(path: Path, before: str, after: str) -> None:
    """Replaces a text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert before in text, (path, before)
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def another_chart(folder: Path) -> None:
    """Gives the program a newer chart: the pinned one with another number, and more labels.

    The pods of statsd get one, which rolls them. Those of Redis get one that is in the selector too.
    """
    assert CHART is not None
    newer = re.sub(r"[0-9]+$", lambda match: str(int(match[0]) + 1), versions.AIRFLOW_CHART)
    written = io.BytesIO()
    with tarfile.open(CHART) as old, tarfile.open(fileobj=written, mode="w:gz") as new:
        for member in old:
            content = old.extractfile(member)
            data = content.read() if content else b""
            if member.name == "airflow/Chart.yaml":
                data = data.replace(f"version: {versions.AIRFLOW_CHART}".encode(), f"version: {newer}".encode())
            if member.name.endswith("statsd-deployment.yaml"):
                data = data.replace(
                    b"        component: statsd\n", b"        component: statsd\n        newer: chart\n", 1
                )
            if member.name.endswith("redis-statefulset.yaml"):
                data = re.sub(rb"^( {6,})(component: redis\n)", rb"\1\2\1newer: chart\n", data, flags=re.MULTILINE)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    archive = written.getvalue()
    (folder / ".charts" / f"airflow-{newer}.tgz").write_bytes(archive)
    edit(folder / "versions.py", f'"{versions.AIRFLOW_CHART}"', f'"{newer}"')
    edit(folder / "versions.py", versions.AIRFLOW_CHART_SHA256, hashlib.sha256(archive).hexdigest())


@pytest.fixture(scope="session")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Checkouts:
    """Copies and plans, kept for the whole session."""
    return Checkouts(tmp_path_factory.mktemp("checkouts"))


@pytest.fixture(scope="session")
def base(checkouts: Checkouts) -> Path:
    """The program as it is, with the shipped stacks."""
    return checkouts.make("base")
