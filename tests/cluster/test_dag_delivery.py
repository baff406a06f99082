"""Other ways for DAGs than git-sync, in the order of the tests: in the image, then from two repositories.

Needs an Airflow image with the DAG `in_image` in /opt/airflow/dags, whose tag AIRFLOW_TEST_DAGS_TAG names, and a second
repository with a key that opens it alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from automation.recovery.status import dags_place
from automation.verification.dag_commit import DAG_COMMIT
from automation.verification.result import Status
from automation.verification.verify import verify
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack
from tests.cluster.modest_values import modest_values

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-delivery"
TAG: Final = os.environ.get("AIRFLOW_TEST_DAGS_TAG", "")


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not TAG:
        pytest.skip("no image with DAGs: AIRFLOW_TEST_DAGS_TAG is not set")
    stack = make_stack(tmp_path_factory.mktemp("delivery"), NAMESPACE, Repository())
    stack.set(dagsDelivery="image", dagsSubPath=None, helmValues=modest_values(pgbouncer=False))
    yield from destroyed(stack)


def test_image_without_dags_ends_the_update(stack: Stack) -> None:
    """The image of Airflow itself has an empty folder."""
    started = time.monotonic()
    result = stack.up(check=False)
    assert result.code != 0
    assert "airflow:dagsDelivery: expected DAGs in /opt/airflow/dags of apache/airflow:" in result.output
    assert not [step for step in result.steps if "helm.sh" in step]
    assert time.monotonic() - started < 60


def test_dag_in_the_image_runs_without_git(stack: Stack, api: Any) -> None:
    stack.set(imageTag=TAG)
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT, dag_id="in_image")
    assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]
    [commit] = [check for check in result.checks if check.name == DAG_COMMIT]
    assert commit.detail.startswith("image ")
    for pod in api.list_namespaced_pod(NAMESPACE).items:
        containers = [*pod.spec.containers, *(pod.spec.init_containers or ())]
        assert not [item.name for item in containers if "git" in item.name]
    assert not [item for item in api.list_namespaced_secret(NAMESPACE).items if "git" in item.metadata.name]
    assert dags_place(stack.outputs()) == f"in the image apache/airflow:{TAG}"


@pytest.fixture(scope="module")
def bundles(repository: Repository) -> list[dict[str, Any]]:
    if not repository.secrets or "AIRFLOW_TEST_GIT_SECOND" not in os.environ:
        pytest.skip("no second repository: AIRFLOW_TEST_GIT_SECOND is not set")
    given = repository.config
    first = {"name": "first", "repository": given["dagsRepository"], "subPath": given["dagsSubPath"]}
    second = {"name": "second-team", "repository": os.environ["AIRFLOW_TEST_GIT_SECOND"], "subPath": "dags"}
    return [
        {**bundle, "keySecret": f"{bundle['name']}-key", "knownHosts": given["gitKnownHosts"]}
        for bundle in (first, second)
    ]


def test_missing_secret_of_a_bundle_is_named(stack: Stack, bundles: list[dict[str, Any]]) -> None:
    stack.set(dagsDelivery="git-bundle", dagBundles=bundles, dagsSyncPeriodSeconds=5)
    result = stack.up(check=False)
    assert result.code != 0
    for index, bundle in enumerate(bundles):
        text = (
            f"airflow:dagBundles[{index}].keySecret: expected a Secret {bundle['keySecret']} in namespace {NAMESPACE}"
        )
        assert text in result.output, result.output[-3000:]
    assert not [step for step in result.steps if "helm.sh" in step]


def test_each_of_two_bundles_is_fetched_with_its_own_key(
    stack: Stack, bundles: list[dict[str, Any]], repository: Repository, api: Any
) -> None:
    keys = (repository.secrets["gitSshPrivateKey"], Path(os.environ["AIRFLOW_TEST_GIT_SECOND_KEY"]).read_text())
    for bundle, key in zip(bundles, keys, strict=True):
        secret = {"metadata": {"name": bundle["keySecret"]}, "stringData": {"ssh-privatekey": key}}
        api.create_namespaced_secret(NAMESPACE, secret)
    stack.up()
    for dag_id in (None, "of_the_second_team"):
        result = verify(stack.outputs(), kube_context=CONTEXT, dag_id=dag_id)
        assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]
    [commit] = [check for check in result.checks if check.name == DAG_COMMIT]
    assert "bundle first: " in commit.detail
    assert "bundle second-team: " in commit.detail
    for component, has in (("dag-processor", True), ("worker", True), ("triggerer", False), ("scheduler", False)):
        for pod in api.list_namespaced_pod(NAMESPACE, label_selector=f"component={component}").items:
            if pod.metadata.deletion_timestamp is None:
                assert ("second-team-key" in str(pod.spec)) is has, component
