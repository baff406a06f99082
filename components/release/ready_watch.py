"""Shows which pods a release still waits for. Helm itself says nothing until its time is up.

A plain `pulumi up` shows them in the row of the release, and warns if waiting will not help, but cannot end the wait.
`python -m automation up` ends it (ADR 25).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import pulumi

from components.kube.client import KubeApi
from components.kube.kinds import CLAIM, DEPLOYMENT, STATEFUL_SET
from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look, look
from components.kube.unready_pods import Cause
from components.kube.watch import Watch
from components.kube.workload_states import WorkloadState, all_say
from components.secrets.masker import Masker

_AWAITED: Final = (DEPLOYMENT, STATEFUL_SET)
"""What Helm waits for."""


def of_release(states: Iterable[WorkloadState], release: str) -> tuple[WorkloadState, ...]:
    """Return the workloads that Helm waits for, and the volumes that keep their pods from starting."""
    return tuple(
        state
        for state in states
        if (state.kind in _AWAITED and state.release == release)
        # A volume without a problem of its own waits for the pod, and not the pod for it.
        or (state.kind == CLAIM and state.unready is not None and state.unready.cause is Cause.VOLUME)
    )


class ReadyWatch:
    """Watches one release from the begin of its create or update to the end."""

    def __init__(self, api: Callable[[], KubeApi], release: str, resource: pulumi.Resource) -> None:
        """Ask nothing yet.

        Args:
            api: Returns the cluster.
            release: Name of the release.
            resource: The resource in whose row the progress is shown.
        """
        self._api, self._release, self._resource = api, release, resource
        self._clean = Masker().text
        self._watch: Watch | None = None
        self._told: set[str] = set()

    def start(self, namespace: str) -> None:
        """Begin to look, before Helm changes anything."""
        try:
            api, loop = self._api(), asyncio.get_running_loop()
        except (KubeUnreachable, RuntimeError):
            return  # it only shows what happens; the update does without it

        def on_look(seen: Look, states: tuple[WorkloadState, ...]) -> None:
            text = all_say(state for state in states if not state.well) or "all pods are ready"
            loop.call_soon_threadsafe(lambda: pulumi.log.info(text, self._resource, ephemeral=True))

        def on_hopeless(states: tuple[WorkloadState, ...]) -> None:
            loop.call_soon_threadsafe(self._tell, [given_up(state) for state in states])

        self._watch = Watch(
            lambda: look(api, namespace, self._clean),
            waited_for=lambda seen: of_release(seen.workloads, self._release),
            on_look=on_look,
            on_hopeless=on_hopeless,
        )
        self._watch.step()  # now, and not in the thread: Helm may be faster
        self._watch.start()

    def stop(self) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.stop()

    def failed(self, namespace: str) -> None:
        """Say which workloads are not ready, and why, if that has not been said yet."""
        self.stop()
        try:
            states = of_release(look(self._api(), namespace, self._clean).workloads, self._release)
            sentences = [state.sentence for state in states if not state.well]
        except Exception as error:  # the engine reports the failure itself; this only adds details
            sentences = [f"the cluster did not say which pods are not ready ({type(error).__name__})"]
        self._tell(sentences)

    def _tell(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            if sentence not in self._told:
                self._told.add(sentence)
                pulumi.log.warn(sentence, self._resource)


def given_up(state: WorkloadState) -> str:
    """Return the sentence for a workload that cannot become ready."""
    return f"{state.name} cannot become ready by waiting: {state.sentence}"
