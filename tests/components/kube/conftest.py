"""A cluster that answers what a test puts there, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.kube.client import KubeApi
from tests.kube_server import RIGHT, KubeServer, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KubeServer]:
    with serving(tmp_path) as fake:
        yield fake


@pytest.fixture
def api(server: KubeServer) -> KubeApi:
    return KubeApi(RIGHT, server.kubeconfig)
