"""The runbook of a restore, followed word by word.

Its blocks are found when this module is imported: so a page with other ones fails without an engine too.
"""

from __future__ import annotations

import re
import time
from typing import Final

from tests.prod.account import ADMINISTRATOR
from tests.prod.checkout import Checkout
from tests.prod.runbook import blocks

_PAGE: Final = "runbooks/restore-database.md"
[_STEPS] = blocks(_PAGE, "Steps")
[_DELETE_OLD] = blocks(_PAGE, "Expected")
[_EARLIER_KEY] = blocks(_PAGE, "An earlier Fernet key")
_LIST, _TRY, _RESTORE = _STEPS.text.splitlines()
_LIST_VERSIONS, _READ_VERSION = _EARLIER_KEY.text.splitlines()
_MOMENT: Final = "--at 2026-01-31T10:45Z"
_COMMAND_LINE: Final = "automation"
assert _STEPS.text.count(_MOMENT) == 2, _STEPS.text


def restore(checkout: Checkout, backup: str | None = None, *, module: str = _COMMAND_LINE) -> str:
    """Do the steps, and return what the last one prints.

    Args:
        checkout: The stack.
        backup: Name of a backup that is listed. None: the last moment that is listed.
        module: The command line.
    """
    listed = _run(checkout, _LIST, module)
    if backup is None:
        [moment] = re.findall(r"every moment from \S+ to (\S+): restore --at TIME", listed)
    else:
        assert backup in listed, listed
    choice = f"--at {moment}" if backup is None else f"--from {backup}"
    assert "the present database would stay as" in _run(checkout, _TRY.replace(_MOMENT, choice), module)
    done = _run(checkout, _RESTORE.replace(_MOMENT, choice), module)
    assert "is done and proved" in done, done
    assert "is restored and verified" in done, done
    return done


def delete_old(checkout: Checkout, *, module: str = _COMMAND_LINE) -> str:
    """Delete the instance that a restore has left, and return the name of its final snapshot."""
    done = _run(checkout, _DELETE_OLD.text, module)
    [snapshot] = re.findall(r"kept: the snapshot (\S+)", done)
    return str(snapshot)


def keys_of_an_older_version(checkout: Checkout) -> str:
    """Return what the page's commands print of the first version of the escrow that they list."""
    listed = checkout.run(_LIST_VERSIONS, access_key=ADMINISTRATOR).output
    version = re.findall(r'"VersionId": "([^"]+)"', listed)[0]
    return checkout.run(_READ_VERSION.replace("VERSION", version), access_key=ADMINISTRATOR).output


def _run(checkout: Checkout, command: str, module: str) -> str:
    said = f"python -m {_COMMAND_LINE} "
    assert command.startswith(said), command
    started = time.monotonic()
    done = checkout.run(command.replace(said, f"python -m {module} "))
    print(f"{command}: exit {done.code} after {time.monotonic() - started:.0f} s", flush=True)
    return done.output
