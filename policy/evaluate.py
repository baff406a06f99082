"""Runs the rules. The policy pack, the change report and the tests all come through here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from policy.context import Context, context_of
from policy.convert import object_of_resource
from policy.model import Finding, JudgedResource, JudgedStep, Level, RenderedObject, Violation
from policy.rule import Rule
from policy.rules import ALL_RULES


def evaluate_resources(
    resources: Sequence[JudgedResource], context: Context | None = None, rules: Iterable[Rule] = ALL_RULES
) -> list[Violation]:
    """Return what is wrong with resources. Without `context` they are the whole stack and decide what it may do."""
    context = context or context_of(resources)
    objects = [made for resource in resources if (made := resource.made_by(object_of_resource)) is not None]
    violations: list[Violation] = []
    for rule in rules:
        if rule.resource:
            for resource in resources:
                if found := list(rule.resource(resource, context)):
                    violations += _of(rule, context, found, resource.label, resource.urn)
        if rule.objects:
            violations += _of(rule, context, rule.objects(objects, context))
        if rule.stack:
            violations += _of(rule, context, rule.stack(resources, context))
    return violations


def evaluate_objects(
    objects: Sequence[RenderedObject], context: Context | None = None, rules: Iterable[Rule] = ALL_RULES
) -> list[Violation]:
    """Return what is wrong with objects that belong together, such as all that a chart renders."""
    context = context or Context()
    return [
        violation for rule in rules if rule.objects for violation in _of(rule, context, rule.objects(objects, context))
    ]


def evaluate_steps(
    steps: Iterable[JudgedStep], context: Context | None = None, rules: Iterable[Rule] = ALL_RULES
) -> list[Violation]:
    """Return what is wrong with what the engine would do. A resource with several steps is reported once."""
    context = context or Context()
    found = list(steps)
    violations = {
        (violation.rule, violation.urn or violation.subject): violation
        for rule in rules
        if rule.step
        for step in found
        for violation in _of(rule, context, rule.step(step, context), step.label, step.urn)
    }
    return list(violations.values())


def _of(
    rule: Rule, context: Context, findings: Iterable[Finding], label: str = "", urn: str = ""
) -> Iterator[Violation]:
    for finding in findings:
        decided = rule.decidable and rule.id in context.decided
        yield Violation(
            rule=rule.id,
            subject=finding.label or label or "the stack",
            message=finding.message,
            level=Level.ADVISORY if finding.unknown or decided else rule.level,
            urn=finding.urn or urn,
        )
