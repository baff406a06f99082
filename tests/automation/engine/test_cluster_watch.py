"""Which workloads an update waits for, and what ends the wait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

from automation.engine import cluster_watch as module
from automation.engine.cluster_watch import checks, cluster_watch, said_at_the_end, waited_for
from automation.engine.events import Event, EventKind, Teller
from automation.engine.failures import hopeless
from automation.engine.opened_stack import OpenedStack, typed_error
from automation.engine.policy_pack import JudgedProgress
from automation.engine.progress import Progress
from automation.engine.stack_state import RELEASE
from automation.errors import Interrupted, NotHealthy
from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look
from components.kube.patience import CERTAIN_SECONDS
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import CHECK_JOB, WorkloadState
from components.preflight.pod_run import LABEL
from components.release.airflow_release import RELEASE_NAME
from tests.automation.engine.test_progress import diagnostic, event
from tests.automation.fakes import FakeStack

JOB = "kubernetes:batch/v1:Job"
GONE = Unready("main: ErrImagePull", "pod p: not found", cause=Cause.IMAGE, detail="x: not found", sign="new")


def state(kind: str, name: str = "x", *, release: str = "", unready: Unready | None = GONE) -> WorkloadState:
    return WorkloadState(kind=kind, name=name, ready=0, wanted=1, unready=unready, release=release)


SEEN = Look(
    workloads=(
        state("Deployment", "scheduler", release="airflow"),
        state("Deployment", "of-somebody-else"),
        state("Job", "migrate"),
        state("PersistentVolumeClaim", "logs", unready=replace(GONE, cause=Cause.VOLUME)),
        state("StatefulSet", "postgres"),
        state("StatefulSet", "redis", release="airflow"),
    )
)


def test_each_kind_of_step_waits_for_its_own() -> None:
    assert module._RELEASE_NAME == RELEASE_NAME
    for types, names in (
        ((), []),
        (("kubernetes:core/v1:Secret",), []),
        ((JOB,), ["migrate"]),
        (("kubernetes:apps/v1:StatefulSet",), ["postgres"]),
        ((RELEASE,), ["scheduler", "logs", "redis"]),
        ((RELEASE, JOB, "kubernetes:core/v1:PersistentVolumeClaim"), ["migrate", "scheduler", "logs", "redis"]),
    ):
        assert [item.name for item in waited_for(types, SEEN)] == names


def test_preflight_is_told_of_while_its_pod_waits_and_never_ends_the_update() -> None:
    """The preflight judges its pod itself, and may let the update go on."""
    assert f"{LABEL}-" == CHECK_JOB
    config_map, name = "kubernetes:core/v1:ConfigMap", f"{CHECK_JOB}abc"
    pulls = Unready("airflow: pulling airflow:3", "pod p pulls", cause=Cause.PULLING)
    engine = FakeEngine()
    seen = [Look(workloads=(state("Job", name, unready=pulls),))]
    watch, progress, events, times = watched(engine, seen)
    progress(event("resourcePreEvent", type_=config_map))
    for times[0] in (0.0, 2.0):
        watch.step()
    assert [item.text for item in events if item.kind is EventKind.WORKLOAD] == [
        f"{name} 0/1 done: airflow: pulling airflow:3"
    ]
    seen.append(Look(workloads=(state("Job", name),)))
    for times[0] in (4.0, 1000.0):
        watch.step()
    assert not engine.interrupted
    assert events[-1].text == f"{name} 0/1 done: main: ErrImagePull: x: not found"
    assert [item.name for item in waited_for((JOB, config_map), seen[-1])] == []
    starts = Look(workloads=(state("Job", name, unready=replace(pulls, cause=Cause.STARTING)),))
    assert checks((config_map,), starts) == ()
    assert checks((RELEASE,), seen[-1]) == ()
    assert state("Job", name).is_of(config_map)
    assert not state("Job", name).is_of(JOB)


class FakeEngine:
    """An engine that is cancelled at most once."""

    def __init__(self) -> None:
        self.interrupted = False

    def cancel(self) -> None:
        self.interrupted = True


def watched(engine: FakeEngine, seen: list[Look]) -> tuple[Any, Progress, list[Event], list[float]]:
    events: list[Event] = []
    progress, times = Progress(Teller(events.append, "dev", "up")), [0.0]
    fake: Any = engine
    watch = cluster_watch(lambda: seen[-1], progress, fake)
    watch._now = lambda: times[0]
    return watch, progress, events, times


def test_hopeless_wait_cancels_the_engine_and_keeps_the_reason() -> None:
    engine, seen = FakeEngine(), [Look()]
    watch, progress, events, times = watched(engine, seen)
    watch.step()
    seen.append(SEEN)
    watch.step()
    assert events == [], "nothing is waited for yet"
    progress(event("resourcePreEvent", type_=RELEASE))
    for seconds in (1, 1 + CERTAIN_SECONDS):
        times[0] = seconds
        watch.step()
    assert [item.name for item in progress.given_up] == ["scheduler", "redis"]
    assert engine.interrupted
    told = [item for item in events if item.kind is EventKind.WORKLOAD]
    assert [item.name for item in told] == ["scheduler", "logs", "redis"], "once, for nothing has changed"
    assert told[0].text == "scheduler 0/1 ready: main: ErrImagePull: x: not found"
    assert told[0].to_json()["workload"]["unready"]["cause"] == "image"


def test_last_words_of_a_job_are_those_of_now_or_were_seen_before_its_pod_went() -> None:
    progress = Progress(Teller(lambda event: None, "dev", "up"))
    crashed = Unready("airflow: exit code 1", "pod p", cause=Cause.CRASH, detail="[SQL: x]", sign="p")
    progress.see([state("Job", "migrate", unready=crashed)])
    progress.see([state("Job", "migrate", unready=replace(crashed, cause=Cause.RUNNING, detail=""))])
    now = Look(workloads=(state("Job", "migrate", unready=replace(crashed, detail="[SQL: y]")), state("Deployment")))
    assert said_at_the_end(lambda: now, progress) == {"migrate": "[SQL: y]"}
    for look in (None, Look, unreachable):
        assert said_at_the_end(look, progress) == {"migrate": "[SQL: x]"}


def unreachable() -> Look:
    raise KubeUnreachable("no answer", "try later")


def test_update_that_was_cancelled_stays_a_cancelled_one() -> None:
    engine, seen = FakeEngine(), [Look()]
    watch, progress, _, times = watched(engine, seen)
    watch.step()
    seen.append(SEEN)
    progress(event("resourcePreEvent", type_=RELEASE))
    watch.step()
    engine.cancel()
    times[0] = 1000
    watch.step()
    assert progress.given_up == ()


def test_error_names_each_reason_once_and_says_what_to_correct() -> None:
    other = state("Job", "migrate", unready=Unready("FailedCreate", "s", cause=Cause.DENIED, detail="exceeded quota"))
    error = hopeless("up of stack dev", [SEEN.workloads[0], SEEN.workloads[-1], other], "dev")
    assert isinstance(error, NotHealthy)
    assert error.what == (
        "up of stack dev was ended, because waiting cannot make this ready: "
        "scheduler, redis: main: ErrImagePull: x: not found; migrate: FailedCreate: exceeded quota"
    )
    assert "airflow:image" in error.remedy
    assert "quota" in error.remedy
    assert "python -m automation status dev" in error.remedy


def test_container_without_enough_memory_is_no_fault_of_its_program() -> None:
    found = Unready("worker: CrashLoopBackOff, exit code 137 (OOMKilled)", "s", cause=Cause.CRASH)
    error = hopeless("up", [state("Deployment", "worker", unready=found)], "dev")
    assert "more memory: airflow:size" in error.remedy
    assert "kubectl logs" not in error.remedy


def test_workload_that_becomes_ready_is_told() -> None:
    events: list[Event] = []
    progress = Progress(Teller(events.append, "dev", "up"))
    progress(event("resourcePreEvent", type_=RELEASE))
    ready = WorkloadState(kind="Deployment", name="scheduler", ready=1, wanted=1)
    progress.see([ready])
    progress.see([SEEN.workloads[0]])
    progress.see([ready])
    progress.see([ready])
    assert [item.text for item in events[1:]] == [
        "scheduler 0/1 ready: main: ErrImagePull: x: not found",
        "scheduler 1/1 ready",
    ]


def test_update_that_was_given_up_is_not_healthy_and_one_that_was_cancelled_is_interrupted() -> None:
    failed = create_command_error(CommandResult(stdout="", stderr="error: update cancelled", code=255))
    for given_up, kind in (((SEEN.workloads[0],), NotHealthy), ((), Interrupted)):
        engine: Any = FakeEngine()
        engine.cancel()
        stack: Any = FakeStack("dev")
        progress = JudgedProgress(Teller(lambda event: None, "dev", "up"))
        progress.given_up = given_up
        progress(diagnostic("error", "Helm Release x: context canceled"))
        assert progress.errors == ([] if given_up else ["Helm Release x: context canceled"])
        assert type(typed_error(OpenedStack(stack, engine), failed, "up of stack dev", progress)) is kind
