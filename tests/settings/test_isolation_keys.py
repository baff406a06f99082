"""Keys of the network policies: what is taken, and what is refused because it opens too much or nothing."""

from __future__ import annotations

from typing import Any

from components.network.extra_egress import NAMED, ExtraEgress, Protocol
from tests import samples
from tests.cases import each

LDAP: dict[str, Any] = {"components": ["api-server"], "cidrs": ["192.0.2.0/28"], "ports": [636]}


def problems(changes: dict[str, Any], base: samples.StackConfig | None = None) -> str:
    return "\n".join((base or samples.external()).with_(changes).problems())


def test_an_ldap_server_can_be_opened_to_the_api_server() -> None:
    ldap = "from flask_appbuilder.const import AUTH_LDAP\nAUTH_TYPE = AUTH_LDAP\n"
    changes = {"helmValues": {"apiServer": {"apiServerConfig": ldap}}, "extraEgress": [LDAP]}
    isolation = samples.external().with_(changes).parse().platform.isolation
    assert isolation.extra_egress == (
        ExtraEgress(components=("api-server",), cidrs=("192.0.2.0/28",), ports=((636, 636),)),
    )


@each(
    "entry",
    [
        {"components": ["api-server"], "namespaces": ["vault"], "ports": [8200]},
        {"components": ["all"], "cidrs": ["10.20.0.5/32"], "ports": ["3128"]},
        {"components": ["api-server", "scheduler"], "cidrs": ["fd00:7::/64"], "ports": ["9200-9300"]},
        {"components": ["scheduler"], "cidrs": ["10.9.9.9/32"], "ports": [88], "protocol": "UDP"},
        {"components": ["all"], "cidrs": ["0.0.0.0/0"], "ports": ["1-65535"]},
        {"components": ["worker"], "cidrs": ["10.0.32.0/20"], "ports": [22]},
    ],
)
def test_what_companies_have_can_be_opened(entry: dict[str, Any]) -> None:
    assert problems({"extraEgress": [entry]}) == ""


def test_the_engine_is_told_that_entries_are_maps() -> None:
    """It checks the types of a stack's config itself, before the program runs."""
    assert samples.schema()["extraEgress"]["items"] == {"type": "object"}
    assert samples.schema()["clusterDns"]["items"] == {"type": "string"}


def test_all_means_every_component() -> None:
    (entry,) = (
        samples.external()
        .with_({"extraEgress": [{**LDAP, "components": ["all"]}]})
        .parse()
        .platform.isolation.extra_egress
    )
    assert (entry.components, entry.protocol) == (NAMED, Protocol.TCP)


@each(
    ("change", "expected"),
    [
        ({"components": ["web"]}, "expected components of"),
        ({"components": []}, "expected components of"),
        ({"components": "all"}, "a list of texts in components"),
        ({"cidrs": ["192.0.2.7"]}, "a prefix length"),
        ({"cidrs": ["192.0.2.7/24"]}, "no host bits"),
        ({"cidrs": []}, "found neither"),
        ({"cidrs": ["169.254.169.254/32"]}, "instance metadata"),
        ({"cidrs": ["fd00:ec2::254/128"]}, "instance metadata"),
        ({"cidrs": ["fd20:ce::254/128"]}, "instance metadata"),
        ({"cidrs": ["168.63.129.16/32"]}, "instance metadata"),
        ({"cidrs": ["127.0.0.0/8"]}, "the pod itself"),
        ({"cidrs": ["224.0.0.0/4"]}, "the pod itself or no host"),
        ({"ports": []}, "expected ports"),
        ({"ports": [0]}, "expected ports"),
        ({"ports": [70000]}, "expected ports"),
        ({"ports": ["9-8"]}, "expected ports"),
        ({"ports": [True]}, "expected ports"),
        ({"ports": None}, "expected ports"),
        ({"protocol": "SCTP"}, "expected protocol TCP or UDP"),
        ({"port": 636}, 'the keys components, cidrs, namespaces, ports, protocol, found "port"'),
        ({"namespaces": ["Vault"]}, "the name of a namespace"),
        ({"namespaces": ["airflow"]}, "other than the stack's own"),
        ({"cidrs": ["10.0.33.0/24"], "ports": [5432]}, "the metadata database's port, which stays closed"),
        ({"components": ["worker"]}, "they reach on every port already"),
    ],
)
def test_what_opens_too_much_or_nothing_is_refused(change: dict[str, Any], expected: str) -> None:
    text = problems({"extraEgress": [LDAP, {**LDAP, **change}]})
    assert expected in text
    assert "airflow:extraEgress: entry 1: " in text


@each("value", ["api-server", {"a": 1}, ["api-server"]])
def test_what_is_no_list_of_maps_is_refused(value: Any) -> None:
    assert "airflow:extraEgress: " in problems({"extraEgress": value})


def test_nothing_is_opened_where_nothing_is_closed() -> None:
    text = problems({"networkIsolation": "off", "extraEgress": [LDAP], "clusterDns": ["dns"]})
    assert text.count("airflow:networkIsolation off, where nothing is closed") == 2


# DNS


@each(
    "servers",
    [["openshift-dns:5353"], ["kube-system", "10.0.0.2"], ["169.254.169.254"], ["168.63.129.16"], ["[fd00::a]:5353"]],
)
def test_the_dns_of_other_clusters_is_taken(servers: list[str]) -> None:
    assert problems({"clusterDns": servers}) == ""
    assert len(samples.external().with_({"clusterDns": servers}).parse().platform.isolation.dns) == len(servers)


@each(
    "servers",
    [
        [],
        ["169.254.169.254:80"],
        ["168.63.129.16:80"],
        ["10.0.32.7:5432"],
        ["airflow"],
        ["Kube"],
        ["10.0.0.0/8"],
        ["dns:0"],
        [53],
    ],
)
def test_what_is_no_dns_or_opens_more_is_refused(servers: list[Any]) -> None:
    assert "airflow:clusterDns: expected" in problems({"clusterDns": servers})


# Metrics that go elsewhere

STATSD = {"statsd_on": "True", "statsd_host": "datadog-agent.monitoring.svc", "statsd_port": 8125}


def test_metrics_go_to_another_system_once_its_port_is_open() -> None:
    values = {"statsd": {"enabled": False}, "config": {"metrics": STATSD}}
    entry = {"components": ["all"], "namespaces": ["monitoring"], "ports": [8125], "protocol": "UDP"}
    assert problems({"helmValues": values, "extraEgress": [entry]}) == ""
    for closed in ({"protocol": "TCP"}, {"ports": [8126]}, {"components": ["scheduler", "api-server"]}):
        text = problems({"helmValues": values, "extraEgress": [{**entry, **closed}]})
        assert "open UDP port 8125 of the other system to all components in airflow:extraEgress" in text


@each(
    "name, url, beside",
    [
        ("OPENLINEAGE_URL", "http://marquez.lineage:5000", {}),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel.lineage:5000", {"traces": {"otel_on": "True"}}),
    ],
)
def test_address_to_which_all_components_send_is_refused_until_its_port_is_open(
    name: str, url: str, beside: dict[str, Any]
) -> None:
    def told(place: str, address: str, config: dict[str, Any], **changes: Any) -> str:
        env = [{"name": name, "value": address}]
        values = {"config": config, **({"env": env} if place == "env" else {"workers": {"celery": {"env": env}}})}
        return problems({"helmValues": values, **changes})

    entry = {"components": ["all"], "namespaces": ["lineage"], "ports": [5000]}
    assert "open TCP port 5000 to all components in airflow:extraEgress" in told("env", url, beside)
    assert told("env", url, beside, extraEgress=[entry]) == "", "the way"
    assert told("env", "http://localhost:5000", beside) == "", "a sidecar"
    assert told("workers", url, beside) == "", "workers alone"
    assert (told("env", url, {}) == "") == bool(beside), "of a task's own code"
