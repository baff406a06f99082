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

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-places"
OUTSIDE: Final = f"{NAMESPACE}-outside"
PORT: Final = 9636
CLOSED: Final = 9637
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
_STORAGE: Final = """\
import http.server, threading, urllib.parse
KEPT = {}

class Storage(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b""):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), ("ETag", "e"), ("Connection", "close"),
                            ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def place(self):
        split = urllib.parse.urlsplit(self.path)
        return urllib.parse.unquote(split.path).strip("/"), dict(urllib.parse.parse_qsl(split.query))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            whole, rest = b"", body
            while rest:
                size, _, rest = rest.partition(b"\\r\\n")
                length = int(size.split(b";")[0], 16)
                if length == 0:
                    break
                whole, rest = whole + rest[:length], rest[length + 2:]
            body = whole
        KEPT[self.place()[0]] = body
        self.answer(200)

    def do_GET(self):
        key, query = self.place()
        if "/" in key:
            return self.answer(200, KEPT[key]) if key in KEPT else self.answer(404)
        prefix = f"{key}/{query.get('prefix', '')}"
        found = [name.removeprefix(f"{key}/") for name in sorted(KEPT) if name.startswith(prefix)]
        rest = "<LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size>"
        rows = "".join(f"<Contents><Key>{name}</Key>{rest}</Contents>" for name in found)
        self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode())

    do_HEAD = do_GET

for port in (9636, 9637):
    threading.Thread(target=http.server.ThreadingHTTPServer(("", port), Storage).serve_forever).start()
"""
"""As much of S3's API as Airflow uses for logs, on two ports."""


@dataclass
class Outside:
    """A pod in another namespace: it is the ingress controller, and the storage of logs."""

    address: str
    kube: KubeClient

    def python(self, script: str, *words: str) -> str:
        return _output(self.kube.run("outside", "outside", ["python", "-c", script, *words], seconds=60))


@pytest.fixture(scope="module")
def outside(api: Any) -> Iterator[Outside]:
    container = {
        "name": "outside",
        "image": f"apache/airflow:{versions.AIRFLOW}",
        "command": ["python", "-c", _STORAGE],
    }
    api.create_namespace({"metadata": {"name": OUTSIDE}})
    try:
        api.create_namespaced_pod(OUTSIDE, {"metadata": {"name": "outside"}, "spec": {"containers": [container]}})
        for _ in range(120):
            pod = api.read_namespaced_pod("outside", OUTSIDE)
            if pod.status.phase == "Running":
                break
            time.sleep(1)
        yield Outside(pod.status.pod_ip, KubeClient(CONTEXT, OUTSIDE))
    finally:
        api.delete_namespace(OUTSIDE)


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
        taskLogsConnectionSecret="log-store",
    )
    for made in destroyed(stack):
        given = threading.Thread(target=_give_connection, args=(api, outside), daemon=True)
        given.start()
        made.up()
        yield made


def _give_connection(api: Any, outside: Outside) -> None:
    """Put the connection into the namespace as soon as the stack has made it."""
    extra = {"endpoint_url": f"http://{outside.address}:{PORT}", "region_name": "us-east-1"}
    connection = json.dumps({"conn_type": "aws", "login": "key-id", "password": "key", "extra": extra})
    for _ in range(600):
        if NAMESPACE in {item.metadata.name for item in api.list_namespace().items}:
            secret = {"metadata": {"name": "log-store"}, "stringData": {"connection": connection}}
            api.create_namespaced_secret(NAMESPACE, secret)
            return
        time.sleep(1)


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
