"""The Jobs of CronJobs: which CronJob failed the last time. Pure functions on what the Kubernetes API returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from components.kube.kinds import CRON_JOB
from components.kube.unready_pods import Unready
from components.kube.workload_states import Namespace, WorkloadState, workload_states


def failed_schedules(found: Namespace, log: Callable[[Unready], str] = lambda unready: "") -> tuple[WorkloadState, ...]:
    """Return the CronJobs whose newest ended Job failed, by name, each with the reason of its pod.

    Args:
        found: What was read.
        log: Returns the end of the log of the container that is to blame.
    """
    newest: dict[str, Mapping[str, Any]] = {}
    for job in sorted(found.jobs, key=lambda job: str(job["metadata"].get("creationTimestamp") or "")):
        name = next((owner["name"] for owner in _owners(job) if owner.get("kind") == CRON_JOB), None)
        if name is not None and _ended(job):
            newest[name] = job
    states = []
    for name, job in sorted(newest.items()):
        alone = {**job, "metadata": {**job["metadata"], "ownerReferences": []}}
        (state,) = workload_states(Namespace(pods=found.pods, jobs=[alone], events=found.events), log)
        if state.failed:
            states.append(replace(state, kind=CRON_JOB, name=name))
    return tuple(states)


def _owners(job: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(job["metadata"].get("ownerReferences") or ())


def _ended(job: Mapping[str, Any]) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(found.get("type") in ("Complete", "Failed") and found.get("status") == "True" for found in conditions)
