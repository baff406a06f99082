"""A small server that answers as the Kubernetes API does, and a kubeconfig that leads to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.json_server import JsonHandler
from tests.json_server import serving as serve_json

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

    class Handler(JsonHandler):
        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            fake.asked.append(
                Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    {key.lower(): value for key, value in self.headers.items()},
                    self.content(),
                )
            )
            self.answer(*fake.answers.get(parts.path, (404, {"kind": "Status", "message": "sentinel-in-body"})))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names that http.server asks for

    with serve_json(Handler) as port:
        servers = {RIGHT: f"http://127.0.0.1:{port}", WRONG: "http://127.0.0.1:1"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": WRONG,
            "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
            "users": [{"name": "user", "user": {"token": TOKEN}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "user"}} for name in servers],
        }
        Path(fake.kubeconfig).write_text(json.dumps(config))
        yield fake
