"""A registry on the node that asks for a login, for an image that the node has already."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

import versions

MANIFEST: Final = os.environ.get("AIRFLOW_TEST_REGISTRY_MANIFEST", "")
"""Media type, digest and size of the image's manifest (docs/testing.md)."""
needs_manifest = pytest.mark.skipif(
    not MANIFEST, reason="no AIRFLOW_TEST_REGISTRY_MANIFEST, of an image that a registry could give"
)
_NO_MANIFEST: Final = "none none 0"
"""Enough where every login is refused."""
REGISTRY: Final = "127.0.0.1:5055"
"""On the node itself. The container runtime talks to such a registry without TLS."""
_SERVER: Final = """\
import base64, http.server, sys
MEDIA_TYPE, DIGEST, SIZE, *LOGINS = sys.argv[1:]
KNOWN = {"Basic " + base64.b64encode(login.encode()).decode() for login in LOGINS}

class Registry(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        if self.headers.get("Authorization") not in KNOWN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
            self.send_header("Content-Length", "0")
        else:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
            self.send_header("Content-Type", MEDIA_TYPE)
            self.send_header("Content-Length", SIZE)
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", 5055), Registry).serve_forever()
"""
"""As much of a registry as the runtime asks about an image that the node has: who may see it, and what it is."""


@contextmanager
def registry(api: Any, namespace: str, *logins: str) -> Iterator[None]:
    """Runs one in a namespace of its own, which knows these logins."""
    container = {
        "name": "registry",
        "image": f"apache/airflow:{versions.AIRFLOW}",
        "command": ["python", "-c", _SERVER, *(MANIFEST or _NO_MANIFEST).split(), *logins],
    }
    spec = {"hostNetwork": True, "terminationGracePeriodSeconds": 1, "containers": [container]}
    api.create_namespace({"metadata": {"name": namespace}})
    try:
        api.create_namespaced_pod(namespace, {"metadata": {"name": "registry"}, "spec": spec})
        for _ in range(120):
            if api.read_namespaced_pod("registry", namespace).status.phase == "Running":
                break
            time.sleep(1)
        else:
            pytest.fail("the registry does not start")
        yield
    finally:
        api.delete_namespace(namespace)


def docker_config(login: str) -> str:
    return json.dumps({"auths": {REGISTRY: {"auth": base64.b64encode(login.encode()).decode()}}})
