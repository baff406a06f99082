"""A stack whose tasks go through a Redis of another namespace: what is wrong with it is told first, then tasks run."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from automation.cluster.client import KubeClient
from automation.verification.verify import verify
from automation.wait import Clock, wait_for
from components.chart_values.chart_defaults import chart_values
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-broker"
OUTSIDE: Final = f"{NAMESPACE}-outside"
_DATABASE: Final = 3
_READY_SECONDS: Final = 120.0


@dataclass(frozen=True)
class OutsideRedis:
    """The server, which everybody may reach who knows the password."""

    api: Any
    password: str

    def url(self, password: str) -> str:
        return f"redis://:{password}@redis.{OUTSIDE}.svc.cluster.local:6379/{_DATABASE}"

    @property
    def cidr(self) -> str:
        """Of a service, the policies see the pod alone."""
        address = self.api.read_namespaced_pod("redis", OUTSIDE).status.pod_ip
        return str(ipaddress.ip_network(f"{address}/32"))

    def ask(self, *words: str) -> str:
        command = ["redis-cli", "--no-auth-warning", "-a", self.password, "-n", str(_DATABASE), *words]
        done = KubeClient(CONTEXT, OUTSIDE).run("redis", "redis", command, seconds=30)
        assert done.exit_code == 0, done.stderr
        return done.stdout.strip()

    def ready(self) -> bool:
        statuses = self.api.read_namespaced_pod("redis", OUTSIDE).status.container_statuses or ()
        return any(status.ready for status in statuses)


@pytest.fixture
def redis(api: Any) -> Iterator[OutsideRedis]:
    server, image = OutsideRedis(api, secrets.token_urlsafe(24)), chart_values()["images"]["redis"]
    api.create_namespace({"metadata": {"name": OUTSIDE}})
    try:
        service = {"metadata": {"name": "redis"}, "spec": {"selector": {"app": "redis"}, "ports": [{"port": 6379}]}}
        api.create_namespaced_service(OUTSIDE, service)
        container = {
            "name": "redis",
            "image": f"{image['repository']}:{image['tag']}",
            "args": ["redis-server", "--requirepass", server.password],
            "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
        }
        pod = {"metadata": {"name": "redis", "labels": {"app": "redis"}}, "spec": {"containers": [container]}}
        api.create_namespaced_pod(OUTSIDE, pod)
        assert wait_for(server.ready, bool, seconds=_READY_SECONDS, interval=1, clock=Clock())
        yield server
    finally:
        api.delete_namespace(OUTSIDE)


@pytest.fixture
def stack(engine: None, redis: OutsideRedis, repository: Repository, tmp_path: Any) -> Iterator[Stack]:
    made = make_stack(tmp_path, NAMESPACE, repository, brokerUrl=redis.url("a-wrong-password"))
    made.set(networkIsolation="required", brokerCidrs=[redis.cidr])
    yield from destroyed(made)


def test_tasks_go_through_the_redis_of_another_namespace(stack: Stack, redis: OutsideRedis, api: Any) -> None:
    refused = stack.up(check=False)
    assert refused.code != 0
    assert f"airflow:brokerUrl: expected a login that redis.{OUTSIDE}.svc.cluster.local accepts" in refused.output
    assert "a-wrong-password" not in refused.output
    stack.command("config", "set", "--secret", "airflow:brokerUrl", given=redis.url(redis.password))
    up = stack.up()
    assert redis.password not in up.output
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if str(check.status) == "failed"]
    pods = [pod.metadata.name for pod in api.list_namespaced_pod(NAMESPACE).items]
    assert [name for name in pods if "worker" in name]
    assert [name for name in pods if "redis" in name] == []
    keys = redis.ask("KEYS", "*").splitlines()
    assert any(key.startswith("_kombu.binding.") for key in keys), keys
    assert not stack.preview().steps
