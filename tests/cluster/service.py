"""Stacks for tests as a service drives them: through the library, in this process, each in a namespace of its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from automation import Environment, Environments, EnvironmentSettings, Passphrase, Secret
from automation.errors import AutomationError, StackUnknown
from components.kube.safe_yaml import load_yaml
from settings import SECRET_KEYS
from tests.cluster.harness import ROOT, SHIPPED, Repository

PASSPHRASE: Final = "sentinel-passphrase-of-this-test"


def dev_values(namespace: str, repository: Repository, **changed: Any) -> dict[str, Any]:
    """The config of the stack `dev`, in a namespace of its own; `changed` on top, None takes a key out."""
    committed = load_yaml((SHIPPED / "Pulumi.dev.yaml").read_text())["config"]
    values = {key.removeprefix("airflow:"): value for key, value in committed.items() if key.startswith("airflow:")}
    values |= {"namespace": namespace, "releaseTimeoutSeconds": 600, **repository.config, **repository.secrets}
    values |= changed
    return {
        key: Secret(value) if key in SECRET_KEYS and not isinstance(value, Secret) else value
        for key, value in values.items()
        if value is not None
    }


def environments(folder: Path, **options: Any) -> Environments:
    """Stacks whose state, and everything else, is in a folder."""
    return Environments(
        ROOT,
        backend=(folder / "state").as_uri(),
        secrets_provider=Passphrase(Secret(PASSPHRASE)),
        work_dir=folder / "work",
        **options,
    )


def settings(name: str, namespace: str, repository: Repository, **changed: Any) -> EnvironmentSettings:
    """Those of a stack like `dev`."""
    return EnvironmentSettings.of(name, dev_values(namespace, repository, **changed))


@contextmanager
def removed(environment: Environment, api: Any, namespace: str) -> Iterator[Environment]:
    """Yields it, and leaves nothing of it in the cluster, whatever happened in between."""
    try:
        yield environment
    finally:
        try:
            environment.destroy(remove=True)
        except StackUnknown:
            pass
        except AutomationError as error:
            print(f"destroy: {error}")
        if namespace in {item.metadata.name for item in api.list_namespace().items}:
            api.delete_namespace(namespace)


def own_secrets(api: Any, namespace: str) -> dict[str, dict[str, str]]:
    """Content of each Secret that the program made, by name."""
    selector = "app.kubernetes.io/managed-by=pulumi"
    found = api.list_namespaced_secret(namespace, label_selector=selector).items
    return {
        item.metadata.name: {key: base64.b64decode(value).decode() for key, value in (item.data or {}).items()}
        for item in found
    }


def as_json(content: Mapping[str, Any]) -> str:
    """As a service would answer."""
    return json.dumps(content, indent=2)
