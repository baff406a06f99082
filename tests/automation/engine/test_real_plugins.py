"""The real engine installs a plugin whose archive has the pinned content, and nothing of one with a byte changed."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from automation.engine.command import Engine
from automation.engine.installation import InstallationError, system_here
from automation.engine.plugins import ENVIRONMENT, LOCK, archive, install_plugins, missing, version
from benchmarks.plain_stack import pulumi

PLUGIN: Final = b"#!/bin/sh\nexit 0\n"


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        entry = tarfile.TarInfo("pulumi-resource-random")
        entry.size, entry.mode = len(PLUGIN), 0o755
        opened.addfile(entry, io.BytesIO(PLUGIN))
    return buffer.getvalue()


class Mirror:
    """A server that has one archive. It speaks HTTP/1.1, as a company's mirror does."""

    def __init__(self, content: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(handler) -> None:  # noqa: N805 - the mirror is self
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(self.content)))
                handler.end_headers()
                handler.wfile.write(self.content)

            def log_message(handler, *_: object) -> None:  # noqa: N805
                pass

        self.content = content
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror(_archive())
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "pulumi-home"


def _install(mirror: Mirror, home: Path, root: Path) -> None:
    command = pulumi()
    if command is None:
        pytest.skip("no engine: pulumi is not on PATH")
    engine = Engine(str(Path(command).parents[1]))
    variables = {**ENVIRONMENT, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    address = f"http://127.0.0.1:{mirror.server.server_port}"
    environ = {**os.environ, "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": f"^github://api.github.com/pulumi/={address}"}
    install_plugins(
        lambda words: engine.run(words, str(root), variables),
        ["random"],
        print,
        unverified=False,
        root=root,
        environ=environ,
    )


def _plugin(home: Path) -> Path:
    return home / "plugins" / f"resource-random-v{version('random')}" / "pulumi-resource-random"


def test_pinned_archive_is_installed_and_one_with_a_byte_changed_is_refused(
    mirror: Mirror, home: Path, tmp_path: Path
) -> None:
    whole = mirror.content
    (tmp_path / LOCK).write_text(f"{hashlib.sha256(whole).hexdigest()}  {archive('random', system_here())}\n")
    for place in (0, len(whole) // 2, len(whole) - 1):
        mirror.content = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(InstallationError, match="expected SHA-256"):
            _install(mirror, home, tmp_path)
    mirror.content = whole + b"\0"
    with pytest.raises(InstallationError, match="expected SHA-256"):
        _install(mirror, home, tmp_path)
    assert not list((home / "plugins").glob("resource-*"))
    mirror.content = whole
    _install(mirror, home, tmp_path)
    assert _plugin(home).read_bytes() == PLUGIN
    assert missing(("random",), {"PULUMI_HOME": str(home)}) == ()


def test_plugin_of_another_that_is_there_is_replaced(mirror: Mirror, home: Path, tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(f"{hashlib.sha256(mirror.content).hexdigest()}  {archive('random', system_here())}\n")
    _plugin(home).parent.mkdir(parents=True)
    _plugin(home).write_bytes(b"of another")
    _install(mirror, home, tmp_path)
    assert _plugin(home).read_bytes() == PLUGIN
