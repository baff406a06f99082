"""Make the checks of a stack in a process of their own: the program runs there with the stack's secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from pulumi.automation import CommandError

from automation.engine.events import EventKind, OnEvent
from automation.engine.failures import engine_error
from automation.engine.operations import OpenedStack
from automation.errors import Interrupted, UpdateFailed, from_text
from automation.folder import short_name
from automation.preflight.result import PreflightCheck, PreflightResult
from automation.stacks.session import Session
from automation.stacks.work_directory import checkout
from components.preflight.finding import Verdict
from settings import PROJECT

_SECONDS: Final = 900.0
_SET: Final = {"PULUMI_ERROR_OUTPUT_STRING": "true", "PYTHONUTF8": "1"}


def preflight_stack(session: Session, on_event: OnEvent) -> PreflightResult:
    """See `Environment.preflight`."""
    name = short_name(session.name)
    with session.open_for_update("preflight", on_event) as opened:
        opened.teller.tell(EventKind.WAITING, "checking what the release will need")
        secrets = {**_secrets(opened), **session.place.known_secrets()}
    cancelled = session.cancellation.watcher()
    with checkout(session.place, name) as project_dir:
        answer = _run(project_dir, {"stack": name, "secrets": secrets})
    if cancelled():
        raise Interrupted(f"preflight of stack {session.name} was interrupted", "run it again")
    if "error" in answer:
        raise from_text(UpdateFailed, f"preflight of stack {session.name}: {session.masker.text(answer['error'])}")
    checks = tuple(
        PreflightCheck(name=item["check"], verdict=Verdict(item["verdict"]), what=item["what"], fix=item["fix"])
        for item in session.masker.value(answer["findings"])
    )
    return PreflightResult(stack=session.name, checks=checks)


def _secrets(opened: OpenedStack) -> dict[str, str]:
    """Return the secret config values that the engine can decrypt, by short key. Raises what opening a stack raises."""
    workspace = opened.stack.workspace
    words = ["config", "--show-secrets", "--json", "--stack", opened.stack.name]
    try:
        shown = json.loads(opened.engine.run(words, workspace.work_dir, workspace.env_vars).stdout)
    except CommandError as error:
        raise engine_error(error, "reading the config", stack=opened.stack.name) from None
    return {
        key.removeprefix(f"{PROJECT}:"): str(entry["value"])
        for key, entry in shown.items()
        if entry.get("secret") and key.startswith(f"{PROJECT}:")
    }


def _run(project_dir: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Run the checks in the checkout. Secrets go by standard input, where no list of processes shows them."""
    done = subprocess.run(
        [sys.executable, "-m", "automation.preflight"],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=_SECONDS,
        check=False,
        cwd=project_dir,
        env={**os.environ, **_SET},
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"error": f"the process that makes the checks ended with exit code {done.returncode} and no answer"}
    return answer
