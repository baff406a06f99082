"""The change report of two checkouts: plans the stacks of both, and compares them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from automation.change_report.checkout import Checkout, checkout
from automation.change_report.compare import compare_plans
from automation.change_report.model import ChangeReport
from automation.errors import StackUnknown
from automation.plan.model import Plan
from automation.plan.process import new_key, plan_checkout


def compare_checkouts(
    base: str, head: str, stacks: list[str], project_dir: Path, *, render: bool = True
) -> ChangeReport:
    """Compare the stacks of two folders or commits. Raises RevisionUnknown, StackUnknown."""
    with checkout(base, project_dir) as before, checkout(head, project_dir) as after:
        _check_stacks(stacks, before, after)
        return change_report(before, after, stacks, render=render)


def change_report(base: Checkout, head: Checkout, stacks: list[str], *, render: bool = True) -> ChangeReport:
    """Plan each stack of both sides and compare them.

    The two sides are planned at once. The stacks of one side are planned one after the other: the first may still be
    putting the chart into the side's folder.
    """
    key = new_key()

    def plans(side: Checkout) -> list[Plan]:
        return [plan_checkout(side.folder, stack, render=render, key=key) for stack in stacks]

    with ThreadPoolExecutor(max_workers=2) as pool:
        before, after = pool.map(plans, (base, head))
    return ChangeReport(base=base.label, head=head.label, stacks=tuple(map(compare_plans, before, after)))


def _check_stacks(stacks: list[str], *sides: Checkout) -> None:
    """Raise StackUnknown for a stack without a file on either side. One with a file in the base alone is removed."""
    files = {path.name for side in sides for path in side.folder.glob("Pulumi.*.yaml")}
    for stack in stacks:
        if f"Pulumi.{stack}.yaml" not in files:
            names = ", ".join(sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in files))
            raise StackUnknown(
                f"--stacks: no Pulumi.{stack}.yaml in base or head; there are: {names or 'none'}", "name one of these"
            )
