"""A kubeconfig that is none, or has no such context: the error names it and quotes nothing of it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from components.kube.client import core_api
from tests.cases import each

BROKEN = (
    b"users: [{token: sentinel-token\n\t}",
    b"- sentinel-token\n",
    b"\xff\xfe\x00sentinel-token\n",
    b"contexts: [sentinel-token]\n",
    b"contexts: [{name: ours, context: {user: u}}]\nusers: [{name: u, user: {token: sentinel-token}}]\n",
    b"",
)


def refusal(kubeconfig: str) -> str:
    with pytest.raises(ValueError, match="context ours: expected a usable one in ") as raised:
        core_api(kubeconfig, "ours")
    assert "sentinel" not in "".join(traceback.format_exception(raised.value))
    return str(raised.value)


@pytest.mark.parametrize("content", BROKEN)
def test_file_is_named_and_not_quoted(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    assert f"kubeconfig {path}, found none" in refusal(str(path))


@each("content", [content for content in BROKEN if content and content.isascii()])
def test_content_is_not_quoted(content: bytes) -> None:
    assert "the given kubeconfig, found none" in refusal(content.decode())


def test_folder_is_named(tmp_path: Path) -> None:
    assert f"kubeconfig {tmp_path}, found none" in refusal(str(tmp_path))
