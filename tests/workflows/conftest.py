"""The scripts of the workflows as modules, and a GitHub that exists in this process."""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.samples import ROOT

SCRIPTS: Final = ROOT / ".github" / "scripts"
REPOSITORY: Final = "example/airflow"
TOKEN: Final = "sentinel-token-4711"


def load(name: str) -> Any:
    """A script as a module; it finds the others beside it, as it does where it runs."""
    if str(SCRIPTS) not in sys.path:
        sys.path.append(str(SCRIPTS))
    return importlib.import_module(name)


def archive(**members: bytes) -> bytes:
    """A zip file, as GitHub makes of an artifact; `plan_md` is the member plan.md."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name.replace("_", "."), data)
    return content.getvalue()


@dataclass
class GitHub:
    """comments: of the pull requests, by number. pulls: as GitHub lists them. artifacts: of every run, zipped by id.

    branches: commits by name. requests: method, path and Authorization header of each request, in order.
    """

    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    artifacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, Any]] = field(default_factory=dict)
    trees: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    refuse: str = ""
    url: str = ""
    storage: str = ""

    def environ(self, tmp_path: Path, event: Any) -> dict[str, str]:
        """What a step of a job has in its environment."""
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "99",
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_TOKEN": TOKEN,
        }

    def bodies(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.comments.get(number, [])]

    def said(self, method: str) -> list[str]:
        return [path for used, path, _ in self.requests if used == method]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        place = parts.path.removeprefix(f"/repos/{REPOSITORY}")
        if self.refuse and re.search(self.refuse, place):
            return 403, {"message": "Resource not accessible by integration"}
        for pattern, act in (
            (r"/issues/(\d+)/comments", self._comments),
            (r"/issues/comments/(\d+)", self._edit),
            (r"/pulls", self._pulls),
            (r"/pulls/(\d+)", self._edit_pull),
            (r"/actions/runs/(\d+)/artifacts", self._artifacts),
            (r"/actions/artifacts/(\d+)/zip", self._zip),
            (r"/git/commits/(\w+)", self._commit),
            (r"/git/(trees|commits|refs)", self._make),
            (r"/git/refs/heads/(.+)", self._move),
        ):
            match = re.fullmatch(pattern, place)
            if match:
                return act(method, query, body, *match.groups())
        return 404, {"message": "Not Found"}

    def _comments(self, method: str, query: dict[str, str], body: Any, number: str) -> tuple[int, Any]:
        comments = self.comments.setdefault(int(number), [])
        if method == "POST":
            comments.append(comment(len(comments) + 1 + 1000 * int(number), body["body"]))
            return 201, comments[-1]
        return 200, _page(comments, query)

    def _edit(self, method: str, query: dict[str, str], body: Any, number: str) -> tuple[int, Any]:
        found = next(item for items in self.comments.values() for item in items if item["id"] == int(number))
        found["body"] = body["body"]
        return 200, found

    def _pulls(self, method: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if method == "POST":
            made = {**body, "number": 70 + len(self.pulls), "label": f"example:{body['head']}"}
            self.pulls.append({**made, "html_url": f"https://github.test/pull/{made['number']}"})
            return 201, self.pulls[-1]
        return 200, _page([pull for pull in self.pulls if pull["label"] == query["head"]], query)

    def _edit_pull(self, method: str, query: dict[str, str], body: Any, number: str) -> tuple[int, Any]:
        found = next(pull for pull in self.pulls if pull["number"] == int(number))
        found.update(body)
        return 200, found

    def _artifacts(self, method: str, query: dict[str, str], body: Any, run: str) -> tuple[int, Any]:
        known = [item for item in self.artifacts.values() if item["run"] == int(run) and item["name"] == query["name"]]
        return 200, {"artifacts": [{key: item[key] for key in ("id", "name", "expired")} for item in known]}

    def _zip(self, method: str, query: dict[str, str], body: Any, number: str) -> tuple[int, Any]:
        return 302, f"{self.storage}/blob/{number}"

    def _commit(self, method: str, query: dict[str, str], body: Any, sha: str) -> tuple[int, Any]:
        return 200, {"sha": sha, "tree": {"sha": f"tree-of-{sha}"}}

    def _make(self, method: str, query: dict[str, str], body: Any, kind: str) -> tuple[int, Any]:
        if kind == "refs":
            name = body["ref"].removeprefix("refs/heads/")
            if name in self.branches:
                return 422, {"message": "Reference already exists"}
            self.branches[name] = body["sha"]
            return 201, {}
        made = self.trees if kind == "trees" else self.commits
        sha = f"{kind}-{len(made)}"
        made[sha] = body
        return 201, {"sha": sha}

    def _move(self, method: str, query: dict[str, str], body: Any, branch: str) -> tuple[int, Any]:
        assert body["force"] is True
        self.branches[branch] = body["sha"]
        return 200, {}


def comment(number: int, body: str, login: str = "github-actions[bot]") -> dict[str, Any]:
    return {"id": number, "body": body, "user": {"login": login}, "html_url": f"https://github.test/comment/{number}"}


def _page(items: list[Any], query: dict[str, str]) -> list[Any]:
    size, page = int(query["per_page"]), int(query["page"])
    return items[size * (page - 1) : size * page]


def _handler(github: GitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            method = str(self.command)
            github.requests.append((method, self.path, self.headers.get("Authorization")))
            blob = re.fullmatch(r"/blob/(\d+)", self.path)
            status, answer = (200, None) if blob else github.answer(method, self.path, body)
            content = github.artifacts[int(blob[1])]["zip"] if blob else json.dumps(answer).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", str(answer))
                content = b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _do  # noqa: N815 - names that the server looks for

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A GitHub whose artifacts lie on another host, as the real one's do."""
    hub = GitHub()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub)) for _ in range(2)]
    for server in servers:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    hub.url, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
