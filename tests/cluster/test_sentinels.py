"""A stack with every secret that a container database leaves: where each stands in the cluster, in any form."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from automation.verification.verify import verify
from components.release.helm_record import decode
from components.secrets.encodings import forms, secret_parts
from tests import samples
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-sentinels"
GIVEN: Final = {
    key: value
    for key, value in samples.sentinels().items()
    if key not in ("gitSshPrivateKey", "dagsToken", "oidcClientSecret", "rotationSecret", "brokerUrl")
    and not key.startswith("database")
}
"""The secrets of the config, beside the deploy key of the tests' repository."""
MEANT: Final = {
    "fernetKey": {"airflow-keys-fernet-key"},
    "apiSecretKey": {"airflow-keys-api-secret-key"},
    "jwtSecret": {"airflow-keys-jwt-secret", "airflow-keys-jwks"},
    "redisPassword": {"airflow-keys-redis-password", "airflow-database-broker", "airflow-database-result-backend"},
    "adminPassword": {"airflow-keys-admin-password"},
    "registryCredentials": {"airflow-image-pull-secret"},
    "connections": {"airflow-connections"},
    "variables": {"airflow-connections"},
    "gitSshPrivateKey": {"airflow-git-ssh-key"},
}
"""The Secrets that hold each secret, without the digests in their names."""
HELM: Final = "helm.sh/release.v1"
_LEAST: Final = 12
_PROCESSES: Final = 'for process in /proc/[0-9]*; do tr "\\0" " " < $process/cmdline; echo; done; exit 0'
_TASK_LOGS: Final = "find /opt/airflow/logs -type f -exec cat {} +"


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = make_stack(tmp_path_factory.mktemp("sentinels"), NAMESPACE, repository)
    for key, value in GIVEN.items():
        for path, part in _parts(key, value):
            made.command("config", "set", "--secret", "--path", path, given=part)
    made.set(executor="CeleryExecutor,KubernetesExecutor", pgbouncerEnabled=True)
    yield from destroyed(made)


def _parts(key: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield the paths by which `pulumi config set` sets a secret. A map is set a name at a time."""
    if key not in ("connections", "variables"):
        yield f"airflow:{key}", value
        return
    for name, part in json.loads(value).items():
        yield f'airflow:{key}["{name}"]', part


def test_no_log_event_object_or_process_shows_a_secret(stack: Stack, api: Any) -> None:
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT)  # a task has run, so there are logs of one
    assert result.ok, [(check.name, check.detail) for check in result.checks if str(check.status) == "failed"]
    held, records = _secrets(api)
    secrets = {**GIVEN, **_generated(held), **dict(_deploy_key(held))}
    places = {**dict(_objects()), **records, **dict(_in_pods(api))}
    written = {name: _forms(value) for name, value in secrets.items()}
    print(f"\n{len(places)} places, {sum(map(len, places.values())) >> 10} KiB, {len(written)} secrets")
    assert {kind.partition(":")[0] for kind in places} >= {"log", "processes", "events", "pods", "Helm", "task logs"}
    shown = {
        f"{name} in {place}"
        for place, text in places.items()
        for name, found in written.items()
        if any(form in text for form in found)
    }
    assert shown == set()


def test_each_secret_is_in_the_secrets_of_who_needs_it_alone(stack: Stack, api: Any) -> None:
    held, _ = _secrets(api)
    holders: dict[str, set[str]] = defaultdict(set)
    for key, value in {**GIVEN, **dict(_deploy_key(held))}.items():
        written = _forms(value)
        for name, data in held.items():
            if any(form in text for text in data.values() for form in written):
                holders[key].add(re.sub(r"-[0-9a-f]{8}$", "", name))
    assert holders == {key: MEANT[key] for key in holders}
    assert GIVEN.keys() <= holders.keys()


def _forms(secret: str) -> frozenset[str]:
    return frozenset(form for part in secret_parts(secret) if len(part) >= _LEAST for form in forms(part, _LEAST))


def _secrets(api: Any) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Decoded content of each Secret by name, and Helm's records as text."""
    items = api.list_namespaced_secret(NAMESPACE).items
    held = {
        item.metadata.name: {key: base64.b64decode(value).decode() for key, value in (item.data or {}).items()}
        for item in items
        if item.type != HELM
    }
    records = {
        f"Helm: {item.metadata.name}": json.dumps(decode(item.data["release"])) for item in items if item.type == HELM
    }
    return held, records


def _generated(held: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What the program made: every value of a Secret that is neither public nor a name."""
    return {
        f"{name}.{key}": value
        for name, data in held.items()
        for key, value in data.items()
        if "known_hosts" not in key
        and key != "pgbouncer.ini"
        and "USERNAME" not in key
        and len(value) >= _LEAST
        and "BEGIN" not in value
    }


def _deploy_key(held: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    found = next((value for data in held.values() for value in data.values() if "PRIVATE KEY" in value), None)
    if found is not None:
        yield "gitSshPrivateKey", found


def _objects() -> Iterator[tuple[str, str]]:
    """Every kind of the namespace but Secrets, and what stands for the stack outside of it."""
    kinds = _kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    for kind in kinds:
        if kind != "secrets":
            yield kind, _kubectl("get", kind, "-n", NAMESPACE, "-o", "json", "--show-managed-fields")
    for kind in ("namespaces", "persistentvolumes", "validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        yield kind, _kubectl("get", kind, "-o", "json", "--show-managed-fields")


def _in_pods(api: Any) -> Iterator[tuple[str, str]]:
    """Logs of every container, also of the one before; arguments of its processes; logs of the tasks."""
    for pod in api.list_namespaced_pod(NAMESPACE).items:
        statuses = [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]
        for status in statuses:
            of = ("-n", NAMESPACE, pod.metadata.name, "-c", status.name)
            yield f"log: {of[2:]}", _kubectl("logs", *of, check=False)
            if status.restart_count:
                yield f"log before: {of[2:]}", _kubectl("logs", "--previous", *of, check=False)
            if status.state.running is not None:
                yield f"processes: {of[2:]}", _kubectl("exec", *of, "--", "sh", "-c", _PROCESSES, check=False)
    yield (
        "task logs",
        _kubectl("exec", "-n", NAMESPACE, "deploy/airflow-scheduler", "--", "sh", "-c", _TASK_LOGS, check=False),
    )


def _kubectl(*words: str, check: bool = True) -> str:
    command = ["kubectl", "--context", CONTEXT, *words]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=check)
    return done.stdout
