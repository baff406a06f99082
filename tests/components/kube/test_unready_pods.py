"""Why pods are not ready: a word or two for a table, and a sentence that names the pod."""

from __future__ import annotations

from typing import Any

from components.kube.unready_pods import Unready, why_unready
from tests.cases import each


def pod(name: str = "airflow-scheduler-1", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"phase": "Running", **status}}


def container(name: str = "scheduler", *, ready: bool = False, **state: Any) -> dict[str, Any]:
    last = {"lastState": {"terminated": state.pop("before")}} if "before" in state else {}
    return {"name": name, "ready": ready, "state": state, **last}


READY = {"type": "Ready", "status": "True"}
UNREADY = {"type": "Ready", "status": "False"}

SILENT = {
    "a ready pod": pod(conditions=[READY], containerStatuses=[container(ready=True, running={})]),
    "a pod that has done its work": pod(phase="Succeeded", conditions=[UNREADY]),
    "a pod that goes": {"metadata": {"name": "x", "deletionTimestamp": "2026-01-01"}, "status": {"phase": "Running"}},
}

SAID: dict[str, tuple[dict[str, Any], Unready]] = {
    "an image that is not there": (
        pod(containerStatuses=[container(waiting={"reason": "ImagePullBackOff", "message": "not\n found"})]),
        Unready(
            "scheduler: ImagePullBackOff",
            "pod airflow-scheduler-1 is not ready: scheduler ImagePullBackOff: not found",
        ),
    ),
    "a crash": (
        pod(
            containerStatuses=[
                container(waiting={"reason": "CrashLoopBackOff", "message": "back-off"}, before={"exitCode": 137})
            ]
        ),
        Unready(
            "scheduler: CrashLoopBackOff",
            "pod airflow-scheduler-1 is not ready: scheduler CrashLoopBackOff: back-off, last exit code 137",
        ),
    ),
    "a missing Secret": (
        pod(containerStatuses=[container(waiting={"reason": "CreateContainerConfigError"})]),
        Unready(
            "scheduler: CreateContainerConfigError",
            "pod airflow-scheduler-1 is not ready: scheduler CreateContainerConfigError: no message",
        ),
    ),
    "a probe without an answer": (
        pod(conditions=[UNREADY], containerStatuses=[container(running={"startedAt": "x"})]),
        Unready(
            "scheduler: not ready",
            "pod airflow-scheduler-1 is not ready: scheduler runs, and does not answer its probe",
        ),
    ),
    "no node": (
        pod(
            phase="Pending",
            conditions=[
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulerError",
                    "message": "Insufficient cpu",
                }
            ],
        ),
        Unready("SchedulerError", "pod airflow-scheduler-1 is not scheduled: Insufficient cpu"),
    ),
    "no node and no reason": (
        pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "False"}]),
        Unready("Unschedulable", "pod airflow-scheduler-1 is not scheduled: no message"),
    ),
    "an init container, and another that waits for it": (
        pod(
            initContainerStatuses=[container("git-sync-init", waiting={"reason": "CrashLoopBackOff", "message": "m"})],
            containerStatuses=[container(waiting={"reason": "PodInitializing"})],
        ),
        Unready(
            "git-sync-init: CrashLoopBackOff",
            "pod airflow-scheduler-1 is not ready: git-sync-init CrashLoopBackOff: m",
        ),
    ),
    "an init container that has not ended yet": (
        pod(
            initContainerStatuses=[container("git-sync-init", running={})],
            containerStatuses=[container(waiting={"reason": "PodInitializing"})],
        ),
        Unready("scheduler: not ready", "pod airflow-scheduler-1 is not ready: git-sync-init still runs"),
    ),
    "one of two containers": (
        pod(
            containerStatuses=[
                container("git-sync", ready=True, running={}),
                container(terminated={"reason": "Error", "exitCode": 1}),
            ]
        ),
        Unready(
            "scheduler: exit code 1",
            "pod airflow-scheduler-1 is not ready: scheduler ended: Error, last exit code 1",
        ),
    ),
    "two containers": (
        pod(containerStatuses=[container("a", running={}), container("b", running={})]),
        Unready(
            "a, b: not ready",
            "pod airflow-scheduler-1 is not ready: a runs, and does not answer its probe; "
            "b runs, and does not answer its probe",
        ),
    ),
    "nothing at all": ({"metadata": {"name": "x"}}, Unready("unknown", "pod x is not ready: unknown")),
    "nothing yet": (pod(phase="Pending"), Unready("Pending", "pod airflow-scheduler-1 is not ready: Pending")),
}


@each("case", SILENT)
def test_nothing_is_said_of(case: str) -> None:
    assert why_unready(SILENT[case]) is None


@each("case", SAID)
def test_reason_is_said_of(case: str) -> None:
    unready_pod, expected = SAID[case]
    assert why_unready(unready_pod) == expected


def test_long_message_is_cut() -> None:
    unready = why_unready(pod(containerStatuses=[container(waiting={"reason": "R", "message": "m" * 5000})]))
    assert unready is not None
    assert len(unready.sentence) < 400
