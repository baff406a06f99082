"""A Git host as companies have it, in a pod of its own: HTTPS with a certificate of a private authority, and a proxy.

Pods reach the host by its name in the cluster, or as `COMPANY_HOST`, which no DNS knows, through the proxy alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import versions
from automation.cluster.client import KubeClient
from tests.cluster.harness import CONTEXT
from tests.cluster.tls_database import Authority

PORT: Final = 8443
PROXY_PORT: Final = 3128
COMPANY_HOST: Final = "git.company.test"
_NAME: Final = "git"
_READY_SECONDS: Final = 180
_START: Final = """\
git init -q --bare -b main /tmp/git/dags.git && git clone -q /tmp/git/dags.git /tmp/work && exec python /files/server.py
"""
_SERVER: Final = f"""\
import http.server, os, select, socket, ssl, subprocess, threading

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain("/files/tls.crt", "/files/tls.key")


class Git(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length") or "0"
        request = {{
            "GIT_PROJECT_ROOT": "/tmp/git",
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "CONTENT_LENGTH": length,
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }}
        sent, env = self.rfile.read(int(length)), {{**os.environ, **request}}
        done = subprocess.run(["git", "http-backend"], env=env, input=sent, capture_output=True)
        head, _, body = done.stdout.partition(b"\\r\\n\\r\\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


class Tls(http.server.ThreadingHTTPServer):
    def finish_request(self, request, address):
        with CONTEXT.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, address)


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        if self.path != "{COMPANY_HOST}:{PORT}":
            return self.send_error(403)
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", {PORT})) as git:
            other = {{self.connection: git, git: self.connection}}
            while True:
                for ready in select.select(list(other), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    other[ready].sendall(data)


threading.Thread(target=http.server.ThreadingHTTPServer(("", {PROXY_PORT}), Proxy).serve_forever).start()
Tls(("", {PORT}), Git).serve_forever()
"""
_COMMIT: Final = """\
import json, pathlib, subprocess, sys

def git(*words):
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    done = subprocess.run(["git", "-C", "/tmp/work", *who, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()

for name, text in json.loads(sys.argv[1]).items():
    path = pathlib.Path("/tmp/work", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
git("add", "-A")
git("commit", "-qm", "tests")
git("push", "-q", "origin", "HEAD:main")
print(git("rev-parse", "HEAD"))
"""


@dataclass
class GitServer:
    """The host, in a namespace of its own, with the repository `dags.git` and its branch `main`."""

    api: Any
    namespace: str
    authority: Authority
    head: str = ""
    """The last commit."""

    @property
    def host(self) -> str:
        return f"{_NAME}.{self.namespace}.svc.cluster.local"

    @property
    def url(self) -> str:
        return f"https://{self.host}:{PORT}/dags.git"

    @property
    def company_url(self) -> str:
        """The same repository, for whoever asks the proxy."""
        return f"https://{COMPANY_HOST}:{PORT}/dags.git"

    @property
    def proxy(self) -> str:
        return f"http://{self.host}:{PROXY_PORT}"

    def create(self) -> None:
        """Starts it and waits until it is ready."""
        core, labels = self.api, {"app": _NAME}
        core.create_namespace({"metadata": {"name": self.namespace}})
        data = {**self.authority.issue(self.host, COMPANY_HOST), "server.py": _SERVER}
        core.create_namespaced_secret(self.namespace, {"metadata": {"name": _NAME}, "stringData": data})
        ports = [{"name": f"port-{port}", "port": port} for port in (PORT, PROXY_PORT)]
        service = {"metadata": {"name": _NAME}, "spec": {"selector": labels, "ports": ports}}
        core.create_namespaced_service(self.namespace, service)
        container = {
            "name": _NAME,
            "image": f"apache/airflow:{versions.AIRFLOW}",
            "command": ["bash", "-c", _START],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            "volumeMounts": [{"name": "files", "mountPath": "/files"}],
        }
        spec = {
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "files", "secret": {"secretName": _NAME}}],
        }
        core.create_namespaced_pod(self.namespace, {"metadata": {"name": _NAME, "labels": labels}, "spec": spec})
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready():
            assert time.monotonic() < deadline, "the Git server does not become ready"
            time.sleep(1)

    def commit(self, files: Mapping[str, str]) -> str:
        """Write files into the repository, and return the commit."""
        kube = KubeClient(CONTEXT, self.namespace)
        done = kube.run(_NAME, _NAME, ("python", "-c", _COMMIT, json.dumps(files)), seconds=60)
        assert done.exit_code == 0, done.stderr
        self.head = done.stdout.strip()
        return self.head

    def delete(self) -> None:
        self.api.delete_namespace(self.namespace)

    def _ready(self) -> bool:
        conditions = self.api.read_namespaced_pod(_NAME, self.namespace).status.conditions or ()
        return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)
