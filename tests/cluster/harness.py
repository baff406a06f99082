"""The stack that is thrown away, and what only tests do with it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.plain_stack import COMMAND_SECONDS
from benchmarks.plain_stack import CONTEXT as CONTEXT
from benchmarks.plain_stack import ROOT as ROOT
from benchmarks.plain_stack import SHIPPED as SHIPPED
from benchmarks.plain_stack import UNCHANGED as UNCHANGED
from benchmarks.plain_stack import Repository as Repository
from benchmarks.plain_stack import Result as Result
from benchmarks.plain_stack import Stack as Stack
from benchmarks.plain_stack import core_api as core_api
from benchmarks.plain_stack import dag_repository as dag_repository
from benchmarks.plain_stack import destroyed as destroyed
from benchmarks.plain_stack import events as events
from benchmarks.plain_stack import make_stack as make_stack
from benchmarks.plain_stack import pulumi as pulumi
from benchmarks.plain_stack import steps as steps

_PREFLIGHT: Final = "kubernetes:core/v1:ConfigMap::airflow-preflight-"
"""Begins the resources by which the preflight remembers what it has checked (ADR 26)."""


def touched(result: Result) -> set[str]:
    """Return `type::name` of the resources that changed, without the stack, components and checks beforehand."""
    changed = {step.split(" ", 1)[1] for step in result.steps}
    return {each for each in changed if not each.startswith(_PREFLIGHT)}


def interrupted_up(stack: Stack, send: signal.Signals, when: Callable[[Path], bool]) -> Result:
    """Run `pulumi up`, and send it a signal as soon as `when` says so about its event log."""
    log, output = stack.event_log(), stack.folder / "interrupted.txt"
    with output.open("w") as stream:
        process = subprocess.Popen(
            [str(pulumi()), "up", "--yes", "--skip-preview", "--event-log", str(log), "--non-interactive"],
            cwd=stack.folder,
            env=stack.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while process.poll() is None and not when(log):
            time.sleep(0.2)
        assert process.poll() is None, f"ended before the signal: {output.read_text()[-3000:]}"
        process.send_signal(send)
        process.wait(timeout=COMMAND_SECONDS)
    return Result(process.returncode, output.read_text(), steps(log))


def release_has_begun(log: Path) -> bool:
    """Return whether the engine is at work on the Helm release."""
    return any("helm.sh/v3:Release" in step for step in steps(log))
