"""Tests on the real engine and a real cluster: run where both are found, skipped with the reason elsewhere.

A deployment fetches DAGs from the public repository of the dev stack, unless these name another:
  AIRFLOW_TEST_GIT_REPOSITORY, AIRFLOW_TEST_GIT_SUB_PATH   an SSH repository that pods reach
  AIRFLOW_TEST_GIT_SSH_KEY, AIRFLOW_TEST_GIT_KNOWN_HOSTS   files with its deploy key and its host keys
  AIRFLOW_TEST_GIT_PUSH                                    where this machine can push to it
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

import versions
from automation.engine.plugins import PLUGINS
from tests.cluster.harness import CONTEXT, Repository, core_api, dag_repository, pulumi
from tests.requirements import pins


@pytest.fixture(scope="session")
def engine() -> None:
    """The engine and its plugins, in the versions of requirements.txt."""
    command = pulumi()
    if command is None:
        pytest.skip(f"no engine: pulumi {versions.PULUMI_CLI} is not on PATH")
    listed = subprocess.run([command, "plugin", "ls", "--json"], capture_output=True, text=True, check=True).stdout
    found = {(plugin["name"], plugin["version"]) for plugin in json.loads(listed)}
    for name in PLUGINS:
        wanted = pins("requirements.txt")[f"pulumi-{name}"]
        if (name, wanted) not in found:
            install = [command, "plugin", "install", "resource", name, f"v{wanted}"]
            if subprocess.run(install, capture_output=True, check=False).returncode:
                pytest.skip(f"no engine: its plugin {name} {wanted} is not here and cannot be downloaded")


@pytest.fixture(scope="session")
def api() -> Any:
    """Client of the cluster behind the context kind-airflow."""
    try:
        client = core_api()
        client.list_namespace(_request_timeout=5)
    except Exception as error:
        pytest.skip(f"no cluster: context {CONTEXT} does not answer ({type(error).__name__})")
    return client


@pytest.fixture(scope="session")
def repository() -> Repository:
    """The DAG repository of the tests' stacks."""
    return dag_repository(dagsSyncPeriodSeconds=5)
