"""The pods that try what pods of the release do in AWS, with the same service accounts, variables and policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from time import sleep as system_sleep
from typing import Any, Final

from components.aws.pod_identity import PodIdentity, PodRole
from components.chart_values.value_paths import at
from components.kube.client import KubeApi
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.preflight.aws_reasons import lacks_identity
from components.preflight.component_pods import component_pod
from components.preflight.pod_run import PodEnd
from components.task_logs.remote import RemoteLogs

SCRIPT: Final = (Path(__file__).parent / "in_image" / "aws.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""

CONTAINER: Final = "airflow"
"""The only container of the pods, as `job_template` calls it."""
_REFUSED_SECONDS: Final = 20
"""How long the rights of a new role may take to hold everywhere (docs.aws.amazon.com/IAM, "Changes that I make are not
always immediately visible")."""
_IDENTITY_SECONDS: Final = 45.0
"""How long EKS may take to know a new association; mostly seconds (docs.aws.amazon.com/eks, "pod-id-how-it-works")."""
_PAUSE_SECONDS: Final = 3.0
_SET: Final = "pulumi config set --stack {stack}"
_ACCOUNTS: Final = {"api-server": "apiServer", "worker": "workers.celery"}
"""Where the chart's values describe each service account. Task pods use the workers' account."""


@dataclass(frozen=True, kw_only=True)
class AwsTrial:
    """The pods of one service account, and what they try in AWS."""

    account: str
    """The part of the account's name after the release's, which is the chart's label `component` too."""
    values_of: str
    """Path of the component in the chart's values."""
    steps: Sequence[str]
    """What to try, as the script calls it: `write`, `read`, `secret`."""
    logs: RemoteLogs | None
    """Where task logs are in S3, or None if it does not try them."""
    role: PodRole | None
    """Their role, or None if the program gives them none."""
    secrets: str = ""
    """Prefix of the secrets, or "" if it does not try them."""


def aws_pod(trial: AwsTrial, values: Mapping[str, Any], images: Images, pod: JobPod, release_name: str) -> Any:
    """Return metadata and spec of the pod.

    Args:
        trial: What it tries.
        values: The values of the release, with the chart's own below them.
        images: The Airflow image.
        pod: What a team says of all pods.
        release_name: Value of the chart's label `release`, and the beginning of the account's name.
    """
    logs = trial.logs
    asked: list[Any] = [
        ",".join(trial.steps),
        str(_REFUSED_SECONDS if trial.role else 0),
        logs.folder if logs else "",
        logs.connection_id if logs else "",
        trial.secrets,
    ]
    connection = f"AIRFLOW_CONN_{logs.connection_id.upper()}" if logs else ""
    # The pod gets plain variables and the connection to the logs, and no key.
    environment = [
        entry
        for entry in at(values, f"{trial.values_of}.env") or ()
        if "valueFrom" not in entry or entry["name"] == connection
    ]
    command = ["python", "-c", SCRIPT, *asked]
    made = component_pod(trial.account, command, environment, images=images, pod=pod, release_name=release_name)
    return {**made, "spec": {**made["spec"], "serviceAccountName": f"{release_name}-{trial.account}"}}


def aws_about(trial: AwsTrial, values: Mapping[str, Any], release_name: str, cluster: str) -> dict[str, Any]:
    """Return what the texts name, and what is known of the service account. It holds no secret.

    Args:
        trial: What is tried.
        values: The values of the release, with the chart's own below them.
        release_name: Name of the release.
        cluster: Name of the EKS cluster, or "" outside AWS.
    """
    account, role, logs = f"{release_name}-{trial.account}", trial.role, trial.logs
    if role is not None:
        by_agent = role.identity is PodIdentity.EKS_POD_IDENTITY
        key, identity = "airflow:podIdentity", ""
        fix = (
            f"see that the cluster has the add-on eks-pod-identity-agent, and EKS the association (aws eks "
            f"list-pod-identity-associations --cluster-name {cluster} --service-account {account}); or: {_SET} "
            "airflow:podIdentity irsa"
            if by_agent
            else "see that IAM has the OIDC provider of the cluster (aws iam list-open-id-connect-providers); or: "
            f"{_SET} airflow:podIdentity eks-pod-identity"
        )
    elif logs is not None and logs.connection_secret is not None:
        key, identity = "airflow:taskLogsConnectionSecret", "the login of the connection"
        fix = "correct the connection in the Secret"
    else:
        key, identity = "airflow:taskLogs", "the identity of the pods"
        fix = f"give the service account {account} an identity; or: {_SET} airflow:taskLogsConnectionSecret SECRET"
    made = logs is not None and logs.region is not None and logs.connection == "aws://" and role is not None
    return {
        "account": account,
        "service_account": _service_account(trial, values, release_name),
        "steps": list(trial.steps),
        "folder": logs.folder if logs else "",
        "secrets": trial.secrets,
        "identity": identity,
        "role": role.arn if role is not None else "",
        "identity_key": key,
        "identity_fix": fix,
        "place_fix": "python -m automation refresh {stack}; python -m automation up {stack}"
        if made
        else f"{_SET} airflow:taskLogsUrl s3://BUCKET/FOLDER",
    }


def _service_account(trial: AwsTrial, values: Mapping[str, Any], release_name: str) -> dict[str, Any]:
    """Return its name, its annotations, and whether EKS tells pods of its role."""
    role = trial.role
    return {
        "name": f"{release_name}-{trial.account}",
        "annotations": dict(at(values, f"{_ACCOUNTS[trial.account]}.serviceAccount.annotations") or {}),
        "release": release_name,
        "by_agent": role is not None and role.identity is PodIdentity.EKS_POD_IDENTITY,
    }


@contextmanager
def account_present(api: KubeApi, namespace: str, account: Mapping[str, Any]) -> Iterator[str]:
    """Yield "" if the account exists as the release wants it, else the reason.

    Before the first release there is none: one is made as Helm would, and deleted at the end. If this process is killed
    meanwhile, Helm takes it over by its labels. Raises KubeRequestFailed, KubeUnreachable.
    """
    name, annotations = account["name"], account["annotations"]
    there = api.get("v1", "ServiceAccount", namespace, name, metadata_only=True)
    if there is not None:
        has = there["metadata"].get("annotations") or {}
        lacks = annotations.items() - has.items()
        yield f"the service account {name} gets its role with this update" if lacks else ""
        return
    owner = {"meta.helm.sh/release-name": account["release"], "meta.helm.sh/release-namespace": namespace}
    metadata = {
        "name": name,
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {**annotations, **owner},
    }
    made = api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, namespace)
    try:
        yield ""
    finally:
        api.delete("v1", "ServiceAccount", namespace, name, uid=made["metadata"]["uid"])


def with_identity(
    run: Callable[[], PodEnd],
    account: Mapping[str, Any],
    tell: Callable[[str], object],
    sleep: Callable[[float], object] | None,
) -> PodEnd:
    """Run a pod. A pod learns its role only when it starts, so start another while EKS has not given the role.

    Args:
        run: Runs a pod.
        account: The document's `service_account`.
        tell: Is told in one line what is waited for.
        sleep: Waits so many seconds; it may raise. None takes the system's.
    """
    until = monotonic() + _IDENTITY_SECONDS
    while True:
        end = run()
        answered = end.containers.get(CONTAINER)
        none_yet = account["by_agent"] and answered is not None and lacks_identity(answered.message)
        if not none_yet or monotonic() > until:
            return end
        tell(f"waiting until EKS gives pods of {account['name']} their role")
        (sleep or system_sleep)(_PAUSE_SECONDS)
