"""Other ways for DAGs than git-sync, in the order of the tests: first in the image, with no Git at all.

Needs an Airflow image with the DAG `in_image` in /opt/airflow/dags, whose tag AIRFLOW_TEST_DAGS_TAG names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
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
    stack.set(dagsDelivery="image", dagsSubPath=None, helmValues=modest_values())
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
