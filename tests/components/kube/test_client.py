"""The client of the cluster: always at the context that it is told, never at the current one."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.kube.client import core_api

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


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


def test_client_is_at_the_named_context(kubeconfig: Path) -> None:
    assert core_api(str(kubeconfig), "ours").api_client.configuration.host == "https://ours.test:6443"


def test_context_that_is_not_there_is_an_error_and_not_the_current_one(kubeconfig: Path) -> None:
    with pytest.raises(Exception, match="nobody-s"):
        core_api(str(kubeconfig), "nobody-s")
