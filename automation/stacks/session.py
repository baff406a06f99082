"""A stack while this process works on it: its engine, its lock, and the cancelling of what is under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from pulumi.automation import Stack

from automation.engine.command import Engine
from automation.engine.events import Event, EventKind, OnEvent, Teller, ignore
from automation.engine.locks import Lock
from automation.engine.opened_stack import OpenedStack
from automation.engine.plugins import PARALLEL, environment
from automation.engine.usual_times import UsualTimes
from automation.errors import AutomationError, StackLocked, without_context
from automation.folder import alone_in, short_name
from automation.remedies import complete
from automation.stacks.cancellation import Cancellation
from automation.stacks.config import Keep, StackConfig, check_files, read_stack_config
from automation.stacks.file_secrets import committed_secrets, file_secrets, has_secrets
from automation.stacks.place import Place
from automation.stacks.stack_locks import stack_locks
from automation.stacks.workspace import open_stack
from automation.wait import Clock
from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look, look
from components.secrets.masker import Masker

_T = TypeVar("_T")
_P = ParamSpec("_P")

LOCK_SECONDS: Final = 120.0
_REMIND_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Limits:
    """How long to wait, and by which clock."""

    lock_seconds: float = LOCK_SECONDS
    """How long to wait while another update has the lock."""
    clock: Clock = field(default_factory=Clock)
    """The clock of all waits. That of a test need take no time."""


class Session:
    """Opens one stack for updates and for reading. Different threads may share it."""

    def __init__(
        self, name: str, place: Place, find_engine: Callable[[], Engine], limits: Limits, masker: Masker
    ) -> None:
        """Ask nothing yet.

        Args:
            name: The stack.
            place: Where the stack is found. `roll_image` and `adopt` replace it when they change its settings.
            find_engine: Returns an engine; called when one is needed.
            limits: How long to wait.
            masker: Knows the stack's secrets. `adopt` replaces it when it has learned more.
        """
        self.name, self.place, self.masker = name, place, masker
        self.cancellation = Cancellation(name, limits.clock)
        self.engine: Engine | None = None
        self._find_engine, self.limits = find_engine, limits
        self._for_updates: Stack | None = None
        self._for_reading: Stack | None = None
        self._cluster: tuple[KubeApi, str] | None = None
        self._reached: StackConfig | None = None
        self._learned = self._asked = False

    @property
    def work_dir(self) -> Path:
        """The engine's work directory."""
        return self.place.folder.work(self.name)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let a cancel hold until the end (see `Cancellation.busy`), and complete the commands in errors."""
        with self.cancellation.busy():
            try:
                yield
            except AutomationError as error:
                complete(error, self.name, self._kubectl)
                raise

    def do(self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """Call a function of this session. A cancel within it holds until its end, even if it runs several updates."""
        with self.busy():
            return function(self, *args, **named)

    def do_checked(self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """The same, once the config is checked. Also raises SettingsInvalid."""
        with self.busy():
            self.check_config()
            return function(self, *args, **named)

    def cancel(self) -> None:
        """Cancel what is under way, in this process and in the engine."""
        self.cancellation.cancel()
        if self.engine is not None:
            self.engine.cancel()

    # Config

    def check_config(self) -> None:
        """Check the config before anything is looked for. Raises SettingsInvalid."""
        if self.place.settings is None:  # settings that were given are valid
            check_files(self.place.project_dir, short_name(self.name))

    def config(self) -> StackConfig:
        """Return what the config says of cluster and protection. Raises SettingsInvalid, StackUnknown."""
        if self.place.settings is not None:
            return self.place.settings.facts
        return read_stack_config(self.place.project_dir, short_name(self.name))

    def reached_config(self) -> StackConfig:
        """Return the config with a kubeconfig that reaches its cluster. Also raises ClusterUnreachable."""
        self._reached = self.config().reached(self.work_dir)
        return self._reached

    def _kubectl(self) -> str:
        """Return the beginning of a `kubectl` command, "" if the cluster is not known."""
        try:
            config = self._reached or self.config()
        except AutomationError:
            return ""
        return config.kubectl() if config.kube_context else ""

    def keep_settings(self, keep: Keep) -> None:
        """Let a service store the settings. Those of a checkout are in its file."""
        if self.place.settings is not None:
            keep(self.place.settings)

    # Opening

    def find_engine(self) -> Engine:
        """Return the engine; find or install it the first time. Raises EngineMissing."""
        if self.engine is None:
            self.engine = self._find_engine()
        return self.engine

    @contextmanager
    def open_for_update(self, verb: str, on_event: OnEvent, *, create: bool = True) -> Iterator[OpenedStack]:
        """Open the stack while no other update of this machine works on it.

        Args:
            verb: What is asked for, for events and errors.
            on_event: Receives the events.
            create: Create the stack if it does not exist; else raise StackUnknown.

        Raises:
            StackLocked: Another update of this machine did not end in time.
        """
        teller = self.events(verb, on_event)
        with without_context(), self.busy(), self._alone(verb, teller):
            if not create:
                self.place.must_have(self.name)
            yield self.open(teller, create=create)

    def open(self, teller: Teller, *, create: bool = True) -> OpenedStack:
        """Open the stack with its present config. For use within `open_for_update`."""
        self.cancellation.raise_if_cancelled()
        engine = self.find_engine()
        self.cancellation.raise_if_cancelled()
        self._for_updates = open_stack(self.place, self.name, engine, create=create, opened=self._for_updates)
        self.cancellation.raise_if_cancelled()
        usual = UsualTimes(self.place.folder.times / f"{short_name(self.name)}.json")
        opened = OpenedStack(self._for_updates, engine, teller, self.masker, self.look, usual)
        if self.place.settings is not None or self._learned or not has_secrets(self.work_dir, self.name):
            return opened
        # A program or a provider may quote a secret in a form that the engine does not mask.
        self.masker = teller.masker = self.masker.knowing(file_secrets(opened).values())
        self._learned = True
        return replace(opened, masker=self.masker)

    @contextmanager
    def open_for_reading(self, verb: str) -> Iterator[OpenedStack]:
        """Open the stack for what changes nothing, without waiting for any lock. Raises StackUnknown."""
        with without_context(), self.busy():
            self.place.must_have(self.name)
            engine = self.find_engine()
            self._for_reading = open_stack(
                self.place, self.name, engine, create=False, opened=self._for_reading, for_reading=True
            )
            yield OpenedStack(self._for_reading, engine, self.events(verb, ignore), self.masker)

    def engine_variables(self) -> Mapping[str, str]:
        """Return what lets `pulumi` work on the stack, which is created if there is none. It may hold a passphrase."""
        with self.open_for_update("env", ignore):
            parallel = environment(self.place.environ)[PARALLEL]
            return {**self.place.prepare(self.name).env, PARALLEL: parallel}

    def forget_opened(self) -> None:
        """Open the stack anew the next time: it was removed, or its settings were replaced."""
        self._for_updates = self._for_reading = self._cluster = self._reached = None

    def events(self, verb: str, on_event: OnEvent) -> Teller:
        """Return what passes the events of one update on."""
        cancelled = self.cancellation.watcher()

        def pass_on(event: Event) -> None:
            # A cancel just before the engine's command began has not reached the engine.
            if cancelled() and self.engine is not None and not self.engine.interrupted:
                self.engine.cancel()
            on_event(event)

        return Teller(pass_on, self.name, verb, self.masker)

    def cluster(self) -> tuple[KubeApi, str]:
        """Return the stack's cluster and its namespace. Raises KubeUnreachable."""
        from automation.cluster.client import kubeconfig_file

        if self._cluster is None:
            try:
                config = self.reached_config()
            except AutomationError as error:
                raise KubeUnreachable(error.what, error.remedy) from None
            self._cluster = (KubeApi(config.kube_context, kubeconfig_file(config.kubeconfig)), config.namespace)
        return self._cluster

    def look(self) -> Look:
        """Look at the stack's namespace. Raises KubeRequestFailed, KubeUnreachable."""
        return look(*self.cluster(), self.clean)

    def clean(self, text: str) -> str:
        """Mask what a pod or Airflow says. The first text has the engine decrypt the secrets of the stack's file."""
        if self._for_reading is not None and self.place.settings is None and not (self._learned or self._asked):
            self._asked = True
            on = OpenedStack(self._for_reading, self.find_engine(), self.events("look", ignore), self.masker)
            self.masker = self.masker.knowing(committed_secrets(on, self.place.project_dir).values())
        return self.masker.text(text)

    def locks(self) -> tuple[Lock, ...] | None:
        """Return the stack's locks, None if the backend does not tell. Raises UpdateFailed if it does not answer."""
        return stack_locks(self.name, self.place)

    @contextmanager
    def _alone(self, verb: str, teller: Teller) -> Iterator[None]:
        """Raise StackLocked if another update of this machine works on the stack until the time is up."""
        reminded = -_REMIND_SECONDS

        def wait() -> None:
            nonlocal reminded
            self.cancellation.raise_if_cancelled()
            if time.monotonic() - reminded >= _REMIND_SECONDS:
                reminded = time.monotonic()
                teller.tell(EventKind.WAITING, f"waiting: {self._who_is_at_work(verb)}")

        with alone_in(self.work_dir, self.limits.lock_seconds, wait, self.limits.clock) as alone:
            if not alone:
                raise StackLocked(self._who_is_at_work(verb), "wait for it")
            yield

    def _who_is_at_work(self, verb: str) -> str:
        try:
            holders = "; ".join(map(str, self.locks() or ()))
        except AutomationError:
            holders = ""  # it only explains
        return (
            f"{verb} of stack {self.name}: another operation of this machine is at work on it"
            f"{f' ({holders})' if holders else ''}"
        )
