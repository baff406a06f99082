"""The kubeconfig: the named context and no other, and errors that quote nothing of it."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import pytest

from components.kube.kubeconfig import KubeUnreachable, api_client, contexts, is_content
from tests.cases import each

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: theirs
clusters:
  - {name: ours, cluster: {server: "https://ours.test:6443"}}
  - {name: theirs, cluster: {server: "https://theirs.test:6443"}}
users:
  - {name: me, user: {token: t}}
contexts:
  - {name: ours, context: {cluster: ours, user: me}}
  - {name: theirs, context: {cluster: theirs, user: me}}
"""
USABLE = "expected a cluster, a user and their certificates for context right, found what cannot be used"
NO_CONTEXT = "no usable context right"
BROKEN: dict[str, tuple[bytes, str]] = {
    "malformed": (b"users: [{token: sentinel-token\n\t}", "found no YAML"),
    "text": (b"sentinel-token", "found a str"),
    "list": (b"- sentinel-token\n", "found a list"),
    "binary": (b"\xff\xfe\x00sentinel-token", "found no text"),
    "control characters": (b"sentinel-token: \x00\x01", "found no YAML"),
    "contexts of another type": (b"contexts: {right: sentinel-token}\n", NO_CONTEXT),
    "contexts that are texts": (b"contexts: [sentinel-token]\n", NO_CONTEXT),
    "number": (b"contexts: 5\nclusters: [1]\nusers: [sentinel-token]\n", USABLE),
    "certificate that is none": (
        b"clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: abcde}}]\n"
        b"contexts: [{name: right, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: sentinel-token}}]",
        USABLE,
    ),
    "address of another type": (
        b"clusters: [{name: c, cluster: {server: 5}}]\ncontexts: [{name: right, context: {cluster: c, user: u}}]\n"
        b"users: [{name: u, user: {token: sentinel-token}}]",
        USABLE,
    ),
    "empty": (b"", NO_CONTEXT),
    "without contexts": (b"{}", NO_CONTEXT),
    "context without cluster": (
        b"contexts: [{name: right, context: {user: u}}]\nusers: [{name: u, user: {token: sentinel-token}}]\n",
        NO_CONTEXT,
    ),
}


def refusal(kubeconfig: str) -> str:
    with pytest.raises(KubeUnreachable) as raised:
        api_client(kubeconfig, "right")
    assert "sentinel" not in "".join(traceback.format_exception(raised.value))
    assert ". Fix: " in str(raised.value)
    return str(raised.value)


def test_client_is_at_the_named_context_and_not_at_the_current_one(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    for kubeconfig in (str(path), KUBECONFIG):
        assert api_client(kubeconfig, "ours").configuration.host == "https://ours.test:6443"
        with pytest.raises(KubeUnreachable, match="no usable context nobody-s"):
            api_client(kubeconfig, "nobody-s")


@each("case", BROKEN)
def test_broken_file_is_named_and_not_quoted(case: str, tmp_path: Path) -> None:
    content, expected = BROKEN[case]
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    text = refusal(str(path))
    assert expected in text
    assert f"kubeconfig {path}" in text


def test_broken_content_is_not_quoted() -> None:
    for content, _ in BROKEN.values():
        if content.isascii() and is_content(content.decode()):
            assert refusal(content.decode()).startswith("the given kubeconfig")


def test_folder_is_named(tmp_path: Path) -> None:
    assert "found a folder" in refusal(str(tmp_path))


def test_unreadable_one_of_several_files_is_the_one_that_is_named(tmp_path: Path) -> None:
    good, broken = tmp_path / "good", tmp_path / "broken"
    good.write_text(KUBECONFIG)
    broken.write_text("[")
    assert f"kubeconfig {broken}: " in refusal(os.pathsep.join(map(str, (good, broken, tmp_path / "missing"))))


def test_text_with_lines_or_braces_is_content_and_all_else_a_path() -> None:
    assert is_content(KUBECONFIG)
    assert is_content(json.dumps({"kind": "Config"}))
    assert not is_content("/home/me/.kube/config")


def test_no_kubeconfig_takes_that_of_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    assert api_client(None, "ours").configuration.host == "https://ours.test:6443"
    with pytest.raises(KubeUnreachable, match="the kubeconfig of kubectl has no usable context nobody-s"):
        api_client(None, "nobody-s")
    path.write_text("users: [{token: sentinel-token\n\t}")
    with pytest.raises(KubeUnreachable, match="the kubeconfig of kubectl: expected a cluster") as raised:
        api_client(None, "ours")
    assert "sentinel" not in "".join(traceback.format_exception(raised.value))


def test_contexts_of_several_files_are_found_and_the_first_wins(tmp_path: Path) -> None:
    texts = {
        "one": KUBECONFIG,
        "two": KUBECONFIG.replace("theirs.test", "other.test") + "  - {name: more, context: {cluster: none}}\n",
        "broken": "{",
        "mistyped": "{clusters: [{name: [], cluster: 5}, x], contexts: [{name: ours, context: x}]}",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert contexts(os.pathsep.join(str(tmp_path / name) for name in (*texts, "missing"))) == {
        "ours": "https://ours.test:6443",
        "theirs": "https://theirs.test:6443",
        "more": "",
    }
