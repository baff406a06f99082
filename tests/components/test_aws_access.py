"""Which pods get which role: it follows the service accounts, whatever the logs' place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from components.aws.pod_identity import ROLE_ANNOTATION
from tests.cases import each
from tests.samples import prod

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

ASSOCIATION: Final = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
POLICY: Final = "arn:aws:iam::123456789012:policy/airflow-tasks/{}"
ALL, OWN = POLICY.format("all"), POLICY.format("gpu")
GROUPS: Final = [{"name": "gpu", "taskPolicyArns": [OWN]}, {"name": "big"}, {"name": "bare", "taskPolicyArns": []}]


@pytest.fixture
def run(registered: Callable[..., Recorder]) -> Callable[..., Recorder]:
    """Runs `prod` with changes."""
    return lambda **changes: registered(prod().with_(changes))


def rights(recorder: Recorder) -> dict[str, tuple[set[str], set[str]]]:
    """Attached policies and actions on logs, by the service account that has them."""
    found = {}
    for association in recorder.every(ASSOCIATION):
        role = association.inputs["roleArn"].rpartition("/")[2].rpartition(":")[2]
        arns = {item.inputs["policyArn"] for item in recorder.every(ATTACHMENT) if item.inputs["role"] == role}
        documents = [item.inputs["policy"] for item in recorder.every(ROLE_POLICY) if item.inputs["role"] == role]
        actions = {
            action
            for document in documents
            for statement in json.loads(document)["Statement"]
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        }
        found[association.inputs["serviceAccount"]] = (arns, actions)
    return found


def test_each_account_has_its_rights_and_no_more(run: Callable[..., Recorder]) -> None:
    found = rights(run(taskPolicyArns=[ALL], workerGroups=GROUPS))
    assert {account: arns for account, (arns, _) in found.items()} == {
        "airflow-api-server": set(),
        "airflow-triggerer": {ALL},
        "airflow-worker": {ALL},
        "airflow-worker-big": {ALL},
        "airflow-worker-gpu": {OWN},
        "airflow-worker-bare": set(),
    }
    for account, (_, actions) in found.items():
        assert ("s3:PutObject" in actions) is (account != "airflow-api-server"), account
        assert "s3:GetObject" in actions


def test_dumps_are_reached_by_the_pods_of_backups_alone(run: Callable[..., Recorder]) -> None:
    found = run(backupStore="bucket", workerGroups=GROUPS)
    [account] = found.every("kubernetes:core/v1:ServiceAccount")
    assert account.inputs["metadata"]["name"] == "airflow-backups"
    of_backups: list[dict[str, Any]] = []
    for policy in found.every(ROLE_POLICY):
        statements = json.loads(policy.inputs["policy"])["Statement"]
        if "backups" in policy.inputs["policy"]:
            of_backups += statements
    assert len(of_backups) == 3, "of one role"
    assert all("backups/*" in json.dumps(item) or item["Sid"] == "EncryptAndDecryptDumps" for item in of_backups)
    assert "*" not in str(of_backups[2]["Resource"]), "the bucket's own key"
    own = {"aws:ResourceAccount": "123456789012"}
    assert [item["Condition"]["StringEquals"] for item in of_backups[:2]] == [own, own]
    assert rights(found)["airflow-backups"][1] >= {"s3:DeleteObject", "s3:ListBucket", "kms:GenerateDataKey"}
    pods = found.outputs[found.one("airflow:index:AirflowPlatform").urn]["backup_pods"]
    assert set(pods) == {"airflow", "database", "transfer"}
    database, bucket = pods["transfer"]["spec"]["containers"]
    assert {entry["name"] for entry in bucket["env"]} >= {"BACKUP_FOLDER", "AWS_DEFAULT_REGION"}
    assert not any("DATABASE" in entry["name"] for entry in bucket["env"]), "it does not log in to the database"
    assert not any("AWS" in entry["name"] for entry in database["env"])


def test_dumps_beside_logs_in_a_bucket_that_exists_have_the_same_rights_there(run: Callable[..., Recorder]) -> None:
    found = run(backupStore="bucket", taskLogs="remote", taskLogsUrl="s3://team-logs/prod/logs")
    [policy] = [json.loads(item.inputs["policy"])["Statement"] for item in found.every(ROLE_POLICY)]
    objects, listing, keys = policy
    assert objects["Resource"] == "arn:aws:s3:::team-logs/prod/logs-backups/*"
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "prod/logs-backups/*"}}
    assert keys["Condition"]["StringLike"]["kms:EncryptionContext:aws:s3:arn"][0] == "arn:aws:s3:::team-logs"
    given = run(
        backupStore="bucket",
        taskLogs="remote",
        taskLogsUrl="s3://team-logs/prod/logs",
        taskLogsConnectionSecret="log-store",
    )
    assert given.every(ROLE_POLICY) == [], "the connection has credentials"


def test_without_logs_in_s3_only_who_has_policies_has_a_role(run: Callable[..., Recorder]) -> None:
    assert rights(run(taskLogs="volume")) == {}
    recorder = run(taskLogs="volume", taskPolicyArns=[ALL], workerGroups=GROUPS)
    found = rights(recorder)
    assert found == {
        "airflow-triggerer": ({ALL}, set()),
        "airflow-worker": ({ALL}, set()),
        "airflow-worker-big": ({ALL}, set()),
        "airflow-worker-gpu": ({OWN}, set()),
    }
    values = recorder.one(RELEASE).inputs["values"]
    for component in (values["triggerer"], values["workers"]["celery"], values["workers"]["kubernetes"]):
        assert {"name": "AWS_DEFAULT_REGION", "value": "eu-central-1"} in component["env"]
    assert "AWS_DEFAULT_REGION" not in json.dumps(values["apiServer"])


WITH_SECRETS: Final = {
    "secretsManagerPrefix": "airflow-secrets/prod",
    "taskPolicyArns": [ALL],
    "workerGroups": GROUPS,
}


@each("logs", ["s3", "volume"])
def test_secrets_are_for_who_asks_for_connections_and_for_no_worker(run: Callable[..., Recorder], logs: str) -> None:
    recorder = run(taskLogs=logs, **WITH_SECRETS)
    found = rights(recorder)
    read = "secretsmanager:GetSecretValue"
    readers = {account for account, (_, actions) in found.items() if read in actions}
    assert readers == {"airflow-api-server", "airflow-dag-processor", "airflow-triggerer"}
    assert found["airflow-triggerer"][0] == found["airflow-worker"][0] == {ALL}, "tasks keep what they need"
    assert ("s3:PutObject" in found["airflow-triggerer"][1]) is (logs == "s3")
    assert "s3:GetObject" not in found["airflow-dag-processor"][1]
    values = recorder.one(RELEASE).inputs["values"]
    for component in ("apiServer", "dagProcessor", "triggerer"):
        names = [entry["name"] for entry in values[component]["env"]]
        assert len(names) == len(set(names)), names
        assert {"AIRFLOW__SECRETS__BACKEND", "AIRFLOW__SECRETS__BACKEND_KWARGS", "AWS_DEFAULT_REGION"} <= set(names)
    for other in (values["scheduler"], values["workers"], values["env"], values["config"]):
        assert "SECRETS__BACKEND" not in json.dumps(other)
    assert "apache-airflow-providers-amazon" in recorder.one(CONFIG_MAP, "airflow-preflight-images").plain_text


def test_with_secrets_alone_no_worker_has_a_role(run: Callable[..., Recorder]) -> None:
    for identity in ("eks-pod-identity", "irsa"):
        recorder = run(taskLogs="volume", secretsManagerPrefix="a/b", podIdentity=identity, workerGroups=GROUPS[1:2])
        assert set(rights(recorder)) == (
            {"airflow-api-server", "airflow-dag-processor", "airflow-triggerer"} if identity != "irsa" else set()
        )
        values = recorder.one(RELEASE).inputs["values"]
        for component in ("apiServer", "dagProcessor", "triggerer"):
            annotations = values[component].get("serviceAccount", {}).get("annotations", {})
            assert (ROLE_ANNOTATION in annotations) is (identity == "irsa")
        assert ROLE_ANNOTATION not in json.dumps(values["workers"])


def test_secrets_that_come_and_go_keep_the_associations(run: Callable[..., Recorder]) -> None:
    for logs in ("s3", "volume"):
        without = run(taskLogs=logs, taskPolicyArns=[ALL], workerGroups=GROUPS)
        with_secrets = run(taskLogs=logs, **WITH_SECRETS)
        for before, after in ((without, with_secrets), (with_secrets, without)):
            parents = {found.inputs["serviceAccount"]: found for found in before.every(ASSOCIATION)}
            for found in after.every(ASSOCIATION):
                earlier = parents.get(found.inputs["serviceAccount"])
                if earlier is not None:
                    assert found.name == earlier.name
                    known = {found.request.parent, *(alias.spec.parentUrn for alias in found.request.aliases)}
                    assert earlier.request.parent in known


def test_roles_exist_before_a_pod_starts(run: Callable[..., Recorder]) -> None:
    recorder = run(taskPolicyArns=[ALL], workerGroups=GROUPS)
    waited_for = set(recorder.one(RELEASE).request.dependencies)
    for type_ in (ASSOCIATION, ATTACHMENT, ROLE_POLICY):
        for resource in recorder.every(type_):
            assert resource.urn in waited_for or "monitoring" in resource.name, resource


def test_move_of_the_logs_keeps_the_associations(run: Callable[..., Recorder]) -> None:
    """EKS takes one for each account: the new one of another URN would be made before the old is deleted."""
    there = run(taskPolicyArns=[ALL], workerGroups=GROUPS)
    elsewhere = run(taskLogs="volume", taskPolicyArns=[ALL], workerGroups=GROUPS)
    for before, after in ((there, elsewhere), (elsewhere, there)):
        moved = set()
        urns = {found.name: found.request.parent for found in before.every(ASSOCIATION)}
        for found in after.every(ASSOCIATION):
            if found.name in urns:
                aliases = [alias.spec.parentUrn for alias in found.request.aliases]
                assert urns[found.name] in (found.request.parent, *aliases)
                moved |= {found.name} if urns[found.name] != found.request.parent else set()
        assert moved == {f"airflow-task-logs-airflow-{account}" for account in ("triggerer", "worker")}
    names = [{found.name for found in recorder.every(ASSOCIATION)} for recorder in (there, elsewhere)]
    assert names[1] == names[0] - {"airflow-task-logs-airflow-api-server", "airflow-tasks-bare"}


@each("logs", ["s3", "volume"])
def test_with_irsa_the_accounts_name_their_roles(run: Callable[..., Recorder], logs: str) -> None:
    recorder = run(taskLogs=logs, podIdentity="irsa", taskPolicyArns=[ALL], workerGroups=GROUPS[:1])
    assert recorder.every(ASSOCIATION) == []
    values = recorder.one(RELEASE).inputs["values"]
    (group,) = values["workers"]["celery"]["sets"]
    named = {
        "triggerer": values["triggerer"],
        "worker": values["workers"]["celery"],
        "task pod": values["workers"]["kubernetes"],
        "gpu": group,
        **({"api-server": values["apiServer"]} if logs == "s3" else {}),
    }
    arns = {name: part["serviceAccount"]["annotations"]["eks.amazonaws.com/role-arn"] for name, part in named.items()}
    assert arns["triggerer"] == arns["worker"] == arns["task pod"]
    assert len(set(arns.values())) == len(arns) - 2
    # A pod learns its role only when it starts.
    assert values["apiServer"].get("podAnnotations") == ({"log-role": arns["api-server"]} if logs == "s3" else None)


def test_pod_identity_s_agent_is_open_where_pods_have_roles(run: Callable[..., Recorder]) -> None:
    with_roles = {"taskLogs": "volume", "taskPolicyArns": [ALL], "workerGroups": GROUPS}
    for changes, reached in (({"taskLogs": "volume"}, False), (with_roles, True)):
        policies = run(**changes).every("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        worker = next(found for found in policies if found.name.endswith("-worker"))
        assert ("169.254.170.23/32" in json.dumps(worker.inputs["spec"])) is reached


def test_existing_stack_keeps_its_resources_by_their_urns(run: Callable[..., Recorder]) -> None:
    recorder = run()
    prefix = "urn:pulumi:prod::airflow::airflow:index:AirflowPlatform$airflow:index:TaskLogBucket$"
    urns = {found.urn for found in recorder.every() if found.urn.startswith(prefix)}
    assert urns >= {
        f"{prefix}{ROLE}::airflow-task-logs",
        f"{prefix}{ROLE_POLICY}::airflow-task-logs",
        *(f"{prefix}{ASSOCIATION}::airflow-task-logs-airflow-{role}" for role in ("api-server", "triggerer", "worker")),
    }
    assert "podAnnotations" not in recorder.one(RELEASE).inputs["values"]["apiServer"], "no pod rolls"
    assert not [found for found in recorder.every() if "TaskRoles" in found.type]
