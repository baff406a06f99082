"""The clock that recovery is tried under. Asks no cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.moved_clock import moved_clock

PROGRAM: Final = """
import datetime, subprocess, time
from concurrent.futures import ThreadPoolExecutor

import grpc

server = grpc.server(ThreadPoolExecutor())
server.add_insecure_port("127.0.0.1:0")
server.start()
server.stop(None)
started = subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout
print(time.time(), datetime.datetime.now(datetime.UTC).timestamp(), float(started))
print(time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
"""
NEAR: Final = 1000
"""Seconds: less than the clock is set by, and more than a process takes."""


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_is_set_for_python_and_for_what_it_calls_and_starts(hours: int, tmp_path: Path) -> None:
    """A server of gRPC starts at once; with Python's clock alone an hour ahead it starts an hour later."""
    variables = {**os.environ, **moved_clock(hours, tmp_path)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=NEAR, check=True)
    wall, steady = ([float(word) for word in line.split()] for line in done.stdout.splitlines())
    assert all(abs(found - time.time() - hours * 3600) < NEAR for found in wall)
    here = (time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
    assert all(abs(found - expected) < NEAR for found, expected in zip(steady, here, strict=True))
