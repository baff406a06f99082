"""What the cluster refuses of a task pod. The rules themselves run in a cluster: `tests/cluster/test_task_pods.py`."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from components.kube.own_claims import is_of_server
from components.kube.own_secrets import Holds, holds, names_of
from components.preflight.pod_run import LABEL
from components.release.task_pod_admission import TaskPodAdmission, TaskPodAdmissionArgs, policy_spec
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

POLICY: Final = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
ARGS: Final = TaskPodAdmissionArgs(
    namespace="ns",
    release_name="airflow",
    scheduler_service_account="airflow-scheduler",
    service_accounts=("airflow-worker", "etl"),
)


def spec() -> Any:
    return policy_spec(
        namespace="ns", release_name="airflow", scheduler="airflow-scheduler", service_accounts=("airflow-worker",)
    )


def test_binding_denies_and_both_have_names_of_their_own(record: Record) -> None:
    first, second = (record(functools.partial(TaskPodAdmission, name, ARGS)) for name in ("one", "two"))
    binding = first.one(f"{POLICY}Binding").inputs["spec"]
    policy = first.outputs[first.one("airflow:index:TaskPodAdmission").urn]["policy"]
    assert binding == {"policyName": policy, "validationActions": ["Deny"]}
    assert policy != second.outputs[second.one("airflow:index:TaskPodAdmission").urn]["policy"]
    assert "name" not in first.one(POLICY).inputs["metadata"], "a name of the cluster is generated"


def test_pods_of_one_namespace_are_judged_and_those_of_controllers_are_not() -> None:
    found = spec()
    assert found["failurePolicy"] == "Fail"
    assert found["matchConstraints"]["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "ns"}}
    [condition] = found["matchConditions"]
    assert condition["expression"] == 'request.userInfo.username.startsWith("system:serviceaccount:ns:")'


def test_every_refusal_says_what_is_wrong_and_how_to_fix_it() -> None:
    messages = [validation["message"] for validation in spec()["validations"]]
    assert len(set(messages)) == len(messages)
    for message in messages:
        assert re.search(r"\. Fix: change the pod_override of the task", message), message


def test_accounts_of_the_config_are_allowed(record: Record) -> None:
    [validation] = [
        found
        for found in record(lambda: TaskPodAdmission("one", ARGS)).one(POLICY).inputs["spec"]["validations"]
        if found["expression"].startswith("variables.account")
    ]
    assert validation["expression"] == 'variables.account in ["airflow-worker", "etl"]'


def test_secrets_of_the_team_that_hold_keys_are_refused_too() -> None:
    plain = [found["expression"] for found in spec()["validations"]]
    more = policy_spec(
        namespace="ns",
        release_name="airflow",
        scheduler="airflow-scheduler",
        service_accounts=("airflow-worker",),
        secrets=("team-fernet", "team-jwt"),
    )
    changed = [found["expression"] for found in more["validations"] if found["expression"] not in plain]
    assert len(changed) == 1
    assert changed[0].endswith(') && !(s in ["team-fernet", "team-jwt"])))')


def secret_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Names that are refused, and those among them that are allowed, as the policy has them."""
    [expression] = [
        found["expression"] for found in spec()["validations"] if found["expression"].startswith("variables.secrets")
    ]
    refused, allowed = (
        re.compile(json.loads(text)) for text in re.findall(r'matches\(("(?:[^"\\]|\\.)*")\)', expression)
    )
    return refused, allowed


def test_a_task_pod_has_the_secrets_of_its_template_and_no_other_of_the_stack() -> None:
    refused, allowed = secret_patterns()

    def admitted(name: str) -> bool:
        return not refused.search(name) or bool(allowed.search(name))

    workers = (Holds.WORKER_KEY, Holds.API_KEY, Holds.QUEUE, Holds.GIT)
    for start in names_of(*Holds).split("|"):
        assert not admitted(f"{start}-other-1a2b3c4d") or holds(f"{start}-other-1a2b3c4d") in workers
    for name in (
        *(
            "airflow-keys-fernet-key-1a2b3c4d",
            "airflow-keys-jwt-secret-1a2b3c4d",
            "airflow-keys-admin-password-1a2b3c4d",
            "airflow-postgres-1a2b3c4d",
        ),
        *("airflow-database-metadata-1a2b3c4d", "airflow-database-migration-1a2b3c4d"),
        *("airflow-database-pgbouncer-config-1a2b3c4d", "airflow-worker-scaler-connection-1a2b3c4d"),
        *("airflow-database", "sh.helm.release.v1.airflow.v1"),
        f"{LABEL}-x2b4c",  # with a login that is tried
    ):
        assert not admitted(name), name
    for name in (
        *("airflow-keys-worker-key-1a2b3c4d", "airflow-keys-api-secret-key-1a2b3c4d"),
        *("airflow-database-broker-1a2b3c4d", "airflow-database-result-backend-1a2b3c4d"),
        *("airflow-git-ssh-key-1a2b3c4d", "airflow-git-token-1a2b3c4d", "airflow-git-bundle-1a2b3c4d"),
        *("warehouse", "airflow-team", "airflow-databases", "my-airflow-database"),
    ):
        assert admitted(name), name


def test_of_the_claims_of_the_program_a_task_pod_mounts_that_of_task_logs_alone(
    registered: Callable[..., Recorder],
) -> None:
    config = samples.dev().with_({"executor": "KubernetesExecutor", "backupStorageGib": 10})
    claims = {found.name for found in registered(config).every("kubernetes:core/v1:PersistentVolumeClaim")}
    refused = {name for name in claims if is_of_server(f"{name}-1a2b3c4d")}
    assert claims - refused == {"airflow-task-logs"}
    assert refused == {"airflow-backups", "airflow-postgres-data"}


def test_ephemeral_volume_is_neither_a_copy_nor_one_that_is_there() -> None:
    [expression] = [found["expression"] for found in spec()["validations"] if "ephemeral" in found["expression"]]
    for field in ("dataSource", "dataSourceRef", "selector", "volumeName"):
        assert f"!v.?ephemeral.?volumeClaimTemplate.?spec.?{field}.hasValue()" in expression
