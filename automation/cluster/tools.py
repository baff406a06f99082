"""Programs that a verb needs: checks that they are installed, and says where to get them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

from automation.errors import ToolMissing

_WHY: Final[Mapping[str, tuple[str, str]]] = {
    "kind": (
        "it makes the local cluster",
        "https://kind.sigs.k8s.io/docs/user/quick-start/#installation (or go install sigs.k8s.io/kind@v{kind})",
    ),
    "k3d": ("it runs the local cluster", "https://k3d.io/stable/#installation"),
    "minikube": ("it runs the local cluster", "https://minikube.sigs.k8s.io/docs/start/"),
    "docker": ("the local cluster runs in its containers", "https://docs.docker.com/get-started/get-docker/"),
    "podman": ("the local cluster runs in its containers", "https://podman.io/docs/installation"),
    "nerdctl": ("the local cluster runs in its containers", "https://github.com/containerd/nerdctl/releases"),
    "kubectl": ("it forwards a port to Airflow", "https://kubernetes.io/docs/tasks/tools/"),
}
_SECONDS: Final = 30


def require(tool: str, **versions: str) -> None:
    """Raise ToolMissing for a program that is not on PATH; the text says what it is for and where to get it."""
    if shutil.which(tool) is None:
        why, where = _WHY[tool]
        raise ToolMissing(f"{tool} is not on PATH: {why}", f"install it: {where.format(**versions)}")


def require_container_engine(tool: str) -> None:
    """Raise ToolMissing if the command is missing, or its daemon does not answer."""
    require(tool)
    try:
        answer = subprocess.run([tool, "info"], capture_output=True, timeout=_SECONDS, check=False)
        if answer.returncode == 0:
            return
        lines = answer.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1].strip() if lines else f"exit code {answer.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"no answer within {_SECONDS} s"
    start = "start it"
    if tool == "docker" and "permission denied" in reason.lower():
        # https://docs.docker.com/engine/install/linux-postinstall/
        start = "let your user use it (Linux: sudo usermod -aG docker $USER, and log in again)"
    raise ToolMissing(
        f"{tool} is installed but its engine does not answer ({reason})", f"{start}; `{tool} info` must succeed"
    )
