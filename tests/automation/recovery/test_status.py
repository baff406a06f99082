"""What is wrong with a stack, named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from automation.cluster.client import Pod
from automation.cluster.objects import FailedJob, ReleaseRecord
from automation.engine.locks import Lock
from automation.engine.stack_state import StackState
from automation.recovery.status import ClusterStatus, StackStatus, StuckPod, cluster_status
from tests.automation.fakes import (
    FakeKube,
    FakeObjects,
    found_object,
    pending_create,
    pod,
    resource_state,
    workload,
)

SECRET = "kubernetes:core/v1:Secret"


def look(kube: FakeKube | None = None, objects: FakeObjects | None = None, **state: Any) -> ClusterStatus:
    return cluster_status(kube or FakeKube(), objects or FakeObjects(), StackState.of(state))


def problems(cluster: ClusterStatus) -> tuple[str, ...]:
    return StackStatus(stack="dev", exists=True, deployed=True, cluster=cluster).problems


def test_healthy_stack_has_no_problem() -> None:
    found = look(objects=FakeObjects(record=ReleaseRecord(revision=3, status="deployed")))
    assert problems(found) == ()
    assert StackStatus(stack="dev", exists=True, cluster=found).healthy


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


QUOTA = 'pods "x" is forbidden: exceeded quota: pods'


@pytest.mark.parametrize(
    ("kind", "pods", "found"),
    [
        ("Deployment", [], True),  # quota, Pod Security, an admission webhook, no ServiceAccount
        ("StatefulSet", [], True),
        ("Deployment", [pod("x", name="airflow-scheduler-5d9c-x2v4k", ready=False)], False),
        ("StatefulSet", [pod("x", name="airflow-scheduler-0", ready=False)], False),
        ("Deployment", [pod("x", name="airflow-scheduler-5d9c-x2v4k", ready=True)], True),
        ("Deployment", [pod("x", name="airflow-scheduler-slow-5d9c-x2v4k", ready=False)], True),
        ("StatefulSet", [pod("x", name="airflow-scheduler-slow-0", ready=False)], True),
    ],
)
@pytest.mark.parametrize("reason", [QUOTA, ""])
def test_workload_that_lacks_pods_is_named_where_none_of_them_is(
    kind: str, pods: list[Pod], found: bool, reason: str
) -> None:
    item = replace(workload("scheduler", desired=2, ready=1), kind=kind)
    objects = FakeObjects(reasons={(kind, "airflow-scheduler"): reason})
    status = StackStatus(
        stack="dev", exists=True, cluster=look(FakeKube(found_pods=pods, found_workloads=[item]), objects)
    )
    named = [text for text in status.problems if text.startswith(kind)]
    why = f" ({reason})" if reason else ""
    assert named == ([f"{kind} airflow-scheduler has 1 of 2 pods ready, and no other to blame{why}"] if found else [])
    assert not status.healthy


@pytest.mark.parametrize("desired", [0, 1])
def test_workload_with_as_many_pods_as_it_wants_is_well(desired: int) -> None:
    found = look(FakeKube(found_pods=[], found_workloads=[workload("worker", desired=desired, ready=desired)]))
    assert problems(found) == ()


def test_stack_that_is_not_there_is_not_healthy() -> None:
    """Its name may be a typo."""
    status = StackStatus(stack="pord", exists=False)
    assert not status.healthy
    assert status.problems == ("there is no stack pord",)


def test_pods_that_are_not_ready_are_named_with_their_reason() -> None:
    kube = FakeKube(found_pods=[pod("scheduler"), pod("worker", ready=False, reason="worker: ImagePullBackOff")])
    assert problems(look(kube)) == ("pod airflow-worker-0 is not ready (worker: ImagePullBackOff)",)


def test_failed_job_is_named() -> None:
    objects = FakeObjects(jobs=(FailedJob(name="airflow-database-migrate-1a", reason="BackoffLimitExceeded"),))
    assert problems(look(objects=objects)) == ("Job airflow-database-migrate-1a has failed (BackoffLimitExceeded)",)


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
    assert found.unhealthy_pods == ()
    assert problems(found) == (
        "StatefulSet airflow-redis is stuck: pod airflow-redis-0 is of revision old and not ready "
        "(redis: CrashLoopBackOff), the newest is new",
    )


def test_broken_pod_of_the_newest_revision_is_no_stuck_one() -> None:
    for kube in (stateful_set("new", "new"), stateful_set("old", "new", ordered=False)):
        found = look(kube)
        assert found.stuck_pods == ()
        assert [item.name for item in found.unhealthy_pods] == ["airflow-redis-0"]
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
        "interrupted while creating Secret keys",
        "context x does not answer",
    )
    assert not status.healthy


def test_status_survives_json() -> None:
    found = look(stateful_set("old", "new"), FakeObjects([found_object("Secret", "stray")]))
    document = json.loads(json.dumps(StackStatus(stack="dev", exists=True, cluster=found).to_json()))
    assert document["healthy"] is False
    assert document["cluster"]["stuck_pods"][0]["name"] == "airflow-redis-0"
    assert document["problems"]
