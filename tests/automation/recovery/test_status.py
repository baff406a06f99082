"""What is wrong with a stack, named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from automation.cluster.objects import ReleaseRecord
from automation.engine.locks import Holder, Lock
from automation.engine.stack_state import StackState
from automation.recovery.status import (
    ClusterStatus,
    StackStatus,
    StuckPod,
    cluster_status,
    dags_place,
    ending_authority,
)
from automation.stacks.config import StackConfig
from components.kube.look import Look
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import WorkloadState
from tests.automation.fakes import (
    OUTPUTS,
    FakeKube,
    FakeObjects,
    found_object,
    pending_create,
    pod,
    resource_state,
    workload,
)
from tests.automation.rotation.test_given_values import authority

SECRET = "kubernetes:core/v1:Secret"


def look(kube: FakeKube | None = None, objects: FakeObjects | None = None, **state: Any) -> ClusterStatus:
    return cluster_status(kube or FakeKube(), objects or FakeObjects(), StackState.of(state))


def problems(cluster: ClusterStatus) -> tuple[str, ...]:
    return StackStatus(stack="dev", exists=True, deployed=True, cluster=cluster).problems


def test_place_of_the_dags_is_told_from_the_outputs() -> None:
    stack = {"urn": "urn:pulumi:dev::airflow::pulumi:pulumi:Stack::airflow-dev", "type": "pulumi:pulumi:Stack"}
    state = StackState.of({"resources": [{**stack, "outputs": OUTPUTS}]})
    assert dags_place(state.outputs) == "https://github.com/apache/airflow.git by git-sync"
    assert dags_place({**OUTPUTS, "dags_delivery": "image"}) == "in the image apache/airflow:3.2.2"
    several = {**OUTPUTS, "dags_delivery": "git-bundle", "dag_bundles": {"a": "https://git.test/a.git"}}
    assert dags_place(several) == "a from https://git.test/a.git by git-bundle"
    assert dags_place(StackState.of({"resources": [stack]}).outputs) == ""


def test_healthy_stack_has_no_problem() -> None:
    found = look(objects=FakeObjects(record=ReleaseRecord(revision=3, status="deployed")))
    assert problems(found) == ()
    assert StackStatus(stack="dev", exists=True, cluster=found).healthy


def test_versions_that_are_untested_together_are_notes_and_no_problem() -> None:
    cluster = look(objects=FakeObjects(record=ReleaseRecord(revision=3, status="deployed")))
    assert cluster.kubernetes == "v1.35.0"
    for kubernetes, expected in (
        ("v1.40.0", "Kubernetes 1.40: Airflow 3.3 is tested with"),
        ("v1.9.0", "Kubernetes: exp"),
    ):
        status = StackStatus(stack="dev", exists=True, airflow="3.3.2", cluster=replace(cluster, kubernetes=kubernetes))
        assert status.healthy
        assert status.problems == ()
        assert status.notes[0].startswith(expected)
        assert status.to_json()["notes"] == list(status.notes)


def test_release_that_never_ended_is_named() -> None:
    found = look(objects=FakeObjects(record=ReleaseRecord(revision=4, status="pending-upgrade")))
    assert problems(found) == ("Helm release airflow: revision 4 is pending-upgrade",)


def test_release_that_the_state_holds_and_helm_does_not_know_is_gone() -> None:
    """`helm uninstall`, or a namespace that was deleted: then there is no pod either that could be unhealthy."""
    nothing = FakeKube(found_pods=[], found_workloads=[])
    held = [resource_state("kubernetes:helm.sh/v3:Release", "airflow", id_="airflow/airflow")]
    assert problems(look(nothing, resources=held)) == (
        "Helm release airflow is gone: the state holds it, and the cluster has no record of it; "
        "refresh and up make it again",
    )
    assert problems(look(nothing)) == (), "the state holds none"
    assert problems(look(nothing, resources=[{**held[0], "pendingReplacement": True}])) == ()
    assert (
        problems(look(nothing, FakeObjects(record=ReleaseRecord(revision=1, status="deployed")), resources=held)) == ()
    )


def test_workload_that_is_not_ready_is_named_with_the_reason_of_its_worst_pod() -> None:
    kube = FakeKube(found_pods=[pod("scheduler"), pod("worker", ready=False, reason="worker: ImagePullBackOff")])
    found = look(kube)
    assert problems(found) == (
        "Deployment airflow-worker has 0 of 1 pods ready: pod airflow-worker-0 is not ready (worker: ImagePullBackOff)",
    )
    assert not StackStatus(stack="dev", exists=True, cluster=found).healthy


def test_pod_of_no_workload_is_named_itself() -> None:
    task = pod("task", name="my-task-1", ready=False, reason="base: ImagePullBackOff", workload="")
    deployed = pod("scheduler", ready=False, reason="x")
    found = look(FakeKube(found_pods=[task, deployed], found_workloads=[]))
    assert problems(found) == ("pod my-task-1 is not ready (base: ImagePullBackOff)",)


def state_of(kind: str, cause: Cause, **more: Any) -> WorkloadState:
    why = Unready("reason", "because", cause=cause)
    return WorkloadState(kind=kind, name="x", ready=0, wanted=1, unready=why, **more)


def test_jobs_and_volumes_count_too() -> None:
    for state, expected in (
        (
            state_of("Job", Cause.CRASH, failed="BackoffLimitExceeded"),
            ("Job x has failed (BackoffLimitExceeded): because",),
        ),
        (state_of("Job", Cause.DENIED), ("Job x has not ended: because",)),
        (state_of("PersistentVolumeClaim", Cause.VOLUME), ("PersistentVolumeClaim x is not bound: because",)),
        (state_of("PersistentVolumeClaim", Cause.STARTING), ()),  # it waits for its first pod
    ):
        assert problems(look(FakeKube(other_states=[state]))) == expected


@pytest.mark.parametrize("desired", [0, 1])
def test_workload_with_as_many_pods_as_it_wants_is_well(desired: int) -> None:
    found = look(FakeKube(found_pods=[], found_workloads=[workload("worker", desired=desired, ready=desired)]))
    assert problems(found) == ()


def test_stack_that_is_not_there_is_not_healthy() -> None:
    """Its name may be a typo."""
    status = StackStatus(stack="pord", exists=False)
    assert not status.healthy
    assert status.problems == ("there is no stack pord",)


def stateful_set(revision: str, newest: str, *, ready: bool = False, ordered: bool = True) -> FakeKube:
    server = pod("redis", name="airflow-redis-0", ready=ready, reason="redis: CrashLoopBackOff")
    server = type(server)(**{**vars(server), "labels": {**server.labels, "controller-revision-hash": revision}})
    item = workload("redis", ready=0)
    item = type(item)(**{**vars(item), "kind": "StatefulSet", "revision": newest, "ordered": ordered})
    return FakeKube(found_pods=[server], found_workloads=[item])


def test_stateful_set_that_waits_for_a_broken_revision_is_stuck() -> None:
    found = look(stateful_set("old", "new"))
    assert found.stuck_pods == (
        StuckPod(
            name="airflow-redis-0",
            stateful_set="airflow-redis",
            revision="old",
            newest="new",
            reason="redis: CrashLoopBackOff",
        ),
    )
    assert found.workloads == ()
    assert problems(found) == (
        "StatefulSet airflow-redis is stuck: pod airflow-redis-0 is of revision old and not ready "
        "(redis: CrashLoopBackOff), the newest is new",
    )


def test_broken_pod_of_the_newest_revision_is_no_stuck_one() -> None:
    for kube in (stateful_set("new", "new"), stateful_set("old", "new", ordered=False)):
        found = look(kube)
        assert found.stuck_pods == ()
        assert [item.name for item in found.workloads] == ["airflow-redis"]
    assert look(stateful_set("old", "new", ready=True)).stuck_pods == ()


def test_objects_that_the_state_does_not_know_are_left_over_and_disturb_nobody() -> None:
    objects = FakeObjects(
        [
            found_object("Secret", "known"),
            found_object("Secret", "pending"),
            found_object("Secret", "stray"),
            found_object("Secret", "helms", own=False),
            found_object("Secret", "leaving", deleting=True),
            found_object("NetworkPolicy", "policy", api_version="networking.k8s.io/v1"),
        ]
    )
    found = look(
        objects=objects,
        resources=[
            resource_state(SECRET, "a", id_="airflow/known"),
            resource_state("kubernetes:networking.k8s.io/v1:NetworkPolicy", "b", id_="airflow/policy"),
        ],
        pending_operations=[pending_create(SECRET, "c", object_name="pending")],
    )
    assert [item.name for item in found.leftovers] == ["stray"]
    status = StackStatus(stack="dev", exists=True, cluster=found)
    assert status.problems == ("Secret stray is left over: the state does not know it",)
    assert status.healthy


def test_lock_and_interrupted_operations_are_named_first() -> None:
    lock = Lock(user="me", host="elsewhere", pid=7, since="2026-01-01T00:00:00Z")
    state = StackState.of({"pending_operations": [pending_create(SECRET, "keys", object_name="keys-1")]})
    status = StackStatus(
        stack="dev", exists=True, locks=(lock,), pending=state.pending, cluster_error="context x does not answer"
    )
    assert status.problems == (
        "locked: held by me@elsewhere, process 7, since 2026-01-01T00:00:00Z; whether that process runs cannot be seen "
        "from here",
        "under way, or interrupted while creating Secret keys",
        "context x does not answer",
    )
    assert not status.healthy


def test_running_update_is_told_from_one_that_was_killed() -> None:
    state = StackState.of({"pending_operations": [pending_create(SECRET, "keys", object_name="keys-1")]})

    def status(holder: Holder) -> StackStatus:
        lock = Lock(user="me", host="here", pid=7, since="2026-01-01T00:00:00Z", holder=holder)
        return StackStatus(stack="dev", exists=True, locks=(lock,), pending=state.pending)

    held = "held by me@here, process 7, since 2026-01-01T00:00:00Z"
    alive, gone = status(Holder.ALIVE), status(Holder.GONE)
    assert alive.problems == (f"an update is running ({held})", "under way: creating Secret keys")
    assert (alive.running, alive.healthy, alive.killed) == (True, False, False)
    killed = (f"locked: {held}; that process does not run any more", "interrupted while creating Secret keys")
    assert gone.problems == killed
    assert (gone.running, gone.healthy, gone.killed) == (False, False, True)


def test_status_survives_json() -> None:
    found = look(stateful_set("old", "new"), FakeObjects([found_object("Secret", "stray")]))
    document = json.loads(json.dumps(StackStatus(stack="dev", exists=True, cluster=found).to_json()))
    assert document["healthy"] is False
    assert document["cluster"]["stuck_pods"][0]["name"] == "airflow-redis-0"
    assert document["problems"]


def test_cron_job_that_failed_the_last_time_is_named_and_no_reason_to_recover() -> None:
    failed = WorkloadState(
        kind="CronJob",
        name="airflow-verification-1",
        ready=0,
        wanted=1,
        failed="BackoffLimitExceeded",
        unready=Unready("Error", "pod p has ended: the run x of probe is failed", cause=Cause.CRASH),
    )
    cluster = replace(
        look(objects=FakeObjects(record=ReleaseRecord(revision=3, status="deployed"))), schedules=(failed,)
    )
    status = StackStatus(stack="dev", exists=True, deployed=True, cluster=cluster)
    assert status.healthy
    (problem,) = status.problems
    assert problem.startswith("CronJob airflow-verification-1 has failed (BackoffLimitExceeded): pod p has ended")
    assert status.to_json()["problems"] == [problem]


def test_pod_of_a_single_task_is_named_with_the_message_of_kubernetes() -> None:
    class Kube(FakeKube):
        def look(self) -> Look:
            why = "pod task-1 is not scheduled: 0/3 nodes are available: 3 Insufficient cpu."
            return replace(super().look(), loose=(Unready("Unschedulable", why, pod="task-1"),))

    task = pod("worker", name="task-1", ready=False, reason="Pending", workload="")
    (problem,) = problems(look(Kube(found_pods=[task], found_workloads=[])))
    assert problem == "pod task-1 is not scheduled: 0/3 nodes are available: 3 Insufficient cpu."


def test_stack_with_a_time_to_live_is_healthy_and_says_until_when() -> None:
    status = StackStatus(stack="pr-1", exists=True, expires="2030-01-01T00:00:00Z")
    assert status.healthy
    assert status.problems == ()
    assert status.notes == ("python -m automation expire removes the stack after 2030-01-01T00:00:00Z",)


def test_authority_that_ends_within_thirty_days_is_noted_with_what_replaces_it() -> None:
    for days, found in ((29, True), (31, False)):
        given = authority("db", days=days) + authority("older", days=1)
        told = ending_authority(StackConfig.of({"airflow:databaseCaCertificate": given}), "prod")
        assert bool(told) is found
        status = StackStatus(stack="prod", exists=True, authority=told)
        assert status.healthy
        assert status.notes == ((told,) if found else ())
        assert not found or told.endswith("; python -m automation rotate ca prod --from FILE replaces it")
    assert ending_authority(StackConfig.of({}), "prod") == ""
