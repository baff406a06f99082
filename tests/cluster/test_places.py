"""A UI on a path behind a proxy, task logs in storage like S3, and ports that are opened to single components."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import versions
from automation.cluster.client import KubeClient
from automation.verification.dag_run import DAG_RUN, TASK_LOG
from automation.verification.result import Status
from automation.verification.verify import verify
from automation.wait import Clock, wait_for
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import CONTEXT, Stack, dag_repository, destroyed, make_stack
from tests.cluster.object_storage import CLOSED, PORT, SECRET, connection, give_connection, object_storage

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-places"
OUTSIDE: Final = f"{NAMESPACE}-outside"
_DAG: Final = """\
from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def has_a_log():
    @task(retries=0)
    def speak():
        print("a word", flush=True)

    speak()


has_a_log()
"""
_CONNECT: Final = """\
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("closed")
"""
_REQUEST: Final = """\
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[1], 8080, timeout=30)
connection.request("GET", sys.argv[2], headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1",
                                                "Host": "tools.example.com"})
answer = connection.getresponse()
print(json.dumps([answer.status, answer.getheader("Location"), answer.read().decode()[:2000]]))
"""


@dataclass
class Outside:
    """A pod in another namespace: it is the ingress controller, and the storage of logs."""

    address: str
    kube: KubeClient

    def python(self, script: str, *words: str) -> str:
        return _output(self.kube.run("outside", "outside", ["python", "-c", script, *words], seconds=60))


@pytest.fixture(scope="module")
def outside(api: Any) -> Iterator[Outside]:
    with object_storage(api, OUTSIDE) as address:
        yield Outside(address, KubeClient(CONTEXT, OUTSIDE))


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = make_stack(tmp_path_factory.mktemp("places"), NAMESPACE, dag_repository(dagsSyncPeriodSeconds=5))
    stack.set(
        imageTag=os.environ.get("AIRFLOW_TEST_S3_IMAGE_TAG") or versions.AIRFLOW,
        networkIsolation="required",
        ingressHost="tools.example.com",
        ingressPath="/airflow",
        ingressTlsElsewhere=True,
        uiNamespaces=[OUTSIDE],
        trustedProxyCidrs=[f"{outside.address}/32"],
        extraEgress=[
            {"components": ["api-server", "triggerer", "worker"], "namespaces": [OUTSIDE], "ports": [PORT]},
            {"components": ["scheduler"], "namespaces": [OUTSIDE], "ports": [CLOSED]},
        ],
        taskLogs="remote",
        taskLogsUrl="s3://logs/airflow",
        taskLogsConnectionSecret=SECRET,
    )
    for made in destroyed(stack):
        given = threading.Thread(target=give_connection, args=(api, NAMESPACE, outside.address), daemon=True)
        given.start()
        made.up()
        yield made


@pytest.fixture
def kube(stack: Stack) -> KubeClient:
    return KubeClient(CONTEXT, NAMESPACE)


def test_the_ui_is_under_the_path_alone(stack: Stack, outside: Outside) -> None:
    status, _, page = _answer(outside.python(_REQUEST, _service(), "/airflow/"))
    assert status == 200
    assert '<base href="https://tools.example.com/airflow/"' in page or '<base href="/airflow/"' in page, page
    assert _answer(outside.python(_REQUEST, _service(), "/airflow/api/v2/version"))[0] == 200
    assert _answer(outside.python(_REQUEST, _service(), "/auth/token"))[0] == 404


def test_only_the_proxy_s_headers_are_believed(stack: Stack, outside: Outside, kube: KubeClient) -> None:
    path = "/airflow/auth/users/list"  # redirected to the path with a slash, by the scheme of the request
    assert str(_answer(outside.python(_REQUEST, _service(), path))[1]).startswith("https://")
    of_the_scheduler = _answer(_in(kube, "scheduler", _REQUEST, _service(), path))
    assert str(of_the_scheduler[1]).startswith("http://"), of_the_scheduler


def test_what_the_ingress_does_not_publish_is_refused_at_once(stack: Stack, outside: Outside) -> None:
    assert outside.python(_CONNECT, _service(), "8080") == "open"
    assert outside.python(_CONNECT, _service(), "8081") == "refused"


def test_a_port_is_open_to_one_component(stack: Stack, outside: Outside, kube: KubeClient) -> None:
    assert _in(kube, "scheduler", _CONNECT, outside.address, str(CLOSED)) == "open"
    assert _in(kube, "scheduler", _CONNECT, outside.address, str(PORT)) == "closed"
    assert _in(kube, "api-server", _CONNECT, outside.address, str(PORT)) == "open"
    assert _in(kube, "api-server", _CONNECT, outside.address, str(CLOSED)) == "closed"


def test_a_dag_runs_and_its_log_is_read_under_the_path(stack: Stack, tmp_path: Path) -> None:
    assert stack.outputs()["ui_url"] == "https://tools.example.com/airflow"
    with pushed_dag(tmp_path / "dags", "has_a_log.py", _DAG):
        result = verify(stack.outputs(), kube_context=CONTEXT, dag_id="has_a_log")
    assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]
    assert {DAG_RUN, TASK_LOG} <= {check.name for check in result.checks if check.status is Status.PASSED}, result


def test_its_log_is_in_the_storage(stack: Stack, outside: Outside) -> None:
    listing = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    listed = wait_for(  # a worker uploads a log after its task has ended
        lambda: outside.python(listing, f"http://127.0.0.1:{PORT}/logs"),
        lambda found: "<Key>airflow/dag_id=" in found,
        seconds=60,
        interval=2,
        clock=Clock(),
    )
    assert "<Key>airflow/dag_id=" in listed


def test_connection_that_the_storage_refuses_is_told_before_anything_rolls(
    stack: Stack, outside: Outside, api: Any
) -> None:
    before = {pod.metadata.name for pod in api.list_namespaced_pod(NAMESPACE, label_selector="release=airflow").items}
    api.patch_namespaced_secret(SECRET, NAMESPACE, {"stringData": {"connection": connection(outside.address, "other")}})
    stack.set(taskLogsUrl="s3://logs/elsewhere")
    started = time.monotonic()
    refused = stack.up(check=False)
    print(f"refused after {time.monotonic() - started:.1f} s")
    assert refused.code
    assert (
        "airflow:taskLogsConnectionSecret: expected that s3://logs/elsewhere accepts the login of the connection, "
        "found: InvalidAccessKeyId" in refused.output
    ), refused.output
    left = {pod.metadata.name for pod in api.list_namespaced_pod(NAMESPACE, label_selector="release=airflow").items}
    assert before <= left
    api.patch_namespaced_secret(SECRET, NAMESPACE, {"stringData": {"connection": connection(outside.address)}})
    stack.set(taskLogsUrl="s3://logs/airflow")
    assert not [step for step in stack.up().steps if "helm.sh" in step]


def _service() -> str:
    return f"airflow-api-server.{NAMESPACE}.svc.cluster.local"


def _in(kube: KubeClient, component: str, script: str, *words: str) -> str:
    (pod,) = kube.pods({"release": "airflow", "component": component})
    return _output(kube.run(pod.name, component, ["python", "-c", script, *words], seconds=60))


def _output(result: Any) -> str:
    assert result.exit_code == 0, result
    return str(result.stdout).strip()


def _answer(text: str) -> list[Any]:
    found: list[Any] = json.loads(text)
    return found
