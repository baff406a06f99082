"""Pods that try a new value, which end at once."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from components.preflight.pod_run import PodEnd


def ends(monkeypatch: pytest.MonkeyPatch, module: ModuleType, end: PodEnd | Exception) -> list[Any]:
    """Let each pod that a module runs end so. Return the pods, as they are run."""
    pods: list[Any] = []

    def run(api: Any, namespace: str, pod: Any, limits: Any, **options: Any) -> PodEnd:
        pods.append(pod)
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(module, "run_pod", run)
    return pods
