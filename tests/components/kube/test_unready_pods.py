"""Why pods are not ready: a word or two for a table, and a sentence that names the pod."""

from __future__ import annotations

from typing import Any

from components.kube.unready_pods import Cause, KubeEvent, why_unready
from tests.cases import each


def pod(name: str = "airflow-scheduler-1", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"phase": "Running", **status}}


def container(name: str = "scheduler", *, ready: bool = False, **state: Any) -> dict[str, Any]:
    last = {"lastState": {"terminated": state.pop("before")}} if "before" in state else {}
    return {"name": name, "ready": ready, "state": state, **last}


READY = {"type": "Ready", "status": "True"}
UNREADY = {"type": "Ready", "status": "False"}

KILLED = {"exitCode": 137, "reason": "OOMKilled"}
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    'unable to start container process: exec: "airflw": executable file not found in $PATH: unknown'
)

SILENT = {
    "a ready pod": pod(conditions=[READY], containerStatuses=[container(ready=True, running={})]),
    "a pod that has done its work": pod(phase="Succeeded", conditions=[UNREADY]),
    "a pod that goes": {"metadata": {"name": "x", "deletionTimestamp": "2026-01-01"}, "status": {"phase": "Running"}},
}

SAID: dict[str, tuple[dict[str, Any], tuple[str, str, Cause]]] = {
    "an image that is not there": (
        pod(containerStatuses=[container(waiting={"reason": "ImagePullBackOff", "message": "not\n found"})]),
        (
            "scheduler: ImagePullBackOff",
            "pod airflow-scheduler-1 is not ready: scheduler ImagePullBackOff: not found",
            Cause.IMAGE,
        ),
    ),
    "a crash": (
        pod(
            containerStatuses=[
                container(
                    waiting={
                        "reason": "CrashLoopBackOff",
                        "message": "back-off 40s restarting failed container=scheduler pod=airflow-scheduler-1_a(u)",
                    },
                    before={"exitCode": 1, "reason": "Error"},
                )
            ]
        ),
        (
            "scheduler: CrashLoopBackOff, exit code 1",
            "pod airflow-scheduler-1 is not ready: scheduler CrashLoopBackOff, last exit code 1",
            Cause.CRASH,
        ),
    ),
    "too little memory, again and again": (
        pod(containerStatuses=[container(waiting={"reason": "CrashLoopBackOff"}, before=KILLED)]),
        (
            "scheduler: CrashLoopBackOff, exit code 137 (OOMKilled)",
            "pod airflow-scheduler-1 is not ready: scheduler CrashLoopBackOff, last exit code 137 (OOMKilled)",
            Cause.CRASH,
        ),
    ),
    "too little memory, just now": (
        pod(containerStatuses=[container(terminated=KILLED)]),
        (
            "scheduler: exit code 137 (OOMKilled)",
            "pod airflow-scheduler-1 is not ready: scheduler ended, last exit code 137 (OOMKilled)",
            Cause.CRASH,
        ),
    ),
    "too little memory, before this start": (
        pod(containerStatuses=[container(running={}, before=KILLED)]),
        (
            "scheduler: not ready, last exit code 137 (OOMKilled)",
            "pod airflow-scheduler-1 is not ready: scheduler runs, and does not answer its probe, last exit code 137 "
            "(OOMKilled)",
            Cause.PROBE,
        ),
    ),
    "a program that ends without an error": (
        pod(containerStatuses=[container(waiting={"reason": "CrashLoopBackOff"}, before={"exitCode": 0})]),
        (
            "scheduler: CrashLoopBackOff, exit code 0",
            "pod airflow-scheduler-1 is not ready: scheduler CrashLoopBackOff, last exit code 0",
            Cause.CRASH,
        ),
    ),
    "a program that is not in the image": (
        pod(containerStatuses=[container(waiting={"reason": "RunContainerError", "message": RUNC})]),
        (
            "scheduler: RunContainerError",
            'pod airflow-scheduler-1 is not ready: scheduler RunContainerError: exec: "airflw": executable file not '
            "found in $PATH: unknown",
            Cause.CONFIG,
        ),
    ),
    "a pod that its node gave up": (
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory. "),
        (
            "Evicted",
            "pod airflow-scheduler-1 is not ready: Evicted: The node was low on resource: memory.",
            Cause.HELD,
        ),
    ),
    "a node that does not answer": (
        pod(reason="NodeLost", message="Node n is unresponsive", containerStatuses=[container(ready=True, running={})]),
        ("NodeLost", "pod airflow-scheduler-1 is not ready: NodeLost: Node n is unresponsive", Cause.HELD),
    ),
    "a load balancer that does not see it yet": (
        pod(
            conditions=[
                {
                    **UNREADY,
                    "reason": "ReadinessGatesNotReady",
                    "message": 'the status of pod readiness gate "target-health" is not "True", but False',
                }
            ],
            containerStatuses=[container(ready=True, running={})],
        ),
        (
            "ReadinessGatesNotReady",
            "pod airflow-scheduler-1 is not ready: ReadinessGatesNotReady: the status of pod readiness gate "
            '"target-health" is not "True", but False',
            Cause.HELD,
        ),
    ),
    "a gate of a queue of pods": (
        pod(
            phase="Pending",
            conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "m"}],
        ),
        ("SchedulingGated", "pod airflow-scheduler-1 is not scheduled: m", Cause.HELD),
    ),
    "containers that are being made": (
        pod(phase="Pending", containerStatuses=[container(waiting={"reason": "ContainerCreating"})]),
        ("starts", "pod airflow-scheduler-1 is not ready: scheduler ContainerCreating", Cause.STARTING),
    ),
    "a missing Secret": (
        pod(containerStatuses=[container(waiting={"reason": "CreateContainerConfigError"})]),
        (
            "scheduler: CreateContainerConfigError",
            "pod airflow-scheduler-1 is not ready: scheduler CreateContainerConfigError",
            Cause.CONFIG,
        ),
    ),
    "a probe without an answer": (
        pod(conditions=[UNREADY], containerStatuses=[container(running={"startedAt": "x"})]),
        (
            "scheduler: not ready",
            "pod airflow-scheduler-1 is not ready: scheduler runs, and does not answer its probe",
            Cause.PROBE,
        ),
    ),
    "an error of the scheduler": (
        pod(
            phase="Pending",
            conditions=[
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulerError",
                    "message": "object has been modified",
                }
            ],
        ),
        ("SchedulerError", "pod airflow-scheduler-1 is not scheduled: object has been modified", Cause.STARTING),
    ),
    "no node and no reason": (
        pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "False"}]),
        ("Unschedulable", "pod airflow-scheduler-1 is not scheduled: no message", Cause.SCHEDULING),
    ),
    "an init container, and another that waits for it": (
        pod(
            initContainerStatuses=[container("git-sync-init", waiting={"reason": "CrashLoopBackOff", "message": "m"})],
            containerStatuses=[container(waiting={"reason": "PodInitializing"})],
        ),
        (
            "git-sync-init: CrashLoopBackOff",
            "pod airflow-scheduler-1 is not ready: git-sync-init CrashLoopBackOff: m",
            Cause.CRASH,
        ),
    ),
    "an init container that has not ended yet": (
        pod(
            initContainerStatuses=[container("git-sync-init", running={})],
            containerStatuses=[container(waiting={"reason": "PodInitializing"})],
        ),
        ("git-sync-init: runs", "pod airflow-scheduler-1 is not ready: git-sync-init still runs", Cause.INIT),
    ),
    "one of two containers": (
        pod(
            containerStatuses=[
                container("git-sync", ready=True, running={}),
                container(terminated={"reason": "Error", "exitCode": 1}),
            ]
        ),
        (
            "scheduler: exit code 1",
            "pod airflow-scheduler-1 is not ready: scheduler ended, last exit code 1",
            Cause.CRASH,
        ),
    ),
    "two containers": (
        pod(containerStatuses=[container("a", running={}), container("b", running={})]),
        (
            "a, b: not ready",
            "pod airflow-scheduler-1 is not ready: a runs, and does not answer its probe; "
            "b runs, and does not answer its probe",
            Cause.PROBE,
        ),
    ),
    "nothing at all": ({"metadata": {"name": "x"}}, ("unknown", "pod x is not ready: unknown", Cause.STARTING)),
    "nothing yet": (pod(phase="Pending"), ("Pending", "pod airflow-scheduler-1 is not ready: Pending", Cause.STARTING)),
}


@each("case", SILENT)
def test_nothing_is_said_of(case: str) -> None:
    assert why_unready(SILENT[case]) is None


@each("case", SAID)
def test_reason_is_said_of(case: str) -> None:
    unready_pod, expected = SAID[case]
    found = why_unready(unready_pod)
    assert found is not None
    assert (found.reason, found.sentence, found.cause) == expected


def event(reason: str, message: str, last: str) -> KubeEvent:
    return KubeEvent(uid="u", kind="Pod", name="p", reason=reason, message=message, last=last, sign=f"{reason}:{last}")


def test_newest_event_says_what_a_pod_without_containers_waits_for() -> None:
    creating = pod(phase="Pending", containerStatuses=[container(waiting={"reason": "ContainerCreating"})])
    pulling = event("Pulling", 'Pulling image "a/b:c"', "2026-01-01T00:00:01Z")
    mount = event("FailedMount", 'secret "x" not found', "2026-01-01T00:00:02Z")
    steps = (
        'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "7f3a": '
    )
    no_address = event("FailedCreatePodSandBox", f"{steps}failed to assign an IP address", "2026-01-01T00:00:03Z")
    for events, cause, reason, detail in (
        ((), Cause.STARTING, "starts", ""),
        ((pulling,), Cause.PULLING, "pulls its image", 'Pulling image "a/b:c"'),
        ((mount, pulling), Cause.VOLUME, "FailedMount", 'secret "x" not found'),
        ((no_address,), Cause.HELD, "FailedCreatePodSandBox", "failed to assign an IP address"),
    ):
        found = why_unready(creating, events)
        assert found is not None
        assert (found.cause, found.reason, found.detail) == (cause, reason, detail)


def test_probe_that_fails_is_quoted_where_there_is_room() -> None:
    """On one line it would be another text with each attempt."""
    running = pod(conditions=[UNREADY], containerStatuses=[container(running={})])
    found = why_unready(
        running, [event("Unhealthy", "Readiness probe failed: statuscode: 503", "2026-01-01T00:00:01Z")]
    )
    assert found is not None
    assert (found.cause, found.short) == (Cause.PROBE, "scheduler: not ready")
    assert found.sentence.endswith(
        "scheduler runs, and does not answer its probe; Readiness probe failed: statuscode: 503"
    )


def test_crashes_are_counted_with_the_one_that_is_not_restarted_yet() -> None:
    crashed = {**container(waiting={"reason": "CrashLoopBackOff"}, before={"exitCode": 1}), "restartCount": 4}
    found = why_unready(pod(containerStatuses=[crashed]))
    assert found is not None
    assert (found.tries, found.container) == (5, "scheduler")


def test_log_of_the_blamed_container_is_its_detail() -> None:
    found = why_unready(pod(initContainerStatuses=[container("git-sync-init", running={})]))
    assert found is not None
    assert found.with_log("\n") == found, "an empty log says nothing"
    said = found.with_log("Syncing\nfatal: no such branch\n")
    assert said.short == "git-sync-init: fatal: no such branch"
    assert said.sentence.endswith("git-sync-init still runs; its log: fatal: no such branch")


def test_long_message_is_cut() -> None:
    unready = why_unready(pod(containerStatuses=[container(waiting={"reason": "R", "message": "m" * 5000})]))
    assert unready is not None
    assert len(unready.sentence) < 400


def test_pull_that_failed_is_said_without_what_led_to_it() -> None:
    reference = "docker.io/apache/airflow:nope"
    steps = f'failed to pull and unpack image "{reference}": failed to resolve reference "{reference}": '
    back_off = f'Back-off pulling image "apache/airflow:nope": ErrImagePull: {steps}{reference}: not found'
    rpc = f"rpc error: code = NotFound desc = {steps}{reference}: not found"
    for message in (back_off, rpc, f"{steps}{reference}: not found"):
        waiting = {**container(waiting={"reason": "ErrImagePull", "message": message}), "image": "apache/airflow:nope"}
        found = why_unready(pod(containerStatuses=[waiting]))
        assert found is not None
        assert found.detail == f"{reference}: not found"
    message = f'{steps}failed to do request: Head "https://x/v2": dial tcp: no such host'
    waiting = {**container(waiting={"reason": "ErrImagePull", "message": message}), "image": "apache/airflow:nope"}
    found = why_unready(pod(containerStatuses=[waiting]))
    assert found is not None
    assert found.detail == "apache/airflow:nope: dial tcp: no such host"


def test_node_that_is_missing_is_said_without_what_the_scheduler_tried_in_vain() -> None:
    for more in (
        " no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful.",
        " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
        "",
    ):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "message": f"0/1 nodes are available: 1 Insufficient cpu.{more}",
        }
        found = why_unready(pod(phase="Pending", conditions=[condition]))
        assert found is not None
        assert found.detail.rstrip(".") == "0/1 nodes are available: 1 Insufficient cpu"
