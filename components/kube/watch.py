"""Looks at a namespace every few seconds while the engine or Helm waits for its workloads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look
from components.kube.patience import Patience
from components.kube.rest import KubeRequestFailed
from components.kube.workload_states import WorkloadState

INTERVAL_SECONDS: Final = 2.0
States = tuple[WorkloadState, ...]


class Watch:
    """Tells what changes, and when the wait is hopeless. A look that fails is left out."""

    def __init__(
        self,
        look: Callable[[], Look],
        *,
        waited_for: Callable[[Look], Iterable[WorkloadState]],
        on_look: Callable[[Look, States], object],
        on_hopeless: Callable[[States], object],
        active: Callable[[], bool] = lambda: True,
        beside: Callable[[Look], Iterable[WorkloadState]] = lambda seen: (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet.

        Args:
            look: Looks at the namespace. Raises KubeRequestFailed or KubeUnreachable.
            waited_for: Returns the workloads that are waited for now. Without one, nothing is told.
            on_look: Is told of each look with something that is waited for.
            on_hopeless: Is told once of the workloads that cannot become ready.
            active: Whether anything may be waited for now. If not, there is no look, but for the first.
            beside: Returns workloads that are told of too, but whose wait somebody else ends.
            now: The time in seconds.
        """
        self._look, self._waited_for, self._now = look, waited_for, now
        self._on_look, self._on_hopeless, self._active = on_look, on_hopeless, active
        self._beside = beside
        self._patience: Patience | None = None
        self._given_up = False
        self._ended = threading.Event()

    def start(self) -> None:
        """Look in a thread of its own until `stop`. What the first look sees was there before the update."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def step(self) -> None:
        """Look once."""
        if self._patience is not None and not self._active():
            return
        try:
            seen = self._look()
        except (KubeRequestFailed, KubeUnreachable):
            return
        if self._patience is None:
            self._patience = Patience(seen)
        states, beside = tuple(self._waited_for(seen)), tuple(self._beside(seen))
        if not (states or beside) or self._ended.is_set():
            return
        self._on_look(seen, (*states, *beside))
        hopeless = self._patience.hopeless(seen, states, self._now())
        if hopeless and not self._given_up:
            self._given_up = True
            self._on_hopeless(hopeless)

    def _run(self) -> None:
        self.step()
        while not self._ended.wait(INTERVAL_SECONDS):
            self.step()
