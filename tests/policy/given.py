"""What a rule is asked about in tests: a stack, objects, or steps, with short ways to make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from policy.context import Context
from policy.evaluate import evaluate_objects, evaluate_resources, evaluate_steps
from policy.model import JudgedResource, JudgedStep, RenderedObject, Violation
from policy.rule import Rule

SIZED: Final = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a rule is asked about: a stack, objects, or steps."""

    resources: Sequence[JudgedResource] = ()
    objects: Sequence[RenderedObject] = ()
    steps: Sequence[JudgedStep] = ()
    context: Context = field(default_factory=Context)

    def judged_by(self, rule: Rule) -> list[Violation]:
        return [
            *evaluate_resources(self.resources, self.context, [rule]),
            *evaluate_objects(self.objects, self.context, [rule]),
            *evaluate_steps(self.steps, self.context, [rule]),
        ]


@dataclass(frozen=True, kw_only=True)
class Cases:
    """good, unknown: nothing is wrong, or with a warning at most. bad: the rule is broken.

    missing: what the rule is about is not there; missing_is_bad: and should be.
    """

    good: Sequence[Given]
    bad: Sequence[Given]
    missing: Sequence[Given]
    unknown: Sequence[Given]
    missing_is_bad: bool


def resource(type_: str, name: str = "x", *, parents: str = "", **options: Any) -> JudgedResource:
    chain = f"{parents}${type_}" if parents else type_
    return JudgedResource(type=type_, name=name, urn=f"urn:pulumi:s::airflow::{chain}::{name}", **options)


def stack(*resources: JudgedResource) -> Given:
    return Given(resources=resources)


def one(type_: str, **inputs: Any) -> Given:
    return stack(resource(type_, inputs=inputs))


def secret(name: str = "x", parents: str = "", **content: Any) -> Given:
    return stack(resource("kubernetes:core/v1:Secret", name, parents=parents, inputs={"stringData": content}))


def values(given: Any = None, **more: Any) -> Given:
    """A release of the Airflow chart without all that it starts by default; other values by dotted path."""
    result: dict[str, Any] = {
        "executor": "CeleryExecutor",
        **{name: {"enabled": False} for name in ("createUserJob", "migrateDatabaseJob", "postgresql", "statsd")},
        **{name: {"enabled": False, "safeToEvict": False} for name in ("scheduler", "triggerer", "redis")},
        "dagProcessor": {"enabled": False, "safeToEvict": False},
        "apiServer": {"enabled": False},
        "workers": {"celery": {"resources": SIZED, "logGroomerSidecar": {"enabled": False}}},
    }
    for path, value in (given or {}).items():
        *parents, last = path.split(".")
        container = result
        for part in parents:
            container = container.setdefault(part, {})
        container[last] = value
    inputs = {"chart": "./.charts/airflow-1.tgz", "values": result, **more}
    return one("kubernetes:helm.sh/v3:Release", **inputs)


def pod(kind: str = "Deployment", replicas: Any = 1, labels: Any = None, **container: Any) -> RenderedObject:
    spec = container.pop("pod", {})
    template = {
        "metadata": {"labels": {"component": "x"} if labels is None else labels},
        "spec": {"containers": [{"name": "c", "image": "redis:7", **container}], **spec},
    }
    return RenderedObject(kind=kind, name="x", body={"spec": {"replicas": replicas, "template": template}})


def objects(*found: RenderedObject) -> Given:
    return Given(objects=found)


def budget(**limits: Any) -> RenderedObject:
    spec = {"selector": {"matchLabels": {"component": "x"}}, **limits}
    return RenderedObject(kind="PodDisruptionBudget", name="b", body={"spec": spec})


def steps(operation: str, type_: str, *, context: Context | None = None, parents: str = "", **options: Any) -> Given:
    found = resource(type_, parents=parents)
    step = JudgedStep(operation=operation, type=type_, name="x", urn=found.urn, **options)
    return Given(steps=[step], context=context or Context())
