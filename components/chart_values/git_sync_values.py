"""Chart values of git-sync, which brings DAGs into pods. Pure."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.metrics import git_sync_hooks, git_sync_variables
from components.chart_values.release_inputs import ReleaseInputs
from components.dags.delivery import DagsDelivery
from components.kube.env import variable

_STALE_WORKTREE_SECONDS: Final = 600
"""git-sync keeps a replaced tree this long, so that a task that imports from it does not lose its files."""


def git_sync_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return what git-sync gets, or that it is off because DAGs are delivered otherwise."""
    dags, access = inputs.dags, inputs.dag_access
    if dags.delivery is not DagsDelivery.GIT_SYNC:
        return {"dags": {"gitSync": {"enabled": False, "recommendedProbeSetting": True}}}
    git_sync: dict[str, Any] = {
        "enabled": True,
        "repo": dags.repository.url,
        "ref": dags.ref,
        "branch": "",  # git-sync 3 read these two
        "rev": "",
        "subPath": dags.sub_path,
        "depth": dags.depth,
        "period": f"{dags.sync_period_seconds}s",
        # Never give up: while the Git host is down, every pod keeps its present tree.
        "maxFailures": -1,
        "recommendedProbeSetting": True,
        "startupProbe": {"enabled": True, "failureThreshold": 60},
        "livenessProbe": {"enabled": True},
        "env": [
            {"name": "GITSYNC_STALE_WORKTREE_TIMEOUT", "value": f"{_STALE_WORKTREE_SECONDS}s"},
            *([variable("GITSYNC_SUBMODULES", dags.submodules.value)] if dags.submodules else []),
            *access.git_sync_env,
            *git_sync_variables(inputs.monitoring),
        ],
        **git_sync_hooks(inputs.monitoring),
    }
    if access.git_sync_mounts:
        git_sync["extraVolumeMounts"] = list(access.git_sync_mounts)
    if access.ssh_key_secret is not None:
        git_sync |= {"sshKeySecret": access.ssh_key_secret, "knownHosts": access.known_hosts}
    elif access.credentials_secret is not None:
        git_sync["credentialsSecret"] = access.credentials_secret
    return {"dags": {"gitSync": git_sync}}
