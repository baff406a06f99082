"""Fixtures of the tests of `automation`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.automation.fakes import FakeAirflow, FakeKube, FakeTime, World, dag_json, isolated


@pytest.fixture
def world() -> Iterator[World]:
    """A healthy deployment with one DAG that anybody may run."""
    airflow = FakeAirflow()
    airflow.dags["tutorial_dag"] = dag_json("tutorial_dag")
    with airflow.serving() as port:
        yield World(kube=FakeKube(airflow_port=port, network=isolated), airflow=airflow, time=FakeTime())
