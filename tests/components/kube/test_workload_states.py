"""How many pods of each workload are ready, and why the worst one is not."""

from __future__ import annotations

from typing import Any, Final

from components.kube.unready_pods import Cause, KubeEvent, Unready
from components.kube.workload_states import (
    Namespace,
    WorkloadState,
    all_say,
    kube_event,
    loose_pods,
    owner,
    workload_states,
)

HASH: Final = "5d9c"


def deployment(name: str = "scheduler", *, wanted: int | None = 1, **status: Any) -> dict[str, Any]:
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "observedGeneration": 1}
    spec = {} if wanted is None else {"replicas": wanted}
    labels = {"release": "airflow"}
    return {"metadata": {"name": name, "generation": 1, "labels": labels}, "spec": spec, "status": {**counts, **status}}


def pod(name: str, kind: str, maker: str, **status: Any) -> dict[str, Any]:
    labels = {"pod-template-hash": HASH} if kind == "ReplicaSet" else {}
    metadata = {
        "name": name,
        "uid": f"uid-{name}",
        "labels": labels,
        "ownerReferences": [{"kind": kind, "name": maker}],
    }
    return {"metadata": metadata, "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Pending", **status}}


def waiting(reason: str) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "main", "ready": False, "state": {"waiting": {"reason": reason}}}]}


def event(kind: str, name: str, reason: str, message: str = "m", last: str = "2026-01-01T00:00:01Z") -> KubeEvent:
    return KubeEvent(
        uid=f"uid-{name}", kind=kind, name=name, reason=reason, message=message, last=last, sign=f"{name}{last}"
    )


def only(found: Namespace) -> WorkloadState:
    (state,) = workload_states(found)
    return state


def test_workload_with_all_pods_ready_is_well() -> None:
    state = only(Namespace(deployments=[deployment()]))
    assert state.well
    assert state.says == "scheduler 1/1 ready"
    assert state.release == "airflow"
    assert only(Namespace(deployments=[deployment(wanted=None)])).wanted == 1, "Kubernetes' default"


def test_worst_pod_of_a_workload_says_why() -> None:
    maker = f"scheduler-{HASH}"
    pods = [
        pod("b", "ReplicaSet", maker, **waiting("ContainerCreating")),
        pod("a", "ReplicaSet", maker, **waiting("ImagePullBackOff")),
        pod("other", "ReplicaSet", f"scheduler-slow-{HASH}", **waiting("CreateContainerConfigError")),
    ]
    state = only(
        Namespace(deployments=[deployment(wanted=2, readyReplicas=0, replicas=2, updatedReplicas=2)], pods=pods)
    )
    assert state.unready is not None
    assert (state.unready.cause, state.unready.pod) == (Cause.IMAGE, "a")
    assert state.says == "scheduler 0/2 ready: main: ImagePullBackOff"


def test_old_pods_that_are_ready_do_not_hide_a_roll() -> None:
    changes: list[dict[str, Any]] = [{"updatedReplicas": 0}, {"observedGeneration": 0}, {"replicas": 2}]
    for status in changes:
        state = only(Namespace(deployments=[deployment(**status)]))
        assert not state.well
        assert state.says == "scheduler 1/1 ready: old pods are replaced"


def test_reason_of_a_new_pod_is_told_apart_from_the_number_of_old_ones() -> None:
    old = pod("a", "ReplicaSet", f"scheduler-{HASH}", phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    new = pod("b", "ReplicaSet", f"scheduler-{HASH}", **waiting("ImagePullBackOff"))
    state = only(Namespace(deployments=[deployment(replicas=2, updatedReplicas=1)], pods=[old, new]))
    assert state.says == "scheduler 1/1 ready: new pod: main: ImagePullBackOff"


def test_pod_that_ends_says_why_nothing_is_ready() -> None:
    """A worker may give its tasks ten minutes."""
    ending = pod("a", "StatefulSet", "worker", phase="Running")
    ending["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 600}
    item = deployment("worker", readyReplicas=0, updatedReplicas=0)
    state = only(Namespace(stateful_sets=[item], pods=[ending]))
    assert state.says == "worker 0/1 ready: an old pod ends, within 600 s"
    assert state.sentence == "StatefulSet worker has 0 of 1 pods ready: pod a ends, within 600 s"
    new = pod("b", "StatefulSet", "worker", **waiting("ImagePullBackOff"))
    assert "ImagePullBackOff" in only(Namespace(stateful_sets=[item], pods=[ending, new])).says
    assert only(Namespace(stateful_sets=[deployment("worker")], pods=[ending])).unready is None


def test_pod_that_was_evicted_does_not_hide_its_successor() -> None:
    maker = f"scheduler-{HASH}"
    evicted = pod("a", "ReplicaSet", maker, phase="Failed", reason="Evicted", message="low on memory")
    crashed = {"containerStatuses": [{"name": "main", "ready": False, "state": {"terminated": {"exitCode": 137}}}]}
    killed = pod("c", "ReplicaSet", maker, phase="Failed", reason="Evicted", message="low on memory", **crashed)
    new = pod("b", "ReplicaSet", maker, **waiting("ContainerCreating"))
    item = deployment(readyReplicas=0)
    assert only(Namespace(deployments=[item], pods=[evicted])).says == "scheduler 0/1 ready: Evicted: low on memory"
    for old in (evicted, killed):
        assert only(Namespace(deployments=[item], pods=[old, new])).says == "scheduler 0/1 ready: starts"


def test_stateful_set_after_a_roll_is_well_without_a_count() -> None:
    item = deployment("redis", updatedReplicas=0, currentRevision="r", updateRevision="r")
    assert only(Namespace(stateful_sets=[item])).well


def test_pod_that_may_not_be_made_is_said_by_the_newest_event_of_its_maker() -> None:
    quota = 'Error creating: pods "x" is forbidden: exceeded quota'
    for kind, name, found in (
        (
            "ReplicaSet",
            f"scheduler-{HASH}",
            {"deployments": [deployment(replicas=0, updatedReplicas=0, readyReplicas=0)]},
        ),
        ("StatefulSet", "redis", {"stateful_sets": [deployment("redis", replicas=0, readyReplicas=0)]}),
        ("Job", "migrate", {"jobs": [{"metadata": {"name": "migrate"}, "spec": {}, "status": {}}]}),
    ):
        failed = event(kind, name, "FailedCreate", quota)
        made = event(kind, name, "SuccessfulCreate", last="2026-01-01T00:00:09Z")
        other = event(kind, "else", "FailedCreate", quota)
        state = only(Namespace(**found, events=[other, failed]))
        assert state.unready is not None
        assert (state.unready.cause, state.unready.sign) == (Cause.DENIED, failed.sign)
        assert state.unready.detail == "forbidden: exceeded quota"
        assert only(Namespace(**found, events=[failed, made])).unready is None, "it was made after all"


def test_denials_of_several_workloads_read_the_same() -> None:
    denied = "forbidden: exceeded quota: q, requested: pods=1"
    for message in (
        f'Error creating: pods "airflow-worker-1-x" is {denied}',
        f'(combined from similar events): Error creating: pods "airflow-worker-1-y" is {denied}',
        f'Create Pod airflow-redis-0 in StatefulSet airflow-redis failed error: pods "airflow-redis-0" is {denied}',
        f'pods "airflow-worker-1-z" is {denied}',
        denied,
    ):
        failed = event("StatefulSet", "redis", "FailedCreate", message)
        item = deployment("redis", replicas=0, readyReplicas=0)
        state = only(Namespace(stateful_sets=[item], events=[failed]))
        assert state.unready is not None
        assert state.unready.detail == denied


def test_denial_whose_event_is_forgotten_is_said_by_the_condition() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no\n room"}
    item = deployment(replicas=0, readyReplicas=0, conditions=[{"type": "Available", "status": "True"}, condition])
    state = only(Namespace(deployments=[item]))
    assert state.unready is not None
    assert (state.unready.cause, state.unready.detail, state.unready.sign) == (Cause.DENIED, "no room", "")


def job(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "migrate"}, "spec": {}, "status": status}


def test_job_is_well_when_it_has_succeeded() -> None:
    done = only(Namespace(jobs=[job(succeeded=1, conditions=[{"type": "Complete", "status": "True"}])]))
    assert (done.well, done.says) == (True, "migrate 1/1 done")
    running = pod("migrate-1", "Job", "migrate", phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    state = only(Namespace(jobs=[job()], pods=[running]))
    assert (state.well, state.says) == (False, "migrate 0/1 done: runs")


def test_job_that_gave_up_says_what_its_pod_wrote() -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": "Traceback\nOperationalError: no database\n"}
    status = {
        "phase": "Failed",
        "containerStatuses": [{"name": "airflow", "ready": False, "state": {"terminated": ended}}],
    }
    failed = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
    state = only(Namespace(jobs=[job(conditions=failed)], pods=[pod("migrate-1", "Job", "migrate", **status)]))
    assert not state.well
    assert state.says == (
        "migrate 0/1 done: failed (BackoffLimitExceeded), airflow: exit code 1: OperationalError: no database"
    )


def test_jobs_of_a_cron_job_are_not_looked_at() -> None:
    item = {**job(), "metadata": {"name": "cleanup-1", "ownerReferences": [{"kind": "CronJob", "name": "cleanup"}]}}
    assert workload_states(Namespace(jobs=[item])) == ()


def test_claim_that_is_not_bound_says_why() -> None:
    claim = {"metadata": {"name": "logs"}, "status": {"phase": "Pending"}}
    failed = event("PersistentVolumeClaim", "logs", "ProvisioningFailed", 'storageclass "x" not found')
    state = only(Namespace(claims=[claim], events=[failed]))
    assert state.says == 'logs 0/1 ready: ProvisioningFailed: storageclass "x" not found'
    assert state.unready is not None
    assert state.unready.cause is Cause.VOLUME
    assert only(Namespace(claims=[{**claim, "status": {"phase": "Bound"}}], events=[failed])).well
    waits = event("PersistentVolumeClaim", "logs", "WaitForFirstConsumer", "waiting for first consumer")
    calm = only(Namespace(claims=[claim], events=[waits])).unready
    assert calm is not None
    assert calm.cause is Cause.STARTING


def test_log_is_asked_for_only_of_init_containers_and_crashes() -> None:
    asked: list[str] = []

    def log(unready: Unready) -> str:
        asked.append(f"{unready.pod} {unready.container}")
        return "fatal: no branch"

    maker = f"scheduler-{HASH}"
    init = {"initContainerStatuses": [{"name": "git-sync-init", "ready": False, "state": {"running": {}}}]}
    for status in (init, waiting("CrashLoopBackOff"), waiting("ImagePullBackOff"), {}):
        pods = [pod("p", "ReplicaSet", maker, **status)]
        workload_states(Namespace(deployments=[deployment(readyReplicas=0)], pods=pods), log)
    assert asked == ["p git-sync-init", "p main"]


def test_a_new_attempt_of_the_same_failure_says_nothing_new() -> None:
    def state(reason: str) -> WorkloadState:
        pods = [pod("p", "ReplicaSet", f"scheduler-{HASH}", **waiting(reason))]
        return only(Namespace(deployments=[deployment(readyReplicas=0)], pods=pods))

    assert state("ErrImagePull").key == state("ImagePullBackOff").key
    assert state("ErrImagePull").key != state("CreateContainerConfigError").key


def test_start_of_a_pod_is_one_line_until_something_fails() -> None:
    def state(cause: Cause, detail: str = "", tries: int = 0) -> WorkloadState:
        why = Unready("r", "s", cause=cause, container="c", detail=detail, tries=tries)
        return WorkloadState(kind="Deployment", name="x", ready=0, wanted=1, unready=why)

    assert state(Cause.STARTING).key == state(Cause.INIT, "cloning").key == state(Cause.INIT, "done").key
    assert state(Cause.INIT, "cloning").key != state(Cause.INIT, "no such branch", tries=1).key
    assert len({state(cause).key for cause in (Cause.STARTING, Cause.PULLING, Cause.PROBE, Cause.HELD)}) == 4
    assert state(Cause.HELD, "attempt 1").key == state(Cause.HELD, "attempt 2").key


def test_reason_of_several_workloads_is_said_once() -> None:
    """Three components fetch DAGs, and one Git host stops them all."""

    def state(name: str, why: Unready | None) -> WorkloadState:
        return WorkloadState(kind="Deployment", name=name, ready=0, wanted=1, unready=why)

    fetch = Unready("git-sync-init: runs", "s", cause=Cause.INIT, container="git-sync-init", detail="no host: x")
    states = [state("dag-processor", fetch), state("redis", None), state("scheduler", Unready("starts", "s"))]
    assert all_say([*states, state("worker", fetch)]) == (
        "dag-processor 0/1 ready, worker 0/1 ready: git-sync-init: no host: x; redis 0/1 ready; "
        "scheduler 0/1 ready: starts"
    )
    assert all_say([]) == ""


def test_owner_of_a_pod_is_its_workload() -> None:
    assert owner(pod("p", "ReplicaSet", f"a-b-{HASH}")) == ("Deployment", "a-b")
    assert owner(pod("p", "StatefulSet", "redis")) == ("StatefulSet", "redis")
    assert owner({"metadata": {"name": "task"}}) == ("", "")


def test_event_is_another_one_when_it_happens_again() -> None:
    item = {
        "metadata": {"uid": "e", "resourceVersion": "7"},
        "involvedObject": {"kind": "Job", "name": "j", "uid": "u"},
        "reason": "FailedCreate",
        "message": "a\n b",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    first, again = kube_event(item), kube_event({**item, "metadata": {"uid": "e", "resourceVersion": "8"}})
    assert (first.uid, first.message) == ("u", "a b")
    assert first.sign != again.sign


def test_pod_of_a_single_task_says_all_that_kubernetes_says() -> None:
    task = {
        "metadata": {"name": "task-1", "uid": "u"},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}
            ],
        },
    }
    ended = {"metadata": {"name": "task-0"}, "status": {"phase": "Succeeded"}}
    owned = pod("a", "ReplicaSet", f"scheduler-{HASH}", **waiting("ImagePullBackOff"))
    (found,) = loose_pods(Namespace(pods=[task, owned, ended]))
    assert found.sentence == "pod task-1 is not scheduled: 0/3 nodes are available: 3 Insufficient cpu."
