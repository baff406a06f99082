"""Who reaches whom under the policies of a deployment."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.chart_values.executor import Executor
from components.database import container, pgbouncer
from components.network import pods
from components.network.addresses import overlap
from components.network.database_place import DatabaseCidrs, DatabasePods
from components.network.dns import parse_dns_server
from components.network.extra_egress import COMPONENTS, NAMED, ExtraEgress, Protocol
from tests.cases import each
from tests.components.network.evaluator import (
    AIRFLOW,
    API_SERVER,
    BACKUP,
    CLEANUP,
    CLIENTS,
    DAG_PROCESSOR,
    DNS,
    EXPORTER,
    EXTERNAL_DATABASE,
    EXTERNAL_DATABASE6,
    IN_NAMESPACE,
    INGRESS,
    INTERNET,
    INTERNET6,
    JOBS,
    KEDA,
    KUBERNETES_API,
    METADATA_SERVICE,
    METADATA_SERVICES,
    NODE_LOCAL_DNS,
    OTHER_KEDA_POD,
    OTHER_NAMESPACE,
    OUTSIDE,
    PGBOUNCER,
    POD_IDENTITY,
    PODS,
    POSTGRES,
    PROMETHEUS,
    REDIS,
    SCHEDULER,
    SHARED,
    STATSD,
    STRANGER,
    TASK_POD,
    TRIGGERER,
    VERIFICATION,
    WORKER,
    WORKERS,
    Pod,
    database_of,
    one_side,
    policies,
    reaches,
)

every_executor = each("executor", Executor)
every_database = each("database", [IN_NAMESPACE, OUTSIDE], ids=["inside", "outside"])
pooled_or_not = each("pooled", [False, True], ids=["direct", "pooled"])


@every_executor
@every_database
@pooled_or_not
def test_everything_is_denied_that_nothing_allows(
    executor: Executor, database: DatabasePods | DatabaseCidrs, pooled: bool
) -> None:
    specs = policies(executor, database, pooled)
    assert specs["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for other in (INTERNET, STRANGER, OTHER_NAMESPACE, API_SERVER, DNS):
        assert not reaches(specs, STRANGER, other, 443)
    for pod in PODS.values():
        for outsider in (OTHER_NAMESPACE, INGRESS, PROMETHEUS, INTERNET, STRANGER):
            assert not any(reaches(specs, outsider, pod, port) for port in (22, 80, 443, 5432, 6379, 6543, 8080, 8793))


# The database


@every_executor
@every_database
@pooled_or_not
def test_workers_never_reach_the_database_or_its_pooler(
    executor: Executor, database: DatabasePods | DatabaseCidrs, pooled: bool
) -> None:
    specs = policies(executor, database, pooled)
    for worker in WORKERS:
        for target in database_of(database):
            assert not reaches(specs, worker, target, database.port)
            assert not reaches(specs, worker, target, 443), "no port of the database's machine at all"
        assert not reaches(specs, worker, PGBOUNCER, pgbouncer.PORT)
        assert not reaches(specs, worker, PGBOUNCER, pods.PGBOUNCER_METRICS_PORT)


@every_executor
@every_database
@pooled_or_not
def test_clients_reach_the_database_by_the_one_way_there_is(
    executor: Executor, database: DatabasePods | DatabaseCidrs, pooled: bool
) -> None:
    specs = policies(executor, database, pooled)
    for client in CLIENTS:
        assert reaches(specs, client, PGBOUNCER, pgbouncer.PORT) is pooled
        for target in database_of(database):
            assert reaches(specs, client, target, database.port) is not pooled
    for target in database_of(database):
        assert all(reaches(specs, job, target, database.port) for job in JOBS), "a migration goes past the pooler"
        assert reaches(specs, PGBOUNCER, target, database.port) is pooled
        assert not any(reaches(specs, other, target, database.port) for other in (REDIS, STATSD, STRANGER))


@every_database
@pooled_or_not
def test_jobs_reach_the_database_and_nothing_else(database: DatabasePods | DatabaseCidrs, pooled: bool) -> None:
    specs = policies(database=database, pgbouncer=pooled)
    for job in JOBS:
        for other in (INTERNET, API_SERVER, REDIS, KUBERNETES_API):
            assert not any(reaches(specs, job, other, port) for port in (443, 6379, 8080, 6443))
        assert not reaches(specs, job, PGBOUNCER, pgbouncer.PORT)


@every_database
@pooled_or_not
def test_cleanup_is_a_client_only_where_there_is_one(database: DatabasePods | DatabaseCidrs, pooled: bool) -> None:
    for there in (False, True):
        specs = policies(database=database, pgbouncer=pooled, database_cleanup=there)
        assert reaches(specs, CLEANUP, PGBOUNCER, pgbouncer.PORT) is (there and pooled)
        for target in database_of(database):
            assert reaches(specs, CLEANUP, target, database.port) is (there and not pooled)
        for other in (INTERNET, API_SERVER, REDIS, KUBERNETES_API, METADATA_SERVICE):
            assert not any(reaches(specs, CLEANUP, other, port) for port in (80, 443, 6379, 8080, 6443))
        assert not any(reaches(specs, pod, CLEANUP, port) for pod in PODS.values() for port in (80, 443, 8793))


# A database in networks that other things live in too


@every_executor
@pooled_or_not
def test_only_the_port_of_a_database_among_others_is_closed(executor: Executor, pooled: bool) -> None:
    specs = policies(executor, SHARED, pooled, database_cleanup=True)
    for target in (EXTERNAL_DATABASE, EXTERNAL_DATABASE6):
        for pod in (*WORKERS, DAG_PROCESSOR, TRIGGERER):
            client = pod not in WORKERS and not pooled
            assert reaches(specs, pod, target, SHARED.port) is client
            assert all(reaches(specs, pod, target, port) for port in (1, 443, 5432, 5434, 65535))
            assert all(reaches(specs, pod, target, port, "UDP") for port in (1, 53, 5433, 65535))
        assert reaches(specs, API_SERVER, target, 443)
        assert not reaches(specs, API_SERVER, target, 5434)
        assert reaches(specs, SCHEDULER, target, 443) is executor.kubernetes, "the Kubernetes API may be there"
        for pod in (REDIS, STATSD, STRANGER):
            assert not any(reaches(specs, pod, target, port) for port in (443, SHARED.port))


def test_ports_around_that_of_a_database_stay_open_wherever_it_listens() -> None:
    for port in (1, 2, 5433, 65534, 65535):
        specs = policies(database=replace(SHARED, port=port))
        for around in {1, port - 1, port, port + 1, 65535} - {0, 65536}:
            assert reaches(specs, WORKERS[0], EXTERNAL_DATABASE, around) is (around != port), (port, around)
        ports = [entry for spec in specs.values() for rule in spec.get("egress", ()) for entry in rule.get("ports", ())]
        assert all(entry["port"] <= entry["endPort"] for entry in ports if "endPort" in entry), (
            "a cluster refuses others"
        )


def test_metadata_service_stays_closed_beside_a_database() -> None:
    around = DatabaseCidrs(cidrs=("169.254.0.0/16", "192.0.2.0/25"), port=5432, shared=True)
    specs = policies(database=around, egress_except=("169.254.169.254/32", "192.0.2.0/24"))
    assert not reaches(specs, WORKER, METADATA_SERVICE, 80)
    assert reaches(specs, WORKER, Pod(namespace=None, address="169.254.1.1"), 80)
    assert not reaches(specs, WORKER, Pod(namespace=None, address="192.0.2.7"), 80), "excepted whole"


@pytest.mark.parametrize("port", [443, 6443])
def test_api_server_and_scheduler_are_no_way_round(port: int) -> None:
    """They may call the outside on these ports, and the database may listen on one of them."""
    database = DatabaseCidrs(cidrs=SHARED.cidrs, port=port, shared=True)
    specs = policies(Executor.KUBERNETES, database, pgbouncer=True)
    for pod in (API_SERVER, SCHEDULER):
        assert not reaches(specs, pod, EXTERNAL_DATABASE, port)
        assert reaches(specs, pod, EXTERNAL_DATABASE, {443: 6443, 6443: 443}[port])
        assert reaches(specs, pod, INTERNET, port)


def test_pods_whose_addresses_are_in_those_networks_are_no_way_round() -> None:
    """With the VPC's own CNI they are; whether a block is about them is the cluster's affair, so both are tried."""
    specs = policies(database=SHARED, pgbouncer=True, keda_namespace="keda")
    pooler = Pod(PGBOUNCER.labels, address="10.0.33.1")
    redis = Pod(REDIS.labels, address="10.0.33.2")
    for by_address in (False, True):
        for worker in WORKERS:
            assert not one_side(specs, "Ingress", pooler, worker, 6543, "TCP", by_address=by_address)
            assert one_side(specs, "Ingress", redis, worker, 6379, "TCP", by_address=by_address)
        assert not one_side(specs, "Ingress", redis, TRIGGERER, 6379, "TCP", by_address=by_address)


def test_database_in_the_namespace_calls_nobody() -> None:
    specs = policies()
    for other in (INTERNET, *PODS.values()):
        assert not any(reaches(specs, POSTGRES, other, port) for port in (443, 5432, 8080))


# Airflow


@every_executor
@every_database
def test_tasks_and_the_scheduler_call_the_api_server(
    executor: Executor, database: DatabasePods | DatabaseCidrs
) -> None:
    for caller in (SCHEDULER, *WORKERS):
        assert reaches(policies(executor, database), caller, API_SERVER, 8080)


@every_executor
@every_database
def test_redis_is_for_celery_alone(executor: Executor, database: DatabasePods | DatabaseCidrs) -> None:
    specs = policies(executor, database)
    for caller in (SCHEDULER, WORKER):
        assert reaches(specs, caller, REDIS, 6379) is executor.celery
    for caller in (API_SERVER, DAG_PROCESSOR, TRIGGERER, STATSD, *JOBS, STRANGER):
        assert not reaches(specs, caller, REDIS, 6379)
    assert not any(reaches(specs, REDIS, other, 443) for other in (INTERNET, API_SERVER))


def test_logs_of_running_tasks_are_read_by_the_api_server_alone() -> None:
    specs = policies()
    for name, pod in PODS.items():
        assert reaches(specs, pod, WORKER, 8793) is (name == "api-server")
        assert reaches(specs, pod, TRIGGERER, 8794) is (name == "api-server")


def test_workers_do_not_talk_with_one_another() -> None:
    specs = policies()
    for port in (22, 80, 8080, 8793):
        assert not reaches(specs, WORKER, WORKER, port)
        assert not reaches(specs, TASK_POD, WORKER, port)


@every_executor
def test_metrics_go_to_statsd_from_everywhere_in_airflow(executor: Executor) -> None:
    specs = policies(executor)
    for name, pod in AIRFLOW.items():
        assert reaches(specs, pod, STATSD, 9125, "UDP"), name
        assert not reaches(specs, pod, STATSD, 9102)
    assert not reaches(specs, STRANGER, STATSD, 9125, "UDP")


def test_everyone_has_dns_and_nobody_anything_else_there() -> None:
    specs = policies()
    for pod in PODS.values():
        for protocol in ("UDP", "TCP"):
            assert reaches(specs, pod, DNS, 53, protocol)
            assert reaches(specs, pod, NODE_LOCAL_DNS, 53, protocol)
    for pod in (SCHEDULER, REDIS, POSTGRES, STRANGER, *JOBS):
        assert not reaches(specs, pod, DNS, 443)


@each(
    ("server", "answers", "port"),
    [
        ("openshift-dns:5353", Pod({}, "openshift-dns"), 5353),
        ("dns", Pod({"app": "unbound"}, "dns"), 53),
        ("169.254.169.254", METADATA_SERVICE, 53),
        ("[fd00::a]:5353", Pod(namespace=None, address="fd00::a"), 5353),
    ],
)
def test_another_dns_is_for_everyone_in_place_of_the_usual(server: str, answers: Pod, port: int) -> None:
    specs = policies(dns=(parse_dns_server(server),))
    for pod in PODS.values():
        for protocol in ("UDP", "TCP"):
            assert reaches(specs, pod, answers, port, protocol)
            assert pod in (DAG_PROCESSOR, TRIGGERER, *WORKERS) or not reaches(specs, pod, DNS, 53, protocol)
        assert not any(reaches(specs, pod, METADATA_SERVICE, other) for other in (80, 443))
    assert not reaches(specs, SCHEDULER, answers, 443)


@each(
    "text", ["", "kube_system", "kube-system:0", "kube-system:99999", "10.0.0.0/24", "https://dns", "a:b", "1.2.3.4:"]
)
def test_what_is_no_dns_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_dns_server(text)


# The outside


@every_executor
@every_database
@pooled_or_not
def test_who_runs_or_reads_dags_reaches_the_outside(
    executor: Executor, database: DatabasePods | DatabaseCidrs, pooled: bool
) -> None:
    specs = policies(executor, database, pooled)
    for pod in (*WORKERS, DAG_PROCESSOR, TRIGGERER):
        for outside in (INTERNET, INTERNET6):
            assert all(reaches(specs, pod, outside, port) for port in (22, 443, 5432))
    assert reaches(specs, API_SERVER, INTERNET, 443)
    assert not reaches(specs, API_SERVER, INTERNET, 22)
    assert reaches(specs, SCHEDULER, INTERNET, 443) is executor.kubernetes, "the Kubernetes API is outside too"
    assert reaches(specs, SCHEDULER, KUBERNETES_API, 6443) is executor.kubernetes
    assert not any(reaches(specs, pod, INTERNET, 443) for pod in (REDIS, STATSD, PGBOUNCER, POSTGRES, *JOBS))


@every_executor
def test_nobody_reaches_the_instance_metadata(executor: Executor) -> None:
    specs = policies(executor)
    for pod in PODS.values():
        for service in METADATA_SERVICES:
            assert not any(reaches(specs, pod, service, port) for port in (53, 80, 443))
    for service in METADATA_SERVICES:
        assert reaches(policies(executor, egress_except=()), WORKER, service, 80), "it is there when allowed"


@each(
    "excepted",
    [
        ("169.254.169.254/32",),
        ("169.254.0.0/16", "10.0.0.0/8"),
        ("169.254.169.254/32", "fd00:ec2::/32"),
        ("169.254.169.254/32", "fd00:ec2::254/128"),
        ("2001:db8::/32", "169.254.169.0/24"),
    ],
)
def test_metadata_is_closed_at_every_address_wherever_it_is_at_one(excepted: tuple[str, ...]) -> None:
    specs = policies(egress_except=excepted, pod_identity=True)
    assert not any(reaches(specs, WORKER, service, 80) for service in METADATA_SERVICES)
    assert reaches(specs, WORKER, POD_IDENTITY[1], 80)
    assert reaches(specs, WORKER, INTERNET6, 443)
    blocks = [peer["ipBlock"] for rule in specs["worker"]["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert all(len(set(block.get("except", []))) == len(block.get("except", [])) for block in blocks)


def test_metadata_by_ipv6_stays_closed_beside_a_database() -> None:
    around = DatabaseCidrs(cidrs=("fd00:ec2::/64", "10.0.0.0/24"), port=5432, shared=True)
    specs = policies(database=around)
    assert not reaches(specs, WORKER, METADATA_SERVICES[1], 80)
    assert reaches(specs, WORKER, Pod(namespace=None, address="fd00:ec2::7"), 80)


def test_exceptions_are_for_both_families() -> None:
    specs = policies(egress_except=("192.0.2.0/24", "2001:db8::/32"))
    for address in ("192.0.2.9", "2001:db8::9"):
        assert not reaches(specs, WORKER, Pod(namespace=None, address=address), 443)
    for address in ("192.0.3.9", "2001:db9::9"):
        assert reaches(specs, WORKER, Pod(namespace=None, address=address), 443)


# Namespaces that are let in


def test_ingress_controller_reaches_the_api_server_alone() -> None:
    specs = policies(ui_namespaces=("ingress-nginx",), pgbouncer=True)
    assert reaches(specs, INGRESS, API_SERVER, 8080)
    assert not reaches(specs, OTHER_NAMESPACE, API_SERVER, 8080)
    assert not reaches(specs, PROMETHEUS, API_SERVER, 8080)
    for pod in PODS.values():
        assert not any(reaches(specs, INGRESS, pod, port) for port in (5432, 6379, 6543, 8793, 9102, 9127))


def test_what_an_ingress_does_not_publish_is_refused_at_once() -> None:
    """The port has no listener: it is open to the proxies, so that they get an answer and do not wait."""
    specs = policies(ui_namespaces=("ingress-nginx",), ui_cidrs=("10.0.64.0/20",), ui_closed_port=8081)
    for proxy in (INGRESS, Pod(namespace=None, address="10.0.64.7")):
        assert reaches(specs, proxy, API_SERVER, 8081)
        assert reaches(specs, proxy, API_SERVER, 8080)
    for other in (WORKER, PROMETHEUS, STRANGER):
        assert not reaches(specs, other, API_SERVER, 8081)
    assert not reaches(policies(ui_namespaces=("ingress-nginx",)), INGRESS, API_SERVER, 8081)


def test_prometheus_reaches_the_metrics_alone() -> None:
    specs = policies(metrics_namespaces=("monitoring",), pgbouncer=True)
    assert reaches(specs, PROMETHEUS, STATSD, 9102)
    assert reaches(specs, PROMETHEUS, PGBOUNCER, 9127)
    assert not reaches(specs, PROMETHEUS, PGBOUNCER, pgbouncer.PORT)
    for pod in PODS.values():
        assert not any(reaches(specs, PROMETHEUS, pod, port) for port in (5432, 6379, 6543, 8080, 8793))


def test_load_balancer_reaches_the_api_server_alone() -> None:
    specs = policies(ui_cidrs=("10.0.64.0/20", "fd00:2::/64"), pgbouncer=True)
    for address in ("10.0.64.7", "fd00:2::7"):
        balancer = Pod(namespace=None, address=address)
        assert reaches(specs, balancer, API_SERVER, 8080)
        assert not reaches(specs, balancer, API_SERVER, 8793)
        for name, pod in PODS.items():
            if name != "api-server":
                assert not any(reaches(specs, balancer, pod, port) for port in (5432, 6379, 6543, 8080, 8793, 9102))
    assert not reaches(specs, Pod(namespace=None, address="10.0.80.7"), API_SERVER, 8080)


@pytest.mark.parametrize("namespace", ["keda", "autoscaling"])
def test_operator_of_keda_reaches_the_pooler_alone(namespace: str) -> None:
    specs = policies(keda_namespace=namespace, pgbouncer=True)
    for labels in (KEDA.labels, {"app": "keda-operator"}, {"app.kubernetes.io/name": "keda-operator"}):
        operator = Pod(labels, namespace)
        assert reaches(specs, operator, PGBOUNCER, pgbouncer.PORT)
        assert not reaches(specs, operator, PGBOUNCER, pods.PGBOUNCER_METRICS_PORT)
        for name, pod in PODS.items():
            if name != "pgbouncer":
                assert not any(reaches(specs, operator, pod, port) for port in (5432, 6379, 6543, 8080, 8793))
    assert not reaches(specs, Pod(OTHER_KEDA_POD.labels, namespace), PGBOUNCER, pgbouncer.PORT)
    assert not reaches(specs, Pod(KEDA.labels, "elsewhere"), PGBOUNCER, pgbouncer.PORT)
    assert not reaches(specs, Pod(KEDA.labels), PGBOUNCER, pgbouncer.PORT), "anybody's pod in the namespace may say so"
    assert not reaches(policies(pgbouncer=True), KEDA, PGBOUNCER, pgbouncer.PORT)


@every_executor
@each("excepted", [("169.254.169.254/32",), ("169.254.0.0/16", "fd00:ec2::/32")])
def test_pod_identity_is_for_who_reaches_task_logs(executor: Executor, excepted: tuple[str, ...]) -> None:
    specs = policies(executor, egress_except=excepted, pod_identity=True)
    for agent in POD_IDENTITY:
        for pod in (API_SERVER, TRIGGERER, *WORKERS):
            assert reaches(specs, pod, agent, 80)
        for pod in (SCHEDULER, REDIS, STATSD, PGBOUNCER, POSTGRES, STRANGER, *JOBS, CLEANUP):
            assert not reaches(specs, pod, agent, 80)
        assert not any(reaches(specs, pod, METADATA_SERVICE, 80) for pod in PODS.values())
        assert not reaches(policies(executor, egress_except=excepted), API_SERVER, agent, 80)
        with_secrets = policies(executor, egress_except=excepted, pod_identity=True, secrets_in_aws=True)
        assert reaches(with_secrets, DAG_PROCESSOR, agent, 80)
        assert not reaches(with_secrets, SCHEDULER, agent, 80)


@each("database", [None, OUTSIDE])
def test_backups_reach_database_and_bucket_where_dumps_go_to_one(database: DatabaseCidrs | None) -> None:
    given: dict[str, Any] = {"pgbouncer": True, **({"database": database} if database else {})}
    target, port = (EXTERNAL_DATABASE, OUTSIDE.port) if database else (POSTGRES, 5432)
    specs = policies(**given, backup_bucket=True, pod_identity=True)
    assert reaches(specs, BACKUP, target, port), "without PgBouncer, through which pg_dump cannot"
    assert reaches(specs, BACKUP, INTERNET, 443)
    assert all(reaches(specs, BACKUP, agent, 80) for agent in POD_IDENTITY)
    for pod, closed in ((INTERNET, 80), (METADATA_SERVICE, 80), (API_SERVER, 8080), (REDIS, 6379), (PGBOUNCER, 6543)):
        assert not reaches(specs, BACKUP, pod, closed)
    assert not any(reaches(specs, pod, BACKUP, 9900) for pod in PODS.values())
    without = policies(**given, pod_identity=True)
    assert not reaches(without, BACKUP, target, port)
    opened = ExtraEgress(components=NAMED, cidrs=("192.0.2.7/32",), ports=((9000, 9000),))
    storage = Pod(namespace=None, address="192.0.2.7")
    assert reaches(policies(**given, backup_bucket=True, extra_egress=(opened,)), BACKUP, storage, 9000)
    assert not reaches(policies(**given, extra_egress=(opened,)), BACKUP, storage, 9000)
    both = ExtraEgress(components=("database-backup", "scheduler"), cidrs=opened.cidrs, ports=opened.ports)
    assert reaches(policies(**given, extra_egress=(both,)), SCHEDULER, storage, 9000)


# The set


@each(
    ("options", "more"),
    [
        ({}, {"redis", "postgres"}),
        ({"executor": Executor.KUBERNETES}, {"postgres"}),
        ({"database": OUTSIDE, "pgbouncer": True}, {"redis", "pgbouncer"}),
        ({"executor": Executor.KUBERNETES, "database": OUTSIDE}, set()),
        ({"database": SHARED, "database_cleanup": True, "keda_namespace": "keda"}, {"redis", "database-cleanup"}),
    ],
)
def test_there_is_a_policy_for_what_there_is(options: dict[str, Any], more: set[str]) -> None:
    always = {"default-deny", "dns", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "statsd"}
    assert set(policies(**options)) == always | {"database-jobs"} | more


def test_set_is_the_same_each_time() -> None:
    assert list(policies().items()) == list(policies().items())


def test_another_release_s_pods_are_strangers() -> None:
    specs = policies()
    for name in ("api-server", "worker", "redis"):
        other = Pod({"tier": "airflow", "release": "other", "component": name})
        assert not reaches(specs, other, API_SERVER, 8080)
        assert not reaches(specs, other, REDIS, 6379)


def test_exporter_reaches_the_database_alone_and_prometheus_reaches_it() -> None:
    for pooled, target, port in ((True, PGBOUNCER, pgbouncer.PORT), (False, POSTGRES, 5432)):
        specs = policies(metrics_namespaces=("monitoring",), pgbouncer=pooled, exporter=True)
        assert reaches(specs, EXPORTER, target, port)
        assert reaches(specs, PROMETHEUS, EXPORTER, pods.EXPORTER_PORT)
        for name, pod in PODS.items():
            if pod is not EXPORTER:
                assert not reaches(specs, pod, EXPORTER, pods.EXPORTER_PORT), name
            if pod is not target:
                assert not any(reaches(specs, EXPORTER, pod, closed) for closed in (5432, 6379, 8080, 8793)), name
        assert not reaches(specs, EXPORTER, INTERNET, 443)
        assert not reaches(specs, EXPORTER, STATSD, 9125, "UDP")
    without = policies(metrics_namespaces=("monitoring",), pgbouncer=True)
    assert not reaches(without, EXPORTER, PGBOUNCER, pgbouncer.PORT)


def test_verification_reaches_the_api_server_and_statsd_alone() -> None:
    for pooled in (True, False):
        specs = policies(pgbouncer=pooled, exporter=True, verification=True)
        allowed = {("api-server", pods.API_SERVER_PORT, "TCP"), ("statsd", pods.STATSD_PORT, "UDP")}
        ports = [(port, "TCP") for port in (5432, 6379, 6543, 8080, 8793, 8794, 9102)] + [(9125, "UDP")]
        found = {
            (name, port, protocol)
            for name, pod in PODS.items()
            for port, protocol in ports
            if reaches(specs, VERIFICATION, pod, port, protocol)
        }
        assert found == allowed
        assert not reaches(specs, VERIFICATION, INTERNET, 443)
        assert not any(reaches(specs, pod, VERIFICATION, 8080) for pod in PODS.values())
    assert not reaches(policies(), VERIFICATION, API_SERVER, pods.API_SERVER_PORT)


def test_prometheus_reaches_git_sync_only_where_it_serves_metrics() -> None:
    for port, expected in ((1234, True), (None, False)):
        specs = policies(metrics_namespaces=("monitoring",), git_sync_metrics=port)
        for pod in (DAG_PROCESSOR, TRIGGERER, WORKER):
            assert reaches(specs, PROMETHEUS, pod, 1234) is expected
            assert not reaches(specs, OTHER_NAMESPACE, pod, 1234)
        assert not reaches(specs, PROMETHEUS, SCHEDULER, 1234)


# Whatever the configuration


def networks(version: Literal[4, 6]) -> st.SearchStrategy[str]:
    bits = 32 if version == 4 else 128

    def network(address: Any, prefix: int) -> str:
        return str(ipaddress.ip_network((int(address), prefix), strict=False))

    return st.builds(network, st.ip_addresses(v=version), st.integers(bits // 4, bits))


CIDRS = st.lists(st.one_of(networks(4), networks(6)), max_size=3).map(tuple)
DATABASES = st.one_of(
    st.builds(DatabasePods, labels=st.just(container.POD_LABELS), port=st.integers(1, 65535)),
    st.builds(DatabaseCidrs, cidrs=CIDRS.filter(bool), port=st.integers(1, 65535), shared=st.booleans()),
)
NAMESPACES = st.lists(st.sampled_from(["ingress-nginx", "monitoring", "istio-system"]), max_size=2, unique=True)


EXTRA_EGRESS = st.builds(
    ExtraEgress,
    components=st.lists(st.sampled_from(COMPONENTS), min_size=1, unique=True).map(tuple),
    ports=st.integers(1, 65535).flatmap(lambda first: st.tuples(st.tuples(st.just(first), st.integers(first, 65535)))),
    cidrs=st.lists(st.one_of(networks(4), networks(6), st.sampled_from(["0.0.0.0/0", "::/0"])), max_size=2).map(tuple),
    namespaces=NAMESPACES.map(tuple),
    protocol=st.sampled_from(Protocol),
)


@given(
    st.sampled_from(Executor),
    DATABASES,
    st.booleans(),
    CIDRS,
    NAMESPACES.map(tuple),
    NAMESPACES.map(tuple),
    st.fixed_dictionaries(
        {
            "ui_cidrs": CIDRS,
            "keda_namespace": st.sampled_from([None, "keda"]),
            "database_cleanup": st.booleans(),
            "exporter": st.booleans(),
            "verification": st.booleans(),
            "git_sync_metrics": st.sampled_from([None, 1234]),
            "pod_identity": st.booleans(),
            "extra_egress": st.lists(EXTRA_EGRESS, max_size=2).map(tuple),
        }
    ),
    st.data(),
)
@example(Executor.CELERY, IN_NAMESPACE, True, (), (), (), {}, None)
def test_no_configuration_lets_a_worker_into_the_database(
    executor: Executor,
    database: DatabasePods | DatabaseCidrs,
    pooled: bool,
    egress_except: tuple[str, ...],
    ui_namespaces: tuple[str, ...],
    metrics_namespaces: tuple[str, ...],
    more: dict[str, Any],
    data: Any,
) -> None:
    specs = policies(executor, database, pooled, egress_except, ui_namespaces, metrics_namespaces, **more)
    if isinstance(database, DatabasePods):
        targets = [POSTGRES]
    else:
        network = ipaddress.ip_network(data.draw(st.sampled_from(database.cidrs)))
        offset = data.draw(st.integers(0, network.num_addresses - 1))
        targets = [Pod(namespace=None, address=str(network[offset]))]
    clients = {"pgbouncer"} if pooled else {"api-server", "scheduler", "dag-processor", "triggerer"}
    clients |= {"exporter"} if more.get("exporter") and not pooled else set()
    clients |= {"migration", "admin user"} | ({"cleanup"} if more.get("database_cleanup") and not pooled else set())
    for name, pod in PODS.items():
        for target in targets:
            # Addresses that pods of the cluster's own, on every node, answer at.
            node = [(NODE_LOCAL_DNS, 53), *((agent, 80) for agent in POD_IDENTITY if more.get("pod_identity"))]
            if (target.address, database.port) not in [(found.address, port) for found, port in node]:
                assert reaches(specs, pod, target, database.port) is (name in clients), name
    for worker in WORKERS:
        assert not reaches(specs, worker, PGBOUNCER, pgbouncer.PORT)
    # All of it is still only what it should be: policies of these pods, in both directions, with peers in every rule.
    for name, spec in specs.items():
        assert set(spec) <= {"podSelector", "policyTypes", "ingress", "egress"}, name
        for direction in ("ingress", "egress"):
            assert (direction in spec) == (direction.capitalize() in spec["policyTypes"] and name != "default-deny")
            assert all(rule.get("from" if direction == "ingress" else "to") for rule in spec.get(direction, []))
        for rule in spec.get("egress", []):
            for peer in rule["to"]:
                block = peer.get("ipBlock", {})
                outer = ipaddress.ip_network(block["cidr"]) if block else None
                for cidr in block.get("except", []):
                    inner = ipaddress.ip_network(cidr)
                    assert outer is not None
                    assert inner.version == outer.version
                    assert inner.prefixlen > outer.prefixlen, "the API server refuses an exception that is no part"


@given(DATABASES, st.booleans(), CIDRS, st.sampled_from(["TCP", "UDP"]), st.data())
def test_whatever_else_is_outside_stays_within_reach(
    database: DatabasePods | DatabaseCidrs,
    pooled: bool,
    egress_except: tuple[str, ...],
    protocol: str,
    data: Any,
) -> None:
    """A worker is kept from what is excepted, and from the database: its networks, or just its port in shared ones."""
    cidrs = (*egress_except, *(database.cidrs if isinstance(database, DatabaseCidrs) else ()))
    address = data.draw(st.one_of(st.ip_addresses(), *(st.ip_addresses(network=cidr) for cidr in cidrs)))
    port = data.draw(st.one_of(st.integers(1, 65535), st.just(database.port)))
    specs = policies(database=database, pgbouncer=pooled, egress_except=egress_except)
    excepted = any(address in ipaddress.ip_network(cidr) for cidr in egress_except)
    database_s = False
    if isinstance(database, DatabaseCidrs):
        inside = any(address in ipaddress.ip_network(cidr) for cidr in database.cidrs)
        database_s = inside and (not database.shared or (port, protocol) == (database.port, "TCP"))
    node_dns = (str(address), port) == (NODE_LOCAL_DNS.address, 53)
    for worker in WORKERS:
        reached = reaches(specs, worker, Pod(namespace=None, address=str(address)), port, protocol)
        assert reached is (node_dns or not (excepted or database_s))


@each(
    ("networks", "others", "expected"),
    [
        (["10.0.64.0/20"], ["10.0.64.0/20"], True),
        (["10.0.0.0/16"], ["10.0.64.0/20"], True),
        (["10.1.2.3/32"], ["10.1.0.0/16", "10.2.0.0/16"], True),
        (["10.1.0.0/16"], ["10.2.0.0/16"], False),
        (["fd00::/8"], ["10.0.0.0/8", "fd00:1::/32"], True),
        (["fd00::/8"], ["10.0.0.0/8"], False),
        ([], ["10.0.0.0/8"], False),
    ],
)
def test_networks_overlap_if_they_share_an_address(networks: list[str], others: list[str], expected: bool) -> None:
    assert overlap(networks, others) is expected
