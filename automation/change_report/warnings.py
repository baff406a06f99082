"""What a reviewer must not overlook, as sentences: what is lost, refused, interrupted or less safe than before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from automation.change_report.model import (
    Alert,
    Category,
    Kind,
    PropertyChange,
    Roll,
    Severity,
    Source,
    StackReport,
    Step,
)
from automation.plan import policies
from automation.plan.model import RELEASE_TYPE, PlannedResource
from policy.context import DECIDED

_CLAIM: Final = "PersistentVolumeClaim"
_KEYS: Final = "airflow:index:AirflowKeys"
_INSTANCE: Final = "aws:rds/instance:Instance"
_JOB: Final = "kubernetes:batch/v1:Job"
_NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_NETWORK_POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_SECRET: Final = "kubernetes:core/v1:Secret"
_AWS_PROVIDER: Final = "pulumi:providers:aws"
_CLUSTER_PROVIDER: Final = "pulumi:providers:kubernetes"
_MIGRATION: Final = "-migrate"
_NAMED: Final = 8

_REPLACED_BY_DESIGN: Final = frozenset(
    {_SECRET, _JOB, "kubernetes:core/v1:ConfigMap", "aws:secretsmanager/secretVersion:SecretVersion"}
)
"""The new one has a name of its own, and the old one stays until nothing uses it."""

_KEY_COSTS: Final[Mapping[str, tuple[Severity, str, str]]] = {
    # Ending of a Secret's name: severity, config key, what it costs (docs/architecture.md, "Keys and Secrets").
    "-fernet-key": (
        Severity.DANGER,
        "fernetKey",
        "what the old one encrypted cannot be read, unless the new value still holds it: see "
        "docs/runbooks/rotate-keys.md",
    ),
    "-jwt-secret": (
        Severity.WARNING,
        "jwtSecret",
        "every token ends: people are logged out, and tasks that run fail",
    ),
    "-api-secret-key": (
        Severity.WARNING,
        "apiSecretKey",
        "people are logged out, and while pods roll some logs cannot be read",
    ),
    "-redis-password": (
        Severity.WARNING,
        "redisPassword",
        "no task starts until Redis and every pod of Airflow has rolled",
    ),
    "-admin-password": (Severity.NOTE, "adminPassword", "a Job sets it in Airflow; nothing rolls"),
}

_INTERRUPTED: Final[Mapping[str, str]] = {
    # Label `component` of the pods: what nobody can do while none is ready.
    "redis": "no task starts until it is back",
    "statsd": "metrics of that time are missing",
    "pgbouncer": "Airflow has no way to its database until it is back",
    "postgres": "Airflow has no database until it is back",
    "scheduler": "nothing is scheduled until it is back",
    "api-server": "neither people nor tasks reach Airflow until it is back: tasks that run may fail",
    "worker": "no task runs until it is back",
    "triggerer": "deferred tasks wait until it is back",
    "dag-processor": "changes of DAGs wait until it is back",
}


def warnings_of(
    report: StackReport, before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]
) -> tuple[Alert, ...]:
    """Warnings of a report that has its steps and rolls, the gravest first. before, after: resources by URN."""
    found = [
        *_errors(report),
        *_immutable(report),
        *_protection(report.steps, before, after),
        *_deletions(report.steps),
        *_chart_deletions(report),
        *_replacements(report.steps),
        *_places(report.steps),
        *_database(report.steps, after),
        *_keys(report),
        *_downtime(report.rolls),
        *_isolation(report.steps),
        *_chart(report.steps),
        *_placeholders(report),
        *_decisions(report),
    ]
    severities, categories = list(Severity), list(Category)
    return tuple(
        sorted(
            dict.fromkeys(found),
            key=lambda item: (severities.index(item.severity), categories.index(item.category), str(item)),
        )
    )


def _listed(text: str, names: Iterable[str], severity: Severity, category: Category) -> Alert:
    """A warning about several things. text: with `{}` in their place."""
    every = list(names)
    shown = every[:_NAMED]
    places = ", ".join(f"{{{index}}}" for index in range(len(shown)))
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return Alert(severity=severity, category=category, text=text.replace("{}", places + more), names=tuple(shown))


def _of(steps: Iterable[Step], *kinds: Kind, type_: str | None = None) -> list[Step]:
    """Steps on resources, without components."""
    return [step for step in steps if step.kind in kinds and not step.component and type_ in (None, step.type)]


def _resource(step: Step) -> PlannedResource:
    return PlannedResource(
        urn=step.urn,
        type=step.type,
        name=step.name,
        component=step.component,
        inputs={},
        protect=step.protected,
        retain_on_delete=step.kept,
    )


# Refused by the engine, protected, deleted, replaced


def _errors(report: StackReport) -> Iterator[Alert]:
    """Errors of the engine or of a provider, beside steps that are known. What only a program logged is none."""
    if report.source is not Source.PREVIEW or report.head_failure is not None:
        return
    for message in report.messages:
        if message.startswith("error: "):
            names = (" ".join(message.removeprefix("error: ").split()),)
            text = "the preview failed, and what comes after that is not told here: {0}"
            yield Alert(severity=Severity.DANGER, category=Category.FAILED, text=text, names=names)


def _immutable(report: StackReport) -> Iterator[Alert]:
    """Objects of the chart that Helm cannot patch: the update fails in the middle, where nothing else foretells it."""
    for found in report.objects or ():
        if not found.refused:
            continue
        kind, _, name = found.label.partition(" ")
        text = "{0}: Kubernetes lets nobody change {1}, and the update fails after the database is migrated. Undo it"
        if kind == _CLAIM:
            text += ": to delete the claim first deletes what is in it"
        else:
            text += ", or right before the update, in the stack's namespace: {2}"
        command = f"kubectl delete {kind.lower()} {name}"
        if kind == "StatefulSet" and "spec.selector" not in found.refused:
            command += " --cascade=orphan"
            text += "; its pods go on. Volumes that are there stay as they are"
        yield Alert(
            severity=Severity.DANGER,
            category=Category.REFUSED,
            text=text,
            names=(found.label, ", ".join(found.refused), command),
        )


def _protection(
    steps: Iterable[Step], before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource]
) -> Iterator[Alert]:
    refused = [step.label for step in _of(steps, Kind.DELETE, Kind.REPLACE) if step.protected]
    if refused:
        text = "{} is protected: the update is refused, unless somebody takes the protection away first"
        if len(refused) > 1:
            text = "{} are protected: the update is refused, unless somebody takes the protection away first"
        yield _listed(text, refused, Severity.DANGER, Category.PROTECTED)
    unprotected = [
        f"{found.type.rpartition(':')[2]} {found.name}"
        for urn, found in sorted(before.items())
        if urn in after and found.protect and not after[urn].protect and not found.component
    ]
    if unprotected:
        text = "no longer protected, so that a later update may delete or replace it: {}"
        yield _listed(text, unprotected, Severity.WARNING, Category.PROTECTED)


def _deletions(steps: tuple[Step, ...]) -> Iterator[Alert]:
    components = [step for step in steps if step.component and step.kind is Kind.DELETE]
    for component in components:
        owned = sum(_owns(component, step) for step in _of(steps, Kind.DELETE))
        text = f"component {{0}} is deleted, with all that it owns: resources: {owned}"
        yield Alert(severity=Severity.WARNING, category=Category.DELETE, text=text, names=(component.label,))
    harmless = []
    for step in _of(steps, Kind.DELETE):
        lost = policies.loss(_resource(step))
        if step.kept:
            text = "{0} leaves the stack; what is there is left as it is, and belongs to nobody"
            yield Alert(severity=Severity.NOTE, category=Category.DELETE, text=text, names=(step.label,))
        elif lost is not None:
            text = f"{{0}} is deleted, and {lost} is lost"
            yield Alert(severity=Severity.DANGER, category=Category.DELETE, text=text, names=(step.label,))
        elif step.type != _NETWORK_POLICY and not any(_owns(component, step) for component in components):
            harmless.append(step.label)
    if harmless:
        yield _listed("deleted: {}", harmless, Severity.WARNING, Category.DELETE)


def _owns(component: Step, step: Step) -> bool:
    """By the URN, which names the types of all parents, and the name, which begins with the component's."""
    parents = component.urn.rpartition("::")[0]
    return step.urn.startswith(f"{parents}$") and step.name.startswith(component.name)


def _chart_deletions(report: StackReport) -> Iterator[Alert]:
    deleted = [found.label for found in report.objects or () if found.kind is Kind.DELETE]
    if deleted:
        yield _listed("objects of the chart that are deleted: {}", deleted, Severity.WARNING, Category.DELETE)


def _replacements(steps: Iterable[Step]) -> Iterator[Alert]:
    for step in _of(steps, Kind.REPLACE):
        if step.type == _SECRET:
            continue  # what another key costs is told with the keys
        lost = policies.loss(_resource(step))
        cause = ", ".join(change.path for change in step.changes if change.replaces) or "a reason that is not told"
        if lost is not None:
            text = f"{{0}} is replaced, because {{1}} changes, and {lost} is lost"
            yield Alert(severity=Severity.DANGER, category=Category.REPLACE, text=text, names=(step.label, cause))
        elif step.type not in _REPLACED_BY_DESIGN and step.change("provider") is None:
            text = "{0} is replaced, because {1} changes"
            yield Alert(severity=Severity.WARNING, category=Category.REPLACE, text=text, names=(step.label, cause))


def _places(steps: Iterable[Step]) -> Iterator[Alert]:
    """Another cluster, region or account."""
    for step in _of(steps, Kind.UPDATE, Kind.REPLACE):
        if step.type == _CLUSTER_PROVIDER and step.change("clusterIdentifier"):
            text = "another cluster: all objects are made anew there, with empty volumes"
            yield Alert(severity=Severity.DANGER, category=Category.REPLACE, text=text)
        elif step.type == _AWS_PROVIDER and any(
            change.path.startswith(("region", "allowedAccountIds")) for change in step.changes
        ):
            text = "another AWS region or account: what the stack has in the old one is out of its reach"
            yield Alert(severity=Severity.DANGER, category=Category.REPLACE, text=text)


# Database


def _database(steps: Iterable[Step], after: Mapping[str, PlannedResource]) -> Iterator[Alert]:
    for step in _of(steps, Kind.UPDATE, Kind.REPLACE, type_=_INSTANCE):
        inputs: Mapping[str, Any] = after[step.urn].inputs if step.urn in after else {}
        for change in step.changes:
            yield from _instance_change(step, change, inputs)
    for step in _of(steps, Kind.REPLACE, Kind.CREATE, type_=_JOB):
        if step.name.endswith(_MIGRATION):
            text = (
                "{0}: `airflow db migrate` runs before any pod rolls; a schema that it has changed does not go back "
                "with the image"
            )
            yield Alert(severity=Severity.NOTE, category=Category.DATABASE, text=text, names=(step.label,))


def _instance_change(step: Step, change: PropertyChange, inputs: Mapping[str, Any]) -> Iterator[Alert]:
    def warning(severity: Severity, text: str) -> Alert:
        names = (step.label, str(change.before), str(change.after))
        return Alert(severity=severity, category=Category.DATABASE, text=text, names=names)

    when = "at once" if inputs.get("applyImmediately") is True else "in its next maintenance window"
    down = "a failover of a minute or two" if inputs.get("multiAz") is True else "some minutes without a database"
    before, after = change.before, change.after
    match change.path:
        case "instanceClass":
            yield warning(Severity.WARNING, f"{{0}}: the class changes from {{1}} to {{2}}: {down}, {when}")
        case "engineVersion":
            yield warning(Severity.WARNING, f"{{0}}: PostgreSQL changes from {{1}} to {{2}}: {down}, {when}")
        case "multiAz" if after is not True:
            yield warning(Severity.WARNING, "{0}: no standby any more: the next failure is minutes without a database")
        case "allocatedStorage":
            yield warning(Severity.NOTE, f"{{0}}: storage changes from {{1}} to {{2}} GiB, {when}; it never shrinks")
        case "backupRetentionPeriod" if _less(after, before):
            yield warning(
                Severity.WARNING, "{0}: backups are kept for {2} days in place of {1}: older ones are deleted"
            )
        case "deletionProtection" if after is not True:
            yield warning(Severity.WARNING, "{0}: RDS no longer refuses to delete it")
        case "skipFinalSnapshot" if after is True:
            yield warning(Severity.WARNING, "{0}: nothing would be left of it when it is deleted")
        case "publiclyAccessible" if after is True:
            yield warning(Severity.DANGER, "{0}: it gets an address that the internet can reach")
        case "password":
            text = "{0}: its password changes: new connections fail until every pod that uses it has rolled"
            yield warning(Severity.WARNING, text)
        case "port" | "parameterGroupName" | "caCertIdentifier":
            path = change.path
            yield warning(Severity.WARNING, f"{{0}}: {path} changes from {{1}} to {{2}}: it may restart, {when}")


def _less(after: Any, before: Any) -> bool:
    return isinstance(after, int | float) and isinstance(before, int | float) and after < before


# Keys


def _keys(report: StackReport) -> Iterator[Alert]:
    for step in _of(report.steps, Kind.REPLACE, type_=_SECRET):
        if f"{_KEYS}$" not in step.urn:
            continue
        for ending, (severity, key, cost) in _KEY_COSTS.items():
            if step.name.endswith(ending):
                # Encrypted twice, one value is two texts: without decryption nobody can tell.
                encrypted = any(text.startswith(f"airflow:{key} (encrypted") for text in report.placeholders)
                maybe = " (its encrypted text does; whether its value does, only decryption tells)" if encrypted else ""
                text = f"{{0}} changes{maybe}: {cost}"
                yield Alert(severity=severity, category=Category.KEYS, text=text, names=(step.name,))


# Downtime


def _downtime(rolls: Iterable[Roll]) -> Iterator[Alert]:
    alone = []
    for roll in rolls:
        if roll.component == "worker":
            text = f"workers roll: each gives its tasks {roll.grace_seconds} s to end, and ends the rest"
            yield Alert(severity=Severity.WARNING, category=Category.DOWNTIME, text=text)
        if roll.interrupts:
            cost = _INTERRUPTED.get(roll.component, "nothing stands in for it until it is back")
            text = f"{{0}} restarts, and has no second pod: {cost}"
            yield Alert(severity=Severity.WARNING, category=Category.DOWNTIME, text=text, names=(roll.component,))
        elif roll.replicas == 1:
            alone.append(roll.component)
    if alone:
        text = "one pod each, of which the new one starts before the old one goes: {}"
        yield _listed(text, alone, Severity.NOTE, Category.DOWNTIME)


# Isolation, chart, what is not known


def _isolation(steps: Iterable[Step]) -> Iterator[Alert]:
    deleted = [step.name for step in _of(steps, Kind.DELETE, type_=_NETWORK_POLICY)]
    if deleted:
        text = "network policies that are deleted, and what they closed is open: {}"
        yield _listed(text, deleted, Severity.WARNING, Category.ISOLATION)
    changed = [step.name for step in _of(steps, Kind.UPDATE, Kind.REPLACE, type_=_NETWORK_POLICY)]
    if changed:
        yield _listed("network policies change: {}", changed, Severity.WARNING, Category.ISOLATION)
    for step in _of(steps, Kind.UPDATE, type_=_NAMESPACE):
        if any("pod-security" in change.path for change in step.changes):
            text = "{0}: which pods the namespace admits changes"
            yield Alert(severity=Severity.WARNING, category=Category.ISOLATION, text=text, names=(step.label,))


def _chart(steps: Iterable[Step]) -> Iterator[Alert]:
    for step in _of(steps, Kind.UPDATE, Kind.REPLACE, type_=RELEASE_TYPE):
        change = step.change("chart")
        if change is not None:
            names = tuple(str(path).rpartition("/")[2] for path in (change.before, change.after))
            text = "the chart changes from {0} to {1}: see docs/runbooks/upgrade-airflow-or-chart.md"
            yield Alert(severity=Severity.WARNING, category=Category.CHART, text=text, names=names)


def _placeholders(report: StackReport) -> Iterator[Alert]:
    missing = [text.partition(" (")[0] for text in report.placeholders if text.endswith("(not in the stack's file)")]
    if missing:
        text = "not in the stack's file, and stood in for; the update itself needs it: {}"
        yield _listed(text, missing, Severity.NOTE, Category.PLACEHOLDERS)


def _decisions(report: StackReport) -> Iterator[Alert]:
    """What was decided and is not needed: misspelt, or left over, and then it would let the next accident pass."""
    if report.head_failure is not None:
        return
    happens = {name for step in _of(report.steps, Kind.DELETE, Kind.REPLACE) for name in (step.name, step.urn)}
    unneeded = [name for name in report.decided if name not in happens]
    if unneeded:
        text = (
            f"in {DECIDED.as_posix()}, and neither replaced nor deleted here; take out what is done or misspelt: {{}}"
        )
        yield _listed(text, unneeded, Severity.NOTE, Category.POLICY)
