"""Which contexts a kubeconfig has. Nothing here takes the current context for granted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import kubernetes.config
import yaml

from automation.errors import ClusterUnreachable

_loader: Any = kubernetes.config  # its functions have no types
_DEFAULT: Final = "~/.kube/config"
_UNUSABLE: Final = (AttributeError, LookupError, OSError, TypeError, ValueError, yaml.YAMLError)
"""What Kubernetes' client raises for a kubeconfig that is not what it takes for granted. Their texts quote it."""


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
    return {
        name: str(clusters.get(str(context.get("cluster")), {}).get("server", "")) for name, context in found.items()
    }


def api_client(context: str, path: str) -> Any:
    """A client of the context's cluster, and of no other.

    Raises `kubernetes.config.ConfigException` where there is none, ClusterUnreachable where a file cannot be read.
    """
    require_readable(path)
    try:
        return _loader.new_client_from_config(config_file=path, context=context, persist_config=False)
    except _UNUSABLE as error:
        remedy = f"look at kubectl --kubeconfig {path} config view, and make the context anew"
        raise ClusterUnreachable(
            f"kubeconfig {path}: expected a cluster, a user and their certificates for context {context}, found what "
            f"cannot be used ({type(error).__name__})",
            remedy,
        ) from None


def require_readable(paths: str) -> None:
    """Raises ClusterUnreachable for a file that is there and is no kubeconfig; an empty one has no context, no more."""
    for path in filter(None, paths.split(os.pathsep)):
        try:
            content, found = _content(Path(path)), ""
        except FileNotFoundError:
            continue
        except IsADirectoryError:
            found = "a folder"
        except OSError as error:
            found = f"one that cannot be read ({error.strerror or type(error).__name__})"
        except UnicodeDecodeError:
            found = "no text"
        except (yaml.YAMLError, ValueError):
            found = "no YAML"
        else:
            found = "" if content is None or isinstance(content, dict) else f"a {type(content).__name__}"
        if found:
            raise ClusterUnreachable(
                f"kubeconfig {path}: expected a file of YAML that is a map, found {found}",
                "take a copy of it back or make it anew, or name another one with KUBECONFIG",
            )


def _content(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = _content(path)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _named(content: Mapping[str, Any], kind: str, key: str) -> dict[str, Any]:
    """Entries of one of a kubeconfig's lists by their name."""
    entries = content.get(kind)
    return {
        str(entry["name"]): entry[key] if isinstance(entry.get(key), dict) else {}
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and "name" in entry
    }
