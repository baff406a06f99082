"""Fixtures of the tests of `automation`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.automation.checkouts import base, checkouts
from tests.automation.fakes import FakeAirflow, FakeKube, FakeTime, World, dag_json, isolated
from tests.cluster.harness import pulumi

__all__ = ["base", "checkouts"]


@pytest.fixture
def engine_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine has an engine. Must come before what looks for it: that takes the PATH of the time."""
    command = pulumi()
    if command is None:
        pytest.skip("no engine: pulumi is not on PATH")
    monkeypatch.setenv("PATH", str(Path(command).parent), prepend=os.pathsep)


@pytest.fixture
def world() -> World:
    """A healthy deployment with one DAG that anybody may run."""
    airflow = FakeAirflow()
    airflow.dags["tutorial_dag"] = dag_json("tutorial_dag")
    return World(kube=FakeKube(airflow=airflow, network=isolated), airflow=airflow, time=FakeTime())
