"""From which image to which: what the config says, what was asked for, and what an earlier run left. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import versions
from automation.upgrade.stages import STAGES, Stage, first_number
from compatibility import number
from settings import PROJECT
from settings.upgrade import AirflowImage, UpgradeMark


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an upgrade or a rollback is to bring about."""

    verb: str
    before: AirflowImage
    after: AirflowImage
    first: int = 1
    """The stage to begin with, from 1."""
    resumed: bool = False
    refusals: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages."""
        return STAGES[self.verb]

    @property
    def newer(self) -> AirflowImage:
        """The image whose migrations are the newest."""
        return self.after if self.verb == "upgrade" else self.before

    def mark(self, stage: int) -> UpgradeMark:
        """Return the mark of a stage that begins."""
        return UpgradeMark(verb=self.verb, stage=stage, stages=len(self.stages), before=self.before, after=self.after)


def upgrade_target(
    stack: str, present: AirflowImage, deployed_tag: str, wanted: AirflowImage, mark: UpgradeMark | None
) -> Target:
    """Return where an upgrade goes, with the reasons why it cannot.

    Args:
        stack: For commands.
        present: What the config says.
        deployed_tag: The tag that was deployed last.
        wanted: What was asked for.
        mark: What an earlier run left in the config.
    """
    if mark is not None:
        if mark.verb == "upgrade" and mark.after == wanted:
            first = first_number(STAGES["upgrade"], mark)
            return Target(verb="upgrade", before=mark.before, after=wanted, first=first, resumed=True)
        refusal = f"{mark.told(stack)}. Fix: finish it first"
        return Target(verb="upgrade", before=present, after=wanted, refusals=(refusal,))
    found = []
    if present.tag != deployed_tag:
        found.append(
            f"airflow:imageTag: expected what is deployed, {deployed_tag}, found {present.tag}. "
            f"Fix: python -m automation up {stack}"
        )
    elif present == wanted:
        found.append(f"--tag: expected another image than the one that runs, found {wanted}. Fix: give another tag")
    if number(wanted.airflow) < number(present.airflow):
        found.append(
            f"--airflow-version: expected {present.airflow} or newer, found {wanted.airflow}. "
            f"Fix: python -m automation rollback {stack} --tag {wanted.tag} --airflow-version {wanted.airflow}"
        )
    return Target(verb="upgrade", before=present, after=wanted, refusals=tuple(found))


def rollback_target(stack: str, present: AirflowImage, wanted: AirflowImage | None, mark: UpgradeMark | None) -> Target:
    """Return where a rollback goes. Arguments as in `upgrade_target`; wanted: None if nothing says it."""
    if mark is not None and mark.verb == "rollback":
        first = first_number(STAGES["rollback"], mark)
        return Target(verb="rollback", before=mark.before, after=mark.after, first=first, resumed=True)
    if mark is not None:
        return Target(verb="rollback", before=mark.after, after=mark.before)
    found = []
    if wanted is None or wanted == present:
        found.append(
            f"--tag: expected the image to go back to, because no earlier update had another one than {present}. "
            f"Fix: python -m automation rollback {stack} --tag TAG --airflow-version VERSION"
        )
    elif number(wanted.airflow) > number(present.airflow):
        found.append(
            f"--airflow-version: expected {present.airflow} or older, found {wanted.airflow}. "
            f"Fix: python -m automation upgrade {stack} --tag {wanted.tag} --airflow-version {wanted.airflow}"
        )
    return Target(verb="rollback", before=present, after=wanted or present, refusals=tuple(found))


def earlier_image(history: Iterable[Mapping[str, Any]], present: AirflowImage) -> AirflowImage | None:
    """Return the image of the last successful update that had another one. history: the engine's, the newest first."""

    def value(record: Mapping[str, Any], key: str) -> str:
        found = (record.get("config") or {}).get(f"{PROJECT}:{key}") or {}
        return str(found.get("value") or versions.AIRFLOW)

    for record in history:
        if record.get("kind") == "update" and record.get("result") == "succeeded":
            image = AirflowImage(tag=value(record, "imageTag"), airflow=value(record, "airflowVersion"))
            if image != present:
                return image
    return None
