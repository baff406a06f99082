"""Pulls the images of a stack into a new cluster of Kind, while other things are still being made ready."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import settings
import versions
from automation.cluster.kind import KIND_PREFIX, container_engine
from components.chart_values.chart_defaults import chart_values
from components.kube.images import CHART_IMAGES, POSTGRES_REPOSITORY, Images

_CHART_IMAGES: Final = ("redis", "statsd", "gitSync")
_REMIND_SECONDS: Final = 20.0
_RECEIVED: Final = "/sys/class/net/eth0/statistics/rx_bytes"
"""What a node has received since it began. crictl says nothing before an image is complete."""
_STARTS: Final = "containerd.sock"
"""In the error of a node whose containerd does not answer yet."""
_ATTEMPTS: Final = 15
_PAUSE_SECONDS: Final = 2.0


def images_of_stack(project_dir: Path, stack: str) -> tuple[str, ...]:
    """Return what `images_of` does for the committed config of a stack. Raises settings.SettingsError."""
    return images_of(settings.check(project_dir, stack).platform.images)


def images_of(images: Images) -> tuple[str, ...]:
    """Return references of the images that a stack like `dev` runs. Values of the user's may still change a tag."""
    chart = chart_values()["images"]
    return (
        images.airflow,
        f"{images.mirrored(POSTGRES_REPOSITORY)}:{versions.POSTGRES_IMAGE_TAG}",
        *(f"{images.mirrored(CHART_IMAGES[key])}:{chart[key]['tag']}" for key in _CHART_IMAGES),
    )


def pull_ahead(
    context: str,
    images: Iterable[str],
    on_line: Callable[[str], None],
    *,
    environ: Mapping[str, str] = os.environ,
    remind_seconds: float = _REMIND_SECONDS,
    pause_seconds: float = _PAUSE_SECONDS,
) -> tuple[threading.Thread, ...]:
    """Begin to pull images into the node of a Kind cluster, and return the threads that wait for it.

    Kubernetes need not run in the node yet: an image needs containerd alone, which is asked again until it answers.
    Nothing depends on it: an image that is not there in time, or cannot be pulled so, is pulled by Kubernetes when a
    pod needs it, and the preflight says why that fails.
    """
    node = f"{context.removeprefix(KIND_PREFIX)}-control-plane"
    inside, pauses = (container_engine(environ), "exec", node), (remind_seconds, pause_seconds)
    threads = tuple(
        threading.Thread(target=_pull, args=(inside, image, on_line, *pauses), daemon=True) for image in images
    )
    for thread in threads:
        thread.start()
    return threads


def _pull(
    inside: tuple[str, ...], image: str, on_line: Callable[[str], None], remind_seconds: float, pause_seconds: float
) -> None:
    on_line(f"pulling {image} into the node")
    try:
        for _ in range(_ATTEMPTS):
            problem = _pulled(inside, image, on_line, remind_seconds)
            if _STARTS not in problem:
                break
            time.sleep(pause_seconds)
    except OSError as error:
        problem = str(error.strerror)
    on_line(f"{image} is not pulled ahead: {problem}" if problem else f"pulled {image}")


def _pulled(inside: tuple[str, ...], image: str, on_line: Callable[[str], None], remind_seconds: float) -> str:
    """Pull an image, and return why that failed; "" if it is there."""
    waited = 0.0
    with subprocess.Popen(
        (*inside, "crictl", "pull", image), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while True:
            try:
                _, errors = process.communicate(timeout=remind_seconds)
                break
            except subprocess.TimeoutExpired:
                waited += remind_seconds
                on_line(f"still pulling {image} ({waited:.0f} s{_received(inside)})")
    if not process.returncode:
        return ""
    return (errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1]


def _received(inside: tuple[str, ...]) -> str:
    """Return how much has reached the node, as the rest of a line; "" if it does not say."""
    try:
        said = subprocess.run((*inside, "cat", _RECEIVED), capture_output=True, text=True, timeout=5, check=False)
        return f"; the node has received {int(said.stdout) >> 20} MiB"
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
