"""What a service does all day: three stacks in one process, two of them at once, and another process in its way."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from automation import Environments, EnvironmentSettings, Event, Secret
from automation.errors import StackLocked
from automation.results import Result
from settings import SECRET_KEYS
from tests import samples
from tests.cluster import service
from tests.cluster.harness import ROOT, Repository

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMES: Final = ("one", "two", "three")
SECOND_TAG: Final = "3.2.2-python3.12"
SENTINELS: Final = {
    key: value
    for key, value in samples.sentinels().items()
    if key in ("fernetKey", "apiSecretKey", "jwtSecret", "redisPassword", "adminPassword", "registryCredentials")
}
"""Every secret that a stack like `dev` has beside the deploy key; the others are planted in test_real_environments."""


def namespace(name: str) -> str:
    return f"airflow-env-{name}"


class Heard:
    """All that a service could write down: events, results, errors."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.documents: list[dict[str, Any]] = []

    def keep(self, found: Result) -> None:
        self.documents.append(found.to_json())

    def text(self) -> str:
        return json.dumps([*(event.to_json() for event in self.events), *self.documents])


@pytest.fixture
def environments(engine: None, api: Any, tmp_path: Path) -> Iterator[Environments]:
    found = service.environments(tmp_path, lock_seconds=1200)
    with ExitStack() as cleaned:
        for name in NAMES:
            cleaned.enter_context(service.removed(found.open(name), api, namespace(name)))
        yield found


def test_three_stacks_live_their_lives_in_one_process(
    environments: Environments,
    api: Any,
    repository: Repository,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, logger="automation")
    heard, began = Heard(), threading.Event()

    def tell(event: Event) -> None:
        heard.events.append(event)
        if event.stack == "one" and event.kind == "begun":
            began.set()

    def life(name: str) -> None:
        env = environments.open(name, settings(name, repository))
        heard.keep(env.preview(on_event=tell))
        created = env.up(on_event=tell)
        assert created.changes.counts["create"] > 40
        heard.keep(created)
        before = service.own_secrets(api, namespace(name))
        rolled = env.roll_image(SECOND_TAG, on_event=tell)
        changed = {step.name for step in rolled.steps if not step.name.startswith("airflow-preflight-")}
        assert changed == {"airflow", "airflow-database-migrate"}
        assert service.own_secrets(api, namespace(name)) == before
        heard.keep(rolled)
        verification = env.verify(on_event=tell)
        assert verification.ok, verification.to_json()
        heard.documents.append(verification.to_json())
        status = env.status()
        assert status.problems == ()
        for found in (status, env.outputs(), env.history(), env.preview(on_event=tell)):
            heard.keep(found)
        assert not env.preview().changes.any

    with ThreadPoolExecutor(2) as pool:
        lives = [pool.submit(life, name) for name in NAMES]
        assert began.wait(600)
        # Another process at the first stack: it gets the typed error at once, or waits, as it likes.
        impatient = in_another_process(tmp_path, lock_seconds=0)
        patient = in_another_process(tmp_path, lock_seconds=1200)
        for found in lives:
            found.result()
    assert impatient == {"error": StackLocked.__name__, "waited": False}
    assert patient == {"error": "", "waited": True}
    for name in NAMES:
        done = environments.open(name, settings(name, repository, imageTag=SECOND_TAG)).destroy(
            remove=True, on_event=tell
        )
        heard.keep(done)
        assert done.changes.counts["delete"] > 40
    assert {item.metadata.name for item in api.list_namespace().items}.isdisjoint(map(namespace, NAMES))
    places = {"told": heard.text(), "logs": caplog.text, "streams": "".join(capfd.readouterr())}
    values = [*SENTINELS.values(), *repository.secrets.values(), service.PASSPHRASE]
    values += [json.dumps(value)[1:-1] for value in values]
    assert {place for place, text in places.items() for value in values if value in text} == set()


def settings(name: str, repository: Repository, **changed: Any) -> EnvironmentSettings:
    secrets = {key: Secret(value) for key, value in SENTINELS.items()}
    return service.settings(name, namespace(name), repository, releaseTimeoutSeconds=1200, **{**secrets, **changed})


def test_sentinels_are_all_that_such_a_stack_has(repository: Repository) -> None:
    given = {*SENTINELS, *repository.secrets}
    of_other_stacks = {"gitSshPrivateKey", "dagsToken", "databasePassword", "databaseLogin", "oidcClientSecret"}
    assert SECRET_KEYS - given <= of_other_stacks | {
        "connections",
        "variables",
        "rotationSecret",
        "databaseMasterPassword",
        "brokerUrl",
    }


CHILD: Final = """\
import json, sys
from pathlib import Path
from automation import AutomationError
from tests.cluster import service
from tests.cluster.harness import dag_repository
from tests.cluster.test_environments import settings

waited = []
environments = service.environments(Path(sys.argv[1]), lock_seconds=float(sys.argv[2]))
environment = environments.open("one", settings("one", dag_repository(dagsSyncPeriodSeconds=5)))
try:
    environment.refresh(on_event=lambda event: waited.append(event.kind == "waiting"))
    error = ""
except AutomationError as found:
    error = found.kind
print(json.dumps({"error": error, "waited": any(waited)}))
"""


def in_another_process(folder: Path, *, lock_seconds: float) -> dict[str, Any]:
    """What another process gets that refreshes the first stack."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(lock_seconds)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
