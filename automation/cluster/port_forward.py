"""Forwards a local port to a Service until Ctrl-C, even if its pods are replaced; and opens a browser there."""

from __future__ import annotations

import subprocess
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from automation.errors import ClusterRequestFailed
from automation.wait import Clock

_PAUSE_SECONDS: Final = 1.0
_GIVE_UP_SECONDS: Final = 300.0
"""An update may leave no API server ready for so long."""
_NO_PORT: Final = "unable to listen"
_LOOK: Final = "python -m automation status STACK says what is wrong"


def forward(
    command: Sequence[str],
    port: int,
    *,
    on_open: Callable[[], object],
    on_line: Callable[[str], object],
    clock: Clock | None = None,
) -> None:
    """Run `kubectl port-forward` until Ctrl-C. When its pod ends, as in a roll, begin again with another.

    Args:
        command: The command.
        port: The local port.
        on_open: Called when the port leads somewhere for the first time.
        on_line: Receives a line when the connection is lost, and when it is there again.
        clock: The clock of the pauses.

    Raises:
        ClusterRequestFailed: It never led anywhere, or not for five minutes.
    """
    clock = clock or Clock()
    opened, lost_at = False, None
    while True:
        was_open, said = False, ""
        # In one stream: a stream that nobody reads would block the command when it is full.
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if not line.startswith("Forwarding from 127.0.0.1"):
                        said = line.strip() or said
                        continue
                    was_open = True
                    if not opened:
                        on_open()
                    elif lost_at is not None:
                        on_line("connected again")
                    opened, lost_at = True, None
            except KeyboardInterrupt:
                process.terminate()
                return
            except BaseException:  # such as that nobody reads the output any more: the end of the block waits
                process.terminate()
                raise
        reason = said or f"exit code {process.returncode}"
        if not opened:
            taken = f"free port {port}, or take another one: python -m automation ui STACK --port {port + 1}"
            raise ClusterRequestFailed(
                f"kubectl port-forward ended ({reason})", taken if _NO_PORT in reason.lower() else _LOOK
            )
        if was_open:
            on_line(f"connection lost ({reason}); connecting again")
        lost_at = clock.now() if lost_at is None else lost_at
        if clock.now() - lost_at >= _GIVE_UP_SECONDS:
            raise ClusterRequestFailed(f"no connection for {_GIVE_UP_SECONDS:.0f} s ({reason})", _LOOK)
        try:
            clock.sleep(_PAUSE_SECONDS)
        except KeyboardInterrupt:
            return


def has_browser(environ: Mapping[str, str], platform: str = sys.platform, *, terminal: bool) -> bool:
    """Whether a browser with a window can be opened for the person at this terminal.

    Args:
        environ: The variables of this process.
        platform: As `sys.platform` has it.
        terminal: Whether a person sees the output.
    """
    if not terminal or environ.get("SSH_CONNECTION"):
        return False
    if environ.get("BROWSER"):
        return True
    # Elsewhere, Python would start a browser for the terminal.
    return platform in ("darwin", "win32") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_browser(url: str) -> bool:
    """Open a browser, and return whether there is one."""
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
