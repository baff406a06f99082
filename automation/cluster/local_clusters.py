"""Kinds of clusters on your own machine: which are installed, how to start each, how to copy an image into it.

Nothing is asked here: executables and contexts are given.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, kw_only=True)
class LocalCluster:
    """One way to have a cluster on one's own machine. `{name}` in a text is the cluster's name in its own tool."""

    title: str
    """The product's own name."""
    executable: str
    """The program by which it is known to be installed."""
    context: str
    """Its context in the kubeconfig; with a `-` at the end, the beginning of each of them."""
    make: str
    """How to make the cluster, as a command or a clause."""
    start: str
    """How to start the cluster after it was stopped, as a command or a clause."""
    load: tuple[str, ...] = ()
    """The command that copies `{image}` from Docker into the cluster; () where the cluster sees Docker's images."""
    needs_docker: bool = False
    """Whether it runs in containers of Docker."""

    def has(self, context: str) -> bool:
        """Whether a context is one of its clusters."""
        return context.startswith(self.context) if self.context.endswith("-") else context == self.context

    def name_of(self, context: str) -> str:
        """Return the name of a context's cluster in its own tool."""
        return context.removeprefix(self.context) if self.context.endswith("-") else context


KIND: Final = LocalCluster(
    title="Kind",
    executable="kind",
    context="kind-",
    make="make dev",
    start="docker start {name}-control-plane",
    load=("kind", "load", "docker-image", "{image}", "--name", "{name}"),
    needs_docker=True,
)
_SETTINGS: Final = "turn Kubernetes on in the settings of {title}"
LOCAL_CLUSTERS: Final = (
    KIND,
    LocalCluster(
        title="k3d",
        executable="k3d",
        context="k3d-",
        make="k3d cluster create {name}",
        start="k3d cluster start {name}",
        load=("k3d", "image", "import", "{image}", "--cluster", "{name}"),
        needs_docker=True,
    ),
    LocalCluster(
        title="minikube",
        executable="minikube",
        context="minikube",
        # By itself, it enforces no NetworkPolicy.
        make="minikube start --cni calico",
        start="minikube start",
        load=("minikube", "image", "load", "{image}"),
    ),
    LocalCluster(
        title="Docker Desktop",
        executable="docker-credential-desktop",
        context="docker-desktop",
        make=_SETTINGS.format(title="Docker Desktop"),
        start="start Docker Desktop",
    ),
    LocalCluster(
        title="OrbStack",
        executable="orb",
        context="orbstack",
        make=_SETTINGS.format(title="OrbStack"),
        start="start OrbStack",
    ),
    LocalCluster(
        title="Rancher Desktop",
        executable="rdctl",
        context="rancher-desktop",
        make=_SETTINGS.format(title="Rancher Desktop"),
        start="start Rancher Desktop",
    ),
)
EXECUTABLES: Final = (*(item.executable for item in LOCAL_CLUSTERS), "docker", "podman", "nerdctl")
"""What `ways_on` looks for."""
_NAME: Final = "airflow"
"""Name of a cluster in the commands that are proposed."""
_NAMES: Final = 10
_ANOTHER: Final = "another cluster: make dev CONTEXT=NAME, with a name that kubectl config get-contexts shows"


def local_cluster(context: str) -> LocalCluster | None:
    """Return what a context's cluster is, judged by its name; None for one that is not of this machine."""
    return next((item for item in LOCAL_CLUSTERS if item.has(context)), None)


def ways_on(executables: Collection[str], contexts: Mapping[str, str]) -> tuple[str, ...]:
    """Return how `make dev` can go on without making a cluster in Kind, a line each. The last one is always possible.

    Args:
        executables: Which of `EXECUTABLES` are on PATH.
        contexts: The contexts of the kubeconfig, with the addresses of their clusters. A cluster that is not of this
            machine is not proposed: somebody may depend on it.
    """
    lines = []
    for item in LOCAL_CLUSTERS:
        there = sorted(name for name, server in contexts.items() if item.has(name) and is_near(server))
        lines += [f"{item.title} has the context {name}: {_dev(name)}" for name in there]
        if there or item is KIND or item.executable not in executables:
            continue
        if not item.needs_docker or "docker" in executables:
            context = f"{item.context}{_NAME}" if item.context.endswith("-") else item.context
            made = item.make.format(name=_NAME)
            joined = f"{made} && " if made.startswith(item.executable) else f"{made}, then: "
            lines.append(f"{item.title} is installed: {joined}{_dev(context)}")
    if KIND.executable in executables and "docker" not in executables:
        # https://kind.sigs.k8s.io/docs/user/rootless/
        engines = [name for name in ("podman", "nerdctl") if name in executables]
        lines += [f"Kind can use {name}: export KIND_EXPERIMENTAL_PROVIDER={name} && make dev" for name in engines]
    return (*lines, _ANOTHER)


def how_to_reach(context: str, contexts: Collection[str]) -> str:
    """Return what makes a cluster answer that does not; "" where that is not known here.

    Args:
        context: Its context.
        contexts: Those of the kubeconfig.
    """
    item = local_cluster(context)
    if item is None:
        others = ", ".join(sorted(contexts)[:_NAMES])
        return (
            f"make dev CONTEXT=NAME with a name that is there: {others}" if others and context not in contexts else ""
        )
    done = (item.start if context in contexts else item.make).format(name=shlex.quote(item.name_of(context)))
    return f"{done}{' && ' if done.startswith(item.executable) else ', then: '}{_dev(context)}"


def how_to_start(context: str, contexts: Collection[str]) -> str:
    """Return what makes the silent cluster of a verb answer; "" where that is not known here.

    A cluster whose context is missing may be named in another kubeconfig: only Kind's is made anew, by `make dev`.

    Args:
        context: Its context.
        contexts: Those of the kubeconfig.
    """
    item = local_cluster(context)
    if item is None or (context not in contexts and item is not KIND):
        return ""
    if context not in contexts:
        return "make dev makes it; if it exists, name its kubeconfig: export KUBECONFIG=FILE"
    return f"{item.start.format(name=shlex.quote(item.name_of(context)))}, and run this again"


def load_command(context: str, image: str) -> tuple[str, ...] | None:
    """Return the command that copies an image from Docker into a context's cluster.

    () if the cluster sees Docker's images by itself, None if it is not of this machine.
    """
    item = local_cluster(context)
    if item is None:
        return None
    return tuple(word.format(image=image, name=item.name_of(context)) for word in item.load)


def is_near(server: str) -> bool:
    """Whether the address of a cluster is one of this machine, or of a virtual machine on it."""
    host = urlsplit(server).hostname or ""
    if host in LOOPBACK or host.endswith(".docker.internal"):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _dev(context: str) -> str:
    return f"make dev CONTEXT={shlex.quote(context)}"
