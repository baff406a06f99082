"""An update to the present code keeps what earlier releases deployed: nothing is replaced or deleted, no key changes.

Each state of `states/` is previewed on the real engine, without a cluster. Every release adds its states:
`python -m tests.upgrade.releases CHECKOUT RELEASE`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from automation.engine.plugins import AWS, PLUGINS
from tests.prod.conftest import require_engine
from tests.samples import ROOT
from tests.upgrade.releases import STATES, offline, whole

pytestmark = pytest.mark.engine

RECORDED: Final = sorted(path.relative_to(STATES).with_suffix("").as_posix() for path in STATES.glob("*/*.json"))
HARMLESS: Final = ("create", "update", "import")
JOB: Final = "kubernetes:batch/v1:Job"
"""A Job that changed is replaced, because it runs again. It holds nothing."""
CHECK: Final = "kubernetes:core/v1:ConfigMap::airflow-preflight-"
"""The ConfigMap of a check of the preflight that changed is replaced, because the check is made again."""
SECRET: Final = "kubernetes:core/v1:Secret"
MEANT: Final = {
    # The key itself stays in a Stash: components/keys/fernet_key.py moves it there.
    "delete-replaced random:index/randomBytes:RandomBytes::airflow-keys-fernet-key",
    # Workers had the database's key; they get one of their own.
    f"create {SECRET}::airflow-keys-worker-key",
    # They hold the same JWT secret in the form of a set, and its id.
    f"create {SECRET}::airflow-keys-jwks",
    f"create {SECRET}::airflow-keys-jwt-key-id",
}
"""Steps of stacks from before a release, which lose nothing."""


def _marked(recorded: str) -> object:
    return pytest.param(recorded, marks=pytest.mark.aws) if recorded.endswith("/prod") else recorded


@pytest.mark.parametrize("recorded", [_marked(name) for name in RECORDED])
def test_the_present_code_replaces_nothing_and_makes_no_new_key(recorded: str, tmp_path: Path) -> None:
    name = recorded.rpartition("/")[2]
    require_engine((*PLUGINS, AWS) if name == "prod" else PLUGINS)
    content = json.loads((STATES / f"{recorded}.json").read_text())
    with offline(ROOT, name, tmp_path) as stack:
        if name == "external":  # the one thing to say: earlier releases kept logs on a volume where nobody chose
            content["file"]["config"].setdefault("airflow:taskLogs", "volume")
        stack.prepare(content["file"])
        (tmp_path / "state.json").write_text(json.dumps(whole(content, stack.account)))
        stack.run("stack", "import", "--file", str(tmp_path / "state.json"))
        previewed = stack.run("preview", "--diff", real=True)
    steps = [step for step in previewed.steps if step not in MEANT]
    again = (f" {JOB}::", f" {CHECK}")
    assert [step for step in steps if step.split()[0] not in HARMLESS and not any(part in step for part in again)] == []
    # Their content decides their names: another key would be another Secret.
    assert [step for step in steps if f" {SECRET}::" in step] == []
