"""Lets a stack take over a release: completes its config, writes its state, and updates."""

from __future__ import annotations

import uuid

from automation.adoption import prepare as preparation
from automation.adoption.installed import InstalledRelease
from automation.adoption.plan import Adoption, AdoptionPlan
from automation.adoption.prepare import Prepared
from automation.adoption.state import faults, with_release
from automation.cluster import objects
from automation.engine import operations
from automation.engine.events import OnEvent
from automation.engine.opened_stack import OpenedStack
from automation.engine.stack_state import StackState
from automation.errors import AdoptionRefused
from automation.folder import short_name
from automation.recovery.recover import wait_until_healthy
from automation.stacks import updates
from automation.stacks.cluster_tag import cluster_to_store
from automation.stacks.session import Session
from automation.stacks.stack_values import change_config, config_values
from automation.stacks.work_directory import looks_like
from settings import PROJECT


def adoption_plan(session: Session, on_event: OnEvent) -> AdoptionPlan:
    """See `Environment.adoption`."""
    with session.open_for_update("adopt", on_event) as opened:
        return _prepare(session, opened).plan


def adopt(session: Session, timeout_seconds: float, on_event: OnEvent) -> Adoption:
    """See `Environment.adopt`."""
    with session.open_for_update("adopt", on_event) as opened:
        prepared = _prepare(session, opened)
        if prepared.settings is None:
            raise AdoptionRefused(short_name(session.name), prepared.plan.refusals)
        for item in prepared.plan.taken:
            opened.teller.note(f"takes over {PROJECT}:{item.key} of {item.source}")
        for note in prepared.plan.notes:
            opened.teller.note(note)
        session.cancellation.raise_if_cancelled()
        _complete_config(session, opened, prepared)
        session.cancellation.record("the config was completed")
    with session.open_for_update("adopt", on_event) as opened:
        updates.store_first_cluster(opened, cluster_to_store(session, opened))
        session.cancellation.raise_if_cancelled()
        _write_state(session, opened, prepared.release)
        session.cancellation.record(
            "the release was taken into the state", f"python -m automation recover {short_name(session.name)}"
        )
    update = updates.up(session, "adopt", on_event)
    return Adoption(plan=prepared.plan, update=update, status=wait_until_healthy(session, timeout_seconds))


def _prepare(session: Session, opened: OpenedStack) -> Prepared:
    """Raise AdoptionRefused, SettingsInvalid, and what the cluster and the engine raise."""
    name, place = short_name(session.name), session.place
    state = StackState.of(operations.deployment(opened))
    if state.resources or state.pending:
        raise AdoptionRefused(
            name,
            (
                f"stack {name}: expected one that has deployed nothing yet, found one with "
                f"{len(state.resources)} resources. Fix: if its adoption was interrupted, python -m automation "
                f"recover {name}; else take another stack",
            ),
        )
    config = session.reached_config()
    return preparation.prepare(
        name,
        config_values(session, opened),
        objects.ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig),
        lambda settings: looks_like(place.project_dir, name, settings),
        place.project_dir,
        config.namespace,
    )


def _complete_config(session: Session, opened: OpenedStack, prepared: Prepared) -> None:
    """Add what the release decides to the config. From now on no output may show its keys."""
    assert prepared.settings is not None
    session.masker = session.masker.knowing(secret.reveal() for secret in prepared.settings.secrets.values())
    change_config(session, opened, prepared.added)


def _write_state(session: Session, opened: OpenedStack, release: InstalledRelease) -> None:
    """Write the release and its namespace into the state.

    Raises:
        AdoptionRefused: The update would replace or delete something. The state is as before.
    """
    before = operations.deployment(opened)
    registered = operations.registered(opened)
    operations.replace_deployment(opened, with_release(before, registered, release, str(uuid.uuid4())))
    try:
        problems = tuple(faults(operations.preview(opened).steps))
    except BaseException:
        operations.replace_deployment(opened, before)
        raise
    if problems:
        operations.replace_deployment(opened, before)
        fix = f"Fix: python -m automation preview {session.name} tells more"
        raise AdoptionRefused(
            short_name(session.name),
            tuple(f"expected an update that replaces and deletes nothing, found {text}. {fix}" for text in problems),
        )
