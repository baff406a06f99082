"""The rules as policies of CrossGuard: the only module that knows pulumi-policy.

Needs the environment of policy/requirements.txt: pulumi-policy and the program want different versions of protobuf.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policy.context import Context, allowed_registries, context_of, decided_in
from policy.convert import known
from policy.evaluate import evaluate_resources
from policy.model import JudgedResource, Level
from policy.rule import Rule
from policy.rules import ALL_RULES

_REGISTRIES: Final = "registries"
_CONFIGURED: Final = {
    "images-from-allowed-registries": PolicyConfigSchema(
        {_REGISTRIES: {"type": "array", "items": {"type": "string"}, "default": []}}
    )
}
_LEVELS: Final = {Level.MANDATORY: EnforcementLevel.MANDATORY, Level.ADVISORY: EnforcementLevel.ADVISORY}


def policies() -> list[Policy]:
    """Return a policy for each rule over resources. CrossGuard sees no steps, so the rule over steps is left out."""
    return [_policy(rule) for rule in ALL_RULES if rule.resource or rule.objects or rule.stack]


def _policy(rule: Rule) -> Policy:
    kind, validate = (
        (StackValidationPolicy, _over_stack(rule)) if rule.needs_stack else (ResourceValidationPolicy, _over_one(rule))
    )
    return kind(
        name=rule.id,
        description=rule.description,
        validate=validate,
        enforcement_level=_LEVELS[rule.level],
        config_schema=_CONFIGURED.get(rule.id),
        remediation_steps=rule.remedy,
    )


def _over_one(rule: Rule) -> Any:
    """Judge each resource before anything is done to it, in previews and in updates."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        context = Context(registries=(*allowed_registries(), *_more_registries(args)))
        _report(rule, [_resource(args)], context, report)

    return validate


def _over_stack(rule: Rule) -> Any:
    """Judge all resources once, at the end of a preview or an update."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [_resource(resource) for resource in args.resources]
        _report(rule, resources, context_of(resources, decided=_decided(resources)), report)

    return validate


def _decided(resources: list[JudgedResource]) -> frozenset[str]:
    """Return what is decided for the stack: only a URN tells its name here."""
    stacks = {found.urn.split("::")[0].rpartition(":")[2] for found in resources}
    return frozenset().union(*(decided_in(Path(__file__).parents[1], stack) for stack in stacks))


def _report(rule: Rule, resources: list[JudgedResource], context: Context, report: ReportViolation) -> None:
    if rule.decidable and rule.id in context.decided:
        return  # CrossGuard has one level for all violations of a policy
    for violation in evaluate_resources(resources, context, [rule]):
        report(f"{violation.subject}: {violation.message}. {rule.remedy}", violation.urn or None)


def _resource(args: Any) -> JudgedResource:
    """Convert either kind of arguments. CrossGuard does not tell whether a resource is retained."""
    return JudgedResource(
        type=args.resource_type,
        name=args.name,
        urn=args.urn,
        inputs=known(args.props, (UnknownValueError,)),
        protect=bool(args.opts.protect),
        parent=args.opts.parent or "",
    )


def _more_registries(args: ResourceValidationArgs) -> Iterable[str]:
    return [str(registry) for registry in (args.get_config() or {}).get(_REGISTRIES, ())]
