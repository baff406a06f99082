"""What taking over a release would do: planned from its record and the stack's config, shown, or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from automation.adoption import prepare as prepare_module
from automation.adoption.prepare import Prepared, prepare, settings_of_release
from automation.engine.stack_state import NAMESPACE, RELEASE
from automation.errors import AdoptionRefused, SettingsInvalid
from automation.plan.model import Failure, FailureKind, Plan, PlannedResource
from automation.stacks.config import EnvironmentSettings
from components.kube.secret import Secret
from tests import samples
from tests.automation.adoption.releases import (
    FERNET_KEY,
    SECRETS,
    VALUES,
    FakeCluster,
    objects,
    record,
    workload,
)


def planned(manifests: list[dict[str, Any]] | None = None, *, no_objects: str = "") -> Plan:
    resources = (
        PlannedResource(
            urn="urn:n",
            type=NAMESPACE,
            name="n",
            component=False,
            inputs={"metadata": {"name": "airflow", "labels": {}}},
        ),
        PlannedResource(urn="urn:r", type=RELEASE, name="airflow", component=False, inputs={"values": {}}),
    )
    rendered = None if no_objects else tuple(objects() if manifests is None else manifests)
    return Plan(stack="team", resources=resources, objects=rendered, no_objects=no_objects)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program plans; `asked` is what it was planned with."""
    world: dict[str, Any] = {"plan": planned(), "asked": None}

    def plan_checkout(folder: Path, stack: str, **options: Any) -> Plan:
        world["asked"] = options
        found: Plan = world["plan"]
        return found

    monkeypatch.setattr(prepare_module, "plan_checkout", plan_checkout)
    return world


@contextmanager
def checkout(settings: EnvironmentSettings) -> Iterator[Path]:
    yield samples.ROOT


def prepared(cluster: FakeCluster, values: Mapping[str, Any] = VALUES) -> Prepared:
    return prepare("team", values, cluster, checkout, samples.ROOT, "airflow")


def test_sound_release_is_taken_over_with_its_own_config(program: dict[str, Any]) -> None:
    found = prepared(FakeCluster())
    assert found.plan.possible
    assert found.settings is not None
    assert found.settings.secrets["fernetKey"].reveal() == FERNET_KEY
    assert found.settings.values["databaseHost"] == "db.test"
    assert found.added.keys() == {item.key for item in found.plan.taken}
    assert not found.added.keys() & VALUES.keys()
    assert program["asked"]["known_secrets"]["jwtSecret"] == SECRETS["team-jwt"]["jwt-secret"]


def test_report_tells_objects_and_steps(program: dict[str, Any]) -> None:
    program["plan"] = planned([*objects()[1:], workload("scheduler", replicas=5)])
    report = prepared(FakeCluster()).plan.report
    assert report is not None
    assert {step.name: step.kind.value for step in report.steps} == {"n": "update", "airflow": "update"}
    changes = {change.label: {found.path for found in change.changes} for change in report.objects or ()}
    assert "spec.replicas" in changes["Deployment airflow-scheduler"]


def test_nothing_secret_is_in_the_plan(program: dict[str, Any]) -> None:
    """Neither the keys, nor what a plain release has among its values and in its manifests."""
    env = [{"name": "AIRFLOW_CONN_WAREHOUSE", "value": "sentinel-of-a-connection"}]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x"},
        "stringData": {"a": "sentinel-of-a-secret"},
    }
    config = {
        "config": {"smtp": {"smtp_password": "sentinel-of-the-mail"}},
        "fernetKey": FERNET_KEY,
        "extraSecrets": {
            "a": {"stringData": "SLACK_HOOK: sentinel-of-a-text\n"},
            "b": {"data": "key: c2VudGluZWwtb2YtZGF0YQ==\n"},
        },
        # What is learned of a hook alone: a name that tells nothing.
        "labels": {"team": "sentinel-of-a-hook"},
    }
    hook = {**secret, "stringData": {"a": "sentinel-of-a-hook"}}
    content = record([*objects(), workload("other", env=env), secret], config=config, hooks=[hook])
    plan = prepared(FakeCluster(contents=(content,))).plan
    text = json.dumps(plan.to_json())
    assert "sentinel" not in text
    assert FERNET_KEY not in text
    assert "c2VudGluZWw" not in text
    assert not [value for data in SECRETS.values() for value in data.values() if value in text]
    assert "airflow-other" in text


def test_without_a_release_there_is_nothing_to_take_over(program: dict[str, Any]) -> None:
    with pytest.raises(AdoptionRefused, match="expected a Helm release airflow in namespace airflow, found none"):
        prepared(FakeCluster(contents=()))


def test_all_reasons_come_at_once_and_nothing_is_planned(program: dict[str, Any]) -> None:
    cluster = FakeCluster(contents=(record(status="pending-upgrade"),))
    found = prepared(cluster, {**VALUES, "fernetKey": Secret("sentinel-other"), "databaseHost": "other.test"})
    assert [text.partition(":")[0] for text in found.plan.refusals] == ["release airflow", "airflow", "airflow"]
    assert found.settings is None
    assert program["asked"] is None
    assert "sentinel" not in str(found.plan)


def test_repository_of_the_dags_is_not_guessed(program: dict[str, Any]) -> None:
    """The default is a public repository of examples: the team's DAGs would be gone."""
    values = {key: value for key, value in VALUES.items() if key != "dagsRepository"}
    (text,) = prepared(FakeCluster(), values).plan.refusals
    assert text.startswith("airflow:dagsRepository: expected the repository of the DAGs")
    with pytest.raises(AdoptionRefused, match="airflow:dagsRepository: expected the repository of the DAGs"):
        settings_of_release("team", values, FakeCluster(), samples.ROOT, "airflow")


def with_git_sync() -> FakeCluster:
    sync = {"name": "git-sync", "env": [{"name": "GITSYNC_REPO", "value": "https://old.test/dags.git"}]}
    sync["env"] += [{"name": "GITSYNC_REF", "value": "old"}]  # type: ignore[operator]
    return FakeCluster(
        contents=(record([*objects()[:2], workload("dag-processor", containers=[sync]), *objects()[3:]]),)
    )


def test_dags_in_the_image_need_no_repository(program: dict[str, Any]) -> None:
    values = {key: value for key, value in VALUES.items() if key != "dagsRepository"} | {"dagsDelivery": "image"}
    for cluster in (FakeCluster(), with_git_sync()):
        settings = settings_of_release("team", values, cluster, samples.ROOT, "airflow")
        assert not {"dagsRepository", "dagsRef"} & set(settings.values)


def test_own_repository_is_not_mixed_with_the_releases() -> None:
    cluster = with_git_sync()
    settings = settings_of_release("team", VALUES, cluster, samples.ROOT, "airflow")
    assert settings.values["dagsRepository"] == VALUES["dagsRepository"]
    assert "dagsRef" not in settings.values


def test_config_that_lacks_what_no_release_says_is_told(program: dict[str, Any]) -> None:
    values = {key: value for key, value in VALUES.items() if key != "databaseCidrs"}
    with pytest.raises(SettingsInvalid, match="databaseCidrs"):
        prepared(FakeCluster(), values)


def test_what_kubernetes_would_not_let_become_is_refused_in_its_words(program: dict[str, Any]) -> None:
    said = "StatefulSet.apps is invalid: spec: Forbidden: updates to statefulset spec"
    cluster = FakeCluster(refused={"airflow-redis": said})
    (text,) = prepared(cluster).plan.refusals
    assert text.startswith("StatefulSet airflow-redis: expected that Kubernetes changes it")
    assert said in text
    assert "airflow-scheduler" in cluster.asked


def test_new_objects_and_secrets_are_not_asked_about(program: dict[str, Any]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "airflow-x"}}
    program["plan"] = planned([*objects(), workload("pgbouncer"), secret])
    cluster = FakeCluster(contents=(record([*objects(), secret]),))
    prepared(cluster)
    assert not {"airflow-pgbouncer", "airflow-x"} & set(cluster.asked)


def test_without_rendered_objects_nobody_can_say_what_is_lost(program: dict[str, Any]) -> None:
    program["plan"] = planned(no_objects="the command helm is not on PATH")
    (text,) = prepared(FakeCluster()).plan.refusals
    assert "the command helm is not on PATH" in text


def test_program_that_fails_is_the_reason_and_not_what_follows_from_it(program: dict[str, Any]) -> None:
    program["plan"] = Plan(stack="team", failure=Failure(kind=FailureKind.PROGRAM, text="it broke"))
    (text,) = prepared(FakeCluster()).plan.refusals
    assert text == "stack team cannot be planned: it broke"


def test_notes_tell_of_volumes_versions_and_the_namespace(program: dict[str, Any]) -> None:
    worker = workload("worker", kind="StatefulSet", volumeClaimTemplates=[{}])
    contents = (record([*objects()[:3], worker, objects()[4]], app_version="3.1.0"),)
    program["plan"] = planned([*objects()[:3], workload("worker"), objects()[4]])
    notes = " | ".join(prepared(FakeCluster(contents=contents)).plan.notes)
    assert "a destroy deletes it" in notes
    assert "from Airflow 3.1.0 to 3.2.2, and not back" in notes
    assert "StatefulSet airflow-worker is deleted and its volumes stay" in notes


def test_settings_of_a_release_refuse_another_key() -> None:
    with pytest.raises(AdoptionRefused, match="airflow:jwtSecret"):
        settings_of_release(
            "team", {**VALUES, "jwtSecret": Secret("sentinel-other")}, FakeCluster(), samples.ROOT, "airflow"
        )
