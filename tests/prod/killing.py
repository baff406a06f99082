"""A command that is killed with all that it has started, while AWS does what it has asked for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Collection, Sequence
from typing import Any

from tests.prod.account import Account
from tests.prod.checkout import COMMAND_SECONDS, Checkout


def killed_at(
    checkout: Checkout, account: Account, operations: Collection[str], *command: str, **orders: Any
) -> set[str]:
    """Run a command and kill it when AWS has done the first of some operations, such as `iam:CreateRole`, but has not
    answered yet. Return what was done of them: the engine may ask for several at once.
    """
    account.order(held=tuple(operations), **orders)
    output, started = checkout.folder / "killed.txt", time.time()
    with output.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=checkout.folder,
            env=checkout.environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not _done(account, operations, started):
        assert process.poll() is None, output.read_text()[-6000:]
        assert time.time() < started + COMMAND_SECONDS
        time.sleep(0.5)
    # The engine and its plugins too, which are in sessions of their own.
    for pid in (process.pid, *_below(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    done = _done(account, operations, started)
    print(
        f"{' '.join(command[3:])}: killed in {', '.join(sorted(done))} after {time.time() - started:.0f} s", flush=True
    )
    account.order(**orders)
    return done


def _done(account: Account, operations: Collection[str], since: float) -> set[str]:
    return {call.operation for call in account.calls(since) if call.status < 400} & set(operations)


def _below(pid: int) -> Sequence[int]:
    """Return the processes that a process has started, and those that these have started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listed.splitlines())}
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]
