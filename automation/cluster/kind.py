"""The cluster of a local stack: the one that exists, else a new one made by Kind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import versions
from automation.cluster import local_clusters, tools
from automation.cluster.client import cluster_errors, cluster_identity, kubeconfig_file
from automation.errors import ClusterUnreachable, ToolMissing, ToolsMissing
from automation.folder import LocalFolder, write_file
from components.kube import kubeconfig

KIND_PREFIX: Final = "kind-"
"""Kind names the context of its cluster NAME `kind-NAME`."""
_BEGINS: Final = "•"
"""Begins the line by which Kind says, where no terminal is, that it begins a step."""
_NODE_RUNS: Final = "Starting control-plane"
"""The step of Kind's before which the node's container, with containerd in it, has started."""
_READY_SECONDS: Final = 180
_REMIND_SECONDS: Final = 20.0
_COMMAND_SECONDS: Final = 900  # the first time the node image, about 400 MB, is downloaded


@dataclass(frozen=True)
class Cluster:
    """A cluster for a local stack."""

    context: str
    """Its context in the kubeconfig."""
    created: bool
    """Whether it was created just now."""
    identity: str
    """What tells it from every other cluster; see `cluster_identity`."""


def ensure_cluster(
    project_dir: Path,
    context: str,
    *,
    kubeconfig_path: str | None = None,
    on_line: Callable[[str], None] = lambda line: None,
    before_making: Callable[[], object] = lambda: None,
    on_node: Callable[[], object] = lambda: None,
    environ: Mapping[str, str] = os.environ,
) -> Cluster:
    """Return the cluster of a context. One that answers is used as it is; a missing one of Kind's is made.

    Args:
        project_dir: The checkout.
        context: The context.
        kubeconfig_path: Path of the kubeconfig; None takes kubectl's own.
        on_line: Receives lines about what is being made.
        before_making: Called once it is known that a cluster will be made, which takes a minute or more.
        on_node: Called once, when the node of a new cluster runs. Kubernetes runs in it half a minute later.
        environ: Says which container engine Kind uses.

    Raises:
        ClusterUnreachable: It does not answer, and cannot be made here.
        ToolMissing: It would have to be made, and Kind or a container engine is missing.
    """
    path = kubeconfig_file(kubeconfig_path, environ)
    try:
        identity = cluster_identity(context, kubeconfig_path=kubeconfig_path)
        server = kubeconfig.contexts(path).get(context, "")
        if server and not local_clusters.is_near(server):
            on_line(f"context {context} leads to a cluster at {urlsplit(server).hostname}, not on this machine")
        return Cluster(context, created=False, identity=identity)
    except ClusterUnreachable as unreachable:
        with cluster_errors():
            kubeconfig.require_readable(path)  # no other cluster mends that, and Kind would find out after minutes
        contexts = kubeconfig.contexts(path)
        if not context.startswith(KIND_PREFIX):
            remedy = local_clusters.how_to_reach(context, contexts)
            raise ClusterUnreachable(unreachable.what, remedy or unreachable.remedy) from None
        _refuse_foreign(context, path, unreachable)
        silent = unreachable.what if context in contexts else ""
    name = context.removeprefix(KIND_PREFIX)
    problems = missing_tools(environ)
    if problems:
        found = [name for name in local_clusters.EXECUTABLES if shutil.which(name)]
        others = {name: server for name, server in contexts.items() if name != context}
        ways = local_clusters.ways_on(found, others)
        raise ToolsMissing(tuple(problems), (f"{silent}: start it, then make dev", *ways) if silent else ways)
    if name in _kind_clusters():
        raise ClusterUnreachable(
            f"the Kind cluster {name} exists but does not answer on context {context}",
            f"docker start {name}-control-plane && kind export kubeconfig --name {name}, "
            f"or begin again: kind delete cluster --name {name}",
        )
    before_making()
    on_line(f"creating the Kind cluster {name} ({versions.KIND_NODE_IMAGE}, about 400 MB the first time)")
    arguments = ["--name", name, "--image", versions.KIND_NODE_IMAGE, "--wait", f"{_READY_SECONDS}s"]
    if kubeconfig_path:
        arguments += ["--kubeconfig", path]
    waiting = [on_node]

    def said(line: str) -> None:
        on_line(line)
        if _NODE_RUNS in line and waiting:
            waiting.pop()()

    _kind(["create", "cluster", *arguments], said)
    for call in waiting:  # another Kind names its steps otherwise
        call()
    identity = cluster_identity(context, kubeconfig_path=kubeconfig_path)
    write_file(LocalFolder(project_dir).cluster, json.dumps({"context": context, "uid": identity}) + "\n")
    return Cluster(context, created=True, identity=identity)


def missing_tools(environ: Mapping[str, str] = os.environ) -> list[ToolMissing]:
    """Return what is missing to make a cluster."""
    problems = []
    checks: tuple[Callable[[], None], ...] = (
        _require_kind,
        lambda: tools.require_container_engine(container_engine(environ)),
    )
    for check in checks:
        try:
            check()
        except ToolMissing as error:
            problems.append(error)
    return problems


def container_engine(environ: Mapping[str, str] = os.environ) -> str:
    """Return the command of the container engine that Kind uses."""
    # Kind's own variable; https://kind.sigs.k8s.io/docs/user/rootless/
    return environ.get("KIND_EXPERIMENTAL_PROVIDER") or "docker"


def created_cluster(project_dir: Path) -> str | None:
    """Return the context of the cluster that this checkout created; None where it created none."""
    mark = _mark(project_dir)
    return mark[0] if mark else None


def answers_and_was_created_here(project_dir: Path, context: str, *, kubeconfig_path: str | None = None) -> bool:
    """Return whether the cluster of a context is the one that this checkout created. Raises ClusterUnreachable."""
    mark = _mark(project_dir)
    return mark is not None and mark == (context, cluster_identity(context, kubeconfig_path=kubeconfig_path))


def delete_cluster(project_dir: Path, *, kubeconfig_path: str | None = None, keep_mark: bool = False) -> bool:
    """Delete the cluster that this checkout created. Returns false where there is none.

    Another cluster with the same name is left alone. Raises ToolMissing, ClusterUnreachable.

    Args:
        project_dir: The checkout.
        kubeconfig_path: Path of the kubeconfig; None takes kubectl's own.
        keep_mark: Let `is_gone` know of the cluster afterwards. Another call then takes the mark away.
    """
    mark = _mark(project_dir)
    if mark is None:
        return False
    context, uid = mark
    name = context.removeprefix(KIND_PREFIX)
    ours = False
    if not is_gone(project_dir, context, kubeconfig_path=kubeconfig_path):
        try:
            ours = cluster_identity(context, kubeconfig_path=kubeconfig_path) == uid
        except ClusterUnreachable as error:
            raise ClusterUnreachable(
                f"the Kind cluster {name} does not answer, so it is unknown whether it is the one made here",
                f"if it is: kind delete cluster --name {name}",
            ) from error
    if ours:
        _require_kind()
        arguments = ["--kubeconfig", kubeconfig_file(kubeconfig_path)] if kubeconfig_path else []
        _kind(["delete", "cluster", "--name", name, *arguments])
    if not keep_mark:
        LocalFolder(project_dir).cluster.unlink(missing_ok=True)
    return ours


def is_gone(project_dir: Path, context: str, *, kubeconfig_path: str | None = None) -> bool:
    """Return whether the cluster of a context was created here and no longer exists, with everything in it."""
    if created_cluster(project_dir) != context:
        return False
    try:
        cluster_identity(context, kubeconfig_path=kubeconfig_path)
    except ClusterUnreachable:
        _require_kind()
        return context.removeprefix(KIND_PREFIX) not in _kind_clusters()
    return False


def _refuse_foreign(context: str, path: str, unreachable: ClusterUnreachable) -> None:
    """Raise ClusterUnreachable for a context that is not of a Kind cluster on this machine.

    Kind would put its new cluster in the context's place.
    """
    server = kubeconfig.contexts(path).get(context, "")
    host = urlsplit(server).hostname or ""
    if server and host not in local_clusters.LOOPBACK:
        raise ClusterUnreachable(
            f"context {context} is of a cluster at {host}, not of one that Kind made here, and it does not answer",
            "start that cluster, or name another one with airflow:kubeContext",
        ) from unreachable


def _mark(project_dir: Path) -> tuple[str, str] | None:
    try:
        content = json.loads(LocalFolder(project_dir).cluster.read_text(encoding="utf-8"))
        return str(content["context"]), str(content["uid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _require_kind() -> None:
    tools.require("kind", kind=versions.KIND)


def _kind_clusters() -> list[str]:
    return _kind(["get", "clusters"]).split()


def _kind(arguments: list[str], on_line: Callable[[str], None] = lambda line: None) -> str:
    """Run Kind and return its output; `on_line` hears what it begins. Raises ClusterUnreachable with its last line."""
    late, ended = threading.Event(), threading.Event()
    step = ""

    def remind() -> None:
        began, said = time.monotonic(), step
        while not ended.wait(_REMIND_SECONDS):
            if step != said:
                began, said = time.monotonic(), step
            elif step:
                on_line(f"Kind: still {step} ({time.monotonic() - began:.0f} s)")

    with subprocess.Popen(
        ["kind", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(_COMMAND_SECONDS, stop)
        timer.start()
        threading.Thread(target=remind, daemon=True).start()
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            said = []
            # Kind writes its progress to standard error, and no more than a few names to standard output.
            for line in map(str.strip, process.stderr):
                said.append(line)
                if line.startswith(_BEGINS):
                    step = line.removeprefix(_BEGINS).strip()
                    on_line(f"Kind: {step}")
            output = process.stdout.read()
        finally:
            timer.cancel()
            ended.set()
    if late.is_set():
        raise ClusterUnreachable(
            f"kind {' '.join(arguments[:2])} did not end within {_COMMAND_SECONDS} s",
            "run it by hand to see where it waits",
        )
    if process.returncode != 0:
        errors = [line for line in said if line.startswith("ERROR")]
        reason = (errors or [line for line in said if line] or ["no reason given"])[-1]
        raise ClusterUnreachable(f"kind {' '.join(arguments[:2])} failed ({reason})", "repair that, and run this again")
    return output
