"""The verbs that look at a stack and change nothing in its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automation.cli.console import Console
from automation.cli.declare import COMMON, DONE, STACK, WAIT_SECONDS, Call, argument, seconds, verb
from automation.cli.report_text import Table, write_table
from automation.errors import NotHealthy, PreflightFailed
from automation.verification.result import Status, Verification

if TYPE_CHECKING:
    from automation.recovery.status import StackStatus
    from automation.results import History


@verb(
    "check a deployment; one of the checks runs a DAG",
    STACK,
    *COMMON,
    argument("--dag", metavar="DAG_ID", help="the DAG to run; without it a harmless one is chosen"),
    argument("--timeout", type=seconds, default=WAIT_SECONDS, metavar="SECONDS", help="how long each check may wait"),
)
def verify(call: Call) -> int:
    """Verify a stack. Raises NotHealthy where a check failed."""
    args = call.args
    with call.opened() as environment:
        result = environment.verify(dag_id=args.dag, timeout_seconds=args.timeout, on_event=call.console.event)
    settle_verification(result, call.console, as_json=args.json)
    return DONE


@verb("try what the next up will need: DAG repository, images, database, cluster", STACK, *COMMON)
def preflight(call: Call) -> int:
    """Make the checks of the preflight alone. Raises PreflightFailed where one failed."""
    from components.preflight.finding import Verdict, counted

    with call.opened() as environment:
        result = environment.preflight(on_event=call.console.event)
    styles = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.WARNING: "yellow"}
    rows = tuple(
        (check.verdict.value, check.name, "see below" if check.verdict is Verdict.FAILED else str(check))
        for check in result.checks
    )
    table = Table(("", "check", "what was seen"), rows, tuple(styles.get(check.verdict, "") for check in result.checks))
    lines: list[str | Table] = [table] if rows else ["airflow:preflight is off: nothing is checked"]
    if result.new_namespace:
        lines.append("the namespace is not there yet: pods ran in a temporary one, without the quotas that it may get")
    call.show(result, *lines)
    if not result.ok:
        raise PreflightFailed(counted(len(result.problems)), result.problems)
    return DONE


@verb("say what is wrong with a stack: a running or interrupted update, release, pods, Jobs", STACK, *COMMON)
def status(call: Call) -> int:
    """Print what is wrong with a stack. Raises NotHealthy where something is."""
    from automation.stacks.place import no_such_stack

    with call.opened() as environment:
        result = environment.status()
    lines = [*result.problems, *(f"note: {note}" for note in result.notes)]
    if result.locks is None:
        lines.append("this backend does not tell who holds a lock")
    if result.exists and result.healthy:
        lines.append(f"stack {result.stack} is {'healthy' if result.deployed else 'empty'}")
    if result.dags:
        lines.append(f"DAGs: {result.dags}")
    call.show(result, *lines)
    if not result.exists:
        raise no_such_stack(result.stack, environment.backend)
    if result.running:
        raise NotHealthy(f"stack {result.stack} is being updated", "wait for its end, and ask again")
    if not result.healthy:
        raise NotHealthy(f"stack {result.stack} is not healthy", _remedy(result))
    return DONE


@verb("print a stack's outputs", STACK, *COMMON)
def outputs(call: Call) -> int:
    """Print a stack's outputs."""
    with call.opened() as environment:
        result = environment.outputs()
    rows = tuple((name, str(value)) for name, value in sorted(result.values.items()))
    call.show(result, Table(("output", "value"), rows))
    return DONE


@verb(
    "print earlier operations of a stack",
    STACK,
    *COMMON,
    argument("--limit", type=int, default=20, help="how many; default: %(default)s"),
)
def history(call: Call) -> int:
    """Print earlier operations."""
    with call.opened() as environment:
        result = environment.history(call.args.limit)
    call.show(result, _history_table(result))
    return DONE


def settle_verification(result: Verification, console: Console, *, as_json: bool = False) -> None:
    """Write the result of a verification. Raises NotHealthy where a check failed."""
    if as_json:
        console.json(result.to_json())
    else:
        console.close()
        write_table(result, console.results)
    if not result.ok:
        names = ", ".join(check.name for check in result.checks if check.status is Status.FAILED)
        raise NotHealthy(
            f"verification failed: {names}", "see the table above; then: python -m automation verify STACK"
        )


def _remedy(status: StackStatus) -> str:
    """Return what makes a stack healthy again."""
    from automation.engine.failures import corrections

    if status.interrupted:
        return f"python -m automation recover {status.stack}"
    correct = corrections(status.cluster.workloads) if status.cluster else ""
    return f"{correct}; then up" if correct else "see the lines above"


def _history_table(history: History) -> Table:
    styles = {"succeeded": "green", "failed": "bold red"}
    return Table(
        headings=("result", "kind", "ended", "image", "changes"),
        rows=tuple(
            (entry.result, entry.kind, entry.ended or "never", entry.image_tag, str(entry.changes))
            for entry in history.entries
        ),
        styles=tuple(styles.get(entry.result, "") for entry in history.entries),
    )
