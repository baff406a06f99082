"""Sentences about pods that are not ready: each names the pod and its reason."""

from __future__ import annotations

from typing import Any

from components.kube.unready_pods import unready_pods
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

SAID = {
    "an image that is not there": (
        pod(containerStatuses=[container(waiting={"reason": "ImagePullBackOff", "message": "not\n found"})]),
        "pod airflow-scheduler-1 is not ready: scheduler ImagePullBackOff: not found",
    ),
    "a crash": (
        pod(
            containerStatuses=[
                container(waiting={"reason": "CrashLoopBackOff", "message": "back-off"}, before={"exitCode": 137})
            ]
        ),
        "pod airflow-scheduler-1 is not ready: scheduler CrashLoopBackOff: back-off, last exit code 137",
    ),
    "a missing Secret": (
        pod(containerStatuses=[container(waiting={"reason": "CreateContainerConfigError"})]),
        "pod airflow-scheduler-1 is not ready: scheduler CreateContainerConfigError: no message",
    ),
    "a probe without an answer": (
        pod(conditions=[UNREADY], containerStatuses=[container(running={"startedAt": "x"})]),
        "pod airflow-scheduler-1 is not ready: scheduler runs, and does not answer its probe",
    ),
    "no node": (
        pod(
            phase="Pending",
            conditions=[{"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}],
        ),
        "pod airflow-scheduler-1 is not scheduled: Insufficient cpu",
    ),
    "an init container, and another that waits for it": (
        pod(
            initContainerStatuses=[container("git-sync-init", waiting={"reason": "CrashLoopBackOff", "message": "m"})],
            containerStatuses=[container(waiting={"reason": "PodInitializing"})],
        ),
        "pod airflow-scheduler-1 is not ready: git-sync-init CrashLoopBackOff: m",
    ),
    "one of two containers": (
        pod(
            containerStatuses=[
                container("git-sync", ready=True, running={}),
                container(terminated={"reason": "Error", "exitCode": 1}),
            ]
        ),
        "pod airflow-scheduler-1 is not ready: scheduler ended: Error, last exit code 1",
    ),
    "nothing at all": ({"metadata": {"name": "x"}}, "pod x is not ready: unknown"),
    "nothing yet": (pod(phase="Pending"), "pod airflow-scheduler-1 is not ready: Pending"),
}


@each("case", SILENT)
def test_nothing_is_said_of(case: str) -> None:
    assert unready_pods([SILENT[case]]) == []


@each("case", SAID)
def test_reason_is_said_of(case: str) -> None:
    found, sentence = SAID[case]
    assert unready_pods([found]) == [sentence]


def test_every_pod_has_its_sentence() -> None:
    pods = [pod("a", phase="Pending"), SILENT["a ready pod"], pod("b", phase="Pending")]
    assert [sentence.split()[1] for sentence in unready_pods(pods)] == ["a", "b"]


def test_long_message_is_cut() -> None:
    long = pod(containerStatuses=[container(waiting={"reason": "R", "message": "m" * 5000})])
    [sentence] = unready_pods([long])
    assert len(sentence) < 400
