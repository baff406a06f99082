"""Kubeconfigs: which contexts they have, and a connection to the one that is named.

Nothing here relies on the current context. No error quotes a kubeconfig: it may hold a token.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from components.kube.any_form import entries, mapping
from components.kube.fix_text import with_fix
from components.kube.safe_yaml import load_yaml

_REMEDY: Final = "kubectl config get-contexts, and set airflow:kubeContext or KUBECONFIG"
_UNUSABLE: Final = (AttributeError, LookupError, OSError, TypeError, ValueError, yaml.YAMLError)
"""What the Kubernetes client raises for a kubeconfig that is not shaped as it expects."""


class KubeUnreachable(Exception):  # noqa: N818 - the name says what is wrong
    """The kubeconfig has no such context or cannot be used, or its cluster does not answer."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(with_fix(what, remedy))


def is_content(kubeconfig: str) -> bool:
    """Return whether the text is a kubeconfig itself, not the path of one: a path has no line end and no brace."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")


def contexts(paths: str) -> dict[str, str]:
    """Return the address of the cluster of each context, by the context's name; "" where the context has none.

    The first file wins where several define the same name, as with kubectl. A file that cannot be read has no context.
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


def api_client(kubeconfig: str | None, context: str) -> Any:
    """Return a `kubernetes.client.ApiClient` of the context's cluster.

    Args:
        kubeconfig: A path, several separated by `os.pathsep`, or the content itself: the provider takes the same. None
            takes the one that kubectl uses.
        context: Name of the context.

    Raises:
        KubeUnreachable: There is no such context, or the kubeconfig cannot be used.
    """
    # Imported here: a program that changes no release does not pay for it.
    from kubernetes import config

    loader: Any = config  # its functions have no types
    place, view = "the kubeconfig of kubectl", ""
    content = kubeconfig if kubeconfig and is_content(kubeconfig) else None
    if content:
        place = "the given kubeconfig"
    elif kubeconfig:
        require_readable(kubeconfig)
        place, view = f"kubeconfig {kubeconfig}", f" --kubeconfig {kubeconfig}"
    try:
        # Not persisted: reading a cluster must not write a refreshed token into the user's kubeconfig.
        if content:
            return loader.new_client_from_config_dict(load_yaml(content), context=context, persist_config=False)
        return loader.new_client_from_config(config_file=kubeconfig or None, context=context, persist_config=False)
    except config.ConfigException:
        raise KubeUnreachable(f"{place} has no usable context {context}", _REMEDY) from None
    except _UNUSABLE as error:
        raise KubeUnreachable(
            f"{place}: expected a cluster, a user and their certificates for context {context}, found what cannot be "
            f"used ({type(error).__name__})",
            f"kubectl config view{view}, and make the context again",
        ) from None


def require_readable(paths: str) -> None:
    """Raise KubeUnreachable for a file that exists and is not a kubeconfig. An empty file is one without contexts."""
    for path in filter(None, paths.split(os.pathsep)):
        try:
            content, problem = _content(Path(path)), ""
        except FileNotFoundError:
            continue
        except IsADirectoryError:
            problem = "a folder"
        except OSError as error:
            problem = f"one that cannot be read ({error.strerror or type(error).__name__})"
        except UnicodeDecodeError:
            problem = "no text"
        except (yaml.YAMLError, ValueError):
            problem = "no YAML"
        else:
            problem = "" if content is None or isinstance(content, dict) else f"a {type(content).__name__}"
        if problem:
            raise KubeUnreachable(
                f"kubeconfig {path}: expected a file of YAML that is a map, found {problem}",
                "restore it from a copy or make it again, or name another file with KUBECONFIG",
            )


def _content(path: Path) -> Any:
    return load_yaml(path.expanduser().read_text(encoding="utf-8"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = _content(path)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return mapping(content)


def _named(content: Mapping[str, Any], section: str, key: str) -> dict[str, Mapping[str, Any]]:
    """Return the entries of one of a kubeconfig's lists by their name."""
    return {str(entry["name"]): mapping(entry.get(key)) for entry in entries(content.get(section)) if "name" in entry}
