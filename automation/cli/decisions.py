"""The arguments for what only a person can know about a killed update."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from automation.cli.declare import argument

if TYPE_CHECKING:
    from automation.recovery.result import Decisions


def _pair(text: str) -> tuple[str, str]:
    urn, separator, id_ = text.rpartition("=")
    if not separator or not urn.startswith("urn:pulumi:") or not id_:
        raise argparse.ArgumentTypeError(f"expected URN=ID, found {text!r}")
    return urn, id_


DECISIONS: Final = (
    argument("--lock-is-stale", action="store_true", help="you know that the process that holds the lock has ended"),
    argument("--adopt", type=_pair, action="append", metavar="URN=ID", help="you know that this resource exists"),
    argument("--forget", action="append", metavar="URN", help="you know that this resource was not made"),
)


def decisions_of(args: argparse.Namespace) -> Decisions | None:
    """Return what a person has decided, None for nothing."""
    from automation.recovery.result import Decisions

    if not (args.lock_is_stale or args.adopt or args.forget):
        return None
    return Decisions(
        lock_is_stale=args.lock_is_stale, adopt=dict(args.adopt or ()), forget=frozenset(args.forget or ())
    )
