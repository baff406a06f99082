"""Make the checks of a stack in a process of their own: the program runs there with the stack's secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from automation.engine.events import EventKind, OnEvent
from automation.errors import Interrupted, UpdateFailed, from_text
from automation.folder import short_name
from automation.preflight.result import Preflight, PreflightCheck
from automation.stacks.cluster_tag import cluster_to_store
from automation.stacks.file_secrets import file_secrets
from automation.stacks.session import Session
from automation.stacks.work_directory import checkout
from components.preflight.finding import Verdict

_POLL_SECONDS: Final = 0.2
_SET: Final = {"PULUMI_ERROR_OUTPUT_STRING": "true", "PYTHONUTF8": "1"}


def preflight_stack(session: Session, on_event: OnEvent) -> Preflight:
    """See `Environment.preflight`."""
    name = short_name(session.name)
    with session.open_for_update("preflight", on_event) as opened:
        cluster_to_store(session, opened)  # a wrong cluster is an error; nothing is stored
        secrets = {**file_secrets(opened), **session.place.known_secrets()}
        opened.teller.tell(EventKind.WAITING, "checking what the release will need")
    cancelled = session.cancellation.watcher()
    with checkout(session.place, name) as project_dir:
        answer = _run(project_dir, {"stack": name, "secrets": secrets}, cancelled)
    if cancelled():
        raise Interrupted(f"preflight of stack {session.name} was interrupted", "run it again")
    if "error" in answer:
        raise from_text(UpdateFailed, f"preflight of stack {session.name}: {session.masker.text(answer['error'])}")
    checks = tuple(
        PreflightCheck(name=item["check"], verdict=Verdict(item["verdict"]), what=item["what"], fix=item["fix"])
        for item in session.masker.value(answer["findings"])
    )
    return Preflight(stack=session.name, new_namespace=answer["new_namespace"], checks=checks)


def _run(project_dir: Path, request: dict[str, Any], cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Run the checks in the checkout. A cancel lets the process delete what it has made, and end.

    Secrets go by standard input, where no list of processes shows them.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "automation.preflight"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=project_dir,
        env={**os.environ, **_SET},
        start_new_session=True,  # Ctrl-C in a terminal reaches it by the cancel alone, once
    ) as process:
        given: str | None = json.dumps(request)
        told = False
        while True:
            try:
                answered, _ = process.communicate(given, timeout=_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                given = None  # it has begun to be written
                if cancelled() and not told:
                    told = True
                    process.send_signal(signal.SIGINT)
    try:
        answer: dict[str, Any] = json.loads(answered)
    except ValueError:
        return {"error": f"the process that makes the checks ended with exit code {process.returncode} and no answer"}
    return answer
