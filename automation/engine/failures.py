"""Turns errors of the engine, whose text is the engine's whole output, into typed errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from pulumi.automation import CommandError, ConcurrentUpdateError

from automation.engine.causes import cause_of
from automation.engine.hidden_refusals import hidden_rights
from automation.engine.locks import parse_locks
from automation.errors import (
    AutomationError,
    ClusterUnreachable,
    MigrationFailed,
    NotHealthy,
    PlanViolated,
    PreflightFailed,
    Protected,
    ReleaseStuck,
    SettingsInvalid,
    StackLocked,
    UpdateFailed,
)
from automation.results import Step
from components.aws.deploying_role import statements_for
from components.kube.fix_text import FIX, without_fix
from components.kube.log_lines import refused_statement
from components.kube.unready_pods import Cause
from components.kube.workload_states import WorkloadState
from components.preflight.finding import FOUND
from components.secrets.masker import Masker
from components.secrets.plan_violation import without_values

_EXCEPTION: Final = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.MULTILINE | re.DOTALL)
_ERROR_LINE: Final = re.compile(r"^ *(?:stderr: )?error: *(.+)$", re.MULTILINE)
"""An error in the text of a CommandError, which puts its name before each stream."""
_SETTINGS: Final = re.compile(r"config of stack (\S+): (?:one problem|\d+ problems)\n((?: +\S.*(?:\n|$))+)")
_PREFLIGHT: Final = re.compile(rf"{re.escape(FOUND)} (?:one problem|\d+ problems)\n((?: +\S.*(?:\n|$))+)")
_LENGTH: Final = 600

_UNREACHABLE: Final = re.compile(
    r"Kubernetes cluster is unreachable|unreachable cluster|unable to load Kubernetes client configuration"
)
_STUCK: Final = re.compile(
    r"another operation \(install/upgrade/rollback\) is in progress|cannot re-use a name that is still in use"
    r"|has no deployed releases"
)
_PROTECTED: Final = re.compile(r"because it is protected|marked for protection")
_DENIED: Final = re.compile(r'is not authorized to perform: "?([a-z0-9-]+:\w+)"?(?: on resource: "?(arn:[^\s"]+)"?)?')
"""What AWS says of a right that the caller does not have."""
_TOO_LATE: Final = re.compile(r"timed out|deadline exceeded|allocated timeout|fully initialize or become live")
_RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_JOB: Final = "kubernetes:batch/v1:Job"


_CORRECT: Final = {
    Cause.IMAGE: "correct the image's name, tag or credentials (airflow:image…, airflow:registryCredentials)",
    Cause.CONFIG: "make the Secret, the ConfigMap or the key that it names, or correct airflow:helmValues",
    Cause.VOLUME: "make what it names, or correct the storage class or airflow:helmValues",
    Cause.INIT: "correct airflow:dagsRepository, airflow:dagsRef or the credentials for it",
    Cause.CRASH: "read its log, kubectl logs --previous POD; then correct that",
    Cause.SCHEDULING: "add nodes, or ask for less: airflow:size, airflow:helmValues",
    Cause.DENIED: "raise the quota or the limit, or correct what is refused",
}
"""What to do about each cause of a wait that is hopeless."""
_OUT_OF_MEMORY: Final = "OOMKilled"
_MEMORY: Final = "give it more memory: airflow:size, airflow:helmValues"


def engine_error(
    error: CommandError,
    action: str,
    reported: Iterable[str] = (),
    *,
    stack: str = "STACK",
    failed: Sequence[Step] = (),
    half_done: Sequence[Step] = (),
    warnings: Sequence[str] = (),
    clean: Callable[[str], str] | None = None,
    said: Callable[[], Mapping[str, str]] = dict,
) -> AutomationError:
    """Return a typed error for a failed command of the engine. Raise it `from None`: the cause holds all the output.

    Args:
        error: The engine's error.
        action: What was tried, as the beginning of a sentence.
        reported: The errors among the engine's events.
        stack: The name of the stack, for remedies.
        failed: The steps that failed.
        half_done: Those of them that have changed something all the same.
        warnings: The warnings among the engine's events. They may name pods.
        clean: Masks known secrets in a text. None masks what looks like one.
        said: Returns the last words of the pods of Jobs, by the names of the Jobs in the cluster.
    """
    if isinstance(error, ConcurrentUpdateError):
        return locked(action, str(error), stack)
    clean = clean or Masker().text
    # The engine's last error is "update failed", which adds nothing.
    reasons = [clean(text) for text in reported if not text.endswith("update failed")]
    reasons += _ERROR_LINE.findall(clean(without_values(str(error))))
    text = "\n".join(reasons)
    settings = _SETTINGS.search(text)
    if settings:
        return SettingsInvalid(settings[1], tuple(line.strip() for line in settings[2].splitlines()))
    # Several checks are made at once, and each fails with an error of its own.
    found = [line.strip() for match in _PREFLIGHT.finditer(text) for line in match[1].splitlines()]
    if found:
        problems = tuple(dict.fromkeys(found))
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        return PreflightFailed(f"{action} ended before anything that runs was changed: {FOUND} {count}", problems)
    reason = first_lines(reasons[0]) if reasons else "no reason given"
    reason, _, remedy = reason.partition(FIX)
    kind, usual = _kind(text, failed, half_done, stack)
    if kind is MigrationFailed and not refused_statement(text):
        # The provider quotes a pod only if it has seen that pod end before the Job.
        words = next((words for job, words in said().items() if job in text), "")
        if words:
            said_there, _, told = clean(words).partition(FIX)
            reason, remedy = f"{reason.partition(':')[0]}: {said_there}", remedy or told
    pods = "".join(f"; {first_lines(clean(warning))}" for warning in warnings) if kind is NotHealthy else ""
    return kind(f"{action} failed: {reason}{pods}", remedy or usual)


def hopeless(action: str, states: Sequence[WorkloadState], stack: str) -> NotHealthy:
    """Return the error of an update that was ended because its pods cannot become ready by waiting."""
    # The same reason mostly stops several workloads: it is told once, with all their names.
    by_reason: dict[str, list[str]] = {}
    for state in states:
        by_reason.setdefault(state.unready.short.rstrip(".") if state.unready is not None else "", []).append(
            state.name
        )
    reasons = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
    return NotHealthy(
        f"{action} was ended, because waiting cannot make this ready: {reasons}",
        f"{corrections(states) or 'correct that'}; then run up again: it goes on from here. "
        f"python -m automation status {stack} has all messages",
    )


def corrections(states: Iterable[WorkloadState]) -> str:
    """Return what to do about the causes for which workloads are not ready; "" if no cause says it."""
    reasons = [state.unready for state in states if state.unready is not None]
    found = (_MEMORY if _OUT_OF_MEMORY in item.reason else _CORRECT.get(item.cause, "") for item in reasons)
    return "; ".join(filter(None, dict.fromkeys(found)))


def locked(action: str, text: str, stack: str) -> StackLocked:
    """Return the error for a lock. The engine's `text` names the holders if the backend keeps its locks in files."""
    locks = parse_locks(text)
    holders = "; ".join(map(str, locks))
    # A recovery would deploy again what should go. A destroy sees by itself that a process of this machine is gone.
    after_kill = f"destroy {stack} --lock-is-stale" if action.startswith("destroy ") else f"recover {stack}"
    return StackLocked(
        f"{action}: another update of this stack is under way, or was killed and left its lock"
        + (f" ({holders})" if holders else ""),
        f"wait for it; if it was killed: python -m automation {after_kill}",
    )


def _kind(
    text: str, failed: Sequence[Step], half_done: Sequence[Step], stack: str
) -> tuple[type[AutomationError], str]:
    """Return which error it is, and its remedy if the text itself has none."""
    again = "correct that, and run it again"
    if _UNREACHABLE.search(text):
        return ClusterUnreachable, "kubectl get nodes must answer; then run it again"
    if _STUCK.search(text):
        return ReleaseStuck, f"python -m automation recover {stack}"
    if _PROTECTED.search(text):
        return Protected, unprotect(stack)
    if "violates plan" in text:
        # A key that is generated in the update cannot be in its plan.
        return (
            PlanViolated,
            "preview again, and update with the new plan; make the first update of a stack without a plan",
        )
    outside = cause_of(text, stack)
    if outside:
        return outside
    if missing := _missing_rights(text):
        allow = f"allow {', '.join(missing)} to the role that deploys; then"
        changed = [*half_done, *(step for step in failed if step.operation == "update")]
        if any(step.type.startswith("aws:") for step in changed):
            # The provider has written what it wanted into the state: the next update would find nothing to do.
            return UpdateFailed, f"{allow} python -m automation refresh {stack}, and run it again"
        return UpdateFailed, f"{allow} run it again"
    if any(step.type == _JOB and step.name.endswith("-migrate") for step in failed):
        return MigrationFailed, f"python -m automation status {stack}; the log of the Job's pod says why; then {again}"
    if _TOO_LATE.search(text) and any(step.type.startswith("kubernetes:") for step in failed):
        return NotHealthy, f"python -m automation status {stack} says which pods and why; {again}"
    if any(step.type == _RELEASE for step in failed):
        return UpdateFailed, f"python -m automation status {stack} says what is wrong; {again}"
    return UpdateFailed, again


def _missing_rights(text: str) -> tuple[str, ...]:
    """Return every right that AWS misses in the text, with the statements that give it."""
    missing = [(match[1], match[2] or "") for match in _DENIED.finditer(text)]
    found = ((action, statements_for(action, resource)) for action, resource in (*missing, *hidden_rights(text)))
    # Resources that are made at the same time often lack the same one.
    return tuple(dict.fromkeys(f"{action} ({given})" if given else action for action, given in found))


def unprotect(stack: str) -> str:
    """Return the remedy for a protected stack that is meant to lose its data and keys."""
    return f"if you mean it: pulumi config set airflow:protect false --stack {stack}, then up, then run this again"


def first_lines(text: str) -> str:
    """Return one line, shortened if it is long. Only the exception is left of a Python traceback."""
    statement = refused_statement(text)
    if statement:
        text = f"{text.partition(':')[0]}: {without_fix(statement)}"
    elif "Traceback (most recent call last)" in text:
        exception = _EXCEPTION.search(text.partition("Traceback (most recent call last)")[2])
        text = exception.group() if exception else text
    line = " ".join(text.removeprefix("error:").split())
    return line if len(line) <= _LENGTH else f"{line[:_LENGTH]}…"
