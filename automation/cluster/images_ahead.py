"""Pulls the images of a stack into a new cluster of Kind, while other things are still being made ready."""

from __future__ import annotations

import os
import subprocess
import threading
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
) -> tuple[threading.Thread, ...]:
    """Begin to pull images into the node of a Kind cluster, and return the threads that wait for it.

    Nothing depends on it: an image that is not there in time, or cannot be pulled so, is pulled by Kubernetes when a
    pod needs it, and the preflight says why that fails.
    """
    node = f"{context.removeprefix(KIND_PREFIX)}-control-plane"
    command = (container_engine(environ), "exec", node, "crictl", "pull")
    threads = tuple(
        threading.Thread(target=_pull, args=((*command, image), image, on_line, remind_seconds), daemon=True)
        for image in images
    )
    for thread in threads:
        thread.start()
    return threads


def _pull(command: tuple[str, ...], image: str, on_line: Callable[[str], None], remind_seconds: float) -> None:
    on_line(f"pulling {image} into the node")
    waited = 0.0
    try:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            while True:
                try:
                    _, errors = process.communicate(timeout=remind_seconds)
                    break
                except subprocess.TimeoutExpired:
                    waited += remind_seconds
                    on_line(f"still pulling {image} ({waited:.0f} s)")
    except OSError as error:
        on_line(f"{image} is not pulled ahead: {error.strerror}")
        return
    if process.returncode:
        reason = (errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        on_line(f"{image} is not pulled ahead: {reason}")
    else:
        on_line(f"pulled {image}")
