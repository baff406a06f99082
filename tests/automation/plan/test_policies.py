"""What a plan's policies see of secrets: that they are there, where, and what stands beside them. Never a secret.

And how a plan's text tells what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s
import pytest

from automation.plan import policies
from automation.plan.model import Plan, PolicyResult
from automation.plan.policies import plan_results
from automation.plan.recorder import Recorder
from automation.plan.text import plan_text
from policy.context import context_of
from policy.evaluate import evaluate_resources
from policy.model import JudgedResource
from policy.rules.secrets import RULES as KEYS_IN_CLEAR
from tests import samples
from tests.cases import each
from tests.policy.programs import PROGRAMS, resources_of

Record = Callable[..., Recorder]
Planned = Callable[[samples.StackConfig], tuple[Recorder, tuple[str, ...]]]

PASSWORD: Final = "sentinel-password-0123456789"
URI: Final = f"postgresql+psycopg2://airflow:{PASSWORD}@db.example.com:5432/airflow?sslmode="
INI: Final = "[databases]\nairflow = host=db.example.com port=5432\n\n[pgbouncer]\nserver_tls_sslmode = {}\n"


@pytest.fixture
def planned(registered: Callable[..., Recorder]) -> Planned:
    """Runs the program with a config: what it registers, and its secrets as a plan knows them."""

    def planned(config: samples.StackConfig) -> tuple[Recorder, tuple[str, ...]]:
        recorder = registered(config)
        return recorder, (*(config.values[key] for key in config.secret_keys), *recorder.generated)

    return planned


def told(recorder: Recorder, secrets: Iterable[str] = ()) -> list[tuple[str, str]]:
    return [(found.rule, found.subject) for found in plan_results(recorder.every(), None, secrets)]


# Whole programs


@each("name", PROGRAMS)
def test_a_plan_says_what_the_pack_says_that_sees_the_secrets(name: str, planned: Planned) -> None:
    recorder, secrets = planned(PROGRAMS[name]())
    resources = resources_of(recorder)
    seen = evaluate_resources(resources, context_of(resources))
    assert told(recorder, secrets) == sorted((found.rule, found.subject) for found in seen)


@pytest.mark.parametrize("mode", ["require", "prefer"])
def test_a_connection_that_is_not_verified_is_told_before_the_update(mode: str, planned: Planned) -> None:
    rule = "database-tls-verified" if mode == "require" else "database-tls"
    config = samples.external().with_({"databaseSslMode": mode, "protect": mode == "require"})
    found = set(told(*planned(config)))
    secrets = ("airflow-database-migration", "airflow-database-pgbouncer-config")
    assert {(rule, f"Secret {name}") for name in secrets} <= found


@pytest.mark.parametrize("name", ["prod with given keys", "dev with bundles", "external"])
def test_no_rule_is_given_a_secret(name: str, planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[JudgedResource] = []

    def evaluate(resources: Sequence[JudgedResource], *rest: Any) -> list[Any]:
        asked.extend(resources)
        return []

    monkeypatch.setattr(policies, "evaluate_resources", evaluate)
    recorder, secrets = planned(PROGRAMS[name]())
    plan_results(recorder.every(), None, secrets)
    given = "\n".join(text for resource in asked for text in samples.texts(resource.inputs))
    assert "://" in given, "or the test would see nothing"
    config = PROGRAMS[name]()
    for full in config.secret_keys:
        for trace in samples.traces(full.removeprefix("airflow:"), config.values[full]):
            assert trace not in given
            assert trace[:20] not in given
    assert recorder.generated
    assert not [secret for secret in recorder.generated if secret in given]


# Single resources


def secret(record: Record, content: Mapping[str, Any]) -> Recorder:
    return record(lambda: k8s.core.v1.Secret("it", string_data={**content}, opts=_options()))


def _options() -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=k8s.Provider("k8s", context="x", kubeconfig=""))


def test_an_ssh_key_without_host_keys_is_told_by_the_names_alone(record: Record) -> None:
    key = samples.sentinels()["gitSshPrivateKey"]
    assert told(secret(record, {"gitSshKey": key}), [key]) == [("known-hosts-pinned", "Secret it")]
    assert told(secret(record, {"gitSshKey": key, "known_hosts": "git.test ssh-ed25519 AAAA"}), [key]) == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"connection": f"{URI}prefer"}, "database-tls"),
        ({"connection": f"{URI}require"}, "database-tls-verified"),
        ({"connection": f"{URI}verify-full"}, None),
        ({"pgbouncer.ini": INI.format("prefer")}, "database-tls"),
        ({"pgbouncer.ini": INI.format("verify-full"), "users.txt": f'"airflow" "{PASSWORD}"'}, None),
        ({"connection": '{"conn_type": "git", "password": "x", "extra": {"key_file": "/k"}}'}, "known-hosts-pinned"),
    ],
)
def test_what_stands_beside_a_secret_is_judged(content: Mapping[str, str], rule: str | None, record: Record) -> None:
    assert told(secret(record, content), [PASSWORD]) == ([(rule, "Secret it")] if rule else [])


@pytest.mark.parametrize("values", [{"fernetKey": "x"}, {"env": [{"name": "X_PASSWORD", "value": "x"}]}])
def test_a_secret_in_helm_values_is_told_by_its_place(values: Mapping[str, Any], record: Record) -> None:
    def program() -> None:
        marked = pulumi.Output.secret(PASSWORD)
        given = {key: marked if item == "x" else [{**item[0], "value": marked}] for key, item in values.items()}
        k8s.helm.v3.Release("it", chart="airflow", values=given, opts=_options())

    rules = [rule.id for rule in KEYS_IN_CLEAR]
    assert [rule for rule, _ in told(record(program), [PASSWORD]) if rule in rules] == rules


def test_nobody_learns_from_a_plan_whether_he_has_guessed_a_password(planned: Planned) -> None:
    recorder, secrets = planned(samples.prod().with_({"protect": False}, {"adminPassword": "admin"}))
    assert "no-guessable-admin-password" not in dict(told(recorder, secrets))


# As text


def test_text_says_what_policies_say_mandatory_first() -> None:
    results = [
        PolicyResult(rule=rule, level=level, subject="Release airflow", message="values.x: is wrong")
        for rule, level in (("a-rule", "advisory"), ("z-rule", "mandatory"))
    ]
    lines = plan_text(Plan(stack="dev", policies=tuple(results))).splitlines()
    assert lines[1:3] == [
        "policy: Release airflow: values.x: is wrong [z-rule, mandatory]",
        "policy: Release airflow: values.x: is wrong [a-rule, advisory]",
    ]
    assert "policy" not in plan_text(Plan(stack="dev"))
