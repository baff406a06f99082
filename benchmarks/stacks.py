"""Stacks to measure, each in a namespace of its own that is gone afterwards."""

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

from automation.engine.plugins import ENVIRONMENT, PLUGINS
from benchmarks.results import UnavailableError
from components.release.chart_archive import chart_archive
from tests.cluster.harness import CONTEXT, ROOT, Stack, core_api, dag_repository, destroyed, make_stack, pulumi


def need_cluster() -> Any:
    """Client of the cluster, and an engine that is ready. Raises UnavailableError where one of them is missing."""
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
    """A stack with the config of `dev` that nothing is deployed of. program: the folder of its `__main__.py`."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), namespace)
        stack.create({"chartPath": str(ROOT / chart_archive("", ROOT))}, {})
        path = stack.folder / "Pulumi.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "main": str(program)}))
        yield stack


@contextmanager
def deployable(api: Any, namespace: str) -> Iterator[Stack]:
    """A stack of the program to deploy. Afterwards its namespace is gone, whatever happened in between."""
    if namespace in _namespaces(api):
        raise UnavailableError(f"namespace {namespace} is there already: kubectl delete namespace {namespace}")
    with tempfile.TemporaryDirectory() as folder:
        stack = make_stack(Path(folder), namespace, dag_repository())
        try:
            yield from destroyed(stack)
        finally:
            if namespace in _namespaces(api):
                api.delete_namespace(namespace)


def _need_engine() -> None:
    """Has the plugins here that `dev` uses, and no other fetched.

    Before every operation the engine looks for the plugin of each SDK in the virtual environment, that of AWS too, and
    fetches what is missing: once where it succeeds, at every run where it does not. Neither is to be measured.
    """
    command = pulumi()
    if command is None:
        raise UnavailableError("the Pulumi CLI is not on PATH; `make dev` installs it")
    for name in PLUGINS:
        version = f"v{importlib.metadata.version(f'pulumi-{name}')}"
        install = [command, "plugin", "install", "resource", name, version]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            raise UnavailableError(f"the engine's plugin {name} {version} is not here and cannot be downloaded")
    os.environ.update(ENVIRONMENT)


def _namespaces(api: Any) -> set[str]:
    return {item.metadata.name for item in api.list_namespace().items}
