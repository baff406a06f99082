"""When a pod of the preflight is waited for, and when no more; time is the test's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from components.kube.client import KubeApi
from components.preflight import pod_run
from components.preflight.pod_run import LABEL, PodEnd, WaitLimits, run_pod

POD: Final[Mapping[str, Any]] = {
    "metadata": {"labels": {"component": "x"}},
    "spec": {"containers": [{"name": "a", "image": "one"}, {"name": "b", "image": "two"}]},
}
LIMITS: Final = WaitLimits(node_seconds=10, image_seconds=20, run_seconds=30)
CREATING: Final = {"waiting": {"reason": "ContainerCreating"}}
RUNS: Final[Mapping[str, Any]] = {"running": {}}
MISSING: Final = {"waiting": {"reason": "ErrImagePull", "message": "one: not found"}}


def done(code: int = 0, message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": "Completed", "message": message}}


def pod(
    a: Mapping[str, Any], b: Mapping[str, Any], phase: str = "Pending", node: str = "n", begun: str = ""
) -> dict[str, Any]:
    statuses = [{"name": "a", "state": a}, {"name": "b", "state": b}]
    conditions = [{"type": "PodReadyToStartContainers", "status": begun}] if begun else []
    return {
        "spec": {"nodeName": node},
        "status": {"phase": phase, "containerStatuses": statuses, "conditions": conditions},
    }


class Cluster:
    """Answers with one state of the pod after the other, and with the last one for ever."""

    def __init__(self, states: Sequence[dict[str, Any]], refusal: str = "") -> None:
        self.states, self.refused = list(states), refusal
        self.created: list[Mapping[str, Any]] = []
        self.deleted: list[str] = []

    def creation_refusal(self, manifest: Mapping[str, Any], namespace: str) -> str:
        assert (manifest["kind"], namespace) == ("Pod", "ns")
        return self.refused

    def create(self, manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
        self.created.append(manifest)
        return {"metadata": {"name": "job-1"}}

    def items(self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        assert labels == {"batch.kubernetes.io/job-name": "job-1"}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return [state] if state else []

    def delete(self, api_version: str, kind: str, namespace: str, name: str, *, grace_seconds: int) -> None:
        self.deleted.append(name)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that has passed, in seconds."""
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr(pod_run, "time", SimpleNamespace(monotonic=lambda: passed[0], sleep=sleep))
    return passed


def end(cluster: Cluster, pod: Mapping[str, Any] = POD) -> PodEnd:
    return run_pod(cast(KubeApi, cluster), "ns", pod, LIMITS)


def test_pod_that_ends_gives_its_answers_and_leaves_nothing() -> None:
    cluster = Cluster([{}, pod(CREATING, CREATING), pod(done(0, "answer"), done(3, "why"), "Failed")])
    found = end(cluster)
    assert (found.containers["a"].message, found.containers["b"].exit_code) == ("answer", 3)
    assert not found.waits
    assert cluster.deleted == ["job-1"]


def test_ends_of_all_containers_end_the_wait_before_the_phase_tells_them(clock: list[float]) -> None:
    found = end(Cluster([pod(RUNS, RUNS), pod(done(), RUNS), pod(done(0, "answer"), done(3), "Running")]))
    assert (found.containers["a"].message, found.containers["b"].exit_code, found.waits) == ("answer", 3, "")
    assert clock[0] < 1


def test_init_container_that_fails_ends_the_wait(clock: list[float]) -> None:
    """What follows it never starts."""
    first, second = POD["spec"]["containers"]
    status = {
        "phase": "Pending",
        "initContainerStatuses": [{"name": "a", "state": done(2, "why")}],
        "containerStatuses": [{"name": "b", "state": {"waiting": {"reason": "PodInitializing"}}}],
    }
    failed = {"spec": {"nodeName": "n"}, "status": status}
    found = end(Cluster([failed]), {"metadata": {}, "spec": {"initContainers": [first], "containers": [second]}})
    assert (found.containers["a"].exit_code, found.containers["a"].message, found.waits) == (2, "why", "")
    assert clock[0] == 0


def test_job_is_never_tried_again_and_goes_by_itself() -> None:
    """The process may be killed before it deletes the Job."""
    cluster = Cluster([pod(done(), done(), "Succeeded")])
    end(cluster)
    [job] = cluster.created
    spec = job["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["activeDeadlineSeconds"] > 10 + 20 + 30
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["metadata"]["labels"] == {"component": "x", LABEL: "true"}


def test_refused_pod_is_not_made() -> None:
    cluster = Cluster([{}], refusal="exceeded quota")
    assert end(cluster).refused == "exceeded quota"
    assert cluster.created == []


def test_missing_image_ends_the_wait_at_once(clock: list[float]) -> None:
    found = end(Cluster([pod(MISSING, RUNS)]))
    assert found.containers["a"].not_pulled
    assert found.containers["b"].pulled
    assert clock[0] == 0


def test_other_images_get_a_moment_to_fail_too(clock: list[float]) -> None:
    found = end(Cluster([pod(MISSING, CREATING), pod(MISSING, MISSING)]))
    assert [item.not_pulled for item in found.containers.values()] == [True, True]
    end(Cluster([pod(MISSING, CREATING)]))
    assert clock[0] < 3, "an image that is still being pulled is not waited for"


def test_pull_that_may_succeed_the_next_time_gets_a_second_try() -> None:
    slow = {"waiting": {"reason": "ErrImagePull", "message": "dial tcp: i/o timeout"}}
    again = {"waiting": {"reason": "ImagePullBackOff", "message": "dial tcp: i/o timeout"}}
    assert not end(Cluster([pod(slow, RUNS), pod(done(), done(), "Succeeded")])).containers["a"].not_pulled
    assert end(Cluster([pod(slow, RUNS), pod(again, RUNS)])).containers["a"].not_pulled


def test_node_that_begins_late_takes_no_time_from_the_images(clock: list[float]) -> None:
    """On a busy machine the network of a pod took longer than a pull may."""
    late = [pod(CREATING, CREATING, begun="False")] * 90
    pulling = [pod(CREATING, CREATING, begun="True")] * 90
    found = end(Cluster([*late, *pulling, pod(MISSING, MISSING, begun="True")]))
    assert found.containers["a"].not_pulled
    assert clock[0] > LIMITS.image_seconds


def test_container_without_its_secret_ends_the_wait() -> None:
    broken = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}}
    assert end(Cluster([pod(broken, RUNS)])).containers["a"].reason == "CreateContainerConfigError"


@pytest.mark.parametrize(
    ("state", "seconds", "waits"),
    [
        (pod(CREATING, CREATING, node=""), 10, "a node"),
        ({"spec": {"nodeName": "n"}, "status": {"phase": "Pending"}}, 20, "its node to begin"),
        (pod(CREATING, CREATING, begun="False"), 20, "its node to begin"),
        (pod(CREATING, RUNS), 20, "its images"),
        (pod(CREATING, RUNS, begun="True"), 20, "its images"),
        (pod(RUNS, RUNS), 30, "its end"),
    ],
)
def test_each_wait_has_its_limit(state: dict[str, Any], seconds: float, waits: str, clock: list[float]) -> None:
    assert end(Cluster([state])).waits.startswith(waits)
    assert clock[0] == pytest.approx(seconds, abs=0.5)


def test_what_runs_can_be_deleted_before_the_process_ends() -> None:
    cluster = Cluster([pod(CREATING, CREATING)])
    seen: list[list[str]] = []

    def sleep(seconds: float) -> None:
        pod_run.delete_running()
        seen.append(list(cluster.deleted))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pod(cast(KubeApi, cluster), "ns", POD, LIMITS, sleep=sleep)
    pod_run.delete_running()
    assert seen == [["job-1"]]
    assert cluster.deleted == ["job-1", "job-1"], "once by its own end"
