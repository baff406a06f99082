"""Goes back to an older Airflow by a backup from before the upgrade, where the database itself cannot be taken back.

The older image comes into the config together with the mark of a restore, in one step. From then on this is a restore
like any other: `restore` continues it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from automation import backups
from automation.backup.result import Restored, RestorePlan
from automation.engine import operations
from automation.engine.events import OnEvent
from automation.errors import UpgradeRefused
from automation.folder import short_name
from automation.stacks.config import Keep
from automation.stacks.roll_image import refuse_digest
from automation.stacks.session import Session
from automation.upgrade.chart import charts
from automation.upgrade.planning import EARLIER, Planning
from automation.upgrade.target import Target, earlier_image, image_of, rollback_target
from settings.upgrade import AirflowImage, UpgradeMark

_VERB = "rollback"


@dataclass(frozen=True, kw_only=True)
class _Back:
    """Where it goes."""

    after: str = ""
    """The older Airflow; "" if a restore is under way, which has the config already."""
    at: datetime | None = None
    """When the first update to the newer Airflow began, None if there was none."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What the config says of the older image."""


def restoration(session: Session, image: AirflowImage | None, name: str | None, at: datetime | None) -> RestorePlan:
    """See `Environment.rollback_restoration`. image, name, at: what was asked for."""
    back = _back(session, image)
    plan = backups.restore_plan(session, name, _moment(back, name, at))
    return replace(plan, after=back.after)


def rollback(
    session: Session,
    image: AirflowImage | None,
    name: str | None,
    at: datetime | None,
    timeout_seconds: float,
    keep: Keep,
    on_event: OnEvent,
) -> Restored:
    """See `Environment.rollback_by_restore`. image, name, at: what was asked for."""
    back = _back(session, image)
    moment = _moment(back, name, at)
    done = backups.restore(session, name, moment, timeout_seconds, keep, on_event, image=back.values)
    return replace(done, plan=replace(done.plan, after=back.after))


def _moment(back: _Back, name: str | None, at: datetime | None) -> datetime | None:
    return at or (None if name else back.at)


def _back(session: Session, image: AirflowImage | None) -> _Back:
    """Return where it goes. Raises UpgradeRefused, StackUnknown, SettingsInvalid."""
    config, stack = session.config(), short_name(session.name)
    if config.restore:
        return _Back()
    refuse_digest(session.name, config)
    with session.open_for_reading(_VERB) as opened:
        history = operations.history(opened, EARLIER)
        both = charts(operations.deployment(opened), history)
    present = AirflowImage(tag=config.image_tag, airflow=config.airflow_version)
    mark = UpgradeMark.of(config.upgrade) if config.upgrade else None
    earlier = None if mark else earlier_image(history, present)
    target = rollback_target(stack, present, image or earlier, mark, both)
    refusals = target.refusals or _without_another_image(stack, target)
    if refusals:
        back = f"rollback {stack}"
        again = (text.replace(f"{back} --tag", f"{back} --restore --tag") for text in refusals)
        raise UpgradeRefused(stack, _VERB, tuple(again))
    values = Planning.values(target.after)
    return _Back(after=str(target.after), at=first_update(history, target.before), values=values)


def _without_another_image(stack: str, target: Target) -> tuple[str, ...]:
    if not target.keeps_image:
        return ()
    return (
        f"--restore: expected an upgrade of Airflow to go back from, found one of the chart, which changes no data. "
        f"Fix: python -m automation rollback {stack}",
    )


def first_update(history: Iterable[Mapping[str, Any]], newer: AirflowImage) -> datetime | None:
    """Return when the first of the last updates to an image began, successful or not; None if there was none.

    Args:
        history: The engine's, the newest first. An update that was killed is not in it.
        newer: The image. Updates after those to it, which had another one, are left out.
    """
    began = None
    for record in history:
        if record.get("kind") != "update":
            continue
        if image_of(record) == newer:
            began = str(record["startTime"])
        elif began is not None:
            break
    return datetime.fromisoformat(began) if began else None
