"""What a person takes from the pods of a deployed `prod` in AWS: the next update must say so before anything rolls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.prod.account import CLUSTER_NAME, Account
from tests.prod.checkout import Checkout

_POLICY: Final = "denied-by-a-person"
_NO_UPLOADS: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}],
}


def role_of_the_pods(checkout: Checkout) -> str:
    """Return the ARN of the role by which pods write logs."""
    return str(checkout.resource("aws:iam/role:Role", "airflow-task-logs")["outputs"]["arn"])


@contextmanager
def without_uploads(account: Account, role: str) -> Iterator[None]:
    """Deny uploads to a role, by its ARN, until the end of the block."""
    iam, name = account.client("iam"), role.rpartition("/")[2]
    iam.put_role_policy(RoleName=name, PolicyName=_POLICY, PolicyDocument=json.dumps(_NO_UPLOADS))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName=_POLICY)


def take_role_from_workers(account: Account, checkout: Checkout) -> None:
    """Delete the association by which workers have their role."""
    kind, name = "aws:eks/podIdentityAssociation:PodIdentityAssociation", "airflow-task-logs-airflow-worker"
    association = checkout.resource(kind, name)["outputs"]["associationId"]
    account.client("eks").delete_pod_identity_association(clusterName=CLUSTER_NAME, associationId=association)
