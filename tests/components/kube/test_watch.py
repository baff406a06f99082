"""Looking again and again while somebody waits."""

from __future__ import annotations

from dataclasses import dataclass, field

from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look
from components.kube.patience import CERTAIN_SECONDS, OLD_SECONDS
from components.kube.unready_pods import Cause, Unready
from components.kube.watch import Watch
from components.kube.workload_states import WorkloadState

GONE = Unready("main: ImagePullBackOff", "pod p: not found", cause=Cause.IMAGE, detail="not found", sign="new")
BROKEN = WorkloadState(kind="Deployment", name="scheduler", ready=0, wanted=1, unready=GONE)


@dataclass
class Cluster:
    """What is seen now, and what a watch has told."""

    seen: Look | None = field(default_factory=Look)
    waits: bool = True
    seconds: float = 0
    looks: int = 0
    given_up: list[str] = field(default_factory=list)

    def look(self) -> Look:
        if self.seen is None:
            raise KubeUnreachable("no answer", "look")
        return self.seen

    def watch(self) -> Watch:
        return Watch(
            self.look,
            waited_for=lambda seen: seen.workloads if self.waits else (),
            on_look=lambda seen, states: setattr(self, "looks", self.looks + 1),
            on_hopeless=lambda states: self.given_up.extend(state.name for state in states),
            now=lambda: self.seconds,
        )

    def after(self, seconds: float, watch: Watch) -> None:
        self.seconds += seconds
        watch.step()


def test_wait_is_given_up_once() -> None:
    cluster = Cluster()
    watch = cluster.watch()
    watch.step()
    assert cluster.looks == 0, "nothing is waited for"
    cluster.seen = Look(workloads=(BROKEN,), signs=frozenset({"new"}))
    cluster.after(5, watch)
    assert (cluster.looks, cluster.given_up) == (1, [])
    for _ in range(3):
        cluster.after(CERTAIN_SECONDS, watch)
    assert (cluster.looks, cluster.given_up) == (4, ["scheduler"])


def test_what_the_first_look_saw_is_old() -> None:
    cluster = Cluster(seen=Look(workloads=(BROKEN,), signs=frozenset({"new"})))
    watch = cluster.watch()
    watch.step()
    cluster.after(OLD_SECONDS - 1, watch)
    assert cluster.given_up == []
    cluster.after(1, watch)
    assert cluster.given_up == ["scheduler"]


def test_look_that_fails_is_left_out() -> None:
    cluster = Cluster(seen=None)
    watch = cluster.watch()
    watch.step()
    cluster.seen = Look(workloads=(BROKEN,))
    cluster.after(1, watch)
    assert (cluster.looks, cluster.given_up) == (1, [])


def test_nothing_is_told_after_the_end_or_without_a_wait() -> None:
    cluster = Cluster(seen=Look(workloads=(BROKEN,)), waits=False)
    watch = cluster.watch()
    watch.step()
    cluster.after(OLD_SECONDS, watch)
    cluster.waits = True
    watch.stop()
    cluster.after(OLD_SECONDS, watch)
    assert (cluster.looks, cluster.given_up) == (0, [])
