"""One stack, with everything that can be done to it. Made by `Environments.open`."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pulumi.automation import Stack

from automation.cluster.deployment import Deployment
from automation.engine import operations, processes
from automation.engine.command import Engine
from automation.engine.events import Event, EventKind, OnEvent, Teller, ignore
from automation.engine.failures import unprotect
from automation.engine.locks import Holder, Lock, read_locks
from automation.engine.stack_state import StackState, protected
from automation.errors import (
    AdoptionRefused,
    AutomationError,
    FileInvalid,
    Interrupted,
    NotHealthy,
    Protected,
    RecoveryRefused,
    SettingsInvalid,
    StackLocked,
    StackUnknown,
    UpdateFailed,
    WrongCluster,
    without_context,
)
from automation.folder import short_name, write_file
from automation.folder_lock import alone_in
from automation.redaction import Redactor
from automation.results import Changes, HelmsmanExport, History, HistoryEntry, Outputs, Preview, Update
from automation.stacks.stack_config import StackConfig
from automation.stacks.stack_file import with_value
from automation.stacks.workspace import Place, open_stack
from automation.wait import Clock, wait_for
from settings import PROJECT

if TYPE_CHECKING:
    # Loaded when they are used: who only previews needs no client of Kubernetes.
    from automation.adoption.installed import InstalledRelease
    from automation.adoption.plan import Adoption, AdoptionPlan
    from automation.adoption.prepare import Prepared
    from automation.plan.model import Plan
    from automation.recovery.status import Status
    from automation.recovery.steps import Decisions, Recovery, RecoveryPlan
    from automation.stacks.config import EnvironmentSettings
    from automation.verification.result import Verification

_T = TypeVar("_T")

LOCK_SECONDS: Final = 120.0
HEALTHY_SECONDS: Final = 300.0
_CLUSTER_TAG: Final = "airflow:cluster"
"""Tag of a stack: which cluster it was deployed to."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 15.0
_HEALTH_INTERVAL_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.2
_REMIND_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Limits:
    """lock_seconds: how long to wait for somebody else's update. clock: a test's may take no time."""

    lock_seconds: float = LOCK_SECONDS
    clock: Clock = field(default_factory=Clock)


class _Work:
    """What one thread is asked for, from its first line to its end.

    told: to stop. done: what it has done by then, a clause each. remedy: for who told it.
    """

    def __init__(self) -> None:
        self.told = threading.Event()
        self.done: list[str] = []
        self.remedy = "run it again"


class _Stopped(BaseException):
    """Ends a verification: a check takes every Exception for its own failure."""


class Environment:
    """One stack of the program.

    Nothing is asked of an engine, a cluster or a backend before a method needs it. Methods block; each raises
    AutomationError of a kind that says what to do. Different environments may be used from different threads; of one,
    one operation runs at a time, and the next waits as for any other update.
    """

    def __init__(
        self, name: str, place: Place, engine: Callable[[], Engine], limits: Limits, redactor: Redactor
    ) -> None:
        """engine: finds one; is called when it is needed. For `Environments.open`."""
        self.name = name
        self._place, self._find_engine, self._limits, self._redactor = place, engine, limits, redactor
        self._engine: Engine | None = None
        self._stack: Stack | None = None
        self._looked_at: Stack | None = None
        self._own = threading.local()
        self._under_way: list[_Work] = []
        self._last = _Work()

    def __repr__(self) -> str:
        return f"Environment({self.name!r}, {self.backend!r})"

    @property
    def backend(self) -> str:
        """URL of the state."""
        return self._place.url

    @property
    def work_dir(self) -> Path:
        """Where the engine works; its owner may delete it when nothing runs."""
        return self._place.folder.work(self.name)

    # Asking

    def plan(self, *, render: bool = True) -> Plan:
        """What the program would register, without engine, cluster or credentials. A failure is a field of it.

        render: find the chart and let Helm render it.
        """
        from automation.plan.process import plan_checkout

        with self._checkout() as project_dir:
            return plan_checkout(project_dir, short_name(self.name), render=render, known_secrets=self._known_secrets())

    def preview(self, *, on_event: OnEvent = ignore, save_plan: Path | None = None, refresh: bool = False) -> Preview:
        """What `up` would do. save_plan: file for the engine's plan, which `up` can be bound to.

        refresh: against what is really there, and not only against the state, which stays as it is.
        """
        path = None if save_plan is None else str(save_plan.resolve())
        with self.busy():
            self.check()
            with self._operation("preview", on_event) as on:
                outcome = operations.preview(on, save_plan=path, refresh=refresh)
        return Preview(stack=self.name, changes=outcome.changes, steps=outcome.steps, plan_file=path)

    def outputs(self) -> Outputs:
        """The stack's outputs. Raises StackUnknown where there is none."""
        with self._looking("outputs") as on:
            return Outputs(stack=self.name, values=operations.stack_outputs(on))

    def history(self, limit: int = 20) -> History:
        """Earlier operations, the newest first. Raises StackUnknown."""
        with self._looking("history") as on:
            found = operations.history(on, limit)
        return History(stack=self.name, entries=tuple(map(_entry, found)))

    def verify(
        self, *, dag_id: str | None = None, timeout_seconds: float = HEALTHY_SECONDS, on_event: OnEvent = ignore
    ) -> Verification:
        """Checks the deployment, a DAG run among it; see `automation.verification.verify`. What failed is in the
        result.

        Raises StackUnknown, ClusterUnreachable, Interrupted.
        """
        from automation.verification.verify import verify

        def stop() -> None:
            if self._told:
                raise _Stopped

        def tell(line: str) -> None:
            teller.tell(EventKind.WAITING, line)
            stop()

        with self.busy():
            config, found = self.config().reached(self.work_dir), self.outputs().values
            teller = self._teller("verify", on_event)
            try:
                return verify(
                    found,
                    kube_context=Deployment.of(found).kube_context,
                    kubeconfig_path=config.kubeconfig,
                    dag_id=dag_id,
                    timeout_seconds=timeout_seconds,
                    clock=self._clock(stop),
                    on_progress=tell,
                )
            except _Stopped:
                raise Interrupted(f"verify of stack {self.name} was interrupted", "run it again") from None

    def status(self) -> Status:
        """What is wrong, by name. A cluster that does not answer is in the result, not an error."""
        from automation.recovery.status import Status

        locks = self._locks()
        try:
            with self._looking("status") as on:
                state = StackState.of(operations.deployment(on))
                known = operations.tag(on, _CLUSTER_TAG)
        except StackUnknown:
            return Status(stack=self.name, exists=False, locks=locks)
        found = Status(stack=self.name, exists=True, deployed=bool(state.resources), locks=locks, pending=state.pending)
        if not state.resources and not state.pending:
            return found
        try:
            return replace(found, cluster=self._cluster_status(state, known))
        except AutomationError as error:
            return replace(found, cluster_error=error.what)

    def export_helmsman(self, folder: Path, *, planned: bool = False) -> HelmsmanExport:
        """Writes the stack as files for Helmsman: what is deployed, or what would be where nothing is.

        planned: what would be, also where something is deployed. Raises NotExportable, FolderRefused.
        """
        from automation.helmsman import files, from_plan, from_state, write_folder
        from automation.plan.process import new_key, plan_checkout

        name, source = short_name(self.name), None
        with contextlib.suppress(StackUnknown):
            if not planned:
                with self._looking("export_helmsman") as on:
                    source = from_state(name, operations.deployment(on))
        if source is None:
            with self._checkout() as project_dir:
                source = from_plan(plan_checkout(project_dir, name, render=False, key=new_key()))
        write_folder(folder, files(source))
        return HelmsmanExport(
            stack=name,
            folder=str(folder),
            deployed=source.deployed,
            secrets_to_make=() if source.deployed else tuple(secret.name for secret in source.secrets),
            made_up=tuple(source.made_up),
        )

    # Changing

    def up(self, *, on_event: OnEvent = ignore, plan: Path | None = None) -> Update:
        """Makes the stack as its config says; the stack itself too, where there is none.

        plan: file of a saved plan that the update must not leave (PlanViolated).
        """
        with self.busy():
            self.check()
            return self._up("up", on_event, plan)

    def roll_image(self, tag: str, *, on_event: OnEvent = ignore) -> Update:
        """Moves the Airflow image to another tag and nothing else of the config, and updates.

        Of a committed file `Pulumi.<stack>.yaml` the one line is changed. Where the engine never began, because the
        tag, the cluster or the lock did not allow it, the config is as before; where it began and failed, the config
        says what was tried. Raises SettingsInvalid.
        """
        with self.busy():
            if self.config().image_digest:
                raise SettingsInvalid(
                    self.name,
                    (
                        f"{PROJECT}:imageDigest: expected none, because it wins over the tag, found one. "
                        f"Fix: pulumi config rm --stack {self.name} {PROJECT}:imageDigest",
                    ),
                )
            self._check_tag(tag)
            with self._operation("roll_image", on_event) as on:
                identity, begun = self._identity(on), False

                def run() -> operations.Outcome:
                    nonlocal begun
                    begun = True
                    try:
                        return operations.up(on)
                    except StackLocked:
                        begun = False
                        raise

                put_back = self._move_tag(tag)
                try:
                    self._open(on.teller)
                    return self._updated("roll_image", on, run, identity)
                finally:
                    if not begun:
                        put_back()

    def refresh(self, *, new_cluster: bool = False, on_event: OnEvent = ignore) -> Update:
        """Makes the state as the cluster is. new_cluster: the cluster may be another one than the stack was in."""
        with self._operation("refresh", on_event, create=False) as on:
            identity = self._identity(on, may_be_new=new_cluster)
            return self._updated("refresh", on, lambda: operations.refresh(on), identity)

    def destroy(self, *, remove: bool = False, on_event: OnEvent = ignore) -> Update:
        """Deletes what the stack owns. remove: also the stack itself, with its history.

        Raises Protected before anything is deleted where config or state protects something.
        """
        with self.busy():
            if self.config().protect:
                raise Protected(
                    f"stack {self.name} is protected: its destroy removes data and keys", unprotect(self.name)
                )
            with self._operation("destroy", on_event, create=False) as on:
                kept = protected(StackState.of(operations.deployment(on)).resources)
                if kept:
                    names = ", ".join(sorted(resource.name for resource in kept))
                    raise Protected(f"stack {self.name} still protects {names}", unprotect(self.name))
                identity = self._identity(on)
                done = self._updated("destroy", on, lambda: operations.destroy(on), identity)
            if remove:
                self.remove_state()
        return done

    def remove_state(self, *, force: bool = False) -> tuple[str, ...]:
        """Removes the stack itself, with its history and work directory. Returns the stacks that the backend still has.

        force: also where its state holds something, which then belongs to nobody.
        """
        with self._operation("remove", ignore, create=False) as on:
            left = operations.remove(on, force=force)
            self._stack = self._looked_at = None
            shutil.rmtree(self.work_dir, ignore_errors=True)
        return left

    def recovery(self, decisions: Decisions | None = None) -> RecoveryPlan:
        """What `recover` would do. Changes nothing. Raises as `recover` does."""
        from automation.recovery.steps import RecoveryPlan, update_step

        try:
            with self._looking("recover") as on:
                return self._recovery_plan(on, decisions, self._locks())
        except StackUnknown:
            return RecoveryPlan(stack=self.name, steps=(update_step(self.name),))

    def recover(
        self,
        decisions: Decisions | None = None,
        *,
        timeout_seconds: float = HEALTHY_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Recovery:
        """Mends what an interrupted update left, and updates. Tells each step of its plan before the first is taken.

        timeout_seconds: for all pods to be ready after the update. Raises RecoveryRefused where another update may be
        alive, or where only a person can tell what became of something; NotHealthy.
        """
        from automation.recovery.steps import Recovery

        with self.busy():
            self.check()
            # Made where there is none: it may have been killed before it was.
            with self._operation("recover", on_event) as on:
                locks = self._locks()
                plan = self._recovery_plan(on, decisions, locks)
                for step in plan.steps:
                    on.teller.note(f"will {step.text}")
                self._mend(plan, on, locks or ())
            done = self._up("recover", on_event, None)
            status = self._healthy(timeout_seconds)
        return Recovery(plan=plan, update=done, status=status)

    def adoption(self, *, on_event: OnEvent = ignore) -> AdoptionPlan:
        """What `adopt` would do. Changes neither the release nor the config. Raises as `adopt` does.

        What is refused is in the result; AdoptionRefused is raised where there is nothing to take over.
        """
        with self._operation("adopt", on_event) as on:
            return self._prepared(on).plan

    def adopt(self, *, timeout_seconds: float = HEALTHY_SECONDS, on_event: OnEvent = ignore) -> Adoption:
        """Takes over the release `airflow` that Helm or Helmsman installed in the stack's namespace, and updates it.

        Its keys and its database stay as they are: where the config does not say them, they are added to it (to the
        committed file, or to `settings`), and where it says others, nothing is done. timeout_seconds: for all pods to
        be ready after the update. Raises AdoptionRefused with every reason; SettingsInvalid where the config lacks what
        no release says; NotHealthy; and what `up` raises.
        """
        from automation.adoption.plan import Adoption

        with self.busy():
            with self._operation("adopt", on_event) as on:
                prepared = self._prepared(on)
                if prepared.settings is None:
                    raise AdoptionRefused(short_name(self.name), prepared.plan.refusals)
                for item in prepared.plan.taken:
                    on.teller.note(f"takes over {PROJECT}:{item.key} of {item.source}")
                for note in prepared.plan.notes:
                    on.teller.note(note)
                self._stop_if_told()
                self._complete_config(on, prepared)
                self._did("the config was completed")
            with self._operation("adopt", on_event) as on:
                self._tie(on, self._identity(on))
                self._stop_if_told()
                self._take_in(on, prepared.release)
                self._did(
                    "the release was taken into the state", f"python -m automation recover {short_name(self.name)}"
                )
            done = self._up("adopt", on_event, None)
            status = self._healthy(timeout_seconds)
        return Adoption(plan=prepared.plan, update=done, status=status)

    @property
    def settings(self) -> EnvironmentSettings | None:
        """The config that was given, with what `roll_image` and `adopt` have changed; None for a committed file."""
        return self._place.settings

    # Stopping

    @property
    def running(self) -> bool:
        """An operation is under way, or waits for a lock."""
        return bool(self._under_way)

    @property
    def interrupted(self) -> bool:
        """What runs, or what ran last, was told to stop."""
        return any(work.told.is_set() for work in tuple(self._under_way) or (self._last,))

    def cancel(self) -> None:
        """Tells what is under way to stop: from another thread, or from a signal handler.

        The engine finishes what it has begun, records it, and releases its lock; the operation raises Interrupted, and
        the next `up` takes over what was left. Without an operation it does nothing.
        """
        for work in tuple(self._under_way):  # no lock: a signal may come while this thread holds it
            work.told.set()
        if self._engine is not None:
            self._engine.cancel()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """What `cancel` is told within it holds until its end, also where it consists of several operations.

        Of the thread that enters it: what another one begins later was not meant. For `concurrency.in_thread`.
        """
        if self._work is not None:
            yield
            return
        work = self._own.work = self._last = _Work()
        self._under_way.append(work)
        try:
            yield
        finally:
            self._own.work = None
            self._under_way.remove(work)

    # For the command line

    def check(self) -> None:
        """Checks the config before anything is looked for. Raises SettingsInvalid."""
        if self._place.settings is None:
            self._check_files(self._place.project_dir)  # of given settings, nothing else can be made

    def _check_files(self, folder: Path) -> None:
        import settings

        try:
            settings.check(folder, short_name(self.name))
        except settings.SettingsError as error:
            raise SettingsInvalid(short_name(self.name), error.problems) from None

    def config(self) -> StackConfig:
        """What the config says of cluster and protection. Raises SettingsInvalid, StackUnknown."""
        import settings

        if self._place.settings is not None:
            return StackConfig.of(self._place.settings.texts())
        try:
            values, _ = settings.read_files(self._place.project_dir, short_name(self.name))
        except settings.SettingsError as error:
            raise SettingsInvalid(short_name(self.name), error.problems) from None
        return StackConfig.of(values)

    def engine_variables(self) -> Mapping[str, str]:
        """What lets `pulumi` itself work on the stack, which is made where there is none. It may hold a passphrase."""
        with self._operation("env", ignore):
            return self._place.prepare(self.name).env

    def find_engine(self) -> None:
        """Finds, or installs, an engine before it is needed. Raises EngineMissing."""
        if self._engine is None:
            self._engine = self._find_engine()

    def resources_outside(self, prefixes: tuple[str, ...]) -> list[str]:
        """Types of what the state holds, components aside, that begin with none of these. Raises StackUnknown."""
        with self._looking("status") as on:
            return operations.resources_outside(on, prefixes)

    def follow_cluster(self, identity: str, *, created: bool, on_event: OnEvent = ignore) -> None:
        """Where the cluster is not the one that the state tells of, the state first learns what is in this one.

        identity: of the cluster. created: just now.
        """
        with self._operation("refresh", on_event) as on:
            known = operations.tag(on, _CLUSTER_TAG)
            if known == identity:
                return
            if (known or created) and operations.has_resources(on):
                on.teller.note("the cluster is a new one: looking what of the state is in it")
                operations.refresh(on)
            operations.set_tag(on, _CLUSTER_TAG, identity)

    # How

    @property
    def _file(self) -> Path:
        """That is committed."""
        return self._place.project_dir / f"Pulumi.{short_name(self.name)}.yaml"

    def _check_tag(self, tag: str) -> None:
        """Whether the config would be valid with it; changes nothing. Raises SettingsInvalid."""
        if self._place.settings is not None:
            self._place.settings.changed(imageTag=tag)
            return
        self.check()
        text = with_value(self._file.read_text(encoding="utf-8"), f"{PROJECT}:imageTag", tag)
        with tempfile.TemporaryDirectory(prefix="airflow-") as folder:
            shutil.copy(self._place.project_dir / "Pulumi.yaml", folder)
            write_file(Path(folder) / self._file.name, text, mode=0o600)
            self._check_files(Path(folder))

    def _move_tag(self, tag: str) -> Callable[[], None]:
        """Returns what puts the old one back."""
        place = self._place
        if place.settings is not None:
            self._place = replace(place, settings=place.settings.changed(imageTag=tag))

            def forget() -> None:
                self._place = place

            return forget
        path, mode = self._file, stat.S_IMODE(self._file.stat().st_mode)
        before = path.read_text(encoding="utf-8")
        after = with_value(before, f"{PROJECT}:imageTag", tag)
        write_file(path, after, mode)

        def put_back() -> None:
            if path.read_text(encoding="utf-8") == after:  # else somebody has edited it since
                write_file(path, before, mode)

        return put_back

    def _up(self, verb: str, on_event: OnEvent, plan: Path | None) -> Update:
        path = None if plan is None else str(plan.resolve())
        if path is not None and not os.path.isfile(path):
            raise FileInvalid(f"the plan {path} cannot be read", "save one: preview --save-plan FILE")
        with self._operation(verb, on_event) as on:
            identity = self._identity(on)
            return self._updated(verb, on, lambda: operations.up(on, plan=path), identity)

    def _updated(
        self,
        verb: str,
        on: operations.Operation,
        run: Callable[[], operations.Outcome],
        identity: str,
    ) -> Update:
        started = 0.0

        def attempt() -> operations.Outcome:
            nonlocal started
            started = time.monotonic()
            self._tie(on, identity)
            return run()

        outcome = self._unlocked(on, attempt)
        self._did("the engine did its work")
        seconds = round(time.monotonic() - started, 1)
        if identity:
            operations.set_tag(on, _CLUSTER_TAG, identity)
        return Update(
            stack=self.name,
            verb=verb,
            changes=outcome.changes,
            steps=outcome.steps,
            seconds=seconds,
            outputs=operations.stack_outputs(on),
        )

    def _unlocked(self, on: operations.Operation, attempt: Callable[[], _T]) -> _T:
        """Tries until nobody else has the lock, with growing pauses, for as long as the limits say."""
        clock, pause = self._clock(self._stop_if_told), _FIRST_PAUSE_SECONDS
        end = clock.now() + self._limits.lock_seconds
        while True:
            self._stop_if_told()
            try:
                return attempt()
            except StackLocked as error:
                if clock.now() + pause > end:
                    raise
                on.teller.tell(EventKind.WAITING, f"{error.what}; trying again in {pause:.0f} s")
            clock.sleep(pause)
            # Who waits for the same lock shall not come back at the same moment.
            pause = min(pause * 1.6, _LONGEST_PAUSE_SECONDS) * SystemRandom().uniform(0.8, 1.2)

    def _clock(self, stop: Callable[[], None]) -> Clock:
        """Of the limits, for waits that a cancel ends. stop: raises where there was one."""
        clock = self._limits.clock

        def sleep(seconds: float) -> None:
            while seconds > 0:
                stop()
                step = min(seconds, _POLL_SECONDS)
                clock.sleep(step)
                seconds -= step
            stop()

        return Clock(now=clock.now, sleep=sleep)

    @property
    def _work(self) -> _Work | None:
        """Of this thread."""
        return getattr(self._own, "work", None)

    @property
    def _told(self) -> bool:
        return self._work is not None and self._work.told.is_set()

    def _did(self, what: str, remedy: str = "") -> None:
        """For who stops it from here on."""
        if self._work is not None:
            self._work.done.append(what)
            self._work.remedy = remedy or self._work.remedy

    def _stop_if_told(self) -> None:
        if self._work is not None and self._told:
            done = "; ".join(self._work.done)
            when = f"after this: {done}" if done else "before anything was done"
            raise Interrupted(f"stack {self.name}: interrupted {when}", self._work.remedy)

    @contextmanager
    def _operation(self, verb: str, on_event: OnEvent, *, create: bool = True) -> Iterator[operations.Operation]:
        """The stack, opened, for one operation of this process at a time. Raises StackLocked, StackUnknown."""
        teller = self._teller(verb, on_event)
        with without_context(), self.busy(), self._alone(verb, teller):
            if not create:
                self._place.must_have(self.name)
            yield self._open(teller, create=create)

    def _open(self, teller: Teller, *, create: bool = True) -> operations.Operation:
        """With the config as it is now."""
        self._stop_if_told()
        self.find_engine()
        assert self._engine is not None
        self._stop_if_told()
        self._stack = open_stack(self._place, self.name, self._engine, create=create, opened=self._stack)
        self._stop_if_told()
        return operations.Operation(self._stack, self._engine, teller, self._redactor)

    @contextmanager
    def _alone(self, verb: str, teller: Teller) -> Iterator[None]:
        """Raises StackLocked where another operation of this machine is at work on the stack until the time is up."""
        told = -_REMIND_SECONDS

        def waiting() -> None:
            nonlocal told
            self._stop_if_told()
            if time.monotonic() - told >= _REMIND_SECONDS:
                told = time.monotonic()
                teller.tell(EventKind.WAITING, f"waiting: {self._at_work(verb)}")

        with alone_in(self.work_dir, self._limits.lock_seconds, waiting, self._limits.clock) as alone:
            if not alone:
                raise StackLocked(self._at_work(verb), "wait for it")
            yield

    def _at_work(self, verb: str) -> str:
        try:
            holders = "; ".join(map(str, self._locks() or ()))
        except AutomationError:
            holders = ""  # it only explains
        return (
            f"{verb} of stack {self.name}: another operation of this machine is at work on it"
            f"{f' ({holders})' if holders else ''}"
        )

    @contextmanager
    def _looking(self, verb: str) -> Iterator[operations.Operation]:
        """As `_operation`, for what changes nothing: beside whatever else is at work. Raises StackUnknown."""
        with without_context(), self.busy():
            self._place.must_have(self.name)
            self.find_engine()
            assert self._engine is not None
            self._looked_at = open_stack(
                self._place, self.name, self._engine, create=False, opened=self._looked_at, looking=True
            )
            yield operations.Operation(self._looked_at, self._engine, self._teller(verb, ignore), self._redactor)

    def _teller(self, verb: str, on_event: OnEvent) -> Teller:
        work = self._work

        def heard(event: Event) -> None:
            # Told just before its command began, the engine does not know.
            if work is not None and work.told.is_set() and self._engine is not None and not self._engine.interrupted:
                self._engine.cancel()
            on_event(event)

        return Teller(heard, self.name, verb, self._redactor)

    def _identity(self, on: operations.Operation, *, may_be_new: bool = False) -> str:
        """Of the cluster, where it has to be stored: "" where it is known already.

        Raises ClusterUnreachable; WrongCluster where it is not the one that the stack was deployed to.
        """
        from automation.cluster.client import cluster_identity

        config = self.config().reached(self.work_dir)
        identity = cluster_identity(config.kube_context, kubeconfig_path=config.kubeconfig)
        known = operations.tag(on, _CLUSTER_TAG)
        if not may_be_new:
            self._require_known(config, identity, known)
        return "" if known == identity else identity

    def _tie(self, on: operations.Operation, identity: str) -> None:
        """Before anything is made in the cluster: an update that fails has made something too."""
        if identity and not operations.tag(on, _CLUSTER_TAG):
            operations.set_tag(on, _CLUSTER_TAG, identity)

    def _require_known(self, config: StackConfig, identity: str, known: str) -> None:
        """Raises WrongCluster where the cluster is not the one that the stack was deployed to."""
        if known and known != identity:
            raise WrongCluster(
                f"context {config.kube_context} is of another cluster than stack {self.name} was deployed to",
                "name the right one; if the cluster was made anew under its old name: "
                f"python -m automation refresh {self.name} --new-cluster",
            )

    def _locks(self) -> tuple[Lock, ...] | None:
        """Raises UpdateFailed where the backend does not answer."""
        environ = {**self._place.environ}
        try:
            return read_locks(self.backend, PROJECT, short_name(self.name), environ)
        except Exception as error:
            # Of a bucket: its client's own kinds, whose text may say more than is wanted here.
            raise UpdateFailed(
                f"the locks in {self.backend} cannot be read ({type(error).__name__})", "look at its credentials"
            ) from None

    def _cluster_status(self, state: StackState, known: str) -> Any:
        from automation.cluster.client import KubeClient, cluster_identity
        from automation.cluster.objects import ClusterObjects
        from automation.recovery.status import cluster_status

        config = self.config().reached(self.work_dir)
        identity = cluster_identity(config.kube_context, kubeconfig_path=config.kubeconfig)
        self._require_known(config, identity, known)
        arguments: dict[str, Any] = {"kubeconfig_path": config.kubeconfig}
        return cluster_status(
            KubeClient(config.kube_context, config.namespace, **arguments),
            ClusterObjects(config.kube_context, config.namespace, **arguments),
            state,
        )

    def _recovery_plan(
        self, on: operations.Operation, decisions: Decisions | None, locks: tuple[Lock, ...] | None
    ) -> RecoveryPlan:
        from automation.cluster.client import KubeClient
        from automation.cluster.objects import ClusterObjects
        from automation.recovery.status import cluster_status
        from automation.recovery.steps import Decisions, RecoveryPlan, lock_steps, pending_steps, pod_steps, update_step

        decisions = decisions or Decisions()
        steps = lock_steps(self.name, locks, processes.processes(), decisions)
        self._identity(on)
        state = StackState.of(operations.deployment(on))
        config = self.config().reached(self.work_dir)
        objects = ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)
        kube = KubeClient(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)
        steps += pending_steps(self.name, state, objects, locks or (), decisions)
        steps += pod_steps(cluster_status(kube, objects, state).stuck_pods, objects, config.namespace)
        return RecoveryPlan(stack=self.name, steps=(*steps, update_step(self.name)))

    def _mend(self, plan: RecoveryPlan, on: operations.Operation, locks: tuple[Lock, ...]) -> None:
        """All steps but the last. locks: that the plan was made with."""
        from automation.cluster.objects import ClusterObjects
        from automation.engine.stack_state import settle
        from automation.recovery.steps import PLUGIN_SECONDS, Doing

        clock = self._clock(self._stop_if_told)
        running = {process.pid: process for process in processes.processes()}
        doomed = [running[step.pid] for step in plan.of(Doing.END) if step.pid in running]
        self._stop_if_told()
        processes.end(doomed)
        if doomed:
            self._did("what the killed engine left was ended")
        awaited = [running[step.pid] for step in plan.of(Doing.WAIT) if step.pid in running]
        left = processes.until_gone(awaited, PLUGIN_SECONDS, clock)
        if left:
            pids = " ".join(str(process.pid) for process in left)
            raise RecoveryRefused(
                f"what a killed engine left still runs: process {pids}", f"if it is of this stack: kill {pids}"
            )
        self._stop_if_told()
        if plan.of(Doing.UNLOCK):
            self._unlock(on, locks)
            self._did("the lock was removed")
        self._stop_if_told()
        adopted = {step.urn: step.id for step in plan.of(Doing.ADOPT)}
        if adopted or any(plan.of(doing) for doing in (Doing.FORGET, Doing.DELETE, Doing.KEEP)):
            operations.replace_deployment(on, settle(operations.deployment(on), adopted))
            self._did("the state was put right")
        self._stop_if_told()
        if adopted:
            operations.refresh(on, targets=sorted(adopted))
        config = self.config().reached(self.work_dir)
        objects = ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)
        for step in (*plan.of(Doing.DELETE), *plan.of(Doing.REPLACE_POD)):
            assert step.found is not None
            self._stop_if_told()
            objects.delete(step.found)
            self._did(f"{step.found} was deleted")

    def _healthy(self, timeout_seconds: float) -> Status:
        """The stack's status after an update, waited for. Raises NotHealthy, Interrupted."""

        def look() -> Status:
            self._stop_if_told()
            return self.status()

        status = wait_for(
            look,
            lambda found: found.healthy,
            seconds=timeout_seconds,
            interval=_HEALTH_INTERVAL_SECONDS,
            clock=self._clock(self._stop_if_told),
        )
        if not status.healthy:
            raise NotHealthy(
                f"stack {self.name} was updated, but is not healthy: {'; '.join(status.problems)}",
                f"mend that; python -m automation status {self.name} says when it is gone",
            )
        return status

    def _prepared(self, on: operations.Operation) -> Prepared:
        """Raises AdoptionRefused, SettingsInvalid, and what the cluster and the engine raise."""
        from automation.adoption.prepare import prepare
        from automation.adoption.stack_values import file_values
        from automation.cluster.objects import ClusterObjects
        from automation.stacks.workspace import looks_like

        name, place = short_name(self.name), self._place
        held = StackState.of(operations.deployment(on))
        if held.resources or held.pending:
            raise AdoptionRefused(
                name,
                (
                    f"stack {name}: expected one that has deployed nothing yet, found one with "
                    f"{len(held.resources)} resources. Fix: if its adoption was interrupted, python -m automation "
                    f"recover {name}; else take another stack",
                ),
            )
        if place.settings is not None:
            values: Mapping[str, Any] = {**place.settings.values, **place.settings.secrets}
        else:
            values = file_values(on, place.project_dir)
        config = self.config().reached(self.work_dir)
        cluster = ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)
        return prepare(
            name,
            values,
            cluster,
            lambda settings: looks_like(place.project_dir, name, settings),
            place.project_dir,
            config.namespace,
        )

    def _complete_config(self, on: operations.Operation, prepared: Prepared) -> None:
        """With what the release decides. From here on no output may hold its keys."""
        from automation.adoption.stack_values import write_to_file

        assert prepared.settings is not None
        self._redactor = self._redactor.learning(prepared.settings.secrets.values())
        if self._place.settings is not None:
            self._place = replace(self._place, settings=prepared.settings)
            self._stack = self._looked_at = None
        else:
            write_to_file(on, self._place.project_dir, prepared.added)
            self.check()

    def _take_in(self, on: operations.Operation, release: InstalledRelease) -> None:
        """The release and its namespace into the state. Raises AdoptionRefused, with the state as it was."""
        from automation.adoption.state import faults, with_release

        before = operations.deployment(on)
        registered = operations.registered(on)
        operations.replace_deployment(on, with_release(before, registered, release, str(uuid.uuid4())))
        try:
            found = tuple(faults(operations.preview(on).steps))
        except BaseException:
            operations.replace_deployment(on, before)
            raise
        if found:
            operations.replace_deployment(on, before)
            mend = f"Fix: python -m automation preview {self.name} tells more"
            raise AdoptionRefused(
                short_name(self.name),
                tuple(f"expected an update that replaces and deletes nothing, found {text}. {mend}" for text in found),
            )

    def _unlock(self, on: operations.Operation, planned: tuple[Lock, ...]) -> None:
        """Never somebody's who has come since the plan was made: the engine can only remove all.

        planned: the locks of that moment. Raises StackLocked.
        """
        for lock in self._locks() or ():
            if lock not in planned or lock.holder is Holder.ALIVE:
                raise StackLocked(f"stack {self.name} is {lock}, which has just begun", "wait for it")
        operations.cancel(on)

    @contextmanager
    def _checkout(self) -> Iterator[Path]:
        """A folder with the program and the stack's file: the project's own, or one that looks like it."""
        from automation.stacks.workspace import looks_like

        if self._place.settings is None:
            yield self._place.project_dir
            return
        with looks_like(self._place.project_dir, short_name(self.name), self._place.settings) as folder:
            yield folder

    def _known_secrets(self) -> Mapping[str, str]:
        settings = self._place.settings
        return {} if settings is None else {key: secret.reveal() for key, secret in settings.secrets.items()}


def _entry(found: Mapping[str, Any]) -> HistoryEntry:
    """Of the JSON of `pulumi stack history`."""
    image = (found.get("config") or {}).get(f"{PROJECT}:imageTag") or {}
    return HistoryEntry(
        version=int(found.get("version") or 0),
        kind=str(found.get("kind") or ""),
        result=str(found.get("result") or ""),
        started=str(found.get("startTime") or ""),
        ended=str(found.get("endTime") or ""),
        changes=Changes({str(kind): int(count) for kind, count in (found.get("resourceChanges") or {}).items()}),
        image_tag="" if image.get("secret") else str(image.get("value") or ""),
    )
