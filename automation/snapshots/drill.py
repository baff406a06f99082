"""A drill of a managed database: a temporary instance is made, looked at with the stack's keys, and deleted."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

import outputs
from automation.backup.jobs import BackupJobs, deployed_outputs
from automation.backup.result import Drill, DrillPlan
from automation.cluster import objects
from automation.engine.events import OnEvent, ignore
from automation.errors import BackupFailed
from automation.folder import short_name
from automation.snapshots.model import Instance, Source, chosen_source, of_stack, suffixed
from automation.snapshots.rds import Rds
from automation.stacks.session import Session
from components.database.rds_existing import LEFT_TAG, RESTORED_FROM_TAG
from components.database.roles_script import MASTER
from components.database.uri import URI_VARIABLE, read_database_uri

VERB: Final = "drill"
DRILL_TAG: Final = "airflow-drill"
"""Key of the tag of a temporary instance: the stack's instance that it is a copy of."""
_ID: Final = "%Y%m%d%H%M%S"


def drill(session: Session, name: str | None, at: datetime | None, on_event: OnEvent) -> Drill:
    """See `Environment.drill`."""
    found, teller = deployed_outputs(session, VERB), session.events(VERB, on_event)
    jobs, rds, config = (
        BackupJobs(session, found, VERB, on_event, dumps=False),
        Rds(session, VERB, on_event),
        session.config(),
    )
    jobs.end_left_over()
    present, source = _chosen(session, rds, name, at)
    delete_left(session, rds, on_event)
    password = _password(session, found)
    began, started = datetime.now(UTC), time.monotonic()
    temporary = _temporary(present, began)
    tags = {key: value for key, value in present.tags.items() if _is_copied(key)} | {DRILL_TAG: present.identifier}
    teller.note(f"restoring {source.text} into the temporary instance {temporary}")
    try:
        made = rds.make_temporary(source, temporary, present, tags)
        # The snapshot may be older than the stack's password.
        rds.set_password(temporary, password)
        if outputs.DATABASE_ROLES_POD in found:
            jobs.make_roles(made.host)
        teller.note("reading every encrypted value with the stack's keys")
        answer = jobs.look(config.database_name, made.host)
        seconds = round(time.monotonic() - started, 1)
    except BaseException:
        teller.note("deleting the temporary instance")
        try:
            rds.delete(temporary)
        except BackupFailed as error:  # RDS refuses it, as while it makes the instance: the first error says more
            teller.note(f"{temporary} is not deleted, and the next drill deletes it: {error.what}")
        raise
    teller.note("deleting the temporary instance")
    rds.delete(temporary)
    return Drill.of(short_name(session.name), source.text, answer, (began - source.taken).total_seconds(), seconds)


def drill_plan(session: Session, name: str | None, at: datetime | None) -> DrillPlan:
    """See `Environment.drill_plan`."""
    present, source = _chosen(session, Rds(session, VERB, ignore), name, at)
    now = datetime.now(UTC)
    return DrillPlan(
        stack=short_name(session.name),
        backup=source.text,
        into=_temporary(present, now),
        rpo_seconds=round((now - source.taken).total_seconds(), 1),
    )


def _chosen(session: Session, rds: Rds, name: str | None, at: datetime | None) -> tuple[Instance, Source]:
    """Return the stack's instance, and what the temporary one is made from. Raises BackupFailed."""
    identifier = session.config().database_identifier
    present = rds.instance(identifier)
    if present is None:
        raise BackupFailed(
            f"there is no instance {identifier}, whose network a drill needs",
            f"python -m automation restore {session.name} makes one from a snapshot",
        )
    snapshots = tuple(item for item in rds.snapshots() if of_stack(item.instance, present.identifier))
    return present, chosen_source(snapshots, rds.window(present.identifier), name, at, present.kms_key)


def _temporary(present: Instance, began: datetime) -> str:
    return suffixed(present.identifier, f"-drill-{began.strftime(_ID)}")


def delete_left(session: Session, rds: Rds, on_event: OnEvent) -> None:
    """Delete the temporary instances of drills that were killed."""
    present = session.config().database_identifier
    for item in rds.instances():
        copied = item.tags.get(DRILL_TAG, "")
        if copied and of_stack(copied, present) and item.status not in ("deleting", "creating"):
            session.events(VERB, on_event).note(f"deleting the instance {item.identifier}, which a killed drill left")
            rds.delete(item.identifier)


def _is_copied(tag: str) -> bool:
    """Return whether a temporary instance has a tag too. RDS refuses those that AWS itself has given."""
    return tag not in (LEFT_TAG, RESTORED_FROM_TAG) and not tag.lower().startswith("aws:")


def _password(session: Session, found: dict[str, Any]) -> str:
    """Return the password of the master user. From now on no output shows it."""
    # The Jobs log in with it, if the stack makes no roles.
    pod, variable = found[outputs.BACKUP_PODS]["airflow"], URI_VARIABLE
    if outputs.DATABASE_ROLES_POD in found:
        pod, variable = found[outputs.DATABASE_ROLES_POD], MASTER
    [container] = pod["spec"]["containers"]
    [reference] = [item["valueFrom"]["secretKeyRef"] for item in container["env"] if item["name"] == variable]
    config = session.reached_config()
    stored = objects.ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)
    uri = read_database_uri(stored.secret(reference["name"]).get(reference["key"], ""))
    if uri is None or not uri.password:
        raise BackupFailed(
            f"the Secret {reference['name']} does not hold the URI of the database",
            f"python -m automation up {session.name}",
        )
    session.masker = session.masker.knowing([uri.password])
    return uri.password
