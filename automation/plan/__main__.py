"""`python -m automation.plan` in a checkout: read a request on standard input, write the plan as JSON.

`process` runs it; people use `python -m automation plan`. What the program itself prints is no part of the result.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from automation.plan.failures import failure_of
from automation.plan.model import Plan
from components.secrets.masker import Masker


def main() -> int:
    """Return exit code 0, also where the program cannot be planned: that is a result."""
    # A short process may keep its garbage: looking for it takes a third of the time that the SDKs take to load.
    gc.disable()
    request = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as results:
        os.dup2(2, 1)
        json.dump(_plan(Path.cwd(), request).to_json(), results, sort_keys=True)
    return 0


def _plan(project: Path, request: dict[str, Any]) -> Plan:
    try:
        # Imported here: this imports the program's modules, and one of them may be wrong.
        from automation.plan.run import Request, plan

        return plan(project, Request(**request))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        masker = Masker(bytes.fromhex(request["key"]), request["secrets"].values())
        return Plan(stack=request["stack"], failure=failure_of(error, project, masker))


if __name__ == "__main__":
    sys.exit(main())
