"""Where plans and change reports meet the policies: what they say of resources, rendered objects and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from automation.plan.model import PlannedResource, PolicyResult
from automation.plan.recorder import Registration, SecretValue
from components.secrets.masker import SHOWN, Masker
from policy.context import context_of
from policy.convert import known, objects_of
from policy.evaluate import evaluate_objects, evaluate_resources, evaluate_steps
from policy.model import UNKNOWN, Resource, Step, Violation
from policy.rules.stateful import lost_with

_HIDDEN: Final = "hidden"
"""What rules read in place of a secret: a text like any other, so that they see that there is one, and where."""


def plan_results(
    registrations: Iterable[Registration],
    manifests: Sequence[Mapping[str, Any]] | None,
    secrets: Iterable[str] = (),
) -> tuple[PolicyResult, ...]:
    """What is wrong with what a program registers, and with what Helm would make of it.

    Asked where the values are in clear: a key that stands where it must not is then seen as one. Of what the program
    marks as secret, rules read all but the secrets themselves: whether a connection is encrypted stands in a text that
    also holds a password. secrets: given and generated ones.
    """
    hidden = _hiding(secrets)
    resources = [
        Resource(
            type=found.type,
            name=found.name,
            urn=found.urn,
            inputs=known(_without_secrets(found.inputs, hidden)),
            protect=found.protected,
            retain_on_delete=bool(found.request.retainOnDelete),
            parent=found.request.parent,
        )
        for found in registrations
    ]
    context = context_of(resources)
    return _results([*evaluate_resources(resources, context), *evaluate_objects(objects_of(manifests or ()), context)])


def resource_results(resources: Iterable[PlannedResource]) -> tuple[PolicyResult, ...]:
    """What is wrong with resources whose secrets are masked: a key in clear, if it was masked, is not seen."""
    found = [
        Resource(
            type=resource.type,
            name=resource.name,
            urn=resource.urn,
            inputs=known(resource.inputs),
            protect=resource.protect,
            retain_on_delete=resource.retain_on_delete,
        )
        for resource in resources
    ]
    return _results(evaluate_resources(found))


def step_results(
    steps: Iterable[tuple[str, PlannedResource]],
    resources: Iterable[PlannedResource],
    decided: Iterable[str] = (),
) -> tuple[PolicyResult, ...]:
    """What is wrong with steps.

    steps: the engine's word, and the resource as it is there, or shall be. resources: all that is there.
    decided: names and URNs of resources of which it is meant.
    """
    asked = [_step(operation, found) for operation, found in steps]
    stack = [Resource(type=found.type, name=found.name, urn=found.urn, protect=found.protect) for found in resources]
    return _results(evaluate_steps(asked, context_of(stack, decided=decided)))


def loss(resource: PlannedResource) -> str | None:
    """What is lost with a resource that is deleted or replaced, or None."""
    return lost_with(_step("delete", resource))


def _step(operation: str, found: PlannedResource) -> Step:
    return Step(
        operation=operation,
        type=found.type,
        name=found.name,
        urn=found.urn,
        protect=found.protect,
        retain_on_delete=found.retain_on_delete,
    )


def _results(violations: Iterable[Violation]) -> tuple[PolicyResult, ...]:
    found = {
        PolicyResult(rule=item.rule, level=item.level.value, subject=item.subject, message=item.message)
        for item in violations
    }
    key = attrgetter("rule", "subject", "message")
    return tuple(sorted(found, key=lambda result: (result.level != "mandatory", key(result))))


def _hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    """Takes secrets out of a text that is marked as secret because it holds some, and what looks like one."""
    whole = frozenset(secrets)
    masker = Masker(secrets=whole)

    def hidden(text: str) -> str:
        # A short one is found nowhere else: it could be any word.
        return (SHOWN if text in whole else masker.text(text)).replace(SHOWN, _HIDDEN)

    return hidden


def _without_secrets(value: Any, hidden: Callable[[str], str], *, marked: bool = False) -> Any:
    """marked: the value is part of what is marked as secret; there a number or a truth is not known."""
    if isinstance(value, SecretValue):
        return _without_secrets(value.value, hidden, marked=True)
    if isinstance(value, Mapping):
        return {key: _without_secrets(item, hidden, marked=marked) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, hidden, marked=marked) for item in value]
    if not marked or value is None:
        return value
    return hidden(value) if isinstance(value, str) else UNKNOWN
