"""The mark of an upgrade or a rollback that is under way, as it stands in a stack's config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from components.texts import fields

BEGINNINGS: Final = {"upgrade": "the upgrade from", "rollback": "the rollback from"}
"""How a sentence about one that is under way begins, by its verb."""
_IMAGE: Final = r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})/([0-9.]+)"
_FORM: Final = re.compile(rf"(upgrade|rollback) ([1-9])/([1-9]) {_IMAGE} {_IMAGE}(?: ([0-9.]+) ([0-9.]+))?")


@dataclass(frozen=True, kw_only=True)
class AirflowImage:
    """The image and the version to which an upgrade goes."""

    tag: str
    """Tag of the Airflow image."""
    airflow: str
    """Airflow in it."""

    @staticmethod
    def of(tag: str | None, airflow: str | None) -> AirflowImage | None:
        """Return the image if both are given, else None."""
        return AirflowImage(tag=tag, airflow=airflow) if tag and airflow else None

    def __str__(self) -> str:
        return self.airflow if self.tag == self.airflow else f"{self.airflow} ({self.tag})"


@dataclass(frozen=True, kw_only=True)
class UpgradeMark:
    """The upgrade or rollback that is under way, and how far it is."""

    verb: str
    """`upgrade` or `rollback`."""
    stage: int
    """The stage that was begun last, from 1."""
    stages: int
    """How many there are."""
    before: AirflowImage
    """What ran when it began."""
    after: AirflowImage
    """What will run at its end."""
    charts: tuple[str, str] | None = None
    """Version of the chart before and after; None if it does not change."""

    @staticmethod
    def of(text: str) -> UpgradeMark:
        """Read a mark. Raises ValueError."""
        found = _FORM.fullmatch(text)
        if found is None or int(found[2]) > int(found[3]):
            fields.refuse(f"expected what `python -m automation upgrade` wrote, found {fields.shown(text)}")
        return UpgradeMark(
            verb=found[1],
            stage=int(found[2]),
            stages=int(found[3]),
            before=AirflowImage(tag=found[4], airflow=found[5]),
            after=AirflowImage(tag=found[6], airflow=found[7]),
            charts=(found[8], found[9]) if found[8] else None,
        )

    def __str__(self) -> str:
        images = (f"{image.tag}/{image.airflow}" for image in (self.before, self.after))
        return f"{self.verb} {self.stage}/{self.stages} {' '.join((*images, *(self.charts or ())))}"

    @property
    def older(self) -> AirflowImage:
        """The older of both images."""
        return self.before if self.verb == "upgrade" else self.after

    def command(self, stack: str) -> str:
        """Return the command that continues it."""
        if self.verb == "rollback":
            return f"python -m automation rollback {stack}"
        command = f"python -m automation upgrade {stack} --tag {self.after.tag} --airflow-version {self.after.airflow}"
        return f"{command} --chart {self.charts[1]}" if self.charts else command

    def told(self, stack: str) -> str:
        """Return how far it is, and what continues it."""
        before, after = named(self.before, self.after, self.charts)
        how_far = f"{BEGINNINGS[self.verb]} {before} to {after} is in stage {self.stage} of {self.stages}"
        back = f"; python -m automation rollback {stack} goes back" if self.verb == "upgrade" else ""
        return f"{how_far}; {self.command(stack)} continues it{back}"


def named(before: AirflowImage, after: AirflowImage, charts: tuple[str, str] | None) -> tuple[str, str]:
    """Return what ran and what will run, in words."""
    if charts is None:
        return str(before), str(after)
    return f"{before} with chart {charts[0]}", f"{after} with chart {charts[1]}"
