"""The route from a Gateway to the API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from components.chart_values.chart_defaults import schema_problems
from components.chart_values.ingress import Ingress
from components.chart_values.values import airflow_values
from components.release.gateway_route import GatewayRoute, GatewayRouteArgs, route_spec
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

GATEWAY = Ingress(host="tools.example.com", path="/airflow", gateway="gateways/public")


def test_route_leads_from_the_gateway_to_the_api_server_but_for_the_workers_api(record: Record) -> None:
    args = GatewayRouteArgs(namespace="ns", ingress=GATEWAY, service="airflow-api-server", port=8080)
    recorder = record(lambda: GatewayRoute("airflow-route", args))
    (route,) = recorder.every("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
    assert route.inputs["metadata"]["namespace"] == "ns"
    spec = route.inputs["spec"]
    assert spec["parentRefs"] == [{"namespace": "gateways", "name": "public"}]
    assert spec["hostnames"] == ["tools.example.com"]
    closed, open_ = spec["rules"]
    assert closed == {"matches": [{"path": {"type": "PathPrefix", "value": "/airflow/execution"}}]}
    assert open_["matches"] == [{"path": {"type": "PathPrefix", "value": "/airflow"}}]
    assert open_["backendRefs"] == [{"name": "airflow-api-server", "port": 8080}]


def test_route_needs_a_gateway() -> None:
    with pytest.raises(ValueError, match="gateway: expected NAMESPACE/NAME, found none"):
        route_spec(Ingress(host="tools.example.com"), "airflow-api-server", 8080)


def test_chart_makes_no_ingress_beside_it() -> None:
    found = airflow_values(samples.release_inputs(ingress=GATEWAY))
    assert "ingress" not in found
    assert "service" not in found["apiServer"]
    assert found["config"]["api"]["base_url"] == "https://tools.example.com/airflow"
    assert "--proxy-headers" in found["apiServer"]["args"][-1]
    assert schema_problems(found) == []
