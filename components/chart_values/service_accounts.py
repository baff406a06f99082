"""Chart values of the service accounts whose pods have an IAM role, and what such pods must know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from components.aws.pod_identity import PodIdentity, PodRole
from components.kube.env import variable

_CHART_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "api-server": ("apiServer",),
    "dag-processor": ("dagProcessor",),
    "triggerer": ("triggerer",),
    # Task pods run as the Celery workers' account, even without Celery.
    "worker": ("workers.celery", "workers.kubernetes"),
}
"""Components of the chart that run as an account, by the part of its name after the release's. A group of workers has
its account in its element of `workers.celery.sets`."""
_REGION: Final = "AWS_DEFAULT_REGION"
_ROLE_OF_POD: Final = "log-role"


def account_values(roles: Mapping[str, PodRole]) -> dict[str, Any]:
    """Return the annotations of the accounts. roles: by the part of the account's name after the release's."""
    values: dict[str, Any] = {"apiServer": {}, "dagProcessor": {}, "triggerer": {}, "workers": {}}
    for account, paths in _CHART_PATHS.items():
        if account not in roles:
            continue
        for path in paths:
            first, _, second = path.partition(".")
            found = {"serviceAccount": {"annotations": roles[account].annotations}}
            values[first] |= {second: found} if second else found
    reader = roles.get("api-server")
    if reader is not None and reader.identity is PodIdentity.IRSA:
        # A pod learns its role only when it starts, and another role must reach the pods that run.
        values["apiServer"]["podAnnotations"] = {_ROLE_OF_POD: reader.arn}
    return {key: value for key, value in values.items() if value}


def region_variables(
    roles: Mapping[str, PodRole], account: str, others: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return what a pod with a role must know to use it, if `others` do not say it: EKS does not tell the region."""
    known = any(found["name"] == _REGION for found in others)
    return [variable(_REGION, roles[account].region)] if account in roles and not known else []
