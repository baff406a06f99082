"""Roles of pods that run tasks, beside those of the log bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from components.aws.pod_identity import PodIdentity, trust_policy
from components.aws.task_roles import TaskRole, TaskRoles, TaskRolesArgs
from tests.cases import each
from tests.components.aws.test_eks_cluster import CLUSTER

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ASSOCIATION: Final = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
SALES: Final = "arn:aws:iam::123456789012:policy/airflow-tasks/sales"
GPU: Final = TaskRole(associations={"airflow-worker-gpu": "airflow-worker-gpu"}, policy_arns=(SALES,))
BARE: Final = TaskRole(associations={"airflow-worker-big": "airflow-worker-big"}, policy_arns=())


def roles(wanted: Mapping[str, TaskRole], **changes: Any) -> Callable[[], TaskRoles]:
    args: dict[str, Any] = {"cluster": CLUSTER, "namespace": "ns", "identity": PodIdentity.EKS_POD_IDENTITY}
    return lambda: TaskRoles("roles", TaskRolesArgs(**args, roles=wanted, **changes))


def test_group_has_a_role_that_only_its_pods_get(record: Record) -> None:
    recorder = record(roles({"gpu": GPU, "big": BARE}))
    trusted = json.loads(recorder.one(ROLE, "gpu").inputs["assumeRolePolicy"])
    assert trusted == trust_policy(PodIdentity.EKS_POD_IDENTITY, CLUSTER, "ns", ["airflow-worker-gpu"])
    (attached,) = recorder.every(ATTACHMENT)
    assert attached.inputs["policyArn"] == SALES
    assert attached.inputs["role"].startswith("gpu-")
    accounts = {found.inputs["serviceAccount"]: found.inputs["roleArn"] for found in recorder.every(ASSOCIATION)}
    assert accounts.keys() == {"airflow-worker-gpu", "airflow-worker-big"}
    assert len(set(accounts.values())) == 2
    assert recorder.every(ROLE_POLICY) == [], "no rights on logs where those are elsewhere"


def test_logs_in_s3_are_for_every_group(record: Record) -> None:
    recorder = record(roles({"gpu": GPU, "big": BARE}, log_policy=("task-logs", {"Statement": []})))
    for policy in recorder.every(ROLE_POLICY):
        assert json.loads(policy.inputs["policy"]) == {"Statement": []}
        assert policy.inputs["name"] == "task-logs"
    assert {found.inputs["role"].rpartition("-")[0] for found in recorder.every(ROLE_POLICY)} == {"gpu", "big"}


@each("identity", PodIdentity)
def test_all_rights_are_there_before_a_pod_starts(record: Record, identity: PodIdentity) -> None:
    made: list[TaskRoles] = []

    def program() -> None:
        args = TaskRolesArgs(
            cluster=CLUSTER, namespace="ns", identity=identity, roles={"gpu": GPU}, log_policy=("task-logs", {})
        )
        made.append(TaskRoles("roles", args))

    recorder = record(program)
    rights = [found for found in recorder.every() if found.type in (ROLE_POLICY, ATTACHMENT, ASSOCIATION)]
    assert len(made[0].ready) == len(rights) == (3 if identity is PodIdentity.EKS_POD_IDENTITY else 2)
    assert len(made[0].roles["gpu"].annotations) == (0 if identity is PodIdentity.EKS_POD_IDENTITY else 1)
