"""What a recovery decides to do: nothing that anybody could regret."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from automation.engine.locks import Holder, Lock
from automation.engine.machine import Machine
from automation.engine.processes import Process
from automation.engine.stack_state import StackState
from automation.engine.started_engines import StartedEngine
from automation.errors import RecoveryRefused
from automation.recovery.result import Decisions, RecoveryAction, RecoveryStep, RecoverySteps
from automation.recovery.status import StuckPod
from automation.recovery.steps import lock_steps, pending_steps, pod_steps, update_step
from tests.automation.fakes import FakeObjects, found_object, pending_create, resource_state

SECRET = "kubernetes:core/v1:Secret"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
NAMESPACE = "kubernetes:core/v1:Namespace"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
BUCKET = "aws:s3/bucket:Bucket"
STARTED = 50_000.0
ENGINE = 4242


def lock(holder: Holder = Holder.GONE, *, host: str = "laptop", pid: int = ENGINE) -> Lock:
    return Lock(user="me", host=host, pid=pid, since="2026-01-01T00:00:00.5Z", holder=holder)


def process(pid: int, name: str, *, parent: int = 1, session: int = 0, after: float = 2.0) -> Process:
    return Process(pid=pid, parent=parent, name=name, started=STARTED + after, session=session)


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is the locks' one."""
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")


def steps(
    pending: list[dict[str, Any]],
    objects: FakeObjects,
    *,
    resources: list[dict[str, Any]] | None = None,
    decisions: Decisions | None = None,
    written: str = "",
    in_aws: Mapping[str, str] | None = None,
) -> list[RecoveryStep]:
    state = StackState.of({"manifest": {"time": written}, "resources": resources or [], "pending_operations": pending})
    return pending_steps("dev", state, objects, decisions or Decisions(), in_aws or {})


def doing(found: list[RecoveryStep]) -> list[RecoveryAction]:
    return [step.doing for step in found]


# The lock

NOTED = StartedEngine(
    pid=ENGINE, began=STARTED, written=1_767_225_600.0, where=Machine(machine="", boot="", namespace="")
)
"""The engine of the lock, as it was noted when it was started."""


def test_lock_of_an_engine_that_runs_is_refused_with_what_stops_it() -> None:
    with pytest.raises(RecoveryRefused, match=rf"that process runs.*kill -INT {ENGINE}"):
        lock_steps("dev", [lock(Holder.ALIVE)], [], Decisions(lock_is_stale=True))


def test_lock_whose_holder_cannot_be_seen_is_a_persons_decision_after_a_look_that_is_named() -> None:
    unknown = [lock(Holder.UNKNOWN, host="elsewhere")]
    look = (
        rf"cannot be seen from here.*look on elsewhere.*ps -o pid,lstart,args -p {ENGINE}.*recover dev --lock-is-stale"
    )
    with pytest.raises(RecoveryRefused, match=look):
        lock_steps("dev", unknown, [], Decisions())
    with pytest.raises(RecoveryRefused, match="look at each machine and CI job that may update it"):
        lock_steps("dev", [lock(Holder.UNKNOWN, pid=0)], [], Decisions())
    assert doing(lock_steps("dev", unknown, [], Decisions(lock_is_stale=True))) == [RecoveryAction.UNLOCK]


def test_lock_of_a_process_that_is_gone_is_removed() -> None:
    (step,) = lock_steps("dev", [lock()], [], Decisions())
    assert step.doing is RecoveryAction.UNLOCK
    assert f"process {ENGINE}" in step.text


def test_backend_that_tells_of_no_lock_is_a_persons_decision() -> None:
    with pytest.raises(RecoveryRefused, match="does not tell who holds the lock"):
        lock_steps("dev", None, [], Decisions())
    assert doing(lock_steps("dev", None, [], Decisions(lock_is_stale=True))) == [RecoveryAction.UNLOCK]


def test_what_the_killed_engine_left_ends_before_its_lock_is_removed() -> None:
    """A provider in the middle of Helm's work would overwrite the record of the next one."""
    own = process(7, "pulumi-resource-kubernetes", session=ENGINE)
    other = process(8, "pulumi-resource-kubernetes", session=99, parent=77)
    engine_of_other = process(77, "pulumi")
    found = lock_steps("dev", [lock()], [own, other, engine_of_other], Decisions(), [NOTED])
    assert [(step.doing, step.pid) for step in found] == [(RecoveryAction.END, 7), (RecoveryAction.UNLOCK, 0)]


def test_no_process_is_ended_because_of_what_a_lock_says() -> None:
    """Who may write into the backend could name the session of your shell."""
    shell = process(7, "bash", session=ENGINE)
    assert doing(lock_steps("dev", [lock()], [shell], Decisions())) == [RecoveryAction.UNLOCK]


def test_plugin_of_a_plain_pulumi_that_was_killed_is_waited_for() -> None:
    """Which stack it is of cannot be seen, nor when the engine began; but it has none any more."""
    for after in (-7200, 2, 7200):
        left = process(9, "pulumi-resource-kubernetes", after=after)
        found = lock_steps("dev", [lock()], [left], Decisions())
        assert [(step.doing, step.pid) for step in found] == [(RecoveryAction.WAIT, 9), (RecoveryAction.UNLOCK, 0)]
        assert doing(lock_steps("dev", [lock()], [left], Decisions(lock_is_stale=True))) == [RecoveryAction.UNLOCK]


def test_late_plugin_of_the_killed_engine_is_waited_for_and_a_later_session_is_left_alone() -> None:
    late = process(7, "pulumi-resource-kubernetes", session=ENGINE, after=1000)
    daemon = process(8, "nginx", session=ENGINE, after=1000)
    found = lock_steps("dev", [lock()], [late, daemon], Decisions(), [NOTED])
    assert [(step.doing, step.pid) for step in found] == [(RecoveryAction.WAIT, 7), (RecoveryAction.UNLOCK, 0)]


def test_nothing_of_a_living_process_with_the_engines_id_is_ended() -> None:
    """The id was given away: to another stack's engine, which has plugins of its own."""
    another = process(ENGINE, "pulumi", session=ENGINE, after=30)
    plugin = process(7, "pulumi-resource-kubernetes", parent=ENGINE, session=ENGINE, after=31)
    assert doing(lock_steps("dev", [lock()], [another, plugin], Decisions(), [NOTED])) == [RecoveryAction.UNLOCK]


# Interrupted operations


def test_create_that_came_to_its_end_is_adopted() -> None:
    objects = FakeObjects([found_object("Secret", "keys-1")])
    (step,) = steps([pending_create(SECRET, "keys", object_name="keys-1")], objects)
    assert (step.doing, step.id) == (RecoveryAction.ADOPT, "airflow/keys-1")


def test_create_that_did_not_is_forgotten() -> None:
    for there in [[], [found_object("Secret", "keys-1", deleting=True)], [found_object("Secret", "keys-2")]]:
        assert doing(steps([pending_create(SECRET, "keys", object_name="keys-1")], FakeObjects(there))) == [
            RecoveryAction.FORGET
        ]


def test_what_nothing_can_be_left_of_is_forgotten() -> None:
    for type_ in ["random:index/randomPassword:RandomPassword", "kubernetes:helm.sh/v3:Release"]:
        assert doing(steps([pending_create(type_, "x")], FakeObjects())) == [RecoveryAction.FORGET]


def test_interrupted_delete_is_waited_for_and_looked_at() -> None:
    """The engine takes what was being deleted for there: an update would not make it again."""
    item = {**pending_create(SECRET, "keys", object_name="keys-1"), "type": "deleting"}
    ending = found_object("Secret", "keys-1", deleting=True)
    for there, found in (([ending], ending), ([found_object("Secret", "keys-1")], None), ([], None)):
        (step,) = steps([item], FakeObjects(there))
        assert (step.doing, step.found) == (RecoveryAction.REFRESH, found)


def test_other_operations_are_the_next_updates_to_look_at() -> None:
    for operation in ["updating", "reading"]:
        item = {**pending_create(SECRET, "keys", object_name="keys-1"), "type": operation}
        objects = FakeObjects([found_object("Secret", "keys-1")])
        assert doing(steps([item], objects)) == [RecoveryAction.FORGET]


def test_object_of_somebody_else_is_left_to_a_person() -> None:
    objects = FakeObjects([found_object("Secret", "keys-1", own=False)])
    with pytest.raises(RecoveryRefused, match=r"creating Secret keys.*--adopt URN=ID.*--forget URN"):
        steps([pending_create(SECRET, "keys", object_name="keys-1")], objects)


def test_what_only_aws_could_tell_is_left_to_a_person() -> None:
    item = pending_create(BUCKET, "logs")
    urn = item["resource"]["urn"]
    with pytest.raises(RecoveryRefused, match="creating Bucket logs"):
        steps([item], FakeObjects())
    (adopted,) = steps([item], FakeObjects(), decisions=Decisions(adopt={urn: "logs-1a2b"}))
    assert (adopted.doing, adopted.id) == (RecoveryAction.ADOPT, "logs-1a2b")
    assert doing(steps([item], FakeObjects(), decisions=Decisions(forget=frozenset({urn})))) == [RecoveryAction.FORGET]


def test_all_questions_are_asked_at_once() -> None:
    items = [pending_create(BUCKET, "one"), pending_create(BUCKET, "two")]
    with pytest.raises(RecoveryRefused, match=r"Bucket one.*Bucket two"):
        steps(items, FakeObjects())


@pytest.mark.parametrize(
    ("created", "written", "adopted"),
    [
        ("2026-01-01T00:00:03Z", "2026-01-01T00:00:04.123456789Z", True),
        ("2025-12-31T00:00:00Z", "2026-01-01T00:00:04Z", False),  # somebody's, before the interrupted update began
        ("2026-01-01T00:00:03Z", "2026-01-01T01:00:00Z", False),
        ("2026-01-01T00:00:03Z", "", False),  # nobody knows when that was
        ("unreadable", "2026-01-01T00:00:04Z", False),
    ],
)
def test_namespace_is_adopted_only_if_the_interrupted_update_made_it(created: str, written: str, adopted: bool) -> None:
    """Its name is no generated one: another stack of the program may own it, with the same labels."""
    objects = FakeObjects([found_object("Namespace", "airflow", namespace="", created=created)])
    item = pending_create(NAMESPACE, "space", object_name="airflow", namespace="")
    if adopted:
        assert doing(steps([item], objects, written=written)) == [RecoveryAction.ADOPT]
    else:
        with pytest.raises(RecoveryRefused, match="creating Namespace space"):
            steps([item], objects, written=written)


def after_a_later_update(kind: str, type_: str, api_version: str = "v1") -> Mapping[str, Any]:
    """An interrupted create, and another object that a later update has made in its place."""
    return {
        "pending": [pending_create(type_, "x", object_name="x-1")],
        "resources": [resource_state(type_, "x", id_="airflow/x-2")],
        "objects": FakeObjects(
            [
                found_object(kind, "x-1", api_version=api_version, created="2026-01-01T00:00:00Z"),
                found_object(kind, "x-2", api_version=api_version, created="2026-01-01T01:00:00Z"),
            ]
        ),
    }


def test_object_that_a_later_update_made_again_is_deleted() -> None:
    (step,) = steps(**after_a_later_update("StatefulSet", STATEFUL_SET, "apps/v1"))
    assert step.doing is RecoveryAction.DELETE
    assert step.found is not None
    assert step.found.name == "x-1"


def test_claim_that_may_hold_data_is_kept_and_one_that_cannot_is_not() -> None:
    given = after_a_later_update("PersistentVolumeClaim", CLAIM)
    assert doing(steps(**given)) == [RecoveryAction.DELETE]
    given["objects"].bound.add("x-1")
    assert doing(steps(**given)) == [RecoveryAction.KEEP]


def test_object_of_somebody_else_is_never_deleted() -> None:
    given = after_a_later_update("Secret", SECRET)
    given["objects"].found[0] = found_object("Secret", "x-1", own=False)
    with pytest.raises(RecoveryRefused):
        steps(**given)


def test_replacement_that_was_interrupted_is_adopted() -> None:
    """The one in the state is older: it was to be replaced."""
    objects = FakeObjects(
        [
            found_object("Secret", "keys-new", created="2026-01-01T01:00:00Z"),
            found_object("Secret", "keys-old", created="2026-01-01T00:00:00Z"),
        ]
    )
    resources = [resource_state(SECRET, "keys", id_="airflow/keys-old")]
    pending = [pending_create(SECRET, "keys", object_name="keys-new")]
    (step,) = steps(pending, objects, resources=resources)
    assert (step.doing, step.id) == (RecoveryAction.ADOPT, "airflow/keys-new")


def test_what_the_state_has_already_is_not_adopted_again() -> None:
    objects = FakeObjects([found_object("Secret", "keys-1")])
    resources = [resource_state(SECRET, "keys", id_="airflow/keys-1")]
    assert doing(steps([pending_create(SECRET, "keys", object_name="keys-1")], objects, resources=resources)) == [
        RecoveryAction.FORGET
    ]


def test_of_two_interrupted_creates_the_newest_is_adopted_and_the_other_deleted() -> None:
    objects = FakeObjects([found_object("Secret", "keys-1"), found_object("Secret", "keys-2")])
    pending = [pending_create(SECRET, "keys", object_name=name) for name in ("keys-1", "keys-2")]
    assert [(step.doing, step.id) for step in steps(pending, objects)] == [
        (RecoveryAction.DELETE, "airflow/keys-1"),
        (RecoveryAction.ADOPT, "airflow/keys-2"),
    ]


# Pods, and the whole


def test_pod_that_its_stateful_set_waits_for_in_vain_is_made_anew() -> None:
    stuck = StuckPod(name="redis-0", stateful_set="redis", revision="a", newest="b", reason="redis: ImagePullBackOff")
    (step,) = pod_steps([stuck], FakeObjects([found_object("Pod", "redis-0", own=False)]), "airflow")
    assert step.doing is RecoveryAction.REPLACE_POD
    assert pod_steps([stuck], FakeObjects(), "airflow") == []


def test_plan_of_nothing_is_an_update() -> None:
    plan = RecoverySteps(stack="dev", steps=(update_step("dev"),))
    assert not plan.interrupted
    assert plan.to_json()["steps"][0]["doing"] == "update"


def test_plan_that_only_keeps_has_something_to_mend() -> None:
    """Else the interrupted operation would stay in the state for ever."""
    given = after_a_later_update("PersistentVolumeClaim", CLAIM)
    given["objects"].bound.add("x-1")
    plan = RecoverySteps(stack="dev", steps=(*steps(**given), update_step("dev")))
    assert [step.doing for step in plan.steps] == [RecoveryAction.KEEP, RecoveryAction.UPDATE]
    assert plan.interrupted
