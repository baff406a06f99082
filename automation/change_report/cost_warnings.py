"""Warnings about what a change costs: the database, the keys, and pods that are not ready for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from automation.change_report.model import Category, ChangeKind, PropertyChange, Remark, Severity, StackReport, listed
from automation.plan.model import PlannedResource
from components.chart_values.running import BEGINNING as HALTED
from settings.rotation import BEGINNING as ROTATION
from settings.upgrade import BEGINNINGS as UPGRADES

_KEYS: Final = "airflow:index:AirflowKeys"
_INSTANCE: Final = "aws:rds/instance:Instance"
_JOB: Final = "kubernetes:batch/v1:Job"
_SECRET: Final = "kubernetes:core/v1:Secret"
_MIGRATION: Final = "-migrate"

_KEY_COSTS: Final[Mapping[str, tuple[Severity, str, str]]] = {
    # Ending of a Secret's name: severity, config key, what it costs (docs/architecture.md, "Keys and Secrets").
    "-fernet-key": (
        Severity.DANGER,
        "fernetKey",
        "what the old one encrypted cannot be read, unless the new value still holds it: see docs/day-2.md",
    ),
    "-jwt-secret": (
        Severity.WARNING,
        "jwtSecret",
        "tasks that run fail, unless the new value still holds it: see docs/day-2.md",
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

_STAGES: Final = "until then no stage loses what a key encrypted, see docs/day-2.md"

_EXPORTER: Final = "exporter"
"""No task and nobody at the UI needs it, and every new image restarts it."""
_INTERRUPTED: Final[Mapping[str, str]] = {
    # Label `component` of the pods: what nobody can do while none is ready.
    "redis": "no task starts until it is back",
    "statsd": "metrics of that time are missing",
    _EXPORTER: "what it measures is missing until it is back",
    "pgbouncer": "Airflow has no way to its database until it is back",
    "postgres": "Airflow has no database until it is back",
    "scheduler": "nothing is scheduled until it is back",
    "api-server": "neither people nor tasks reach Airflow until it is back: tasks that run may fail",
    "worker": "no task runs until it is back",
    "triggerer": "deferred tasks wait until it is back",
    "dag-processor": "changes of DAGs wait until it is back",
}


def database(report: StackReport, after: Mapping[str, PlannedResource]) -> Iterator[Remark]:
    """Yield what changes of the instance cost, and migrations. after: resources by URN."""
    for step in report.of(ChangeKind.UPDATE, ChangeKind.REPLACE, type_=_INSTANCE):
        inputs: Mapping[str, Any] = after[step.urn].inputs if step.urn in after else {}
        for change in step.changes:
            if (alert := _instance_change(change, inputs)) is not None:
                severity, text = alert
                names = (step.label, str(change.before), str(change.after))
                yield Remark(severity=severity, category=Category.DATABASE, text=f"{{0}}: {text}", names=names)
    for step in report.of(ChangeKind.REPLACE, ChangeKind.CREATE, type_=_JOB):
        if step.name.endswith(_MIGRATION):
            text = (
                "{0}: `airflow db migrate` runs before any pod rolls; a schema that it has changed does not go back "
                "with the image"
            )
            yield Remark.note(Category.DATABASE, text, step.label)


def _instance_change(change: PropertyChange, inputs: Mapping[str, Any]) -> tuple[Severity, str] | None:
    """Return severity and sentence for a change of the instance. inputs: the instance's, after the change."""
    when = "at once" if inputs.get("applyImmediately") is True else "in its next maintenance window"
    down = "a failover of a minute or two" if inputs.get("multiAz") is True else "some minutes without a database"
    before, after = change.before, change.after
    match change.path:
        case "instanceClass":
            return Severity.WARNING, f"the class changes from {{1}} to {{2}}: {down}, {when}"
        case "engineVersion":
            return Severity.WARNING, f"PostgreSQL changes from {{1}} to {{2}}: {down}, {when}"
        case "multiAz" if after is not True:
            return Severity.WARNING, "no standby any more: at the next failure, the database is away for minutes"
        case "allocatedStorage":
            return Severity.NOTE, f"storage changes from {{1}} to {{2}} GiB, {when}; it never shrinks"
        case "backupRetentionPeriod" if _less(after, before):
            return Severity.WARNING, "backups are kept for {2} days in place of {1}: older ones are deleted"
        case "deletionProtection" if after is not True:
            return Severity.WARNING, "RDS no longer refuses to delete it"
        case "skipFinalSnapshot" if after is True:
            return Severity.WARNING, "it would be deleted without a final snapshot"
        case "publiclyAccessible" if after is True:
            return Severity.DANGER, "it gets an address that the internet can reach"
        case "password":
            return (
                Severity.WARNING,
                "its password changes: new connections fail until every pod that uses it has rolled",
            )
        case "port" | "parameterGroupName" | "caCertIdentifier":
            return Severity.WARNING, f"{change.path} changes from {{1}} to {{2}}: it may restart, {when}"
    return None


def _less(after: Any, before: Any) -> bool:
    return isinstance(after, int | float) and isinstance(before, int | float) and after < before


def keys(report: StackReport) -> Iterator[Remark]:
    """Yield what another key costs."""
    for step in report.of(ChangeKind.REPLACE, type_=_SECRET):
        if f"{_KEYS}$" not in step.urn:
            continue
        for ending, (severity, key, cost) in _KEY_COSTS.items():
            if step.name.endswith(ending):
                # Encrypted twice, one value is two texts: without decryption nobody can tell.
                encrypted = any(text.startswith(f"airflow:{key} (encrypted") for text in report.placeholders)
                maybe = " (its encrypted text does; a plan cannot see whether its value does)" if encrypted else ""
                text = f"{{0}} changes{maybe}: {cost}"
                yield Remark(severity=severity, category=Category.KEYS, text=text, names=(step.name,))


def under_way(report: StackReport) -> Iterator[Remark]:
    """Yield what the program itself warns of: a rotation or upgrade under way, a stack that does not run whole."""
    for message in report.messages:
        level, _, text = message.partition(": ")
        if level != "warning":
            continue
        line = " ".join(text.split())
        if text.startswith(ROTATION):
            yield Remark.note(Category.KEYS, f"{{0}}; {_STAGES}", line)
        elif text.startswith(HALTED):
            yield Remark.warning(Category.DOWNTIME, "{0}", line)
        elif text.startswith(tuple(UPGRADES.values())):
            yield Remark.note(Category.DOWNTIME, "{0}", line)


def downtime(report: StackReport) -> Iterator[Remark]:
    """Yield the workloads that do nothing for a while."""
    alone = []
    for roll in report.rolls:
        if roll.component == "worker":
            text = f"workers roll: each gives its tasks {roll.grace_seconds} s to end, and ends the rest"
            yield Remark.warning(Category.DOWNTIME, text)
        elif roll.component.startswith("worker-"):
            text = f"{{0}} rolls: each worker gives its tasks {roll.grace_seconds} s to end, and ends the rest"
            yield Remark.warning(Category.DOWNTIME, text, roll.component)
        if roll.interrupts:
            cost = _INTERRUPTED.get(roll.component, "nothing stands in for it until it is back")
            text = f"{{0}} restarts, and has no second pod: {cost}"
            remark = Remark.note if roll.component == _EXPORTER else Remark.warning
            yield remark(Category.DOWNTIME, text, roll.component)
        elif roll.replicas == 1:
            alone.append(roll.component)
    if alone:
        text, names = listed("one pod each, and the new one starts before the old one ends: {}", alone)
        yield Remark.note(Category.DOWNTIME, text, *names)
