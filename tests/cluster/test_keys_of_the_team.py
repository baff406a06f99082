"""Keys in Secrets that something else makes, and pools that the config gives."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from typing import Any, Final

import pytest

from automation.cluster.client import KubeClient
from automation.verification.result import Status
from automation.verification.verify import verify
from tests.cluster.harness import CONTEXT, Stack, dag_repository, destroyed, make_stack, touched
from tests.cluster.modest_values import modest_values

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-team-keys"
NAMES: Final = {"fernetKey": "team-fernet", "apiSecretKey": "team-api", "jwtSecret": "team-jwt"}
POOLS: Final = (
    {"name": "default_pool", "slots": 7},
    {"name": "ware house $(HOME)", "slots": -1, "description": 'it\'s "$HOME"', "includeDeferred": True},
)
FERNET_KEY: Final = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = make_stack(tmp_path_factory.mktemp("keys"), NAMESPACE, dag_repository(dagsSyncPeriodSeconds=5))
    stack.set(keySource="secret", keySecrets=NAMES, pools=list(POOLS), helmValues=modest_values(pgbouncer=False))
    yield from destroyed(stack)


def put(api: Any, name: str, key: str, value: str) -> None:
    api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": name}, "stringData": {key: value}})


def test_missing_secrets_and_a_key_of_another_form_end_the_update(stack: Stack, api: Any) -> None:
    missing = stack.up(check=False)
    assert missing.code != 0
    for key, name in NAMES.items():
        assert (
            f"airflow:keySecrets.{key}: expected a Secret {name} in namespace {NAMESPACE}, found none" in missing.output
        )
    put(api, NAMES["fernetKey"], "fernet-key", f"{FERNET_KEY}\n")
    put(api, NAMES["apiSecretKey"], "api-secret-key", secrets.token_hex(32))
    put(api, NAMES["jwtSecret"], "jwt-secret", secrets.token_hex(48))
    wrong = stack.up(check=False)
    assert "fernet-key in Secret team-fernet: expected a Fernet key" in wrong.output
    assert FERNET_KEY not in wrong.output
    assert not [step for step in (*missing.steps, *wrong.steps) if "helm.sh" in step]


def test_airflow_works_with_keys_that_no_state_has(stack: Stack, api: Any) -> None:
    api.delete_namespaced_secret(NAMES["fernetKey"], NAMESPACE)
    put(api, NAMES["fernetKey"], "fernet-key", FERNET_KEY)
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]
    assert FERNET_KEY not in stack.export()
    own = {item.metadata.name for item in api.list_namespaced_secret(NAMESPACE).items}
    assert not [name for name in own if name.startswith(("airflow-keys-fernet", "airflow-keys-api", "airflow-keys-jw"))]


def pools() -> dict[str, Any]:
    """The pools as Airflow has them."""
    kube = KubeClient(CONTEXT, NAMESPACE)
    [scheduler] = kube.pods({"component": "scheduler"})
    command = "airflow pools export /tmp/p.json >/dev/null 2>&1 && cat /tmp/p.json"
    done = kube.run(scheduler.name, "scheduler", ("bash", "-c", command), seconds=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_pools_follow_the_config_and_others_stay(stack: Stack) -> None:
    assert pools() == {
        "default_pool": {"slots": 7, "description": "", "include_deferred": False},
        POOLS[1]["name"]: {"slots": -1, "description": POOLS[1]["description"], "include_deferred": True},
    }
    stack.set(pools=[{"name": "warehouse", "slots": 3}])
    assert touched(stack.up()) == {"kubernetes:batch/v1:Job::airflow-database-admin-user"}, "no pod rolls"
    found = pools()
    assert found["warehouse"]["slots"] == 3
    assert (found["default_pool"]["slots"], len(found)) == (7, 3), "what the config no longer names stays"


def test_another_name_rolls_what_uses_the_key(stack: Stack, api: Any) -> None:
    put(api, "team-api-2", "api-secret-key", secrets.token_hex(32))
    stack.set(keySecrets={**NAMES, "apiSecretKey": "team-api-2"})
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]
    for pod in api.list_namespaced_pod(NAMESPACE, label_selector="component=worker").items:
        if pod.metadata.deletion_timestamp is None:
            assert "team-api-2" in str(pod.spec)
            assert "team-fernet" not in str(pod.spec)
