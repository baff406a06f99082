"""The given connections and variables, in one Secret of the server components."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from components.connections.connections_secret import AirflowConnections, AirflowConnectionsArgs
from components.connections.given import GivenConnections
from components.kube.secret import Secret

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


def test_values_stand_in_the_secret_and_nowhere_else(record: Record) -> None:
    given = GivenConnections(
        connections={"my_db": Secret("postgres://sentinel")}, variables={"limit": Secret("sentinel 7")}
    )
    made: list[AirflowConnections] = []
    recorder = record(
        lambda: made.append(AirflowConnections("given", AirflowConnectionsArgs(namespace="ns", given=given)))
    )
    assert recorder.secret_data("given") == {
        "AIRFLOW_CONN_MY_DB": "postgres://sentinel",
        "AIRFLOW_VAR_LIMIT": "sentinel 7",
    }
    assert all("sentinel" not in resource.plain_text for resource in recorder.every())
    assert [variable["name"] for variable in made[0].variables] == ["AIRFLOW_CONN_MY_DB", "AIRFLOW_VAR_LIMIT"]
    assert {variable["valueFrom"]["secretKeyRef"]["key"] for variable in made[0].variables} == {
        "AIRFLOW_CONN_MY_DB",
        "AIRFLOW_VAR_LIMIT",
    }
