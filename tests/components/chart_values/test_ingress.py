"""The Ingress, and what the API server is told of the proxy in front of it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from components.chart_values.chart_defaults import chart_values, schema_problems
from components.chart_values.ingress import CLOSED_PORT, Ingress, alb_annotations
from components.chart_values.values import airflow_values
from components.release.airflow_release import API_SERVER_SERVICE
from tests import samples
from tests.cases import each

HOST: Final = "airflow.example.com"
ARN: Final = "arn:aws:acm:eu-central-1:123456789012:certificate/1a2b"


def values(ingress: Ingress | None) -> dict[str, Any]:
    found = airflow_values(samples.release_inputs(ingress=ingress))
    assert schema_problems(found) == []
    return found


def variables(found: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in found["apiServer"]["env"]}


def test_without_one_nothing_leads_in() -> None:
    found = values(None)
    assert "ingress" not in found
    assert not {"args", "service"} & set(found["apiServer"]), "the chart's Service is a ClusterIP"
    assert "api" not in found["config"]
    assert "FORWARDED_ALLOW_IPS" not in variables(found)


def test_host_leads_to_the_whole_of_the_ui() -> None:
    found = values(Ingress(host=HOST, class_name="nginx", annotations={"a.b/c": "d"}))["ingress"]
    assert found == {
        "apiServer": {
            "enabled": True,
            "hosts": [{"name": HOST}],
            "path": "/",
            "pathType": "Prefix",
            "precedingPaths": [{"path": "/execution", "pathType": "Prefix", "servicePort": "not-published"}],
            "annotations": {"a.b/c": "d"},
            "ingressClassName": "nginx",
        }
    }


@pytest.mark.parametrize("secret", ["airflow-tls", None])
def test_certificate_is_in_a_secret_or_with_the_controller(secret: str | None) -> None:
    (host,) = values(Ingress(host=HOST, tls_secret=secret))["ingress"]["apiServer"]["hosts"]
    assert host.get("tls") == ({"enabled": True, "secretName": secret} if secret else None)


def test_default_class_of_the_cluster_is_left_to_it() -> None:
    assert "ingressClassName" not in values(Ingress(host=HOST))["ingress"]["apiServer"]


def test_airflow_knows_its_address_and_believes_its_proxy() -> None:
    found = values(Ingress(host=HOST))
    assert found["config"]["api"]["base_url"] == f"https://{HOST}"
    assert found["config"]["fab"]["enable_proxy_fix"] == "False", "else FAB believes the headers of anybody"
    assert "--proxy-headers" in found["apiServer"]["args"][-1]
    assert variables(found)["FORWARDED_ALLOW_IPS"] == "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7"
    assert len(variables(found)) == len(found["apiServer"]["env"])


@each("trusted", [("10.0.64.0/20",), ("10.0.64.0/20", "fd00:2::/64"), ("192.0.2.7/32",)])
def test_only_the_proxies_are_believed(trusted: tuple[str, ...]) -> None:
    found = variables(values(Ingress(host=HOST, trusted_proxies=trusted)))
    assert found["FORWARDED_ALLOW_IPS"] == ",".join(trusted)


@each(("path", "closed"), [("/", "/execution"), ("/airflow", "/airflow/execution"), ("/a/b", "/a/b/execution")])
def test_a_path_on_a_shared_host_is_the_ingress_s_and_airflow_s(path: str, closed: str) -> None:
    found = values(Ingress(host=HOST, class_name="nginx", path=path))
    assert found["ingress"]["apiServer"]["path"] == path
    assert found["ingress"]["apiServer"]["precedingPaths"][0]["path"] == closed
    assert found["config"]["api"]["base_url"] == f"https://{HOST}{path.rstrip('/')}"


def test_the_workers_api_goes_to_a_port_without_a_listener() -> None:
    found = values(Ingress(host=HOST, class_name="nginx"))
    ports = {port["name"]: port["port"] for port in found["apiServer"]["service"]["ports"]}
    assert ports == {"api-server": "{{ .Values.ports.apiServer }}", "not-published": str(CLOSED_PORT)}
    assert ports["api-server"] == chart_values()["apiServer"]["service"]["ports"][0]["port"]
    assert CLOSED_PORT not in chart_values()["ports"].values()


def test_an_alb_answers_for_the_workers_api_itself() -> None:
    found = values(Ingress(host=HOST, class_name="alb", annotations={"a.b/c": "d"}))
    (closed,) = found["ingress"]["apiServer"]["precedingPaths"]
    assert closed["servicePort"] == "use-annotation"
    action = found["ingress"]["apiServer"]["annotations"][f"alb.ingress.kubernetes.io/actions.{API_SERVER_SERVICE}"]
    assert json.loads(action)["fixedResponseConfig"]["statusCode"] == "404"
    assert found["ingress"]["apiServer"]["annotations"]["a.b/c"] == "d"
    assert "service" not in found["apiServer"]


@pytest.mark.parametrize(("internal", "scheme"), [(True, "internal"), (False, "internet-facing")])
def test_load_balancer_of_aws_speaks_tls_alone(internal: bool, scheme: str) -> None:
    found = {key.rpartition("/")[2]: value for key, value in alb_annotations(ARN, internal=internal).items()}
    assert found["scheme"] == scheme
    assert found["certificate-arn"] == ARN
    ports = [next(iter(entry.items())) for entry in json.loads(str(found["listen-ports"]))]
    assert ports == [("HTTP", 80), ("HTTPS", 443)]
    assert found["ssl-redirect"] == "443", "or the listener of HTTP would serve"
    assert "TLS13-1-2" in str(found["ssl-policy"])
    assert found["target-type"] == "ip"
    assert found["healthcheck-path"] == "/api/v2/monitor/health"


def test_annotations_of_aws_are_all_for_its_controller() -> None:
    found = alb_annotations(ARN, internal=True)
    assert all(key.startswith("alb.ingress.kubernetes.io/") for key in found)
    values(Ingress(host=HOST, class_name="alb", annotations=found))
