"""A small server that answers as the Kubernetes API does, and a kubeconfig that leads to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

RIGHT: Final = "right"
WRONG: Final = "wrong"
"""Contexts of the kubeconfig; WRONG is the current one, and nothing answers there."""
TOKEN: Final = "sentinel-token"


@dataclass(frozen=True)
class Asked:
    """A request that the server got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By name in small letters."""
    body: Any


@dataclass
class KubeServer:
    """Answers by path; 404 for every other path."""

    kubeconfig: str
    """Path of the kubeconfig."""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Status and content by path."""
    asked: list[Asked] = field(default_factory=list)
    """The requests, in their order."""

    def put(self, path: str, content: Any, status: int = 200) -> None:
        self.answers[path] = (status, content)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


@contextmanager
def serving(folder: Path) -> Iterator[KubeServer]:
    """Serve until the end of the block; the kubeconfig is written into the folder."""
    fake = KubeServer(str(folder / "kubeconfig"))

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            fake.asked.append(
                Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    {key.lower(): value for key, value in self.headers.items()},
                    body,
                )
            )
            status, content = fake.answers.get(parts.path, (404, {"kind": "Status", "message": "sentinel-in-body"}))
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names that http.server asks for

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        servers = {RIGHT: f"http://127.0.0.1:{listening.server_address[1]}", WRONG: "http://127.0.0.1:1"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": WRONG,
            "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
            "users": [{"name": "user", "user": {"token": TOKEN}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "user"}} for name in servers],
        }
        Path(fake.kubeconfig).write_text(json.dumps(config))
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            listening.shutdown()
            thread.join()
