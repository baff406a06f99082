"""Runs a command in a container of a pod, as `kubectl exec` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class CommandError(Exception):
    """The command did not run, or did not end in time. The text holds nothing of its output."""


@dataclass(frozen=True)
class ExecResult:
    """The result of a command in a container."""

    exit_code: int
    """The command's exit code."""
    stdout: str
    """What it wrote to its output."""
    stderr: str = field(repr=False, default="")
    """What it wrote to its error output; it may hold a secret."""


def run_in_pod(
    api_client: Any, namespace: str, pod: str, container: str, command: Sequence[str], *, seconds: float, line: str
) -> ExecResult:
    """Run a command, and wait at most this long for its end. Raises CommandError, and what the client raises.

    Args:
        api_client: A client that nothing else uses meanwhile.
        namespace: The pod's namespace.
        pod: Its name.
        container: Where the command runs.
        command: Its words.
        seconds: How long it may take.
        line: Written to its input, which then stays open. Without one, the command has no input.
    """
    from kubernetes import client, stream

    process: Any = stream.stream(
        client.CoreV1Api(api_client).connect_get_namespaced_pod_exec,
        pod,
        namespace,
        container=container,
        command=list(command),
        stdout=True,
        stderr=True,
        stdin=bool(line),
        tty=False,
        _preload_content=False,
    )
    try:
        if line:
            process.write_stdin(f"{line}\n")
        process.run_forever(timeout=seconds)
        ended = not process.is_open()
        out, err, status = (process.read_channel(channel) for channel in (1, 2, 3))
    finally:
        process.close()
    if not ended:
        raise CommandError(f"no end within {seconds:.0f} s")
    code = exit_code(status)
    if code is None:
        raise CommandError(_message(status))
    return ExecResult(code, out, err)


def exit_code(status: str) -> int | None:
    """Return the exit code in the status object that ends an exec; None where the command did not run."""
    try:
        content = json.loads(status)
        if content["status"] == "Success":
            return 0
        if content["reason"] == "NonZeroExitCode":
            return int(content["details"]["causes"][0]["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        pass
    return None


def _message(status: str) -> str:
    try:
        return str(json.loads(status)["message"])
    except (ValueError, KeyError, TypeError):
        return "the connection ended before the command did"
