"""The verb `adopt`: takes over a release that Helm or Helmsman installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automation.cli.declare import COMMON, DRY_RUN, STACK, TIMEOUT, Call, verb
from automation.cli.report_text import Table
from automation.errors import AdoptionRefused

if TYPE_CHECKING:
    from automation.adoption.plan import AdoptionPlan


@verb(
    "take over a release that Helm or Helmsman installed, with its database and keys",
    STACK,
    *COMMON,
    DRY_RUN,
    TIMEOUT,
)
def adopt(call: Call) -> int:
    """Take over a release. Raises AdoptionRefused where that is not possible."""
    with call.opened() as environment:
        if not call.args.dry_run:
            result = environment.adopt(timeout_seconds=call.args.timeout, on_event=call.console.event)
            call.show(result, f"adopt of {result.update.stack}: {result.update.changes}; healthy")
            return call.exit_code(changed=True)
        plan = environment.adoption(on_event=call.console.event)
    call.show(plan, *(() if call.args.json else _lines(plan)))
    if plan.refusals:
        raise AdoptionRefused(plan.stack, plan.refusals)
    return call.exit_code(changed=True)


def _lines(plan: AdoptionPlan) -> list[str | Table]:
    """Return what is taken over, and the change report of the first update."""
    from automation.change_report.markdown import markdown
    from automation.change_report.model import ChangeReport

    lines: list[str | Table] = [
        f"release airflow in {plan.namespace}: revision {plan.revision}, chart {plan.chart_version}, "
        f"Airflow {plan.airflow_version}"
    ]
    rows = tuple((item.key, item.value, item.source) for item in plan.taken)
    if rows:
        lines.append(Table(("config that it decides", "value", "from"), rows))
    if plan.report is not None:
        base = f"release airflow, revision {plan.revision}"
        lines.append(markdown(ChangeReport(base=base, head=f"stack {plan.stack}", stacks=(plan.report,)), limit=None))
    return [*lines, *plan.notes]
