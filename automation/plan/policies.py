"""What the policies say about the resources, rendered objects and steps of plans and change reports."""

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
from policy.model import UNKNOWN, JudgedResource, JudgedStep, Violation
from policy.rules.stateful import lost_with

_HIDDEN: Final = "hidden"
"""The text that rules read in place of a secret: they see that there is one, and where."""


def plan_results(
    registrations: Iterable[Registration],
    manifests: Sequence[Mapping[str, Any]] | None,
    secrets: Iterable[str] = (),
    decided: Iterable[str] = (),
) -> tuple[PolicyResult, ...]:
    """Return what the policies say about what a program registers, and about what Helm would make of it.

    The values are not masked yet, so that a key in the wrong place is seen. In what the program marks as secret, rules
    read everything but the secrets: whether a connection is encrypted stands in a text that also holds a password.

    Args:
        secrets: Given and generated secrets.
        decided: What is decided for the stack (`policy.context.decided_in`).
    """
    hidden = _hiding(secrets)
    resources = [
        JudgedResource(
            type=item.type,
            name=item.name,
            urn=item.urn,
            inputs=known(_without_secrets(item.inputs, hidden)),
            protect=item.protected,
            retain_on_delete=bool(item.request.retainOnDelete),
            parent=item.request.parent,
        )
        for item in registrations
    ]
    context = context_of(resources, decided=decided)
    objects = [] if manifests is None else objects_of(manifests, resources)
    return _results([*evaluate_resources(resources, context), *evaluate_objects(objects, context)])


def resource_results(resources: Iterable[PlannedResource], decided: Iterable[str] = ()) -> tuple[PolicyResult, ...]:
    """Return what the policies say about masked resources. A key that was masked is not seen."""
    judged = [
        JudgedResource(
            type=resource.type,
            name=resource.name,
            urn=resource.urn,
            inputs=known(resource.inputs),
            protect=resource.protect,
            retain_on_delete=resource.retain_on_delete,
        )
        for resource in resources
    ]
    return _results(evaluate_resources(judged, context_of(judged, decided=decided)))


def step_results(
    steps: Iterable[tuple[str, PlannedResource]],
    resources: Iterable[PlannedResource],
    decided: Iterable[str] = (),
) -> tuple[PolicyResult, ...]:
    """Return what the policies say about steps.

    Args:
        steps: The engine's word, and the resource as it is there, or shall be.
        resources: All resources that are there.
        decided: Names and URNs of resources that may be replaced or deleted.
    """
    judged = [_step(operation, resource) for operation, resource in steps]
    stack = [JudgedResource(type=item.type, name=item.name, urn=item.urn, protect=item.protect) for item in resources]
    return _results(evaluate_steps(judged, context_of(stack, decided=decided)))


def loss(type_: str, name: str, urn: str) -> str | None:
    """Return what is lost with a resource that is deleted or replaced, or None."""
    return lost_with(JudgedStep(operation="delete", type=type_, name=name, urn=urn))


def _step(operation: str, resource: PlannedResource) -> JudgedStep:
    return JudgedStep(
        operation=operation,
        type=resource.type,
        name=resource.name,
        urn=resource.urn,
        protect=resource.protect,
        retain_on_delete=resource.retain_on_delete,
    )


def _results(violations: Iterable[Violation]) -> tuple[PolicyResult, ...]:
    results = {
        PolicyResult(rule=item.rule, level=item.level.value, subject=item.subject, message=item.message)
        for item in violations
    }
    key = attrgetter("rule", "subject", "message")
    return tuple(sorted(results, key=lambda result: (result.level != "mandatory", key(result))))


def _hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that takes secrets, and what looks like one, out of a text."""
    whole = frozenset(secrets)
    masker = Masker(secrets=whole)

    def hidden(text: str) -> str:
        # A short secret is hidden only as a whole text: it could be any word.
        return (SHOWN if text in whole else masker.text(text)).replace(SHOWN, _HIDDEN)

    return hidden


def _without_secrets(value: Any, hidden: Callable[[str], str], *, marked: bool = False) -> Any:
    """Return a value without secrets. In what is `marked` as secret, a number or a boolean is unknown."""
    if isinstance(value, SecretValue):
        return _without_secrets(value.value, hidden, marked=True)
    if isinstance(value, Mapping):
        return {key: _without_secrets(item, hidden, marked=marked) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, hidden, marked=marked) for item in value]
    if not marked or value is None:
        return value
    return hidden(value) if isinstance(value, str) else UNKNOWN
