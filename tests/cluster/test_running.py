"""A stack that is frozen and stopped, and comes back with all its data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from automation import Environment
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.result import Status
from automation.verification.verify import airflow_api
from tests.cluster import service
from tests.cluster.harness import CONTEXT, Repository
from tests.cluster.modest_values import modest_values

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-keep"


def opened(folder: Path, repository: Repository, **changed: Any) -> Environment:
    values = modest_values(pgbouncer=False)
    settings = service.settings("keep", NAMESPACE, repository, helmValues=values, **changed)
    return service.environments(folder).open("keep", settings)


@pytest.fixture
def whole(engine: None, api: object, repository: Repository, tmp_path: Path) -> Iterator[Environment]:
    with service.removed(opened(tmp_path, repository), api, NAMESPACE) as made:
        made.up()
        yield made


def running(api: Any) -> set[str]:
    pods = api.list_namespaced_pod(NAMESPACE).items
    return {
        pod.metadata.labels["component"]
        for pod in pods
        if pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None
    }


def test_frozen_then_stopped_then_whole_again(
    whole: Environment, api: Any, repository: Repository, tmp_path: Path
) -> None:
    everything = running(api)
    kube = KubeClient(CONTEXT, NAMESPACE)
    airflow = airflow_api(Deployment.of(whole.outputs().values), kube)
    airflow._request("POST", "/api/v2/variables", {"key": "kept", "value": "yes"})

    frozen = opened(tmp_path, repository, running="frozen")
    frozen.up()
    assert running(api) == {"api-server", "redis", "statsd", "postgres"}
    verified = frozen.verify()
    assert verified.ok, verified
    assert [check.status for check in verified.checks].count(Status.PASSED) == 3
    assert frozen.status().healthy

    stopped = opened(tmp_path, repository, running="stopped")
    stopped.up()
    assert running(api) == set()
    assert stopped.verify().ok
    assert stopped.status().healthy
    assert stopped.preview().changes.any is False

    back = opened(tmp_path, repository)
    back.up()
    assert running(api) == everything
    assert airflow._request("GET", "/api/v2/variables/kept")["value"] == "yes"
    assert back.verify().ok
    assert back.status().problems == ()
