"""airflow:brokerUrl and airflow:brokerCidrs: what goes with them, and what would have no effect beside them."""

from __future__ import annotations

from typing import Any, Final

import pytest

from components.kube.secret import Secret
from settings import aws_lookup
from settings.errors import SettingsError
from tests import samples
from tests.cases import each
from tests.samples import dev, external, prod, sentinels

URL: Final = sentinels()["brokerUrl"]
CIDRS: Final = {"brokerCidrs": ["10.0.48.0/20"]}


def config(changes: dict[str, Any] | None = None, secrets: dict[str, str] | None = None) -> samples.StackConfig:
    return external().with_({**CIDRS, **(changes or {})}, {"brokerUrl": URL, **(secrets or {})})


def test_broker_is_read_and_not_shown() -> None:
    platform = config().parse().platform
    assert platform.broker is not None
    assert (platform.broker.host, platform.broker.port, platform.broker.tls) == ("broker.test", 6380, True)
    assert platform.broker.cidrs == ("10.0.48.0/20",)
    assert isinstance(platform.broker.url, Secret)
    assert platform.broker.url.reveal().startswith(URL.partition("?")[0])
    assert "sentinel" not in repr(platform.broker)


def test_stack_without_the_key_has_its_own_redis() -> None:
    for stack in (dev(), prod(), external()):
        assert stack.parse().platform.broker is None


CASES: Final[dict[str, tuple[dict[str, Any], dict[str, str], str, str]]] = {
    "networks alone": ({}, {"brokerUrl": ""}, "brokerCidrs", "must not be set without airflow:brokerUrl"),
    "no Celery": ({"executor": "KubernetesExecutor"}, {}, "brokerUrl", "has no broker"),
    "no networks": ({"brokerCidrs": []}, {}, "brokerCidrs", "expected the broker's networks"),
    "all networks": ({"brokerCidrs": ["0.0.0.0/0"]}, {}, "brokerCidrs", "found all addresses"),
    "address outside": ({}, {"brokerUrl": "redis://10.9.0.1/0"}, "brokerCidrs", "with the host's address in it"),
    "the database's port": (
        {"brokerCidrs": ["10.0.32.0/20"]},
        {"brokerUrl": "redis://broker.test:5432/0"},
        "brokerCidrs",
        "the metadata database's port",
    ),
    "metadata alone": ({"brokerCidrs": ["169.254.169.254/32"]}, {}, "brokerCidrs", "instance metadata"),
    "a password of Redis": ({}, {"redisPassword": "of-no-effect-at-all"}, "redisPassword", "with airflow:brokerUrl"),
    "a guessed password": ({}, {"brokerUrl": "redis://:redis@broker.test/0"}, "brokerUrl", "hard to guess"),
    "RabbitMQ": ({}, {"brokerUrl": "amqp://u:sentinel@mq.test/"}, "brokerUrl", "RabbitMQ"),
    "a rotation under way": (
        {"rotation": "redis-password 1/3 0123456789ab"},
        {"rotationSecret": "value"},
        "brokerUrl",
        "before the rotation of redis-password is done",
    ),
    "the chart's Redis": ({"helmValues": {"redis": {"persistence": {"size": "2Gi"}}}}, {}, "helmValues", "brokerUrl"),
    "its image": ({"helmValues": {"images": {"redis": {"tag": "8"}}}}, {}, "helmValues", "airflow:brokerUrl"),
    "the chart's own switch": ({"helmValues": {"redis": {"enabled": True}}}, {}, "helmValues", "airflow:brokerUrl"),
    "the chart's own key": (
        {"helmValues": {"data": {"brokerUrlSecretName": "x"}}},
        {},
        "helmValues",
        "airflow:brokerUrl",
    ),
}


@each("case", CASES)
def test_what_does_not_go_together_is_one_problem_of_the_key(case: str) -> None:
    changes, secrets, key, told = CASES[case]
    [problem] = config(changes, secrets).problems()
    assert problem.startswith(f"airflow:{key}: ")
    assert told in problem
    assert "sentinel" not in problem


def test_networks_are_for_isolation_alone() -> None:
    assert config({"networkIsolation": "off", "brokerCidrs": []}).problems() == ()


def test_port_of_a_managed_database_stays_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    samples.fake_aws(monkeypatch)
    cidrs = {"brokerCidrs": [subnet.cidr for subnet in samples.eks_cluster().private_subnets]}
    settings = {
        port: prod().with_(cidrs, {"brokerUrl": f"redis://broker.test:{port}/0"}).parse() for port in (6379, 5432)
    }
    assert aws_lookup.look_up(settings[6379], "prod").broker is not None
    with pytest.raises(SettingsError) as refused:
        aws_lookup.look_up(settings[5432], "prod")
    assert [problem.split(":")[1] for problem in refused.value.problems] == ["brokerCidrs"]
