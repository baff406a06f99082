"""A release of plain Helm becomes a stack's: its database, its keys and its history stay, and nothing is replaced."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from automation import Environments, Passphrase, Secret
from automation.errors import AdoptionRefused
from automation.verification.dag_choice import choose
from automation.wait import Clock, wait_for
from tests.cluster import plain_release, service
from tests.cluster.harness import CONTEXT, ROOT
from tests.cluster.plain_release import PlainRelease
from tests.cluster.tls_database import Authority, TlsDatabase

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-adopted"
STACK: Final = "adopted"
RUN_SECONDS: Final = 300
OTHER_KEY: Final = "b3RoZXIga2V5IG9mIDMyIGJ5dGVzIGZvciB0ZXN0cyE="


@pytest.fixture(scope="module")
def release(engine: None, api: Any) -> Iterator[PlainRelease]:
    if shutil.which("helm") is None or "AIRFLOW_TEST_GIT_REPOSITORY" not in os.environ:
        pytest.skip("needs the command helm and an SSH repository of DAGs (see conftest.py)")
    database = TlsDatabase(api, f"{NAMESPACE}-database", Authority.new("the tests' authority"))
    found = PlainRelease(api, NAMESPACE, database)
    try:
        database.create()
        found.install()
        yield found
    finally:
        found.delete()
        database.delete()


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    """Of a checkout that is the test's own: its files are written to."""
    folder = tmp_path_factory.mktemp("adopted")
    project = folder / "project"
    project.mkdir()
    for path in ROOT.iterdir():
        if path.name not in (".git", ".dev", "policy") and not path.match("Pulumi.?*.yaml"):
            (project / path.name).symlink_to(path)
    (project / "policy").mkdir()
    for path in (ROOT / "policy").iterdir():
        # Without the pack: a stack with a database of its own is production for it, and this one is thrown away.
        if path.name != "PulumiPolicy.yaml":
            (project / "policy" / path.name).symlink_to(path)
    return Environments(
        project, backend=(folder / "state").as_uri(), secrets_provider=Passphrase(Secret(service.PASSPHRASE))
    )


def write_config(environments: Environments, release: PlainRelease) -> Path:
    """The stack's file: what no release says."""
    content = {key: value.reveal() if isinstance(value, Secret) else value for key, value in values(release).items()}
    path = environments.project_dir / f"Pulumi.{STACK}.yaml"
    config = {f"airflow:{key}": value for key, value in content.items()}
    path.write_text(yaml.safe_dump({"config": {**config, "pulumi:disable-default-providers": ["kubernetes", "aws"]}}))
    return path


def values(release: PlainRelease, **changed: Any) -> dict[str, Any]:
    """What no release says."""
    return {
        "kubeContext": CONTEXT,
        "namespace": NAMESPACE,
        "protect": False,
        "networkIsolation": "wanted",
        "databaseCidrs": [release.database.cidr],
        "taskLogs": "volume",
        "taskLogsAccessMode": "ReadWriteOnce",
        "taskLogsStorageGib": 1,
        "releaseTimeoutSeconds": 900,
        "dagsSyncPeriodSeconds": 5,
        "adminPassword": Secret(plain_release.ADMIN_PASSWORD),
        **changed,
    }


def run_to_success(release: PlainRelease) -> tuple[str, str]:
    """Runs a DAG; its id and the run's."""
    airflow, run_id = release.airflow(), f"manual-{uuid.uuid4()}"
    choice = wait_for(
        lambda: choose(airflow.dags(), airflow.details, careful=False),
        bool,
        seconds=RUN_SECONDS,
        interval=3,
        clock=Clock(),
    )
    assert choice is not None, "no DAG arrives"
    airflow.set_paused(choice.dag_id, False)
    airflow.trigger(choice.dag_id, run_id, "before the adoption")
    state = wait_for(
        lambda: airflow.run_state(choice.dag_id, run_id),
        lambda found: found in ("success", "failed"),
        seconds=RUN_SECONDS,
        interval=3,
        clock=Clock(),
    )
    assert state == "success"
    return choice.dag_id, run_id


def pods(api: Any) -> set[str]:
    return {pod.metadata.uid for pod in api.list_namespaced_pod(NAMESPACE, label_selector="release=airflow").items}


def test_another_key_is_refused_before_anything_changes(
    release: PlainRelease, environments: Environments, api: Any
) -> None:
    before = pods(api)
    with pytest.raises(AdoptionRefused, match=r"airflow:fernetKey: expected the release's own \(Secret team-fernet\)"):
        environments.settings_of_release(STACK, values(release, fernetKey=Secret(OTHER_KEY)))
    assert len(release.history()) == 1
    assert pods(api) == before


def test_release_is_taken_over(release: PlainRelease, environments: Environments, api: Any) -> None:
    command = ("airflow", "connections")
    release.run(
        "scheduler",
        *(*command, "add", plain_release.CONNECTION, "--conn-type", "http"),
        *("--conn-password", plain_release.CONNECTION_PASSWORD),
    )
    run, keys = run_to_success(release), release.keys()
    assert len(keys) == 3

    path, env = write_config(environments, release), environments.open(STACK)
    written = path.read_text()
    plan = env.adoption()
    assert path.read_text() == written
    assert plan.refusals == ()
    assert plan.report is not None
    assert plan.report.objects
    assert len(release.history()) == 1, "to look changes nothing"

    found = env.adopt(timeout_seconds=900)
    assert {step.operation for step in found.update.steps} == {"create", "update"}
    assert {step.name for step in found.update.steps if step.operation == "update"} == {"airflow", "airflow-namespace"}
    assert found.status.problems == ()
    assert [entry["status"] for entry in release.history()] == ["superseded", "deployed"], "upgraded, not installed"
    assert release.keys() == keys
    assert release.airflow().run_state(*run) == "success", "its history is there"
    shown = release.run("scheduler", *command, "get", plain_release.CONNECTION, "--output", "json")
    table = next(line for line in shown.splitlines() if line.startswith("[{"))  # after what Airflow logs
    assert json.loads(table)[0]["password"] == plain_release.CONNECTION_PASSWORD
    assert not env.preview().changes.any
    verification = env.verify()
    assert verification.ok, verification.to_json()
    told = json.dumps([plan.to_json(), found.to_json(), path.read_text()])
    secret = [
        *(release.fernet_key, release.api_secret_key, release.jwt_secret, release.redis_password),
        *(release.database.password, plain_release.CONNECTION_PASSWORD),
        *Path(os.environ["AIRFLOW_TEST_GIT_SSH_KEY"]).read_text().splitlines()[1:-1],
    ]
    assert [value for value in secret if value in told] == []


def test_what_is_a_stack_already_is_not_taken_over_again(release: PlainRelease, environments: Environments) -> None:
    env = environments.open(STACK)
    with pytest.raises(AdoptionRefused, match="expected one that has deployed nothing yet"):
        env.adopt()
    env.destroy(remove=True)
