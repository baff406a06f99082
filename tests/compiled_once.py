"""Compile each file once, whatever the number of processes, and keep the result.

pytest compiles each file of tests anew, in every process, where it may not keep the result: on a clean clone that took
a quarter of the processor time. To be imported before all that is to be kept.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from itertools import filterfalse
from pathlib import Path
from unittest.mock import patch

import pytest
from _pytest.assertion import rewrite

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # for the processes that this one starts


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Compile a share of what is to be collected, while the other processes of xdist compile theirs."""
    worker: dict[str, object] = getattr(session.config, "workerinput", {})
    hook = next((found for found in sys.meta_path if isinstance(found, rewrite.AssertionRewritingHook)), None)
    if not worker or hook is None:
        return
    files = sorted(_collected(session.config), key=lambda path: (-path.stat().st_size, path))
    number, count = int(str(worker["workerid"]).removeprefix("gw")), int(str(worker["workercount"]))
    with patch.dict(vars(rewrite), exec=lambda *_: None):
        for path in filterfalse(_is_compiled, files[number::count]):
            spec = importlib.util.spec_from_file_location("compiled", path, loader=hook)
            assert spec is not None
            with contextlib.suppress(Exception):  # what is wrong with a file is told when it is collected
                hook.exec_module(importlib.util.module_from_spec(spec))


def _collected(config: pytest.Config) -> Iterator[Path]:
    for argument in config.args:
        path = config.invocation_params.dir / argument.partition("::")[0]
        for found in path.rglob("*.py") if path.is_dir() else (path,):
            if found.name.startswith(("test_", "conftest")) and found.is_file():
                yield found


def _is_compiled(path: Path) -> bool:
    return (rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}").exists()
