"""Fixtures of the tests that deploy the whole of `prod` against an emulated AWS: skipped where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from typing import Any, Final

import pytest

import versions
from automation.engine.plugins import AWS, PLUGINS, missing
from benchmarks.plain_stack import CONTEXT, core_api, pulumi
from tests.prod.account import Account, running
from tests.prod.checkout import Checkout
from tests.prod.kubernetes_stand_in import kubernetes_stand_in

SUBNETS: Final = ("10.0.64.0/20", "10.0.80.0/20", "10.0.96.0/20")


def require_engine(plugins: tuple[str, ...]) -> None:
    """Skip the test where the engine, its plugins or what they need is missing."""
    command = pulumi()
    if command is None:
        pytest.skip(f"no engine: pulumi {versions.PULUMI_CLI} is not on PATH")
    for name in missing(plugins, os.environ):
        version = metadata.version(f"pulumi-{name}")
        install = [command, "plugin", "install", "resource", name, f"v{version}"]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            pytest.skip(f"no engine: its plugin {name} {version} is not here and cannot be downloaded")
    if AWS in plugins and shutil.which("aws") is None:
        pytest.skip("no AWS CLI: the command aws is not on PATH")


def require_cluster() -> Any:
    """Return a client of the cluster of the tests. Skip the test where there is none."""
    try:
        api = core_api()
        api.list_namespace(_request_timeout=5)
    except Exception as error:
        pytest.skip(f"no cluster: context {CONTEXT} does not answer ({type(error).__name__})")
    return api


@pytest.fixture(scope="session")
def engine() -> None:
    """The engine with all plugins, and the AWS CLI, which gives the tokens for an EKS cluster."""
    require_engine((*PLUGINS, AWS))


@pytest.fixture(scope="module")
def account(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account in which there is nothing yet."""
    with running(tmp_path_factory.mktemp("aws")) as account:
        yield account


@pytest.fixture(scope="module")
def checkout(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The stack `prod`, made but not deployed, on a Kubernetes in which nothing exists."""
    folder = tmp_path_factory.mktemp("checkout")
    with kubernetes_stand_in(folder) as kubernetes:
        account.seed(kubernetes.endpoint, "", "10.0.0.0/16", SUBNETS)
        account.order()
        commands = tmp_path_factory.mktemp("commands")
        # Nothing is in that cluster to be deleted.
        (commands / "kubectl").write_text("#!/bin/sh\n")
        (commands / "kubectl").chmod(0o755)
        more = {"PULUMI_DEBUG_PROVIDERS": kubernetes.provider, "KUBECONFIG": str(commands / "kubeconfig")}
        checkout = Checkout(folder, account, more, path=[commands])
        checkout.copy()
        checkout.init()
        yield checkout
