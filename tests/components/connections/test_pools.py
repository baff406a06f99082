"""Pools as the Job hands them to Airflow."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from components.connections.pools import IMPORT, Pool, pool_variables

POOLS: Final = (
    Pool(name="default_pool", slots=64),
    Pool(name="größe 'a\"", slots=-1, description="$(HOME) $HOME $$ $$(HOME) `x`", include_deferred=True),
)


def test_pools_are_one_variable_in_the_form_that_airflow_imports() -> None:
    [variable] = pool_variables(POOLS)
    assert json.loads(variable["value"].replace("$$", "$")) == {
        "default_pool": {"slots": 64, "description": "", "include_deferred": False},
        "größe 'a\"": {"slots": -1, "description": "$(HOME) $HOME $$ $$(HOME) `x`", "include_deferred": True},
    }
    assert "$$(HOME)" in variable["value"], "Kubernetes would put a variable in"
    assert pool_variables(()) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on PATH")
def test_airflow_imports_the_text_as_it_is_and_its_failure_is_the_job_s(tmp_path: Path) -> None:
    program = tmp_path / "airflow"
    text = pool_variables(POOLS)[0]["value"]
    for code in (0, 1):
        program.write_text(f'#!/bin/sh\n[ "$1 $2" = "pools import" ] && cat "$3"\nexit {code}\n')
        program.chmod(0o755)
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{IMPORT}"],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "POOLS": text},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (code, text)
