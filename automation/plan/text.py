"""A plan as text for people: stand-ins, results of policies, resources, Helm values, rendered objects."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from automation.plan.model import RELEASE_TYPE, Placeholder, Plan, PlannedResource, Why
from automation.yaml_text import as_yaml
from policy.model import Level


def plan_text(plan: Plan) -> str:
    """Return the whole plan; the same for the same plan."""
    return "\n".join(_lines(plan)) + "\n"


def placeholder_text(placeholder: Placeholder) -> str:
    """Return `airflow:KEY (why)`."""
    whys = {Why.ENCRYPTED: "encrypted in the stack's file", Why.MISSING: "not in the stack's file"}
    return f"airflow:{placeholder.key} ({whys[placeholder.why]})"


def _lines(plan: Plan) -> Iterator[str]:
    if plan.failure is not None:
        yield f"plan of {plan.stack} failed ({plan.failure.kind})"
        yield _indented(plan.failure.text)
        yield from plan.messages
        return
    custom = [resource for resource in plan.resources if not resource.component]
    yield f"plan of {plan.stack}: {len(custom)} resources in {len(plan.resources) - len(custom)} components"
    for clause in plan.stand_ins:
        yield f"stand-in: {clause}"
    for placeholder in plan.placeholders:
        yield f"stand-in: {placeholder_text(placeholder)}"
    yield from plan.messages
    for result in sorted(plan.policies, key=lambda result: result.level != Level.MANDATORY):
        yield f"policy: {result.subject}: {result.message} [{result.rule}, {result.level}]"
    for resource in plan.resources:
        yield ""
        yield _heading(resource)
        inputs = {
            key: item for key, item in resource.inputs.items() if (resource.type, key) != (RELEASE_TYPE, "values")
        }
        if inputs:
            yield _indented(as_yaml(inputs))
    if plan.release is not None:
        yield f"\nHelm values of {plan.release.name}"
        yield _indented(as_yaml(plan.release.inputs.get("values") or {}))
    if plan.objects is None:
        yield f"\nobjects of the chart: not rendered: {plan.no_objects}"
    else:
        yield f"\nobjects of the chart: {len(plan.objects)}"
        for manifest in plan.objects:
            yield f"---\n{as_yaml(manifest)}".rstrip("\n")
    yield "\noutputs"
    yield _indented(as_yaml(plan.outputs))


def _heading(resource: PlannedResource) -> str:
    options = {
        "component": resource.component,
        "protected": resource.protect,
        "kept when deleted": resource.retain_on_delete,
    }
    given = ", ".join(option for option, on in options.items() if on)
    return f"{resource.type} {resource.name}" + (f" ({given})" if given else "")


def _indented(text: str) -> str:
    return textwrap.indent(text.rstrip("\n"), "  ")
