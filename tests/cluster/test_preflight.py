"""The commonest first mistakes end an update in seconds, with their reason, before anything of the release exists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster.harness import Repository, Result, Stack, destroyed, make_stack

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-preflight-test"
SECONDS: Final = 60
"""Far below the time of any wait for pods; docs/preflight.md has what was measured."""


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from destroyed(make_stack(tmp_path_factory.mktemp("preflight"), NAMESPACE, repository))


def mistaken(stack: Stack, api: Any, **config: Any) -> Result:
    """Run an update with a mistake, which must end soon, without a release and without a Job that is left."""
    kept = dict.fromkeys(config)
    stack.set(**config)
    started = time.monotonic()
    try:
        result = stack.up(check=False)
    finally:
        stack.set(**kept)
    assert result.code != 0
    assert time.monotonic() - started < SECONDS
    assert not [step for step in result.steps if "helm.sh" in step or "airflow-database-migrate" in step]
    records = api.list_namespaced_secret(NAMESPACE, label_selector="owner=helm").items
    assert records == []
    left = api.list_namespaced_pod(NAMESPACE, label_selector="airflow-preflight=true").items
    assert [pod.metadata.name for pod in left if pod.metadata.deletion_timestamp is None] == []
    return result


def test_missing_branch_is_named_from_nothing(stack: Stack, api: Any) -> None:
    result = mistaken(stack, api, dagsRef="no-such-branch")
    assert "airflow:dagsRef: expected a branch, a tag or a commit of" in result.output
    assert "none named no-such-branch" in result.output


def test_missing_storage_class_and_image_are_named(stack: Stack, api: Any) -> None:
    result = mistaken(stack, api, taskLogsStorageClass="no-such-class")
    assert "airflow:taskLogsStorageClass: expected a storage class" in result.output
    result = mistaken(stack, api, imageTag="3.2.2-no-such-tag")
    assert "apache/airflow:3.2.2-no-such-tag" in result.output
