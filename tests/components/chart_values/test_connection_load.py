"""The connection budget counts what helmValues change."""

from __future__ import annotations

from typing import Any

import pytest

from components.chart_values.connection_budget import ConnectionLoad
from components.chart_values.connection_load import connection_load
from components.chart_values.scale import Scale
from tests import samples
from tests.cases import each

SCALE = Scale(api_server=2)


def load(**values: Any) -> ConnectionLoad:
    return connection_load(SCALE, values, scalers=0, exporters=0)


def test_defaults_count_where_nothing_is_said() -> None:
    assert load() == ConnectionLoad(scale=SCALE)


@each(
    ("values", "field", "expected"),
    [
        ({"config": {"database": {"sql_alchemy_pool_size": 200}}}, "sqlalchemy_pool_size", 200),
        ({"config": {"database": {"sql_alchemy_max_overflow": "0"}}}, "sqlalchemy_max_overflow", 0),
        ({"config": {"api": {"workers": 4}}}, "api_workers", 4),
        ({"apiServer": {"env": [{"name": "AIRFLOW__API__WORKERS", "value": "8"}]}}, "api_workers", 8),
        ({"env": [{"name": "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE", "value": "9"}]}, "sqlalchemy_pool_size", 9),
        (
            {
                "config": {"api": {"workers": 2}},
                "apiServer": {"env": [{"name": "AIRFLOW__API__WORKERS", "value": "3"}]},
            },
            "api_workers",
            3,
        ),
    ],
)
def test_value_counts_wherever_it_is_set(values: dict[str, Any], field: str, expected: int) -> None:
    assert getattr(load(**values), field) == expected


@each(
    ("hpa", "pods"),
    [
        ({"enabled": True, "maxReplicaCount": 20}, 20),
        ({"enabled": True}, 5),
        ({"enabled": True, "maxReplicaCount": 1}, 2),
        ({"enabled": False, "maxReplicaCount": 20}, 2),
    ],
)
def test_autoscaled_api_server_counts_at_its_largest(hpa: dict[str, Any], pods: int) -> None:
    assert load(apiServer={"hpa": hpa}).scale.api_server == pods


@each("value", ["many", "-1", 0])
def test_number_that_cannot_be_counted_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        load(config={"database": {"sql_alchemy_pool_size": value}})


def test_config_that_opens_more_than_the_database_takes_is_refused() -> None:
    one = dict.fromkeys(("apiServer", "scheduler", "dagProcessor", "triggerer"), 1)
    config = samples.external().with_(
        {
            "databaseMaxConnections": 250,
            "pgbouncerEnabled": False,
            **{f"{component}Replicas": pods for component, pods in one.items()},
            "helmValues": {"config": {"database": {"sql_alchemy_pool_size": 200}}},
        }
    )
    (problem,) = config.problems()
    assert "250" in problem
    assert not config.with_({"helmValues": {}}).problems()
