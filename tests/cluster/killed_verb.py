"""A verb of several stages that is killed at chosen moments, with its engine, and begun again."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster import kill_up
from tests.cluster.harness import ROOT

CHILD_SECONDS: Final = 1200


@dataclass(frozen=True)
class Kill:
    """A moment at which the rotation is killed: so many seconds after it told a line that has a text."""

    text: str
    seconds: float


def killed(
    folder: Path,
    name: str,
    words: Sequence[str],
    kills: Sequence[Kill],
    checkout: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Run a command, kill it at each of these moments, and begin it again. Return what it told, until its good end.

    The kill inside a short stage may come when the stage has just ended. Then the moment after that stage never comes,
    and is passed over; after the last stage, the command has then nothing left to do.
    """
    told: list[str] = []
    left = list(kills)
    for number in range(len(kills) + 1):
        log = folder / f"{name}-{number}.txt"
        with log.open("w") as output:
            process = subprocess.Popen(words, cwd=checkout, env=environment, stdout=output, stderr=subprocess.STDOUT)
        kill = _next(left, log, process)
        if kill is None:
            assert process.wait(CHILD_SECONDS) == 0, log.read_text()[-4000:]
        else:
            time.sleep(kill.seconds)
            assert process.poll() is None, f"ended before {kill}: {log.read_text()[-3000:]}"
            kill_up.kill(process.pid, whole=number % 2 == 0)
            process.wait()
        told += [f"--- {kill or 'to the end'}", *log.read_text().splitlines()]
        if kill is None:
            break
    struck = sum(line.startswith("--- Kill") for line in told)
    assert struck >= len(kills) - 1, told
    return told


def _next(left: list[Kill], log: Path, process: subprocess.Popen[bytes]) -> Kill | None:
    """Wait for the first moment of those that are left, and take it off the list; None if there is none."""
    end = time.monotonic() + CHILD_SECONDS
    while left:
        ended = process.poll() is not None
        text = log.read_text()
        if left[0].text in text:
            return left.pop(0)
        if (stage := _stage(left[0].text)) and _stage(text) > stage:
            left.pop(0)
            continue
        if ended:
            assert process.returncode == 0, f"ended before {left[0]}: {text[-3000:]}"
            left.clear()
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    return None


def _stage(text: str) -> int:
    """Return the last stage that a text names, or 0."""
    found: list[str] = re.findall(r"stage (\d) of", text)
    return int(found[-1]) if found else 0


FERNET_KILLS: Final = (
    Kill("stage 1 of 4: ", 1),
    Kill("creating a new Job airflow-database-migrate", 2),
    Kill("stage 1 of 4 is done", 0),
    Kill("updating Release airflow", 8),
    Kill("stage 2 of 4 is done", 0),
    Kill("stage 3 of 4: ", 0.3),
    Kill("stage 3 of 4 is done", 0),
    Kill("updating Release airflow", 15),
    Kill("stage 4 of 4 is done", 0),
)
"""After and inside each stage."""

JWT_KILLS: Final = (
    Kill("stage 1 of 4: ", 25),
    Kill("stage 1 of 4 is done", 0),
    Kill("stage 2 of 4: ", 25),
    Kill("stage 2 of 4 is done", 0),
    Kill("waiting: tokens of the old secret", 15),
    Kill("stage 3 of 4 is done", 0),
    Kill("stage 4 of 4: ", 25),
)
"""The same; the wait is one of them."""
API_KILLS: Final = (Kill("stage 1 of 1: ", 20), Kill("stage 1 of 1 is done", 0))
REDIS_KILLS: Final = (
    Kill("stage 1 of 3: ", 0),
    Kill("stage 1 of 3 is done", 0),
    Kill("stage 2 of 3: ", 25),
    Kill("stage 2 of 3 is done", 0),
    Kill("stage 3 of 3: ", 15),
)
DATABASE_KILLS: Final = (
    Kill("stage 1 of 3: ", 0),
    Kill("stage 1 of 3 is done", 0),
    Kill("stage 2 of 3: ", 25),
    Kill("stage 2 of 3 is done", 0),
)
MANAGED_KILLS: Final = (
    Kill("stage 1 of 4: ", 15),
    Kill("stage 1 of 4 is done", 0),
    Kill("stage 2 of 4: ", 25),
    Kill("stage 2 of 4 is done", 0),
    Kill("stage 3 of 4: ", 10),
    Kill("stage 4 of 4: ", 3),
)
GIVEN_LOGIN_KILLS: Final = (Kill("stage 1 of 1: ", 5), Kill("updating Release airflow", 10))
GIT_KILLS: Final = (
    Kill("register this deploy key", 1),
    Kill("stage 2 of 2: ", 20),
    Kill("stage 2 of 2 is done", 0),
)
REGISTRY_KILLS: Final = (Kill("stage 1 of 1: ", 20), Kill("stage 1 of 1 is done", 0))
AUTHORITY_KILLS: Final = (
    Kill("stage 1 of 3: ", 20),
    Kill("stage 1 of 3 is done", 0),
    Kill("let the database's operator", 2),
    Kill("stage 3 of 3: ", 20),
)
KILLS: Final[Mapping[str, tuple[Kill, ...]]] = {
    "fernet": FERNET_KILLS,
    "jwt": JWT_KILLS,
    "api-secret-key": API_KILLS,
    "redis-password": REDIS_KILLS,
    "database-password": DATABASE_KILLS,
    "git-key": GIT_KILLS,
    "registry": REGISTRY_KILLS,
    "ca": AUTHORITY_KILLS,
}
