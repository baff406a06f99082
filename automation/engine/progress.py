"""The engine's events, as short events that a person or a service can follow."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pulumi.automation import EngineEvent, OpType
from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

from automation.engine.events import EventKind, Teller
from automation.engine.hidden_refusals import hint
from automation.engine.usual_times import UsualTimes
from automation.results import Step
from automation.wait import Clock
from components.kube.fix_text import FIX, without_fix
from components.kube.kinds import JOB
from components.kube.unready_pods import Cause
from components.kube.workload_states import WorkloadState, all_say
from components.preflight.finding import FOUND, TYPE, UNSEEN
from components.secrets.plan_violation import without_values

_DOING: Final = {
    OpType.CREATE: ("creating", "created"),
    OpType.UPDATE: ("updating", "updated"),
    OpType.DELETE: ("deleting", "deleted"),
    OpType.CREATE_REPLACEMENT: ("creating a new", "created a new"),
    OpType.DELETE_REPLACED: ("deleting the old", "deleted the old"),
    OpType.IMPORT: ("importing", "imported"),
}
"""The steps that change something. The engine also reports what stays the same, what it reads, and its bookkeeping."""
_PLANNED: Final = {
    OpType.CREATE: "would create",
    OpType.UPDATE: "would update",
    OpType.DELETE: "would delete",
    OpType.REPLACE: "would replace",
    OpType.IMPORT: "would import",
}
_CHECKING: Final = ("would check", "checking", "checked")
"""The same of a check of the preflight, which is made before the object that keeps it."""
_MARKUP: Final = re.compile(r"<\{%.*?%\}>")
_SILENCE_SECONDS: Final = 20.0
_KNOWN_SECONDS: Final = 60.0
"""The same for a wait whose object is known: each change is reported at once."""
_OF_AN_END: Final = re.compile(r"program exited with non-zero exit code: \d+$|^\w+ failed$")
"""What the engine adds to errors that were told, such as `update failed`."""
_OF_A_HOOK: Final = re.compile(rf'^before hook "[^"]+" failed: (?={FOUND})')
_OF_THE_PROGRAM: Final = re.compile(r'(?:before|after) hook "[^"]+" failed: ')
"""How the engine begins what a hook of the program says. All else about a resource comes from its provider."""
_SAYS_ITS_OWN: Final = ("pulumi:pulumi:Stack", TYPE, "kubernetes:batch/v1:Job")
"""Types of resources about which the program speaks itself. Providers quote the Jobs' pods, which run its scripts."""
_HALF_DONE: Final = 1
"""The engine's status of a failed step that has changed something all the same."""
_WORTH_SECONDS: Final = 0.5
"""A step that takes less is told without its time."""
_OF_A_CANCEL: Final = re.compile(r"context canceled|operation was cancelled|update failed$")


class Progress:
    """Receives the engine's events and passes short ones on; keeps errors, warnings and steps.

    Thread-safe: events come on a thread of the Automation API.
    """

    def __init__(
        self,
        teller: Teller,
        clock: Clock | None = None,
        usual: UsualTimes | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin with nothing. `cancelled` says whether the engine was told to stop."""
        self._cancelled = cancelled
        self._teller, self._clock, self._usual = teller, clock or Clock(), usual or UsualTimes()
        self._lock = threading.Lock()
        self._started: dict[str, tuple[str, float, dict[str, str]]] = {}
        self._workloads: dict[tuple[str, str], WorkloadState] = {}
        self._spoke = self._clock.now()
        self._steps: list[Step] = []
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.unseen: list[str] = []
        """URNs of the checks of the preflight that another system's outage left unmade."""
        self.failed: list[Step] = []
        self.half_done: list[Step] = []
        """Those of the failed steps after which the resource is there, or is changed, but not as it should be."""
        self.given_up: tuple[WorkloadState, ...] = ()
        """The workloads for which waiting was given up."""
        self.changes: Mapping[Any, int] = {}
        """Numbers of resources, by what the engine says at its end that it did with them."""
        self.said: dict[str, str] = {}
        """The last words of the pods of Jobs, by the names of the Jobs: a pod may be gone at the end."""

    @property
    def waits_for(self) -> frozenset[str]:
        """The types of the resources that are being created or updated."""
        with self._lock:
            return frozenset(about["type"] for _, _, about in self._started.values() if about["operation"] != "delete")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that were done, or would be, in the engine's order."""
        with self._lock:
            return tuple(self._steps)

    def __call__(self, event: EngineEvent) -> None:
        """Receive an event, as `on_event` of the Automation API."""
        with self._lock:
            if event.resource_pre_event:
                self._begin(event.resource_pre_event.metadata, bool(event.resource_pre_event.planning))
            elif event.res_outputs_event and not event.res_outputs_event.planning:
                self._end(event.res_outputs_event.metadata, done=True)
            elif event.res_op_failed_event:
                self._end(event.res_op_failed_event.metadata, done=False)
                if event.res_op_failed_event.status == _HALF_DONE:
                    self.half_done.append(_step(event.res_op_failed_event.metadata))
            elif event.diagnostic_event:
                self._diagnose(event.diagnostic_event)
            elif event.summary_event:
                self.changes = event.summary_event.resource_changes

    def see(self, states: Iterable[WorkloadState]) -> None:
        """Receive what is waited for, and tell what has changed."""
        states = tuple(states)
        with self._lock:
            self.said |= last_words_of_jobs(states)
            for state in states:
                before = self._workloads.get((state.kind, state.name))
                if before.key == state.key if before else state.well:
                    continue
                self._workloads[state.kind, state.name] = state
                self._say(EventKind.WORKLOAD, state.says, name=state.name, workload=state)

    def remind(self) -> None:
        """Say what is under way, if nothing was said for a while."""
        with self._lock:
            now, unready = self._clock.now(), all_say(state for state in self._workloads.values() if not state.well)
            if self._started and now - self._spoke >= (_KNOWN_SECONDS if unready else _SILENCE_SECONDS):
                text = "; ".join(
                    f"still {doing} ({now - since:.0f} s{self._usually(about)})"
                    f"{hint(about['operation'], about['type'], now - since)}"
                    for doing, since, about in self._started.values()
                )
                self._say(EventKind.STILL, f"{text}: {unready}" if unready else text)

    def _usually(self, about: dict[str, str]) -> str:
        usual = self._usual.of(**about)
        return "" if usual is None else f", usually {usual:.0f} s"

    def _begin(self, step: StepEventMetadata, planning: bool) -> None:
        if not _is_real(step):
            return
        about = {"operation": step.op.value, "type": step.type, "name": _logical_name(step)}
        if planning:
            if step.op in _PLANNED:
                self._steps.append(_step(step))
                self._say(EventKind.PLANNED, _told(step)[0], **about)
        elif step.op in _DOING:
            doing = _told(step)[1]
            self._started[_key(step)] = (doing, self._clock.now(), about)
            usual = self._usual.of(**about)
            text = doing if usual is None else f"{doing} (usually {usual:.0f} s)"
            self._say(EventKind.BEGUN, text, usual_seconds=usual, **about)

    def _end(self, step: StepEventMetadata, *, done: bool) -> None:
        doing, since, about = self._started.pop(_key(step), ("", 0.0, {}))
        if not doing:
            return
        seconds = self._clock.now() - since
        if done:
            self._usual.note(seconds, **about)
        self._workloads = {key: state for key, state in self._workloads.items() if not state.is_of(step.type)}
        (self._steps if done else self.failed).append(_step(step))
        text = _told(step)[2] if done else f"failed {doing}"
        kind = EventKind.DONE if done else EventKind.FAILED
        took = f" ({seconds:.0f} s)" if seconds >= _WORTH_SECONDS else ""
        self._say(kind, f"{text}{took}", seconds=round(seconds, 1), **about)

    def _diagnose(self, event: DiagnosticEvent) -> None:
        # A check that was skipped, or that waits, is no warning. All other information is the engine's own.
        of_a_check = event.severity == "info" and f"{TYPE}::" in (event.urn or "")
        if event.ephemeral or not (of_a_check or event.severity in ("error", "warning")):
            return
        message = without_values(_MARKUP.sub("", event.message)).strip().removeprefix(f"{event.severity}: ")
        if not _is_own(event.urn or "", message):
            message = _of_others(message)
        if of_a_check:
            self._say(EventKind.NOTE, f"preflight: {message}")
            return
        if (self.given_up or self._cancelled()) and _OF_A_CANCEL.search(message):
            return  # what the provider says of the cancel; why it was cancelled is said at the end
        if self.errors and _OF_AN_END.search(message):
            return
        name = (event.urn or "").rpartition("::")[2]
        text = f"{name}: {message}" if name else message
        known = self.errors if event.severity == "error" else self.warnings
        if text in known:
            return  # a plan and its update warn of the same
        known.append(text)
        if event.severity == "warning" and event.urn and message.startswith(f"{UNSEEN}: "):
            self.unseen.append(event.urn)
        kind = EventKind.ERROR if event.severity == "error" else EventKind.WARNING
        found = _OF_A_HOOK.sub("", message)
        if found != message:
            # The error that ends the update says what to do. This one only comes as soon as it is known.
            text = "\n".join(line.partition(FIX)[0] for line in found.splitlines())
        self._say(kind, f"{event.severity}: {text}", name=name)

    def _say(self, kind: EventKind, text: str, **about: Any) -> None:
        self._spoke = self._clock.now()
        self._teller.tell(kind, text, **about)


def _is_own(urn: str, message: str) -> bool:
    """Return whether the program itself says something. Without a resource, the program or the engine does."""
    type_ = urn.rpartition("::")[0].rpartition("::")[2].rpartition("$")[2]
    return not urn or type_ in _SAYS_ITS_OWN or bool(_OF_THE_PROGRAM.match(message))


def _of_others(message: str) -> str:
    """Return what a provider says, without what passes for a remedy or for the program's own lists of problems."""
    return re.sub("^ +", "\t", without_fix(message), flags=re.MULTILINE)


def last_words_of_jobs(states: Iterable[WorkloadState]) -> dict[str, str]:
    """Return the last words of pods that have failed, by the names of their Jobs."""
    failed = ((state.name, state.unready) for state in states if state.kind == JOB)
    return {name: found.detail for name, found in failed if found and found.cause is Cause.CRASH and found.detail}


def _is_real(step: StepEventMetadata) -> bool:
    """Return whether the step is about something outside the state: not a component, the stack or a provider."""
    state = step.new or step.old
    return bool(state and state.custom) and not step.type.startswith("pulumi:")


def _step(step: StepEventMetadata) -> Step:
    detailed = step.detailed_diff or {}
    properties = {path: str(getattr(diff.diff_kind, "value", diff.diff_kind)) for path, diff in detailed.items()}
    return Step(operation=step.op.value, type=step.type, name=_logical_name(step), urn=step.urn, properties=properties)


def _logical_name(step: StepEventMetadata) -> str:
    return step.urn.rpartition("::")[2]


def _told(step: StepEventMetadata) -> tuple[str, str, str]:
    """Return what is said of a step in a preview, at its beginning and at its end."""
    if f"{TYPE}$" in step.urn and "delete" not in step.op.value:
        (would, doing, done), name = _CHECKING, _logical_name(step).rpartition("-preflight-")[2]
    else:
        would, (doing, done), name = _PLANNED.get(step.op, ""), _DOING.get(step.op, ("", "")), _name(step)
    return f"{would} {name}", f"{doing} {name}", f"{done} {name}"


def _name(step: StepEventMetadata) -> str:
    """Return the short type and the logical name, as `Release airflow`."""
    return f"{step.type.rpartition(':')[2]} {_logical_name(step)}"


def _key(step: StepEventMetadata) -> str:
    return f"{step.op}:{step.urn}"
