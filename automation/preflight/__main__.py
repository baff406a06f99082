"""`python -m automation.preflight` in a checkout: read a request on standard input, write the findings as JSON.

`preflight_stack` runs it; people use `python -m automation preflight`. What the program itself prints is no part of
the result.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path


def main() -> int:
    """Return exit code 0, also where a check failed: that is a result."""
    request = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as results:
        os.dup2(2, 1)
        from automation.preflight.run import preflight

        asyncio.set_event_loop(asyncio.new_event_loop())  # that of the program's SDK
        json.dump(preflight(Path.cwd(), request["stack"], request["secrets"]), results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
