"""Describe where it was measured, without naming the machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess

import versions
from benchmarks.plain_stack import CONTEXT, ROOT, pulumi


def describe() -> str:
    """Return date, commit, cores, memory, kernel and versions as one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = re.match(r"[0-9.]*[0-9]", platform.release())
    parts = [
        *(
            f"commit {found}"
            for found in [_output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])]
            if found
        ),
        f"{os.cpu_count()} cores ({platform.machine()})",
        f"{memory:.0f} GiB",
        f"{platform.system()} {kernel[0] if kernel else ''}".rstrip(),
        *(f"Kubernetes {found}" for found in [_kubernetes()] if found),
        f"Python {platform.python_version()}",
        *(f"Pulumi {found}" for found in [_output([pulumi() or "pulumi", "version"])] if found),
        *(f"{name} {importlib.metadata.version(name)}" for name in ("pulumi-kubernetes", "pulumi-random")),
        *(f"Helm {found}" for found in [_output(["helm", "version", "--template", "{{.Version}}"])] if found),
        f"chart {versions.AIRFLOW_CHART}",
    ]
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return f"{today}: {', '.join(parts)}."


def _kubernetes() -> str | None:
    """Return the cluster's version, or None where no cluster answers."""
    from kubernetes import client, config

    try:
        api = client.VersionApi(config.new_client_from_config(context=CONTEXT))  # type: ignore[no-untyped-call]
        return str(api.get_code(_request_timeout=5).git_version).removeprefix("v")
    except Exception:
        return None


def _output(command: list[str]) -> str | None:
    """Return what a command prints, or None where it is missing."""
    if shutil.which(command[0]) is None:
        return None
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().removeprefix("v")
