"""What a plain `pulumi up` shows of the release that it waits for."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest

from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import WorkloadState
from components.release import ready_watch
from components.release.ready_watch import ReadyWatch, of_release

GONE = Unready("main: ImagePullBackOff", "pod p: not found", cause=Cause.IMAGE, detail="not found")
BROKEN = WorkloadState(kind="Deployment", name="airflow-scheduler", ready=0, wanted=1, unready=GONE, release="airflow")


def test_helm_waits_for_its_own_workloads_and_volumes_that_hold_them_up() -> None:
    def state(kind: str, release: str, cause: Cause = Cause.STARTING) -> WorkloadState:
        why = Unready("x", "s", cause=cause)
        return WorkloadState(kind=kind, name=f"{kind}-{release}", ready=0, wanted=1, release=release, unready=why)

    claim = "PersistentVolumeClaim"
    waited = [state("Deployment", "airflow"), state("StatefulSet", "airflow"), state(claim, "", Cause.VOLUME)]
    others = [state("Deployment", ""), state("StatefulSet", "x"), state("Job", ""), state(claim, "")]
    assert of_release([*waited, *others], "airflow") == tuple(waited)


def test_state_is_shown_and_a_hopeless_wait_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, bool]] = []
    warned: list[str] = []
    resource: Any = object()
    monkeypatch.setattr(pulumi.log, "info", lambda text, _, ephemeral: shown.append((text, ephemeral)))
    monkeypatch.setattr(pulumi.log, "warn", lambda text, _: warned.append(text))
    seen = [Look(), Look(workloads=(BROKEN,))]
    monkeypatch.setattr(ready_watch, "look", lambda *_: seen[0])
    monkeypatch.setattr("components.kube.watch.Watch.start", lambda self: None)
    watch = ReadyWatch(lambda: object(), "airflow", resource)  # type: ignore[arg-type, return-value]

    async def update() -> None:
        watch.start("ns")
        seen.pop(0)
        assert watch._watch is not None
        watch._watch._now = iter([0.0, 1000.0]).__next__
        watch._watch.step()
        watch._watch.step()
        await asyncio.sleep(0)

    asyncio.run(update())
    text = "airflow-scheduler 0/1 ready: main: ImagePullBackOff: not found"
    assert shown == [(text, True), (text, True)]
    sentence = "Deployment airflow-scheduler has 0 of 1 pods ready: pod p: not found"
    assert warned == [f"airflow-scheduler cannot become ready by waiting: {sentence}"]


def test_update_does_without_a_watch_that_cannot_begin() -> None:
    def refused() -> Any:
        raise KubeUnreachable("no answer", "look")

    watch = ReadyWatch(refused, "airflow", object())  # type: ignore[arg-type]

    async def update() -> None:
        watch.start("ns")

    asyncio.run(update())
    watch.stop()
