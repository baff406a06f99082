"""Pods that get AWS credentials by IRSA, on a real cluster: they write and read task logs in S3 by their own tokens.

The stack is `prod` but for its database, which is a container here: no pod needs AWS for that. So it takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from automation.engine.plugins import AWS, PLUGINS
from benchmarks.plain_stack import SHIPPED, dag_repository
from tests.prod.conftest import require_cluster, require_engine
from tests.prod.emulator.web_identity import ACTION
from tests.prod.first_deployment import verify
from tests.prod.on_cluster import OnCluster, on_cluster

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.aws]

NAMESPACE: Final = "airflow-irsa"


def config(shipped: dict[str, Any]) -> dict[str, Any]:
    """Return what is otherwise than in the shipped file of `prod`. None takes a key out."""
    of_rds = [key.partition(":")[2] for key in shipped if key.startswith("airflow:database")]
    own = {
        "database": "container",
        "databaseStorageGib": 2,
        "pgbouncerEnabled": None,
        "podIdentity": "irsa",
        "protect": False,
    }
    return {"namespace": NAMESPACE, **dict.fromkeys(of_rds), **own}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnCluster]:
    require_engine((*PLUGINS, AWS))
    with on_cluster(require_cluster(), tmp_path_factory.mktemp("irsa"), NAMESPACE) as stack:
        stack.account.trust(stack.issuer)
        shipped = yaml.safe_load(stack.checkout.file.read_text())["config"]
        repository = dag_repository()
        stack.checkout.init(
            repository.secrets.get("gitSshPrivateKey"), **config(shipped), **repository.config, **stack.config
        )
        if not repository.config:
            _use_public_dags(stack)
        yield stack


def _use_public_dags(stack: OnCluster) -> None:
    """Take the DAGs from where the stack `dev` has them."""
    folder = yaml.safe_load((SHIPPED / "Pulumi.dev.yaml").read_text())["config"]["airflow:dagsSubPath"]
    stack.checkout.set(dagsRepository=None, dagsSubPath=folder, gitSshPrivateKey=None)


def test_up_from_nothing(stack: OnCluster) -> None:
    """Before the release, the preflight writes to the bucket and reads from it, by each service account."""
    made = stack.checkout.up()
    assert {step.split()[0] for step in made.steps} == {"create"}
    assert not [step for step in made.steps if "podIdentityAssociation" in step]
    assert {"s3:PutObject", "s3:ListBucket"} <= _used(stack)


def test_the_log_of_a_dag_run_is_in_s3_and_is_read_from_there(stack: OnCluster) -> None:
    print(verify(stack.checkout))
    bucket = stack.checkout.resource("aws:s3/bucket:Bucket", "airflow-task-logs")["outputs"]["bucket"]
    found = stack.account.client("s3").list_objects_v2(Bucket=bucket, Prefix="logs/dag_id=")
    assert found["KeyCount"] > 0
    assert "s3:GetObject" in _used(stack)


def test_every_pod_had_its_credentials_by_its_own_token(stack: OnCluster) -> None:
    asked = list(stack.account.calls_for_roles())
    assert {call.operation for call in asked} == {ACTION}
    assert [call.answer for call in asked if call.status >= 400] == []


def test_pods_reach_the_logs_by_the_rights_of_their_role_alone(stack: OnCluster) -> None:
    # The preflight gives its upload up, which the role need not be allowed to.
    kept = [call for call in stack.account.calls_of_pods() if call.operation != "s3:AbortMultipartUpload"]
    assert [(call.operation, call.refused) for call in kept if call.refused] == []


def _used(stack: OnCluster) -> set[str]:
    return {action for call in stack.account.calls_of_pods() if call.status < 400 for action in call.actions}


def test_every_call_of_the_deploying_role_was_allowed(stack: OnCluster) -> None:
    assert [(call.operation, call.refused) for call in stack.account.calls() if call.refused] == []
