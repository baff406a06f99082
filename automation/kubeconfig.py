"""Which contexts a kubeconfig has. Nothing here takes the current context for granted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import kubernetes.config
import yaml

_loader: Any = kubernetes.config  # its functions have no types
_DEFAULT: Final = "~/.kube/config"


def kubeconfig_path(given: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """What is given, else `KUBECONFIG` (may be a list of files), else the user's own."""
    paths = given or environ.get("KUBECONFIG") or _DEFAULT
    return os.pathsep.join(os.path.expanduser(path) for path in paths.split(os.pathsep))


def contexts(paths: str) -> dict[str, str]:
    """Names of the contexts, each with its cluster's address, "" where it has none.

    Of files that name the same thing, the first wins, as with kubectl. A file that cannot be read has no context.
    """
    clusters: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for path in paths.split(os.pathsep):
        content = _read(Path(path))
        clusters = {**_named(content, "clusters", "cluster"), **clusters}
        found = {**_named(content, "contexts", "context"), **found}
    return {name: str(clusters.get(context.get("cluster"), {}).get("server", "")) for name, context in found.items()}


def api_client(context: str, path: str) -> Any:
    """A client of the context's cluster, and of no other. Raises `kubernetes.config.ConfigException`."""
    return _loader.new_client_from_config(config_file=path, context=context, persist_config=False)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _named(content: Mapping[str, Any], kind: str, key: str) -> dict[str, Any]:
    """Entries of one of a kubeconfig's lists by their name."""
    entries = content.get(kind)
    return {
        entry["name"]: entry.get(key) or {}
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and "name" in entry
    }
