"""A process in which somebody has set the wall clock: `python -m tests.cluster.moved_clock HOURS FOLDER VERB`.

VERB is `status`, whose JSON is printed, or `recover`. The stack is that of `kill_up`. The clock is set before anything
of the program is imported, so that no module holds on to the real one.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any


def move(hours: float) -> None:
    """Sets every wall clock of this process; what counts from the start of the machine goes on as before."""
    seconds = hours * 3600
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)

    class Moved(datetime.datetime):
        """The same class, at another time."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    datetime.datetime = Moved  # type: ignore[misc]


def main(hours: float, folder: Path, verb: str) -> int:
    """Asks for the status, or recovers. Exit code 1 where the program refuses."""
    from automation.errors import AutomationError
    from tests.cluster import kill_up

    environment = kill_up.environment(folder, kill_up.TAGS[0])
    try:
        if verb == "status":
            print(json.dumps(environment.status().to_json()))
        else:
            print(json.dumps(environment.recover().plan.to_json()))
    except AutomationError as error:
        print(f"{error.kind}: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    move(float(sys.argv[1]))
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
