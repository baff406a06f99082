"""What ends a wait early, after how long, and what does not."""

from __future__ import annotations

from typing import Any, Final

from components.kube import patience as rule
from components.kube.look import Look
from components.kube.patience import Patience, patience
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import WorkloadState
from tests.cases import each

FRESH: Final = "uid-new"


def unready(cause: Cause, detail: str = "", *, reason: str = "main: X", tries: int = 0, sign: str = FRESH) -> Unready:
    return Unready(reason, f"pod p: {detail}", cause=cause, container="main", detail=detail, tries=tries, sign=sign)


def workload(found: Unready | None, *, name: str = "scheduler", kind: str = "Deployment") -> WorkloadState:
    return WorkloadState(kind=kind, name=name, ready=0, wanted=1, unready=found)


PATIENCE: Final[dict[str, tuple[Unready, float | None]]] = {
    "an image that the registry does not have": (unready(Cause.IMAGE, "a/b:c: not found"), rule.CERTAIN_SECONDS),
    "an image that the registry refuses": (
        unready(Cause.IMAGE, "pull access denied, repository"),
        rule.CERTAIN_SECONDS,
    ),
    "a registry that does not answer": (unready(Cause.IMAGE, "dial tcp: i/o timeout"), rule.PULL_SECONDS),
    "a Secret that is missing": (
        unready(Cause.CONFIG, 'secret "x" not found', reason="main: CreateContainerConfigError"),
        rule.CERTAIN_SECONDS,
    ),
    "a Secret that is missing and mounted": (
        unready(Cause.VOLUME, 'MountVolume.SetUp failed for volume "v" : secret "x" not found'),
        rule.CERTAIN_SECONDS,
    ),
    "a volume that is slow": (unready(Cause.VOLUME, "rpc error: attaching"), None),
    "a storage class that is missing": (
        unready(Cause.VOLUME, 'storageclass.storage.k8s.io "x" not found'),
        rule.CERTAIN_SECONDS,
    ),
    "a branch that is missing, once": (
        unready(Cause.INIT, "couldn't find remote ref main", tries=1),
        rule.FETCH_SECONDS,
    ),
    "a branch that is missing, twice": (unready(Cause.INIT, "couldn't find remote ref main", tries=2), 0),
    "a key that is refused": (unready(Cause.INIT, "git@x: Permission denied (publickey).", tries=9), 0),
    "a host that does not answer": (unready(Cause.INIT, "Could not resolve host: x.invalid", tries=9), None),
    "an init container that works": (unready(Cause.INIT, "cloning"), None),
    "a few crashes": (unready(Cause.CRASH, tries=rule.CRASHES - 1), None),
    "many crashes": (unready(Cause.CRASH, tries=rule.CRASHES), 0),
    "no node": (unready(Cause.SCHEDULING, "0/1 nodes are available: 1 Insufficient cpu."), rule.NO_NODE_SECONDS),
    "nodes that are starting": (
        unready(Cause.SCHEDULING, "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }"),
        None,
    ),
    "a volume that is being made": (
        unready(Cause.SCHEDULING, "pod has unbound immediate PersistentVolumeClaims"),
        None,
    ),
    "a limit range": (unready(Cause.DENIED, "maximum cpu usage per Container is 1"), rule.CERTAIN_SECONDS),
    "Pod Security": (unready(Cause.DENIED, 'violates PodSecurity "restricted:latest"'), rule.CERTAIN_SECONDS),
    "a webhook that refuses": (
        unready(Cause.DENIED, 'admission webhook "x" denied the request: no'),
        rule.CERTAIN_SECONDS,
    ),
    "a webhook that does not answer": (unready(Cause.DENIED, 'failed calling webhook "x": EOF'), None),
    "a quota": (unready(Cause.DENIED, "exceeded quota: q, requested: pods=1"), rule.QUOTA_SECONDS),
    "an image on its way": (unready(Cause.PULLING), None),
    "a slow start": (unready(Cause.PROBE), None),
    "a start": (unready(Cause.STARTING), None),
    "a gate": (unready(Cause.HELD), None),
    "an old pod that ends": (unready(Cause.ENDING), None),
    "work": (unready(Cause.RUNNING), None),
}


@each("case", PATIENCE)
def test_patience_for(case: str) -> None:
    found, seconds = PATIENCE[case]
    assert patience(found, Look()) == seconds


def test_room_that_is_being_made_is_waited_for() -> None:
    no_node, quota = PATIENCE["no node"][0], PATIENCE["a quota"][0]
    assert patience(no_node, Look(node_comes=True)) is None
    for found in (no_node, quota):
        assert patience(found, Look(ending=("old-pod",))) is None
    job = workload(unready(Cause.RUNNING), name="admin-user", kind="Job")
    assert patience(quota, Look(workloads=(job,))) is None, "its end gives back what it used"
    own = Unready("FailedCreate", "no pod can be made for Job x: exceeded quota", cause=Cause.DENIED, sign=FRESH)
    assert patience(own, Look(workloads=(job,))) == rule.QUOTA_SECONDS


def test_fetch_that_is_refused_in_two_pods_is_refused_for_good() -> None:
    once = PATIENCE["a branch that is missing, once"][0]
    two = tuple(workload(once, name=name) for name in ("dag-processor", "worker"))
    assert patience(once, Look(workloads=two)) == rule.CERTAIN_SECONDS
    assert patience(once, Look(workloads=two[:1])) == rule.FETCH_SECONDS


def waits(*looks: tuple[float, Unready | None], before: Look | None = None, **about: Any) -> list[bool]:
    """Whether the wait ends at each of these looks."""
    judge = Patience(before or Look())
    return [bool(judge.hopeless(Look(), [workload(found, **about)], now)) for now, found in looks]


GONE: Final = PATIENCE["an image that the registry does not have"][0]


def test_wait_ends_when_a_reason_has_held_without_a_pause() -> None:
    assert waits((0, GONE), (9, GONE), (10, GONE)) == [False, False, True]
    assert waits((0, GONE), (9, None), (11, GONE), (20, GONE), (21, GONE)) == [False, False, False, False, True]


def test_certain_end_needs_one_look() -> None:
    assert waits((0, PATIENCE["a branch that is missing, twice"][0])) == [True]


def test_what_was_broken_before_the_update_is_given_time_to_be_repaired_by_it() -> None:
    before = Look(signs=frozenset({FRESH}))
    assert waits((0, GONE), (rule.OLD_SECONDS - 1, GONE), (rule.OLD_SECONDS, GONE), before=before) == [
        False,
        False,
        True,
    ]
    condition = unready(Cause.DENIED, "no", sign="")
    assert waits((0, condition), (20, condition), (rule.OLD_SECONDS, condition)) == [False, False, True]


def test_workload_that_is_well_ends_no_wait() -> None:
    judge = Patience(Look())
    ready = WorkloadState(kind="Deployment", name="x", ready=1, wanted=1, unready=GONE)
    assert [judge.hopeless(Look(), [ready], now) for now in (0, 100, 1000)] == [(), (), ()]
