"""Stacks to measure, each in a namespace of its own that is removed afterwards."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from automation.engine.plugins import PLUGINS, environment
from benchmarks.plain_stack import CONTEXT, ROOT, Stack, core_api, dag_repository, destroyed, make_stack, pulumi
from benchmarks.results import UnavailableError
from components.kube.safe_yaml import load_yaml
from components.release.chart_archive import chart_archive


def need_cluster() -> Any:
    """Return a client of the cluster, and make the engine ready. Raises UnavailableError where either is missing."""
    _need_engine()
    try:
        api = core_api()
        api.list_namespace(_request_timeout=5)
    except Exception as error:
        raise UnavailableError(
            f"context {CONTEXT} does not answer ({type(error).__name__}); `make dev` makes it"
        ) from None
    return api


@contextmanager
def undeployed(namespace: str, *, program: Path = ROOT) -> Iterator[Stack]:
    """Yield a stack with the config of `dev` that is not deployed. program: the folder of its `__main__.py`."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), namespace)
        stack.create({"chartPath": str(ROOT / chart_archive("", ROOT))}, {})
        path = stack.folder / "Pulumi.yaml"
        path.write_text(yaml.safe_dump({**load_yaml(path.read_text()), "main": str(program)}))
        yield stack


@contextmanager
def deployable(api: Any, namespace: str) -> Iterator[Stack]:
    """Yield a stack to deploy. Afterwards its namespace is removed, whatever happened in between."""
    if namespace in namespaces(api):
        raise UnavailableError(f"namespace {namespace} exists. Fix: kubectl delete namespace {namespace}")
    with tempfile.TemporaryDirectory() as folder:
        stack = make_stack(Path(folder), namespace, dag_repository())
        try:
            yield from destroyed(stack)
        finally:
            if namespace in namespaces(api):
                api.delete_namespace(namespace)


def _need_engine() -> None:
    """Install the plugins that `dev` uses, and keep the engine from fetching others.

    At every run the engine looks for the plugin of each SDK in the virtual environment, the one of AWS too, and fetches
    what is missing. That is not to be measured.
    """
    command = pulumi()
    if command is None:
        raise UnavailableError("the Pulumi CLI is not on PATH; `make dev` installs it")
    for name in PLUGINS:
        version = f"v{importlib.metadata.version(f'pulumi-{name}')}"
        install = [command, "plugin", "install", "resource", name, version]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            raise UnavailableError(f"the engine's plugin {name} {version} is not here and cannot be downloaded")
    os.environ.update(environment(os.environ))


def namespaces(api: Any) -> set[str]:
    """Return the names of the cluster's namespaces."""
    return {item.metadata.name for item in api.list_namespace().items}
