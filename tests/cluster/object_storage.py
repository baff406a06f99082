"""A pod in a namespace of its own that keeps objects, as S3 does, and the connection that leads there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import versions

PORT: Final = 9636
CLOSED: Final = 9637
SECRET: Final = "log-store"
"""The Secret with the connection."""
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
        if "uploadId" in self.place()[1]:
            return self.answer(200)
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

    def do_POST(self):
        if "Credential=key-id/" not in self.headers["Authorization"]:
            error = "<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>"
            return self.answer(403, error.encode())
        body = "<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>"
        self.answer(200, body.encode())

    def do_DELETE(self):
        KEPT.pop(self.place()[0], None)
        self.answer(204)

    def do_GET(self):
        key, query = self.place()
        if "/" in key:
            if key not in KEPT:
                return self.answer(404)
            if "Range" in self.headers:
                first, last = self.headers["Range"].removeprefix("bytes=").split("-")
                return self.answer(206, KEPT[key][int(first):int(last) + 1])
            return self.answer(200, KEPT[key])
        prefix = f"{key}/{query.get('prefix', '')}"
        found = [name.removeprefix(f"{key}/") for name in sorted(KEPT) if name.startswith(prefix)]
        rest = "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        sizes = {name: len(KEPT[f"{key}/{name}"]) for name in found}
        rows = "".join(f"<Contents><Key>{name}</Key>{rest}<Size>{sizes[name]}</Size></Contents>" for name in found)
        self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode())

    do_HEAD = do_GET

for port in (9636, 9637):
    threading.Thread(target=http.server.ThreadingHTTPServer(("", port), Storage).serve_forever).start()
"""
"""As much of S3's API as Airflow and the preflight use for logs, and backups for small dumps, on two ports. An upload
in parts is begun only with the right login, and never completed."""


@contextmanager
def object_storage(api: Any, namespace: str) -> Iterator[str]:
    """Yield the address of the pod `outside`, and delete its namespace afterwards."""
    container = {
        "name": "outside",
        "image": f"apache/airflow:{versions.AIRFLOW}",
        "command": ["python", "-c", _STORAGE],
    }
    api.create_namespace({"metadata": {"name": namespace}})
    try:
        api.create_namespaced_pod(namespace, {"metadata": {"name": "outside"}, "spec": {"containers": [container]}})
        for _ in range(120):
            pod = api.read_namespaced_pod("outside", namespace)
            if pod.status.phase == "Running":
                break
            time.sleep(1)
        yield str(pod.status.pod_ip)
    finally:
        api.delete_namespace(namespace)


def connection(address: str, login: str = "key-id") -> str:
    """Return the connection, as a Secret holds it."""
    extra = {"endpoint_url": f"http://{address}:{PORT}", "region_name": "us-east-1"}
    return json.dumps({"conn_type": "aws", "login": login, "password": "key", "extra": extra})


def give_connection(api: Any, namespace: str, address: str) -> None:
    """Put the connection into a namespace as soon as the stack has made it."""
    for _ in range(600):
        if namespace in {item.metadata.name for item in api.list_namespace().items}:
            secret = {"metadata": {"name": SECRET}, "stringData": {"connection": connection(address)}}
            api.create_namespaced_secret(namespace, secret)
            return
        time.sleep(1)
