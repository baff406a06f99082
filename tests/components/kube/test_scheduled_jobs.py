"""Which CronJob failed the last time, and why."""

from __future__ import annotations

from typing import Any

from components.kube.scheduled_jobs import failed_schedules
from components.kube.workload_states import Namespace, workload_states


def job(name: str, hour: int, condition: str = "", owner: str = "verification") -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True", "reason": "BackoffLimitExceeded"}] if condition else []
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": f"2026-01-01T{hour:02}:00:00Z",
            "ownerReferences": [{"kind": "CronJob", "name": owner}] if owner else [],
        },
        "status": {"conditions": conditions, "succeeded": int(condition == "Complete")},
    }


def pod(name: str, maker: str) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    return {
        "metadata": {"name": name, "uid": name, "ownerReferences": [{"kind": "Job", "name": maker}]},
        "spec": {"containers": [{"name": "verification"}]},
        "status": {
            "phase": "Failed",
            "containerStatuses": [{"name": "verification", "ready": False, "state": ended}],
        },
    }


def test_the_newest_job_that_has_ended_counts() -> None:
    old, failed, running = job("a", 1, "Complete"), job("b", 2, "Failed"), job("c", 3)
    found = Namespace(jobs=[failed, running, old], pods=[pod("p", "b")])
    (state,) = failed_schedules(found, lambda unready: f"the run x of probe is failed, says {unready.pod}")
    assert (state.kind, state.name, state.failed) == ("CronJob", "verification", "BackoffLimitExceeded")
    assert "CronJob verification has failed (BackoffLimitExceeded)" in state.sentence
    assert "the run x of probe is failed, says p" in state.sentence
    assert workload_states(found) == (), "no update waits for it"


def test_one_that_succeeded_since_is_well() -> None:
    assert failed_schedules(Namespace(jobs=[job("a", 1, "Failed"), job("b", 2, "Complete")])) == ()


def test_each_cron_job_is_judged_alone_and_a_job_of_none_is_not_its() -> None:
    jobs = [job("a", 1, "Failed"), job("b", 2, "Complete", "backups"), job("c", 3, "Failed", "")]
    assert [state.name for state in failed_schedules(Namespace(jobs=jobs))] == ["verification"]
