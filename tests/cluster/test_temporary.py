"""Temporary stacks beside each other: none meets another, and nothing of them is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kubernetes import client as kubernetes

from automation import Environment, Environments, Passphrase, Secret
from automation.engine import operations
from automation.engine.events import ignore
from automation.errors import StackUnknown
from automation.lifetime.result import Fate
from automation.stacks.expiry import TAG
from automation.stacks.stack_values import write_to_file
from components.kube.metadata import cluster_labels
from tests.checkout_copy import copy_checkout
from tests.cluster import service
from tests.cluster.harness import Repository
from tests.cluster.modest_values import modest_values

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

FIRST: Final = "airflow-pr-1"
SECOND: Final = "airflow-pr-2"
NAMES: Final = (FIRST, SECOND)
"""Of the stacks, and of their namespaces."""
LIKE: Final = "dags"
PAST: Final = "2020-01-01T00:00:00Z"
_KEY_LENGTH: Final = 16
"""Shorter values in Secrets are names of users and the like."""


def checkout(folder: Path, repository: Repository) -> Environments:
    """A checkout with the stack `dags`. All of a test share one state, and each stack has pods of tasks of its own."""
    folder.mkdir()
    copy_checkout(folder)
    values = service.dev_values(LIKE, repository, executor="KubernetesExecutor")
    values["helmValues"] = {
        key: value for key, value in modest_values(pgbouncer=False).items() if key not in ("redis", "workers")
    }
    plain = {f"airflow:{key}": value for key, value in values.items() if not isinstance(value, Secret)}
    (folder / f"Pulumi.{LIKE}.yaml").write_text(yaml.safe_dump({"config": plain}))
    found = Environments(
        folder,
        backend=(folder.parent / "state").as_uri(),
        secrets_provider=Passphrase(Secret(service.PASSPHRASE)),
        work_dir=folder / "work",
        lock_seconds=60,
    )
    secrets = {key: value for key, value in values.items() if isinstance(value, Secret)}
    with found.open(LIKE).session.open_for_update("config", ignore) as opened:
        write_to_file(opened, folder, secrets)
    return found


@pytest.fixture
def team(engine: None, api: Any, repository: Repository, tmp_path: Path) -> Iterator[Environments]:
    found = checkout(tmp_path / "team", repository)
    with service.removed(found.open(FIRST), api, FIRST), service.removed(found.open(SECOND), api, SECOND):
        yield found


def has_expired(stack: Environment) -> None:
    with stack.session.open_for_update("tag", ignore) as opened:
        operations.set_tag(opened, TAG, PAST)


def state_of(api: Any, namespace: str) -> tuple[set[str], Mapping[str, Mapping[str, str]]]:
    """Uids of the pods, without those of tasks, and what the Secrets hold."""
    pods = api.list_namespaced_pod(namespace, label_selector="release=airflow,component!=worker").items
    return {pod.metadata.uid for pod in pods}, service.own_secrets(api, namespace)


def generated_in(api: Any, namespace: str, repository: Repository) -> set[str]:
    """Keys, passwords and addresses with them, without what both stacks were given."""
    given = {text.strip() for text in (*repository.secrets.values(), str(repository.config.get("gitKnownHosts")))}
    values = {value.strip() for data in service.own_secrets(api, namespace).values() for value in data.values()}
    return {value for value in values - given if len(value) >= _KEY_LENGTH}


def of_the_cluster(api: Any, namespace: str) -> set[str]:
    """Names of what a stack has outside of its namespace."""
    admission: Any = kubernetes.AdmissionregistrationV1Api(api.api_client)
    selector = ",".join(f"{name}={value}" for name, value in cluster_labels(namespace).items())
    policies = admission.list_validating_admission_policy(label_selector=selector).items
    volumes = api.list_persistent_volume().items
    return {item.metadata.name for item in policies} | {
        volume.metadata.name for volume in volumes if volume.spec.claim_ref.namespace == namespace
    }


def test_two_of_them_never_meet_and_end_from_another_checkout(
    team: Environments, api: Any, repository: Repository, tmp_path: Path
) -> None:
    first, second = team.open(FIRST), team.open(SECOND)
    made = first.spawn(LIKE, hours=2)
    assert (made.namespace, made.update.changes.counts["create"] > 40) == (FIRST, True)
    assert first.verify().ok
    assert not first.spawn(LIKE, hours=2).update.changes.any
    before = state_of(api, FIRST)

    second.spawn(LIKE, hours=2)
    assert second.verify().ok
    assert state_of(api, FIRST) == before
    generated = [generated_in(api, name, repository) for name in NAMES]
    assert all(len(found) > 4 for found in generated)
    assert not generated[0] & generated[1]
    outside = [of_the_cluster(api, name) for name in NAMES]
    assert all(outside)
    assert not outside[0] & outside[1]

    other = checkout(tmp_path / "other", repository)
    assert not (tmp_path / "other" / f"Pulumi.{FIRST}.yaml").exists()
    assert [item.fate for item in other.expire().stacks] == [Fate.KEPT, Fate.KEPT]
    has_expired(first)
    assert [(item.stack, item.fate) for item in other.expire().stacks] == [(FIRST, Fate.REMOVED), (SECOND, Fate.KEPT)]
    assert second.status().healthy
    assert second.verify().ok
    assert [(item.stack, item.fate) for item in other.expire([SECOND]).stacks] == [(SECOND, Fate.REMOVED)]

    assert other.expire().stacks == ()
    for name in NAMES:
        with pytest.raises(StackUnknown):
            team.open(name).outputs()
    assert {item.metadata.name for item in api.list_namespace().items}.isdisjoint(NAMES)
    assert not any(of_the_cluster(api, name) for name in NAMES)
    stacks = (tmp_path / "state" / ".pulumi" / "stacks").rglob("*.json")
    assert [path.name for path in stacks if path.stem in NAMES] == []
