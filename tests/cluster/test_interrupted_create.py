"""An update that is stopped while it creates the release: the next one takes over what it left."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automation.verification.verify import verify
from components.kube.client import KubeApi
from components.release.helm_record import KubernetesRecords
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, interrupted_up, make_stack, release_has_begun

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE = "airflow-test-interrupted"
KEY_SECRETS = ("fernet_key_secret", "api_secret_key_secret", "jwt_secret", "metadata_secret")


@pytest.fixture
def stack(engine: None, api: Any, repository: Repository, tmp_path: Path) -> Iterator[Stack]:
    yield from destroyed(make_stack(tmp_path, NAMESPACE, repository))


def records(api: Any) -> list[str]:
    found = api.list_namespaced_secret(NAMESPACE, label_selector="owner=helm,name=airflow").items
    return [record.metadata.name for record in found]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
def test_the_next_up_takes_over(stack: Stack, api: Any, sent: signal.Signals) -> None:
    interrupted = interrupted_up(stack, sent, lambda log: release_has_begun(log) and bool(records(api)))
    assert interrupted.code != 0
    claims = {claim.metadata.uid for claim in api.list_namespaced_persistent_volume_claim(NAMESPACE).items}
    keys = {secret.metadata.uid for secret in api.list_namespaced_secret(NAMESPACE).items if secret.type == "Opaque"}
    if sent is signal.SIGKILL:
        stack.command("cancel", "--yes")  # nothing else releases its lock
    stack.up()
    after = api.list_namespaced_secret(NAMESPACE).items
    assert keys <= {secret.metadata.uid for secret in after}
    assert claims <= {claim.metadata.uid for claim in api.list_namespaced_persistent_volume_claim(NAMESPACE).items}
    assert verify(stack.outputs(), kube_context=CONTEXT).ok
    assert stack.up().steps == ()


def test_a_release_of_somebody_else_is_left_alone(stack: Stack, api: Any) -> None:
    """The records that the stack would have to remove are not its own."""
    interrupted = interrupted_up(stack, signal.SIGINT, lambda log: release_has_begun(log) and bool(records(api)))
    assert interrupted.code != 0
    kept = KubernetesRecords(KubeApi(CONTEXT), NAMESPACE, "airflow")
    for revision in kept.list():
        foreign = {**revision.content, "config": {"fernetKeySecretName": "of-somebody-else"}}
        kept.write(revision, foreign, "deployed")
    exported = stack.command("stack", "export").output
    if "helm.sh/v3:Release" in exported:
        urn = next(
            line.split('"')[3] for line in exported.splitlines() if '"urn"' in line and "helm.sh/v3:Release" in line
        )
        stack.command("state", "delete", "--yes", urn)
    failed = stack.up(check=False)
    # The pods of the release, now somebody else's, hold the stack's volume: its destroy would wait for them.
    api.delete_namespace(NAMESPACE)
    assert failed.code != 0
    assert "that this stack did not install" in failed.output
